"""The state file: everything the ledgers know, in SQLite. One writer; every commit is one transaction.

Statements run on the file's own thread (`triggerdev_alerts.sqlite_file`). Errors of SQLite leave here as `StateError`
with the remedy in the sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import msgspec

from triggerdev_alerts.sqlite_file import FileKind, SqliteFile, open_file
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import StateError
from triggerdev_exporter.ledger.facts import FACT_TYPES, Kind
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.span_rows import (
    SPAN_TABLE,
    SpanRow,
    count_rows,
    first_rows,
    oldest_rows,
    rows_of,
    write_rows,
)
from triggerdev_exporter.ledger.strips import Cells, Strip, strip_of_key
from triggerdev_exporter.ledger.tally import Histogram, Labels, regrouped

#: `PRAGMA user_version` = major * 1000 + minor. Additive changes raise the minor; an older program reads such a file.
#: Raise it together with SCHEMA, add the step to MIGRATIONS, and a line here:
#:   1.0  first version
#:   1.1  strips of cells, for the windows of rules
#:   1.2  spans that wait to be exported
SCHEMA_MAJOR, SCHEMA_MINOR = 1, 2

_STRIPS = """
CREATE TABLE strip (
    id INTEGER PRIMARY KEY,
    target INTEGER NOT NULL,
    key TEXT NOT NULL,                  -- strips.Strip.key
    UNIQUE (target, key)
) STRICT;
CREATE TABLE strip_series (
    id INTEGER PRIMARY KEY,
    strip INTEGER NOT NULL,
    labels TEXT NOT NULL,               -- JSON array, in the order of the strip's dimensions
    UNIQUE (strip, labels)
) STRICT;
CREATE TABLE strip_cell (
    strip INTEGER NOT NULL,
    cell INTEGER NOT NULL,              -- number of its end, in widths of the strip
    series INTEGER NOT NULL,
    sub INTEGER NOT NULL,               -- what it means: strips.Family
    value INTEGER NOT NULL,
    PRIMARY KEY (strip, cell, series, sub)
) STRICT, WITHOUT ROWID;
"""

SCHEMA = """
CREATE TABLE target (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,          -- the label `target`
    birth INTEGER NOT NULL              -- Unix ms, server time of the first start
) STRICT;
CREATE TABLE counter (
    target INTEGER NOT NULL,
    family TEXT NOT NULL,               -- metric name without prefix
    labels TEXT NOT NULL,               -- JSON array of label values
    value INTEGER NOT NULL,             -- events, milliseconds, or nano-dollars
    PRIMARY KEY (target, family, labels)
) STRICT, WITHOUT ROWID;
CREATE TABLE histogram (
    target INTEGER NOT NULL,
    family TEXT NOT NULL,
    labels TEXT NOT NULL,
    bounds TEXT NOT NULL,               -- JSON array, ms
    cells TEXT NOT NULL,                -- JSON array, not cumulative, one more than bounds
    sum INTEGER NOT NULL,               -- ms
    PRIMARY KEY (target, family, labels)
) STRICT, WITHOUT ROWID;
CREATE TABLE fact (
    target INTEGER NOT NULL,
    kind TEXT NOT NULL,                 -- facts.Kind
    key TEXT NOT NULL,
    value TEXT NOT NULL,                -- JSON of the struct in facts.FACT_TYPES
    PRIMARY KEY (target, kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE settled (
    target INTEGER NOT NULL,
    hash INTEGER NOT NULL,              -- news.id_hash of kind and id
    until INTEGER NOT NULL,             -- Unix ms; forgotten afterwards
    marks INTEGER NOT NULL,
    PRIMARY KEY (target, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX settled_until ON settled (target, until);
"""

STATE_FILE = FileKind(
    schema=SCHEMA + _STRIPS + SPAN_TABLE,
    major=SCHEMA_MAJOR,
    minor=SCHEMA_MINOR,
    error=StateError,
    thread="state",
    noun="state file",
    elsewhere="name another `state:`",
    make="Give a writable place: `state:` in the configuration, or TRIGGERDEV_EXPORTER_STATE.",
    newer="Run that version, or point `state:` at another file (counters then start anew).",
    damaged="Move it away and start again: counters then begin at 0 with a new birth, which Prometheus reads as a "
    "reset, and nothing is counted twice.",
    full="nothing was lost, counting goes on when there is room.",
    steps={1: _STRIPS, 2: SPAN_TABLE},
)


class Store:
    """One open state file. Make it with `open_store`."""

    def __init__(self, file: SqliteFile) -> None:
        self.path = file.path
        self._file = file
        self._connection = file.connection
        self._strips: dict[tuple[int, str], int] = {}
        """(target, key) → id; what is on disk, or about to be."""
        self._series: dict[tuple[int, Labels], int] = {}
        """(strip, labels) → id."""

    async def load(self, target: str) -> Ledger | None:
        """The ledger of `target` as last committed; ``None`` if this file does not know it."""
        return await self._file.run(lambda: self._load(target))

    async def begin(self, target: str, birth: Instant) -> Ledger:
        """A new, empty ledger for `target`, born at `birth` (server time)."""

        def write() -> Ledger:
            with self._connection:
                self._connection.execute("INSERT INTO target (name, birth) VALUES (?, ?)", (target, birth))
            return Ledger(birth)

        return await self._file.run(write)

    async def settled(self, target: str, hashes: Sequence[int]) -> dict[int, int]:
        """Those of `hashes` that ended within the horizon, with their marks."""
        if not hashes:
            return {}

        def read() -> dict[int, int]:
            found: dict[int, int] = {}
            for start in range(0, len(hashes), 500):
                some = hashes[start : start + 500]
                marks = ",".join("?" * len(some))
                found.update(
                    self._connection.execute(
                        f"SELECT hash, marks FROM settled WHERE target = ? AND hash IN ({marks})",  # noqa: S608 - question marks only
                        (self._id(target), *some),
                    ).fetchall()
                )
            return found

        return await self._file.run(read)

    async def settled_since(self, target: str, until: Instant) -> int:
        """How many remembered ids are kept at least until `until`: how much ended since `until` − horizon."""
        query = "SELECT count(*) FROM settled WHERE target = ? AND until >= ?"
        rows = await self._file.run(lambda: self._connection.execute(query, (self._id(target), until)).fetchall())
        return int(rows[0][0])

    async def commit(self, target: str, news: News) -> None:
        """Write `news` in one transaction: all of it or, after an error, none of it."""
        await self._file.run(lambda: self._commit(target, news))

    async def forget(self, target: str, now: Instant, *, most: int = 5_000) -> int:
        """Drop remembered ids whose time is over, at most `most` in one transaction; how many were dropped."""

        def write() -> int:
            with self._connection:
                return self._connection.execute(
                    "DELETE FROM settled WHERE (target, hash) IN "
                    "(SELECT target, hash FROM settled WHERE target = ? AND until < ? LIMIT ?)",
                    (self._id(target), now, most),
                ).rowcount

        return await self._file.run(write)

    async def trim(self, target: str, until: Mapping[Strip, int]) -> None:
        """Drop the cells of strips up to those numbers."""

        def write() -> None:
            target_id = self._id(target)
            with self._connection:
                self._connection.executemany(
                    "DELETE FROM strip_cell WHERE strip = (SELECT id FROM strip WHERE target = ? AND key = ?) "
                    "AND cell <= ?",
                    [(target_id, strip.key, cell) for strip, cell in until.items()],
                )

        await self._file.run(write)

    async def spans(self, target: str, keys: Sequence[str]) -> dict[str, SpanRow]:
        """Those of `keys`, ids of runs and batches, whose spans wait."""
        return await self._rows(lambda: rows_of(self._connection, self._id(target), keys)) if keys else {}

    async def first_spans(self, target: str, *, sealed: bool, until: Instant, most: int) -> dict[str, SpanRow]:
        """See `first_rows`."""
        return await self._rows(
            lambda: first_rows(self._connection, self._id(target), sealed=sealed, until=until, most=most)
        )

    async def oldest_spans(self, target: str, most: int) -> dict[str, SpanRow]:
        """See `oldest_rows`."""
        return await self._rows(lambda: oldest_rows(self._connection, self._id(target), most))

    async def _rows(self, read: Callable[[], dict[str, SpanRow]]) -> dict[str, SpanRow]:
        def work() -> dict[str, SpanRow]:
            try:
                return read()
            except msgspec.MsgspecError as error:
                raise self._file.damaged(str(error)) from error

        return await self._file.run(work)

    async def close(self) -> None:
        """See `SqliteFile.close`."""
        await self._file.close()

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return self._file.size()

    def _id(self, target: str) -> int:
        row = self._connection.execute("SELECT id FROM target WHERE name = ?", (target,)).fetchone()
        return int(row[0])

    def _load(self, target: str) -> Ledger | None:
        try:
            return self._read_all(target)
        except (msgspec.MsgspecError, ValueError) as error:
            # SQLite found no damage, but what stands there was not written by us.
            raise self._file.damaged(str(error)) from error

    def _read_all(self, target: str) -> Ledger | None:
        row = self._connection.execute("SELECT id, birth FROM target WHERE name = ?", (target,)).fetchone()
        if row is None:
            return None
        target_id, birth = row
        ledger = Ledger(birth)
        read = self._connection.execute
        for family, labels, value in read("SELECT family, labels, value FROM counter WHERE target = ?", (target_id,)):
            ledger.set_counter((family, _LABELS.decode(labels)), value)
        query = "SELECT family, labels, bounds, cells, sum FROM histogram WHERE target = ?"
        for family, labels, bounds, cells, total in read(query, (target_id,)):
            ledger.set_histogram((family, _LABELS.decode(labels)), _histogram(bounds, cells, total))
        known = {kind.value for kind in Kind}
        for kind, key, value in read("SELECT kind, key, value FROM fact WHERE target = ?", (target_id,)):
            # A newer minor may have written kinds that we do not know; they stay in the file.
            if kind in known:
                ledger.set_fact(Kind(kind), key, msgspec.json.decode(value, type=FACT_TYPES[Kind(kind)]))
        self._read_strips(target_id, ledger)
        ledger.waiting_spans = count_rows(self._connection, target_id)
        return ledger

    def _read_strips(self, target_id: int, ledger: Ledger) -> None:
        read = self._connection.execute
        strips: dict[int, Strip] = {}
        for strip_id, key in read("SELECT id, key FROM strip WHERE target = ?", (target_id,)):
            strips[strip_id] = strip_of_key(key)
            self._strips[target_id, key] = strip_id
        with self._connection:
            # Labels are forgotten with their last cell, but not at once.
            read("DELETE FROM strip_series WHERE id NOT IN (SELECT series FROM strip_cell)")
        for strip_id, strip in strips.items():
            labels: dict[int, Labels] = {}
            for series, text in read("SELECT id, labels FROM strip_series WHERE strip = ?", (strip_id,)):
                labels[series] = _LABELS.decode(text)
                if len(labels[series]) != len(strip.dimensions):
                    raise ValueError(f"{len(labels[series])} labels where {len(strip.dimensions)} are due")
                self._series[strip_id, labels[series]] = series
            query = "SELECT series, cell, sub, value FROM strip_cell WHERE strip = ?"
            for series, cell, sub, value in read(query, (strip_id,)):
                if series in labels and value:
                    ledger.strips.add(strip, labels[series], {(cell, sub): value})

    def _commit(self, target: str, news: News) -> None:
        try:
            self._write(target, news)
        except BaseException:
            # Ids that were given out in it are not on disk.
            self._strips.clear()
            self._series.clear()
            raise

    def _write(self, target: str, news: News) -> None:
        target_id = self._id(target)
        with self._connection:
            write = self._connection.executemany
            write(
                "DELETE FROM counter WHERE target = ? AND family = ? AND labels = ?",
                [(target_id, family, _json(labels)) for family, labels in news.folded],
            )
            write(
                "INSERT INTO counter VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                [(target_id, family, _json(labels), by) for (family, labels), by in news.counts.items()],
            )
            for (family, labels), histogram in news.timings.items():
                self._add_histogram(target_id, family, _json(labels), histogram)
            write(
                "DELETE FROM fact WHERE target = ? AND kind = ? AND key = ?",
                [(target_id, kind.value, key) for (kind, key), fact in news.facts.items() if fact is None],
            )
            write(
                "INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?)",
                [
                    (target_id, kind.value, key, msgspec.json.encode(fact).decode())
                    for (kind, key), fact in news.facts.items()
                    if fact is not None
                ],
            )
            write(
                "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)",
                # In the order in which they lie on disk: where many are remembered, each is on a page of its own.
                [(target_id, hashed, until, marks) for hashed, (until, marks) in sorted(news.settled.items())],
            )
            for (kind, key), fact in news.facts.items():
                if kind is Kind.STRIP and fact is None:
                    self._drop_strip(target_id, key)
            self._write_cells(target_id, news.cells)
            write_rows(self._connection, target_id, news.spans)

    def _write_cells(self, target_id: int, cells: Cells) -> None:
        rows: list[tuple[int, int, int, int, int]] = []
        for (strip, labels), changes in cells.items():
            strip_id = self._strip_id(target_id, strip.key)
            series = self._series_id(strip_id, labels)
            rows += [(strip_id, cell, series, sub, by) for (cell, sub), by in changes.items() if by]
        self._connection.executemany(
            "INSERT INTO strip_cell VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            rows,
        )

    def _strip_id(self, target_id: int, key: str) -> int:
        found = self._strips.get((target_id, key))
        if found is None:
            self._connection.execute("INSERT OR IGNORE INTO strip (target, key) VALUES (?, ?)", (target_id, key))
            query = "SELECT id FROM strip WHERE target = ? AND key = ?"
            found = self._strips[target_id, key] = int(
                self._connection.execute(query, (target_id, key)).fetchone()[0],
            )
        return found

    def _series_id(self, strip_id: int, labels: Labels) -> int:
        found = self._series.get((strip_id, labels))
        if found is None:
            told = (strip_id, _json(labels))
            self._connection.execute("INSERT OR IGNORE INTO strip_series (strip, labels) VALUES (?, ?)", told)
            query = "SELECT id FROM strip_series WHERE strip = ? AND labels = ?"
            found = self._series[strip_id, labels] = int(self._connection.execute(query, told).fetchone()[0])
        return found

    def _drop_strip(self, target_id: int, key: str) -> None:
        strip_id = self._strip_id(target_id, key)
        for statement in (
            "DELETE FROM strip_cell WHERE strip = ?",
            "DELETE FROM strip_series WHERE strip = ?",
            "DELETE FROM strip WHERE id = ?",
        ):
            self._connection.execute(statement, (strip_id,))
        del self._strips[target_id, key]
        self._series = {place: series for place, series in self._series.items() if place[0] != strip_id}

    def _add_histogram(self, target_id: int, family: str, labels: str, histogram: Histogram) -> None:
        row = self._connection.execute(
            "SELECT bounds, cells, sum FROM histogram WHERE target = ? AND family = ? AND labels = ?",
            (target_id, family, labels),
        ).fetchone()
        bounds, cells, total = _bounds_text(histogram.bounds), histogram.cells, histogram.sum
        if row is not None:
            # Other buckets, if the configuration named others since.
            known = _histogram(*row) if row[0] == bounds else regrouped(_histogram(*row), histogram.bounds)
            if known is not None:
                cells = [mine + before for mine, before in zip(cells, known.cells, strict=True)]
                total += known.sum
        self._connection.execute(
            "INSERT OR REPLACE INTO histogram VALUES (?, ?, ?, ?, ?, ?)",
            (target_id, family, labels, bounds, _json(cells), total),
        )


_LABELS = msgspec.json.Decoder(tuple[str, ...])
_NUMBERS = msgspec.json.Decoder(list[int])
_ENCODER = msgspec.json.Encoder()


def _histogram(bounds_text: str, cells_text: str, total: int) -> Histogram:
    bounds, cells = _bounds(bounds_text), _NUMBERS.decode(cells_text)
    if len(cells) != len(bounds) + 1:
        raise ValueError(f"a histogram of {len(cells)} cells where {len(bounds) + 1} are due")
    return Histogram(bounds, cells, total)


def _json(values: Sequence[str] | Sequence[int]) -> str:
    """The text that is a key on disk: it must never be spelt in another way."""
    return _ENCODER.encode(values).decode()


@cache
def _bounds(text: str) -> tuple[int, ...]:
    """One tuple a layout, for thousands of histograms."""
    return tuple(_NUMBERS.decode(text))


@cache
def _bounds_text(bounds: tuple[int, ...]) -> str:
    return _json(bounds)


def open_store(path: Path) -> Store:
    """Open the state file at `path`, making it if there is none.

    Raises `StateError` for a file that is corrupt, newer than this program, or not writable. The caller holds the lock.
    """
    return Store(open_file(path, STATE_FILE))
