"""The file of alerting: its book, in SQLite, and letters for a while after they are done. One writer.

Every commit is one transaction. Statements run on the file's own thread (`sqlite_file`), and errors leave here as
`BookError` with the remedy in the sentence.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from triggerdev_alerts.book import ENTRY_TYPES, Book, Changes, Kind, Letter, LetterStatus
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.outbox.storage import KEPT, MOST_KEPT
from triggerdev_alerts.sqlite_file import FileKind, SqliteFile, open_file

#: `PRAGMA user_version` = major * 1000 + minor. Additive changes raise the minor; an older program reads such a file.
#: Raise it together with SCHEMA, add the step that brings older files up, and a line here:
#:   1.0  first version
SCHEMA_MAJOR, SCHEMA_MINOR = 1, 0

SCHEMA = """
CREATE TABLE entry (
    kind TEXT NOT NULL,                 -- book.Kind
    key TEXT NOT NULL,
    value TEXT NOT NULL,                -- JSON of the struct in book.ENTRY_TYPES
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE letter (
    id TEXT PRIMARY KEY,
    receiver TEXT NOT NULL,
    group_key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    status TEXT NOT NULL,               -- book.LetterStatus
    created_at INTEGER NOT NULL,        -- Unix ms
    done_at INTEGER NOT NULL,           -- Unix ms; 0 while it is open
    value TEXT NOT NULL                 -- JSON of book.Letter, the columns above included
) STRICT;
CREATE INDEX letter_status ON letter (status, done_at);
CREATE INDEX letter_age ON letter (created_at, id);
CREATE INDEX letter_group ON letter (receiver, group_key);
CREATE TABLE count (
    family TEXT NOT NULL,               -- metric name without prefix
    labels TEXT NOT NULL,               -- JSON array of label values
    value INTEGER NOT NULL,
    PRIMARY KEY (family, labels)
) STRICT, WITHOUT ROWID;
"""

BOOK_FILE = FileKind(
    schema=SCHEMA,
    major=SCHEMA_MAJOR,
    minor=SCHEMA_MINOR,
    error=BookError,
    thread="book",
    noun="book of alerts",
    elsewhere="name another `state:`",
    make="Give a writable place: `state:` in the configuration; the book of alerts lies beside it.",
    newer="Run that version, or move the file away (alerts are then told anew; silences are lost).",
    damaged="Move it away and start again: what fires is then told once more; silences, and messages that were not "
    "sent yet, are lost.",
    full="nothing was lost, alerting goes on when there is room.",
)

_OPEN = (LetterStatus.QUEUED.value, LetterStatus.SENDING.value)


class BookStore:
    """One open file. Make it with `open_book_store`. See `storage.Storage` for what its methods promise."""

    def __init__(self, file: SqliteFile) -> None:
        self.path = file.path
        self._file = file
        self._connection = file.connection

    async def load(self) -> Book:
        """The book as last committed. Kinds of a newer minor stay in the file, untouched."""
        return await self._file.run(self._load)

    async def commit(self, changes: Changes) -> None:
        """Write `changes` in one transaction: all of them or, after an error, none."""
        await self._file.run(lambda: self._commit(changes))

    async def letters(
        self,
        *,
        status: LetterStatus | None = None,
        receiver: str | None = None,
        group_key: str | None = None,
        limit: int = 100,
        before: tuple[Instant, str] | None = None,
    ) -> list[Letter]:
        """See `storage.Storage.letters`."""
        wanted: list[tuple[str, str]] = []
        if status is not None:
            wanted.append(("status = ?", status.value))
        if receiver is not None:
            wanted.append(("receiver = ?", receiver))
        if group_key is not None:
            wanted.append(("group_key = ?", group_key))
        values: list[str | int] = [value for _, value in wanted]
        where = [condition for condition, _ in wanted]
        if before is not None:
            where.append("(created_at, id) < (?, ?)")
            values += before
        query = (
            f"SELECT value FROM letter WHERE {' AND '.join(where) or 'true'} ORDER BY created_at DESC, id DESC LIMIT ?"  # noqa: S608 - conditions from above
        )

        def read() -> list[Letter]:
            return [self._letter(value) for (value,) in self._connection.execute(query, (*values, limit))]

        return await self._file.run(read)

    async def letter(self, letter_id: str) -> Letter | None:
        """The letter of any age with that id."""

        def read() -> Letter | None:
            row = self._connection.execute("SELECT value FROM letter WHERE id = ?", (letter_id,)).fetchone()
            return None if row is None else self._letter(row[0])

        return await self._file.run(read)

    async def forget(self, now: Instant, *, most: int = 5_000) -> int:
        """See `storage.Storage.forget`; at most `most` of each kind at a time, so that nobody waits long for it."""
        return await self._file.run(lambda: self._forget(now, most))

    async def close(self) -> None:
        """See `SqliteFile.close`."""
        await self._file.close()

    def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return self._file.size()

    def _letter(self, value: str) -> Letter:
        try:
            return _LETTER.decode(value)
        except msgspec.MsgspecError as error:
            raise self._file.damaged(str(error)) from error

    def _load(self) -> Book:
        try:
            return self._read_all()
        except (msgspec.MsgspecError, ValueError) as error:
            # SQLite found no damage, but what stands there was not written by us.
            raise self._file.damaged(str(error)) from error

    def _read_all(self) -> Book:
        book = Book()
        read = self._connection.execute
        known = {kind.value for kind in Kind}
        for kind, key, value in read("SELECT kind, key, value FROM entry"):
            if kind in known:
                book.set_entry(Kind(kind), key, msgspec.json.decode(value, type=ENTRY_TYPES[Kind(kind)]))
        query = "SELECT value FROM letter WHERE status IN (?, ?) ORDER BY created_at, seq, id"
        for (value,) in read(query, _OPEN):
            book.set_letter(_LETTER.decode(value))
        for family, labels, value in read("SELECT family, labels, value FROM count"):
            book.counts[family, _LABELS.decode(labels)] = value
        return book

    def _commit(self, changes: Changes) -> None:
        with self._connection:
            write = self._connection.executemany
            write(
                "DELETE FROM entry WHERE kind = ? AND key = ?",
                [(kind.value, key) for (kind, key), entry in changes.entries.items() if entry is None],
            )
            write(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?)",
                [
                    (kind.value, key, msgspec.json.encode(entry).decode())
                    for (kind, key), entry in changes.entries.items()
                    if entry is not None
                ],
            )
            write(
                "INSERT OR REPLACE INTO letter VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [_row(letter) for letter in changes.letters.values()],
            )
            write(
                "INSERT INTO count VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                [(family, json.dumps(labels), by) for (family, labels), by in changes.counts.items()],
            )

    def _forget(self, now: Instant, most: int) -> int:
        gone = 0
        for statuses in (_DONE_WELL, _DEAD):
            marks = ",".join("?" * len(statuses))
            kept = f"FROM letter WHERE status IN ({marks}) ORDER BY done_at DESC"
            with self._connection:
                row = self._connection.execute(
                    f"SELECT done_at {kept} LIMIT 1 OFFSET ?",
                    (*statuses, MOST_KEPT),
                ).fetchone()
                oldest = max(now - KEPT, -1 if row is None else row[0] + 1)
                gone += self._connection.execute(
                    f"DELETE FROM letter WHERE id IN (SELECT id FROM letter WHERE status IN ({marks}) "  # noqa: S608 - likewise
                    "AND done_at < ? LIMIT ?)",
                    (*statuses, oldest, most),
                ).rowcount
        return gone


_DONE_WELL = (LetterStatus.SENT.value, LetterStatus.SUPERSEDED.value)
_DEAD = (LetterStatus.DEAD.value,)
_LETTER = msgspec.json.Decoder(Letter)
_LABELS = msgspec.json.Decoder(tuple[str, ...])


def _row(letter: Letter) -> tuple[str, str, str, int, str, Instant, Instant, str]:
    value = msgspec.json.encode(letter).decode()
    return (
        letter.id,
        letter.receiver,
        letter.group_key,
        letter.seq,
        letter.status.value,
        letter.created_at,
        letter.done_at,
        value,
    )


def open_book_store(path: Path) -> BookStore:
    """Open the book of alerts at `path`, making it if there is none.

    Raises `BookError` for a file that is corrupt, newer than this program, or not writable. The caller holds the lock.
    """
    return BookStore(open_file(path, BOOK_FILE))
