"""A SQLite file with one writer: opened and checked, used on a thread of its own, and its errors as sentences.

What is in it is its owner's business: tables and statements are in the stores. Both stores of the program use this.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file holds, and what its owner says when it cannot be used."""

    schema: str
    major: int
    """`PRAGMA user_version` is major * 1000 + minor. Additive changes raise the minor; an older program reads such a
    file and leaves alone what it does not know."""
    minor: int
    error: type[Exception]
    """Raised with the sentence."""
    thread: str
    """Name of the thread."""
    noun: str
    """``state file``."""
    elsewhere: str
    """How to give it another place: ``name another `state:```."""
    make: str
    """What to do where it cannot be made."""
    newer: str
    """What to do about a file of a newer program."""
    damaged: str
    """What to do about a damaged one, and what is lost."""
    full: str
    """What a full disk means."""
    steps: Mapping[int, str] = field(default_factory=dict)
    """Minor → the statements that make a file of the minor before one of it. They only add."""


class SqliteFile:
    """One open file. Make it with `open_file`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, kind: FileKind) -> None:
        self.path = path
        self.connection = connection
        """Only for what `run` is given."""
        self._kind = kind
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=kind.thread)

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` on the file's thread, so that a slow disk does not stall the event loop.

        Raises the kind's error, with the remedy in the sentence, for whatever SQLite raises.
        """
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread cannot be stopped: wait until it is done, so that nobody goes on beside it.
            await asyncio.wait([future])
            raise
        except sqlite3.Error as error:
            raise self._kind.error(_sentence(self.path, self._kind, error)) from error

    def damaged(self, detail: str) -> Exception:
        """The error for content that SQLite can read and its owner cannot."""
        return self._kind.error(_damaged(self.path, self._kind, detail))

    async def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        await self.run(self.connection.close)
        self._thread.shutdown()

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        total = 0
        for suffix in ("", "-wal", "-shm"):
            try:
                total += self.path.with_name(self.path.name + suffix).stat().st_size
            except OSError:
                continue
        return total


def open_file(path: Path, kind: FileKind) -> SqliteFile:
    """Open the file at `path`, making it if there is none. The caller holds the lock.

    Raises the kind's error for a file that is corrupt, newer than this program, somebody else's, or not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not os.access(path, os.W_OK):
            # SQLite would open it to read only, and every commit would fail.
            raise kind.error(f"{path}: cannot write the {kind.noun}. {_writable(kind)}")
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level="IMMEDIATE", timeout=5.0)
        try:
            _prepare(path, connection, kind)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise kind.error(_sentence(path, kind, error)) from error
    except OSError as error:
        raise kind.error(f"{path}: cannot make the {kind.noun}: {error.strerror}. {kind.make}") from error
    return SqliteFile(path, connection, kind)


def _prepare(path: Path, connection: sqlite3.Connection, kind: FileKind) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if version // 1000 > kind.major:
        raise kind.error(
            f"{path}: written by a newer triggerdev-exporter ({kind.noun.split()[0]} {version // 1000}, this program "
            f"knows {kind.major}). {kind.newer}"
        )
    if not is_empty:
        if version == 0:
            raise kind.error(
                f"{path}: a database, but not a {kind.noun} of triggerdev-exporter. {_capital(kind.elsewhere)}."
            )
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise kind.error(_damaged(path, kind, str(damage)))
    # FULL: a commit that was told to memory is on the disk, whatever happens to the machine.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 1000"):
        connection.execute(f"PRAGMA {pragma}")
    if is_empty:
        with connection:
            connection.executescript(
                f"BEGIN IMMEDIATE; {kind.schema} PRAGMA user_version = {kind.major * 1000 + kind.minor};"
            )
        return
    _step_up(path, connection, kind, version)


def _step_up(path: Path, connection: sqlite3.Connection, kind: FileKind, version: int) -> None:
    """Add what a file of an earlier minor lacks, after a copy of it was put beside it."""
    minors = [minor for minor in sorted(kind.steps) if kind.major * 1000 + minor > version]
    if not minors:
        return
    beside = path.with_name(f"{path.name}.{version // 1000}.{version % 1000}.bak")
    copy = sqlite3.connect(beside)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    for minor in minors:
        with connection:
            connection.executescript(
                f"BEGIN IMMEDIATE; {kind.steps[minor]} PRAGMA user_version = {kind.major * 1000 + minor};"
            )


def _sentence(path: Path, kind: FileKind, error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _damaged(path, kind, str(error))
    if code.startswith("SQLITE_FULL"):
        return f"{path}: the disk is full; {kind.full}"
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path}: cannot write the {kind.noun} ({error}). {_writable(kind)}"
    if code.startswith("SQLITE_BUSY"):
        return f"{path}: another program holds the {kind.noun} locked. Stop it, or {kind.elsewhere}."
    return f"{path}: SQLite cannot use the {kind.noun} ({error}). Mend what it says, or {kind.elsewhere}."


def _damaged(path: Path, kind: FileKind, detail: str) -> str:
    return f"{path}: the {kind.noun} is damaged ({detail}). {kind.damaged}"


def _writable(kind: FileKind) -> str:
    return f"Make it writable for this user, or {kind.elsewhere}."


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
