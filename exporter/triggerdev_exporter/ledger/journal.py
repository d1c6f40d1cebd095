"""The only way to change a ledger: look up, decide, commit, absorb, one at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.ledger.store import Store
from triggerdev_exporter.ledger.strips import Strip, strip_of_key

log = logging.getLogger(__name__)


class Journal:
    """Writes one target's ledger. Collectors of a target share it; its lock keeps their steps apart."""

    def __init__(self, target: str, ledger: Ledger, store: Store) -> None:
        self.target = target
        self.ledger = ledger
        self._store = store
        self._turn = asyncio.Lock()

    async def write(
        self,
        *decisions: Callable[[Draft], None],
        lookup: Sequence[int] = (),
        spans: Sequence[str] = (),
        pause: Callable[[], Awaitable[None]] | None = None,
    ) -> News:
        """Let `decisions` fill a draft, one after the other, and make it true: first on disk, then in memory.

        `lookup` are the id hashes that they may ask about, `spans` the runs and batches whose waiting rows they may.
        Between two of them there is a `pause`, for who shares the event loop: nobody else writes meanwhile.
        Raises `StateError`, and then nothing has changed.
        """
        async with self._turn:
            waiting = await self._store.spans(self.target, spans) if self.ledger.waiting_spans else {}
            draft = Draft(self.ledger, await self._store.settled(self.target, lookup), waiting)
            for place, decide in enumerate(decisions):
                if place and pause is not None:
                    await pause()
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

    async def first_spans(self, *, sealed: bool, until: Instant, most: int) -> dict[str, SpanRow]:
        """See `Store.first_spans`."""
        if not self.ledger.waiting_spans:
            return {}
        return await self._store.first_spans(self.target, sealed=sealed, until=until, most=most)

    async def oldest_spans(self, most: int) -> dict[str, SpanRow]:
        """See `Store.oldest_spans`."""
        return await self._store.oldest_spans(self.target, most)

    async def forget(self, now: Instant) -> int:
        """See `Store.forget`."""
        return await self._store.forget(self.target, now)

    async def trim(self, now: Instant) -> None:
        """Forget the cells of strips that no loaded rule reaches back to, and what is over the limit of cells."""
        ledger = self.ledger
        await self._shorten(now)
        until: dict[Strip, int] = {}
        for key, facts in ledger.kept_strips.items():
            strip = strip_of_key(key)
            until[strip] = strip.cell(max(now - facts.reach, facts.since if facts.shortened else 0))
        async with self._turn:
            await self._store.trim(self.target, until)
            for strip, cell in until.items():
                ledger.strips.trim(strip, cell)

    async def _shorten(self, now: Instant) -> None:
        """Where there are too many cells, the largest strip reaches back half as far from now on."""
        strips = self.ledger.strips
        if strips.entries <= self.ledger.limits.cells:
            return
        key, facts = max(self.ledger.kept_strips.items(), key=lambda item: strips.size(strip_of_key(item[0])))
        since = (max(facts.since, now - facts.reach) + now) // 2
        log.warning(
            "too many cells are kept for the windows of rules: the longest windows are unknown until fewer things "
            "happen (metrics.max_series)",
            extra={"target": self.target, "strip": key},
        )

        def decide(draft: Draft) -> None:
            draft.put(Kind.STRIP, key, msgspec.structs.replace(facts, since=since, shortened=True))

        await self.write(decide)
