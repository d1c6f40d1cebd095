"""The only way to change the book: decide, commit, absorb, one at a time. It decides nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from triggerdev_alerts.book import Book, Changes, Draft
from triggerdev_alerts.outbox.storage import Storage

T = TypeVar("T")


class Scribe:
    """Writes one book. Engine, courier and commands share it; its lock keeps their steps apart."""

    def __init__(self, book: Book, storage: Storage) -> None:
        self.book = book
        self.storage = storage
        self._turn = asyncio.Lock()

    async def write(self, decide: Callable[[Draft], T], *, draft: Draft | None = None) -> T:
        """Let `decide` fill a draft and make it true: first on disk, then in memory. What `decide` returned.

        `draft` is one that was begun before, with entries that nobody else writes. Whatever `decide` raises leaves
        all as it was. Raises `BookError`, and then nothing has changed either.
        """
        async with self._turn:
            draft = Draft(self.book) if draft is None else draft
            decided = decide(draft)
            if draft.changes:
                await _whole(self._make_true(draft.changes))
            return decided

    async def _make_true(self, changes: Changes) -> None:
        await self.storage.commit(changes)
        self.book.absorb(changes)


async def _whole(work: Coroutine[None, None, None]) -> None:
    """Cancelled in the middle, it is finished first: a commit that happened must not be missing in memory."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # asked for, so that nobody complains that it was not; the cancellation goes first
        raise
