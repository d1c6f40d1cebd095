"""A state file as somebody finds it after a crash: looked at in a copy, and damaged as a power loss would."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_WAL_HEADER, _FRAME_HEADER, _INDEX_HEADER = 32, 24, 136


def beside(state: Path, suffix: str) -> Path:
    return state.with_name(state.name + suffix)


@dataclass(frozen=True)
class Book:
    """What was counted, as one flat table."""

    birth: int | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    def gone_back(self, later: Book) -> list[str]:
        """Where `later` tells less than this: it never may, for nothing that was committed is lost."""
        if self.birth is not None and later.birth != self.birth:
            return [f"born at {self.birth}, then at {later.birth}"]
        return [
            f"{name}: {value}, then {later.numbers.get(name, 0)}"
            for name, value in self.numbers.items()
            if later.numbers.get(name, 0) < value
        ]


@contextlib.contextmanager
def copy_of(state: Path, scratch: Path) -> Iterator[Path]:
    """The file and its log, elsewhere: whoever opens the file itself would recover it for the daemon."""
    copy = scratch / "copy.db"
    for suffix in ("", "-wal"):
        if beside(state, suffix).exists():
            shutil.copyfile(beside(state, suffix), beside(copy, suffix))
    try:
        yield copy
    finally:
        for suffix in ("", "-wal", "-shm"):
            beside(copy, suffix).unlink(missing_ok=True)


TABLES = {"target", "counter", "histogram", "fact", "settled", "strip", "strip_series", "strip_cell", "span_due"}


def look(state: Path, scratch: Path) -> Book:
    """What a state file without an owner says; raises AssertionError for one that is not sound."""
    if not state.exists():
        return Book()
    with copy_of(state, scratch) as copy, contextlib.closing(sqlite3.connect(copy)) as connection:
        sound = connection.execute("PRAGMA integrity_check").fetchall()
        assert sound == [("ok",)], sound
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return Book()
        assert tables == TABLES, tables
        births = connection.execute("SELECT birth FROM target").fetchall()
        numbers = {
            f"{family} {labels}": value
            for family, labels, value in connection.execute("SELECT family, labels, value FROM counter")
            # Versions are folded into one another: only their sum grows.
            if family != "runs_by_version_finished_total"
        }
        for family, labels, cells in connection.execute("SELECT family, labels, cells FROM histogram"):
            numbers |= {f"{family} {labels} {index}": count for index, count in enumerate(json.loads(cells))}
        return Book(births[0][0] if births else None, numbers)


def lose_power(state: Path, dice: Random) -> str:
    """Cut the write-ahead log anywhere and perhaps let noise follow; what was done, in words.

    Frames that a checkpoint may have begun to copy are left alone: SQLite makes the log durable before that.
    """
    log, index = beside(state, "-wal"), beside(state, "-shm")
    if not log.exists() or log.stat().st_size < _WAL_HEADER:
        return "no log"
    data = log.read_bytes()
    page = struct.unpack(">I", data[8:12])[0]
    frame = _FRAME_HEADER + page
    frames = copied = (len(data) - _WAL_HEADER) // frame
    if index.exists() and index.stat().st_size >= _INDEX_HEADER:
        head = index.read_bytes()[:_INDEX_HEADER]
        # mxFrame and nBackfillAttempted; the latter is all there was when the log was last recovered.
        frames, copied = struct.unpack("=I", head[16:20])[0], struct.unpack("=I", head[128:132])[0]
    lowest = _WAL_HEADER + copied * frame if copied else 0
    highest = max(lowest, min(len(data), _WAL_HEADER + frames * frame))
    cut = dice.randint(lowest, highest)
    if dice.random() < 0.3 and cut >= _WAL_HEADER:
        cut -= (cut - _WAL_HEADER) % frame  # exactly between two frames
    noise = dice.randbytes(dice.choice((1, 100, frame, 3 * frame))) if dice.random() < 0.5 else b""
    log.write_bytes(data[: max(cut, lowest)] + noise)
    lost_index = dice.random() < 0.7
    if lost_index:
        index.unlink(missing_ok=True)
    kept = "lost" if lost_index else "kept"
    return f"log of {len(data)} bytes cut at {cut}, {len(noise)} bytes of noise, index {kept}"
