"""What alerting needs of whoever keeps its book. `store.py` keeps it in a file, `memory.py` for as long as it lives."""

from __future__ import annotations

from typing import Protocol

from triggerdev_alerts.book import Book, Changes, Letter, LetterStatus
from triggerdev_alerts.instants import DAY, Instant

KEPT = 7 * DAY
"""How long a letter that is done is shown, and a dead one may be sent again."""
MOST_KEPT = 10_000
"""How many letters that are done are kept, and apart from them how many dead ones."""


class Storage(Protocol):
    """One writer, one transaction a commit. Every method may raise `BookError`, which says what to do."""

    async def load(self) -> Book:
        """The book as last committed."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Write `changes`: all of them or, after an error, none."""
        ...

    async def letters(
        self,
        *,
        status: LetterStatus | None = None,
        receiver: str | None = None,
        group_key: str | None = None,
        limit: int = 100,
        before: tuple[Instant, str] | None = None,
    ) -> list[Letter]:
        """Letters of any age, the newest first. `before` is (created_at, id) of the last one of the page before."""
        ...

    async def letter(self, letter_id: str) -> Letter | None: ...

    async def forget(self, now: Instant) -> int:
        """Drop letters that have been done for long, and the oldest of too many; how many were dropped."""
        ...

    async def close(self) -> None: ...

    def size(self) -> int:
        """Bytes on disk."""
        ...
