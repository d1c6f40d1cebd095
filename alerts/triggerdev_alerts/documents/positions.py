"""YAML as plain values, and where each of them was written.

Reads nodes, not objects: no tag constructs anything, ``on`` is text (YAML 1.2), a key written twice is a mistake. Total
over any text: what cannot be read is a `Mistake`, never an exception. Knows nothing of what a config may hold.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from triggerdev_alerts.documents.mistakes import Mistake, Place, found

Path = tuple[str | int, ...]
Plain = str | int | float | bool | tuple["Plain", ...] | dict[str, "Plain"] | None

_DEEPEST = 30
_MOST_NODES = 200_000
_TAG = "tag:yaml.org,2002:"
# What ruamel.yaml says, and what helps.
_IN_OTHER_WORDS = {
    "found character '\\t' that cannot start any token": "YAML cannot be indented by tabs; use spaces",
    "mapping values are not allowed here": 'a ":" cannot stand here; quote the value, or look at the indentation',
    "found unexpected end of stream": "a quote is opened and never closed",
    "but found another document": "a file is one document; remove this line, or make a file of what follows",
    "could not find expected ':'": 'a key without its ":"',
    "expected the node content, but found '<stream end>'": "a bracket is opened and never closed",
    # A template without quotes is the most frequent one: `summary: {{ task }} fails`.
    "expected <block end>, but found '<scalar>'": (
        "the value ends before this; put all of it in quotes, as one that begins with {, [ or a quote always needs"
    ),
}
_INDENTATION = "this does not fit what stands above it; look at the indentation"
_IN_OTHER_PATTERNS = (
    (re.compile(r"expected ',' or '(.)', but got '<stream end>'"), r'this is never closed; a "\1" is missing'),
    (re.compile(r"expected ',' or '(.)', but got .*"), r'a "," or the closing "\1" is missing before this'),
    (re.compile(r"expected <block end>, but found '([\]}])'"), r'this "\1" closes nothing'),
    (re.compile(r"expected (<block end>|'<document start>'), but found .*"), _INDENTATION),
    (re.compile(r"expected the node content, but found .*"), "a value is missing before this"),
    (re.compile(r"found character '(.)' that cannot start any token"), r'a value cannot begin with "\1"; quote it'),
    (re.compile(r"found undefined alias '(.*)'"), r'nothing before this is named "&\1"'),
)
_OPENED = re.compile(r"found unexpected end of stream|expected ',' or '.', but got '<stream end>'")
"""Where it was opened is where to look; the end of the file says little."""


@dataclass(slots=True)
class Document:
    """A read file. `data` is empty where nothing could be read; `mistakes` says why."""

    name: str
    lines: list[str]
    data: Plain = None
    mistakes: list[Mistake] = field(default_factory=list)
    _keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _values: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` stands, or its key; of the nearest thing around it when it was not written."""
        marks = self._keys if key else self._values
        while path and path not in marks:
            path, marks = path[:-1], self._values
        return self._at(*marks.get(path, (0, 0)))

    def _at(self, line: int, column: int) -> Place:
        source = self.lines[line] if line < len(self.lines) else ""
        return Place(self.name, line + 1, column + 1, source)


def read_yaml(text: str, name: str) -> Document:
    """`text` as values with positions; `name` is the file's, as the person knows it."""
    document = Document(name, text.splitlines())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor used twice is legal; ruamel.yaml warns on stderr
            # Not "rt": to write files back it marks folds by control characters in the text, and keeps comments.
            root = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        before = text[: error.position]
        line = before.count("\n")
        reason = f"YAML does not allow this character (U+{ord(text[error.position]):04X})"
        document.mistakes.append(Mistake("yaml", reason, document._at(line, len(before) - before.rfind("\n") - 1)))
    except MarkedYAMLError as error:
        document.mistakes.append(_syntax(error, document))
    except Exception:
        # RecursionError, and what int() and chr() of escapes and directives raise: no text may end the process.
        document.mistakes.append(Mistake("yaml", "this is not YAML that can be read", document._at(0, 0)))
    else:
        if root is not None:
            document.data = _Reader(document).read(root)
    return document


def _syntax(error: MarkedYAMLError, document: Document) -> Mistake:
    problem = " ".join((error.problem or error.context or "this is not YAML").split())
    text = _IN_OTHER_WORDS.get(problem, problem)
    for pattern, words in _IN_OTHER_PATTERNS:
        text = pattern.sub(words, text)
    mark = error.context_mark if _OPENED.fullmatch(problem) else error.problem_mark
    if not isinstance(mark, StringMark):
        return Mistake("yaml", text, document._at(0, 0))
    return Mistake("yaml", text, document._at(mark.line, mark.column))


class _TooMuchError(Exception):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class _Reader:
    """Walks the nodes of one document and notes where each value stands."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def read(self, root: Node) -> Plain:
        try:
            return self._value(root, ())
        except _TooMuchError as error:
            self._complain("this is nested too deeply, or an alias that never ends", error.path)
            return None

    def _value(self, node: Node, path: Path) -> Plain:
        self._nodes += 1
        self._document._values[path] = (node.start_mark.line, node.start_mark.column)
        # An alias can stand in itself, and ten lines of them make a billion values.
        if len(path) > _DEEPEST or self._nodes > _MOST_NODES:
            raise _TooMuchError(path)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return tuple(self._value(item, (*path, index)) for index, item in enumerate(node.value))
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> Plain:
        read: dict[str, Plain] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._document._values[(*path, "?")] = (key.start_mark.line, key.start_mark.column)
                quotes = "; a text that begins with {{ stands in quotes" if isinstance(key, MappingNode) else ""
                self._complain(f"a key is a plain word, not a list or a mapping{quotes}", (*path, "?"))
                continue
            here = (*path, key.value)
            mark = (key.start_mark.line, key.start_mark.column)
            if key.value in read:
                first, _ = self._document._keys[here]
                text = f"{found(key.value)} is already written in line {first + 1}; keep one of them"
                self._document.mistakes.append(Mistake("duplicate", text, self._document._at(*mark)))
                continue
            self._document._keys[here] = mark
            read[key.value] = self._value(value, here)
        return read

    def _scalar(self, node: Node, path: Path) -> Plain:
        tag, text = str(node.tag), str(node.value)
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" as kind:
                return _number(text, kind)
            case "str" | "timestamp" | "merge" | "value":
                return text
        self._complain(f"the tag {found(tag.replace(_TAG, '!!'))} has no meaning here; remove it", path)
        return None

    def _complain(self, text: str, path: Path) -> None:
        self._document.mistakes.append(Mistake("yaml", text, self._document.place(path)))


def _number(text: str, kind: str) -> Plain:
    """The number, or the text itself where Python and YAML do not agree on what a number is."""
    plain = text.replace("_", "").lower()
    try:
        if kind == "float":
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
        return int(plain, {"0x": 16, "0o": 8, "0b": 2}.get(plain.lstrip("+-")[:2], 10))
    except ValueError:
        return text
