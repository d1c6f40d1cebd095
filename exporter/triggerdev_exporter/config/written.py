"""The file and the environment as one tree of plain values, with the place of each. Reads the file; judges nothing.

A variable stands where its key would stand in the file, so that both are checked by the same models and a mistake in a
variable is told under the variable's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from triggerdev_alerts.documents.mistakes import Mistake, Place
from triggerdev_alerts.documents.positions import Document, Path, Plain, read_yaml
from triggerdev_exporter.config.keys import why

CONFIG = "TRIGGERDEV_EXPORTER_CONFIG"
KEY = "TRIGGER_SECRET_KEY"
KEY_FILE = "TRIGGER_SECRET_KEY_FILE"
API_URL = "TRIGGER_API_URL"
BRANCH = "TRIGGER_PREVIEW_BRANCH"

OVERRIDES: dict[str, tuple[str, ...]] = {
    "TRIGGERDEV_EXPORTER_LISTEN": ("web", "listen"),
    "TRIGGERDEV_EXPORTER_STATE": ("state",),
    "TRIGGERDEV_EXPORTER_LOG_LEVEL": ("log", "level"),
    "TRIGGERDEV_EXPORTER_LOG_FORMAT": ("log", "format"),
}
ONE_TARGET = {KEY: "secret_key_env", KEY_FILE: "secret_key_file", API_URL: "api_url", BRANCH: "branch"}
_LARGEST = 1 << 20


class Written:
    """What was written, by path, and where."""

    def __init__(self, document: Document | None) -> None:
        self._document = document
        self._elsewhere: dict[Path, Place] = {}
        self.data: Plain = {} if document is None or document.data is None else document.data
        self.mistakes: list[Mistake] = [] if document is None else list(document.mistakes)
        self.warnings: list[Mistake] = []
        self.files: list[FilePath] = [] if document is None else [FilePath(document.name)]
        """Every file that was looked for, whether it could be read or not."""

    @property
    def readable(self) -> bool:
        """Whether there is anything to judge: not so when the file is not YAML."""
        return self._document is None or self._document.data is not None or not self._document.mistakes

    def place(self, path: Path, key: bool = False) -> Place:
        """Where the value at `path` was written, or its key."""
        near = path
        while near:
            if near in self._elsewhere:
                return self._elsewhere[near]
            near = near[:-1]
        return Place("the configuration") if self._document is None else self._document.place(path, key=key)

    def file_path(self, value: str, path: Path) -> FilePath:
        """`value` as a path: relative to the file when it was written there, to the working directory elsewhere."""
        if self._document is None or self.place(path).line is None:
            return FilePath(value)
        return FilePath(self._document.name).parent / value

    def put(self, path: tuple[str, ...], value: Plain, name: str) -> None:
        """Let the variable or option `name` say what stands at `path`."""
        *sections, last = path
        here = self.data
        for section in sections:
            if not isinstance(here, dict):
                return  # a mistake of its own
            if here.get(section) is None:
                here[section] = {}
            here = here[section]
        if isinstance(here, dict):
            here[last] = value
            self._elsewhere[path] = Place(name)

    def put_target(self, environ: Mapping[str, str]) -> None:
        """Make the one target that the variables of the official SDK describe, unless the file has targets."""
        values = {name: environ[name] for name in ONE_TARGET if environ.get(name, "").strip()}
        if not isinstance(self.data, dict) or self.data.get("targets"):
            self._warn_of_unused(values)
            return
        if KEY in values and KEY_FILE in values:
            text = f"{KEY} is set too; keep one of them"
            self.mistakes.append(Mistake("conflict", text, Place(KEY_FILE)))
            del values[KEY_FILE]
        if KEY not in values and KEY_FILE not in values:
            return
        # The key itself never enters the tree, only the name of what holds it.
        self.data["targets"] = ({ONE_TARGET[name]: name if name == KEY else value for name, value in values.items()},)
        self._elsewhere[("targets", 0)] = Place(KEY if KEY in values else KEY_FILE)
        for name in values:
            self._elsewhere[("targets", 0, ONE_TARGET[name])] = Place(name)

    def _warn_of_unused(self, values: Mapping[str, str]) -> None:
        targets = self.data.get("targets") if isinstance(self.data, dict) else None
        named = [t.get("secret_key_env") for t in targets if isinstance(t, dict)] if isinstance(targets, tuple) else []
        for name in values:
            if name not in named:
                text = "has no effect, because the config file has targets"
                self.warnings.append(Mistake("unused", text, Place(name), severity="warning"))


def gather(path: FilePath | None, environ: Mapping[str, str], listen: str | None) -> Written:
    """The file at `path` (or where the environment says), with the environment and the options on top."""
    name = str(path) if path is not None else environ.get(CONFIG, "")
    document = _read(name) if name else None
    written = Written(document)
    if written.readable:
        for variable, where in OVERRIDES.items():
            if environ.get(variable):
                written.put(where, environ[variable], variable)
        if listen is not None:
            written.put(("web", "listen"), listen, "--listen")
        written.put_target(environ)
    return written


def _read(name: str) -> Document:
    document = Document(name, [])
    try:
        with open(name, "rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        document.mistakes.append(Mistake("file", f"the config file cannot be read: {why(error)}", Place(name)))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        document.mistakes.append(Mistake("file", "the config file is not UTF-8 text", Place(name, line, 1)))
    else:
        if len(raw) <= _LARGEST:
            return read_yaml(text, name)
        document.mistakes.append(Mistake("file", "the config file is larger than 1 MiB", Place(name)))
    return document
