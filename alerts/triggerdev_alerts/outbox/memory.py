"""A book that ends with the process: for tests, replays and commands that send a sample."""

from __future__ import annotations

from collections import Counter

from triggerdev_alerts.book import Book, Changes, Entry, EntryKey, Letter, LetterStatus
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.outbox.storage import KEPT, MOST_KEPT


class MemoryStore:
    """See `storage.Storage`."""

    def __init__(self) -> None:
        self._entries: dict[EntryKey, Entry] = {}
        self._letters: dict[str, Letter] = {}
        self._counts: Counter[tuple[str, tuple[str, ...]]] = Counter()

    async def load(self) -> Book:
        book = Book()
        for (kind, key), entry in self._entries.items():
            book.set_entry(kind, key, entry)
        for letter in sorted(self._letters.values(), key=_age):
            book.set_letter(letter)
        book.counts.update(self._counts)
        return book

    async def commit(self, changes: Changes) -> None:
        for place, entry in changes.entries.items():
            if entry is None:
                self._entries.pop(place, None)
            else:
                self._entries[place] = entry
        self._letters.update(changes.letters)
        self._counts.update(changes.counts)

    async def letters(
        self,
        *,
        status: LetterStatus | None = None,
        receiver: str | None = None,
        group_key: str | None = None,
        limit: int = 100,
        before: tuple[Instant, str] | None = None,
    ) -> list[Letter]:
        fitting = [
            letter
            for letter in self._letters.values()
            if status in (None, letter.status)
            and receiver in (None, letter.receiver)
            and group_key in (None, letter.group_key)
            and (before is None or (letter.created_at, letter.id) < before)
        ]
        return sorted(fitting, key=lambda letter: (letter.created_at, letter.id), reverse=True)[:limit]

    async def letter(self, letter_id: str) -> Letter | None:
        return self._letters.get(letter_id)

    async def forget(self, now: Instant) -> int:
        done = [letter for letter in self._letters.values() if not letter.is_open]
        old = [letter for letter in done if letter.done_at < now - KEPT]
        for is_dead in (False, True):
            alike = [letter for letter in done if (letter.status is LetterStatus.DEAD) is is_dead]
            old += sorted(alike, key=lambda letter: letter.done_at, reverse=True)[MOST_KEPT:]
        gone = {letter.id for letter in old}
        for letter_id in gone:
            del self._letters[letter_id]
        return len(gone)

    async def close(self) -> None:
        return

    def size(self) -> int:
        return 0


def _age(letter: Letter) -> tuple[Instant, int, str]:
    return letter.created_at, letter.seq, letter.id
