"""Where the state lives: from what a person wrote, or from the places a service or a user keeps such things.

Only names are decided here; whether the file can be opened is the store's to find out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from triggerdev_alerts.documents.mistakes import Unfit, found

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.ASCII | re.DOTALL)
_FOLDER = "triggerdev-exporter"
_FILE = "state.db"


def parse_state(value: object) -> str:
    """The path in ``PATH``, ``sqlite:PATH`` or ``sqlite:///PATH`` (which is absolute), as it was written."""
    if not isinstance(value, str) or not value.strip():
        raise Unfit(
            "state", f'{found(value)} is not a place for the state; write a path, like "/var/lib/{_FOLDER}/{_FILE}"'
        )
    scheme = _SCHEME.fullmatch(value)
    path = value if scheme is None else _path_of(scheme[1].lower(), scheme[2])
    if path.endswith("/"):
        raise Unfit("state", f'{found(path)} is a directory; write the file too, like "{path}{_FILE}"')
    return path


def _path_of(scheme: str, rest: str) -> str:
    if scheme in ("postgres", "postgresql"):
        raise Unfit("not-yet", "PostgreSQL cannot hold the state yet; use a file: sqlite:PATH")
    if scheme != "sqlite":
        raise Unfit("state", f"{scheme}: is not a known kind of state; use a path or sqlite:PATH")
    if rest == ":memory:":
        raise Unfit("state", "memory cannot hold the state: every restart would count anew; use a file")
    if rest.startswith("//"):
        if not rest.startswith("///"):
            raise Unfit(
                "state", "a state file is on this machine: write sqlite:///PATH, with three slashes, or sqlite:PATH"
            )
        rest = "/" + rest.lstrip("/")
    if not rest.strip("/"):
        raise Unfit(
            "state", "there is no path behind sqlite:; write it like sqlite:/var/lib/triggerdev-exporter/state.db"
        )
    return rest


def default_state(environ: Mapping[str, str]) -> Path:
    """Under ``$STATE_DIRECTORY`` (systemd), ``$XDG_STATE_HOME``, or the home of the user."""
    # systemd lists several directories with colons; the first is ours.
    service = environ.get("STATE_DIRECTORY", "").split(":", 1)[0]
    if service:
        return Path(service) / _FILE
    base = environ.get("XDG_STATE_HOME", "")
    if base.startswith("/"):  # the specification says to ignore a relative one
        return Path(base) / _FOLDER / _FILE
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return Path(home) / ".local" / "state" / _FOLDER / _FILE
    raise Unfit(
        "state",
        "there is no place for the state: HOME is not set; say where with TRIGGERDEV_EXPORTER_STATE or the key state",
    )
