"""Rows of spans in the state file: the table, and every statement about it. Runs on the file's thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.spans.due import Due

SPAN_TABLE = """
CREATE TABLE span_due (
    id INTEGER PRIMARY KEY,             -- in the order in which they became due
    target INTEGER NOT NULL,
    key TEXT NOT NULL,                  -- id of the run or batch
    sealed INTEGER NOT NULL,            -- 1: its spans are decided, and it is sent as it is
    since INTEGER NOT NULL,             -- Unix ms, server time at which it became due
    value TEXT NOT NULL,                -- JSON of spans.due
    UNIQUE (target, key)
) STRICT;
CREATE INDEX span_due_order ON span_due (target, sealed, id);
"""


class SpanRow(NamedTuple):
    """Something whose spans wait to be exported."""

    due: Due
    since: Instant
    """Server time at which it became due."""
    sealed: bool = False


_DUE: msgspec.json.Decoder[Due] = msgspec.json.Decoder(Due)
_SELECT = "SELECT key, value, since, sealed FROM span_due WHERE target = ?"


def count_rows(connection: sqlite3.Connection, target: int) -> int:
    """How many wait."""
    return int(connection.execute("SELECT count(*) FROM span_due WHERE target = ?", (target,)).fetchone()[0])


def rows_of(connection: sqlite3.Connection, target: int, keys: Sequence[str]) -> dict[str, SpanRow]:
    """Those of `keys` that wait."""
    found: dict[str, SpanRow] = {}
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        marks = ",".join("?" * len(some))
        found |= _read(connection.execute(f"{_SELECT} AND key IN ({marks})", (target, *some)))
    return found


def first_rows(
    connection: sqlite3.Connection, target: int, *, sealed: bool, until: Instant, most: int
) -> dict[str, SpanRow]:
    """The oldest that are sealed, or not, and became due at `until` or before."""
    query = f"{_SELECT} AND sealed = ? AND since <= ? ORDER BY id LIMIT ?"
    return _read(connection.execute(query, (target, sealed, until, most)))


def oldest_rows(connection: sqlite3.Connection, target: int, most: int) -> dict[str, SpanRow]:
    """The oldest, sealed or not."""
    return _read(connection.execute(f"{_SELECT} ORDER BY id LIMIT ?", (target, most)))


def write_rows(connection: sqlite3.Connection, target: int, rows: Mapping[str, SpanRow | None]) -> None:
    """Within a transaction of the caller. A row keeps its place when it is sealed."""
    connection.executemany(
        "DELETE FROM span_due WHERE target = ? AND key = ?", [(target, key) for key, row in rows.items() if row is None]
    )
    connection.executemany(
        "INSERT INTO span_due (target, key, sealed, since, value) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET sealed = excluded.sealed, value = excluded.value",
        [
            (target, key, row.sealed, row.since, msgspec.json.encode(row.due).decode())
            for key, row in rows.items()
            if row is not None
        ],
    )


def _read(rows: Iterable[tuple[str, str, int, int]]) -> dict[str, SpanRow]:
    return {key: SpanRow(_DUE.decode(value), since, bool(sealed)) for key, value, since, sealed in rows}
