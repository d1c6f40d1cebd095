"""Where the state is to lie: the file, the file system below it, and who holds it. Looks, and changes nothing.

No lock is taken, not even for a moment: a daemon that starts just then would be told that somebody else runs.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from triggerdev_alerts.sqlite_file import FileKind
from triggerdev_exporter.ledger.facts import Coverage, Kind

_MOUNTS = Path("/proc/self/mounts")
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True, slots=True)
class Premises:
    """What was seen of one file."""

    path: Path
    exists: bool
    problem: str = ""
    """Why the daemon would not start with it, in words with the remedy."""
    owner: str = ""
    """Who holds it now."""
    filesystem: str = ""
    """Its type; empty where the system does not tell."""
    free: int | None = None
    """Bytes that are left there."""
    size: int = 0
    environments: Mapping[str, str] = field(default_factory=dict)
    """Target → id of the environment that it counts."""


def look(path: Path, kind: FileKind) -> Premises:
    """What is at `path`."""
    folder = _nearest(path.parent)
    exists = path.exists()
    problem = _unwritable(path, folder, kind)
    environments: dict[str, str] = {}
    if exists and not problem:
        problem, environments = _read(path, kind)
    return Premises(
        path,
        exists,
        problem,
        _owner(path),
        filesystem_of(folder.resolve(), _text(_MOUNTS)),
        _free(folder),
        _size(path),
        environments,
    )


def filesystem_of(path: Path, mounts: str) -> str:
    """The type of the file system that holds `path`, by the text of /proc/mounts; empty if it does not say."""
    best, found = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # Spaces in a mount point are written in octal.
        point = fields[1].replace("\\040", " ").rstrip("/")
        if (str(path) == point or str(path).startswith(point + "/")) and len(point) >= len(best):
            best, found = point, fields[2]
    return found


def holder_of(inode: tuple[int, int, int], locks: str) -> int | None:
    """The process that holds a whole-file lock on (major, minor, inode), by the text of /proc/locks."""
    wanted = f"{inode[0]:02x}:{inode[1]:02x}:{inode[2]}"
    for line in locks.splitlines():
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted and fields[4].isdigit():
            return int(fields[4])
    return None


def _nearest(folder: Path) -> Path:
    """`folder`, or the nearest above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _unwritable(path: Path, folder: Path, kind: FileKind) -> str:
    if path.is_dir():
        return f"{path} is a directory; {kind.elsewhere}"
    if not folder.is_dir():
        return f"{folder} is not a directory; {kind.elsewhere}"
    blocked = next((one for one in (path, folder) if one.exists() and not os.access(one, os.W_OK)), None)
    if blocked is None:
        return ""
    return f"{blocked} cannot be written by this user; make it writable, or {kind.elsewhere}"


def _read(path: Path, kind: FileKind) -> tuple[str, dict[str, str]]:
    """What is wrong with the file, and which environments it counts."""
    try:
        # Read only: a file of an older version stays one until the daemon brings it up, after a copy.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)
    except sqlite3.Error as error:
        return f"it cannot be opened ({error})", {}
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version // 1000 > kind.major:
            return f"it was written by a newer triggerdev-exporter. {kind.newer}", {}
        if tables and not version:
            return f"it is a database, but not a {kind.noun} of triggerdev-exporter; {kind.elsewhere}", {}
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            return f"it is damaged ({damage}). {kind.damaged}", {}
        return "", _environments(connection) if {"target", "fact"} <= tables else {}
    except sqlite3.Error as error:
        if "locked" in str(error) or "busy" in str(error):
            return "", {}
        return f"it is damaged ({error}). {kind.damaged}", {}
    finally:
        connection.close()


def _environments(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, value FROM target JOIN fact ON fact.target = target.id WHERE kind = ?", (Kind.COVERAGE.value,)
    )
    found = {}
    for name, value in rows:
        try:
            covered = msgspec.json.decode(value, type=Coverage)
        except msgspec.MsgspecError:
            continue
        if covered.environment_id is not None:
            found[str(name)] = covered.environment_id
    return found


def _owner(path: Path) -> str:
    lock = path.with_name(path.name + ".lock")
    try:
        status = lock.stat()
        held = holder_of((os.major(status.st_dev), os.minor(status.st_dev), status.st_ino), _text(_LOCKS))
        return "" if held is None else lock.read_text("utf-8", "replace").strip()[:200]
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
