"""The only way to change a ledger: look up, decide, commit, absorb, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.news import Draft, News
from triggerdev_exporter.ledger.store import Store


class Journal:
    """Writes one target's ledger. Collectors of a target share it; its lock keeps their steps apart."""

    def __init__(self, target: str, ledger: Ledger, store: Store) -> None:
        self.target = target
        self.ledger = ledger
        self._store = store
        self._turn = asyncio.Lock()

    async def write(self, decide: Callable[[Draft], None], *, lookup: Sequence[int] = ()) -> News:
        """Let `decide` fill a draft and make it true: first on disk, then in memory.

        `lookup` are the id hashes that `decide` may ask about. Raises `StateError`, and then nothing has changed.
        """
        async with self._turn:
            draft = Draft(self.ledger, await self._store.settled(self.target, lookup))
            decide(draft)
            if draft.news:
                # Cancelled in the middle, the commit may still have happened: then memory is behind, never ahead,
                # and the process is about to end.
                await self._store.commit(self.target, draft.news)
                self.ledger.absorb(draft.news)
            return draft.news

    async def settled_since(self, until: Instant) -> int:
        """See `Store.settled_since`."""
        return await self._store.settled_since(self.target, until)

    async def forget(self, now: Instant) -> int:
        """See `Store.forget`."""
        return await self._store.forget(self.target, now)
