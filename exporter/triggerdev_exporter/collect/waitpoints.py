"""Waitpoint tokens: which wait, since when, and how they ended."""

from __future__ import annotations

from typing import ClassVar

from triggerdev_exporter.api.calls import Priority
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.collect.walk import pages
from triggerdev_exporter.errors import HttpFailed, NotFound
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Cursor, Kind
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.thing_news import token_not_found, token_sight
from triggerdev_exporter.records import WaitpointToken
from triggerdev_exporter.target import Target

OVERLAP = MINUTE


class WaitpointsCollector:
    """Walks the new tokens, then those that wait, then asks after each that no longer does."""

    name: ClassVar[str] = "waitpoints"

    def __init__(self, target: Target) -> None:
        self._target = target

    async def step(self, now: Instant) -> bool:
        dialect, journal = await self._target.open()
        if dialect.tokens() is None:
            return False
        ledger = journal.ledger
        cursor = ledger.facts[Kind.CURSOR].get("tokens")
        newest = cursor.newest if isinstance(cursor, Cursor) else 0
        first = not newest
        since = ledger.birth - self._target.config.lookback if first else min(newest, now) - OVERLAP
        waited = set(ledger.tokens)
        seen = await self._walk(now, created_from=since)
        if waited or first:
            seen |= await self._walk(now, only_open=True)
        for token_id in sorted(waited - seen):
            if not self._target.client.allowance(Priority.SETTLE):
                break
            await self._settle(token_id, now)
        return True

    async def _walk(self, now: Instant, *, created_from: Instant | None = None, only_open: bool = False) -> set[str]:
        dialect, journal = await self._target.open()
        seen: set[str] = set()

        def call(cursor: str | None):  # type: ignore[no-untyped-def]  # the Optional was ruled out by step()
            return dialect.tokens(created_from=created_from, only_open=only_open, cursor=cursor)

        # The cursor may only move once the walk is complete: else a failed second page would never be read.
        gathered: list[WaitpointToken] = []
        async for page in pages(self._target.client, call, lambda token: token.id):
            gathered.extend(page)
        # Oldest first, for the same reason: the cursor never passes what is not written yet.
        gathered.sort(key=lambda token: token.created_at)
        for start in range(0, len(gathered), 500):
            some = gathered[start : start + 500]
            seen.update(token.id for token in some)
            await journal.write(
                lambda draft, some=some: token_sight(draft, some, now=now),  # type: ignore[misc]  # bound per loop
                lookup=hashes(Kind.TOKEN, [token.id for token in some]),
            )
        return seen

    async def _settle(self, token_id: str, now: Instant) -> None:
        dialect, journal = await self._target.open()
        call = dialect.token(token_id)
        if call is None:
            return
        found: tuple[WaitpointToken, ...] = ()
        try:
            found = (await self._target.client.fetch(call, Priority.SETTLE),)
        except NotFound:
            pass
        except HttpFailed as error:
            # The server answers 500, not 404, for a token that does not exist.
            if error.status != 500:
                raise

        def decide(draft: Draft) -> None:
            if found:
                token_sight(draft, found, now=now)
            else:
                token_not_found(draft, token_id, now=now)

        news = await journal.write(decide, lookup=hashes(Kind.TOKEN, [token_id]))
        self._target.told(self.name, news.notices)
