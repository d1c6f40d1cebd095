"""Rule files on disk: which ones a list of patterns means, and their texts. The only place here that opens files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import has_magic, iglob
from pathlib import Path

from triggerdev_alerts.documents.mistakes import Mistake, Place
from triggerdev_alerts.rules.sources import RuleFile

_LARGEST = 1 << 20
_PACKAGE = Path(__file__).parents[1]
#: In a wheel the shipped rules lie inside the package, in a checkout beside it.
_SHIPPED = (_PACKAGE / "shipped" / "rules", _PACKAGE.parent / "rules")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Files that could be read, and why others could not."""

    files: tuple[RuleFile, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def gather_rules(patterns: Sequence[str], *, base: Path | None = None, named_in: str = "") -> Gathered:
    """The files that `patterns` (paths and globs, relative to `base`) mean, each once, in order.

    `named_in` is where the patterns were written; a pattern that means no file is a mistake there.
    """
    found: dict[str, RuleFile] = {}
    mistakes: list[Mistake] = []
    for pattern in patterns:
        paths = _paths(pattern if base is None else str(base / pattern))
        if not paths:
            mistakes.append(Mistake("file", f"no file matches {pattern}", Place(named_in or pattern)))
        for path in paths:
            if path in found:
                continue
            read = _read(path)
            if isinstance(read, RuleFile):
                found[path] = read
            else:
                mistakes.append(read)
    return Gathered(tuple(found.values()), tuple(mistakes))


def rule_paths(patterns: Sequence[str]) -> list[Path]:
    """The files that `patterns` mean now."""
    return [Path(path) for pattern in patterns for path in _paths(pattern)]


def _paths(pattern: str) -> list[str]:
    if not has_magic(pattern) or Path(pattern).exists():
        return [pattern]
    return sorted(path for path in iglob(pattern, recursive=True) if Path(path).is_file())


def shipped_rules(*, tests: bool = True) -> tuple[RuleFile, ...]:
    """The rules that come with the program, with their tests if these are wanted."""
    folder = next((folder for folder in _SHIPPED if folder.is_dir()), None)
    names: Iterable[Path] = () if folder is None else sorted(folder.glob("*.yml"))
    if not tests:
        names = [path for path in names if not path.stem.endswith("_test")]
    return tuple(RuleFile(str(path), path.read_text("utf-8"), shipped=True) for path in names)


def shipped_runbook(name: str) -> str | None:
    """The text of the page that comes with a shipped rule; ``None`` if there is none of that name."""
    if not name.isalnum():
        return None
    pages = (folder.with_name("runbooks") / f"{name}.md" for folder in _SHIPPED)
    page = next((page for page in pages if page.is_file()), None)
    return None if page is None else page.read_text("utf-8")


def _read(path: str) -> RuleFile | Mistake:
    place = Place(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Mistake("file", "the file of rules is not UTF-8 text", Place(path, line, 1))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not the name of a file"
        return Mistake("file", f"the file of rules cannot be read: {reason.lower()}", place)
    if len(raw) > _LARGEST:
        return Mistake("file", "the file of rules is larger than 1 MiB", place)
    return RuleFile(path, text)
