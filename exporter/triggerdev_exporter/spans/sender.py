"""The sender: takes what is sealed out of one target's ledger, sends it, and lets it go once it was taken.

It has a task of its own: whatever a collector does, nobody else waits for it. What waits lies on disk, so that neither
a dead collector nor a crash costs memory or loses a span; a crash between an answer and its commit sends the same bytes
once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from triggerdev_alerts.trouble import Trouble
from triggerdev_alerts.waiting import wait_for
from triggerdev_exporter.clock import SECOND, Clock, Instant
from triggerdev_exporter.errors import StateError
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.span_news import accepted, give_up
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.spans.answer import Answer, Later, Refused, Taken, TooLarge, pause
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.parcel import Parcel, pack
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

NAP = 2 * SECOND
"""Between two looks, while there is nothing to send."""
TIDY_EVERY = 10 * SECOND
_CHUNK = 500
_AHEAD = 12 * 170
"""Rows that are read at once: twelve requests of runs with three spans each."""
_STATE_PAUSE = 10 * SECOND
_ALWAYS: Instant = 2**62


class Door(Protocol):
    """The way to a collector."""

    async def post(self, body: bytes) -> Answer:
        """Send a request. Raises nothing but cancellation."""
        ...


class Sender:
    """One target's. `step` may be called at any instant."""

    def __init__(
        self, target: Target, policy: Policy, otlp: Otlp, door: Door, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._target = target
        self._policy = policy
        self._otlp = otlp
        self._door = door
        self._clock = clock
        self._chance = chance
        target.exports.collector = otlp.shown
        self._ahead: dict[str, SpanRow] = {}
        """Rows that were read and not sent yet: sealed ones do not change, and only we let them go."""
        self._most = _CHUNK
        """Rows a request; fewer after one that was too large."""
        self._failures = 0
        self._quiet_until = 0.0
        self._tidy_at = 0.0
        self._giving_up = False
        self._trouble = Trouble()
        """Of ours; the collector's is in the target's `exports`, where pages find it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Send whatever there is, until `stop` is set or the task is cancelled. Nothing is lost by either."""
        while not stop.is_set():
            wait = await self._try_step()
            if wait:
                await wait_for(self._clock, wait, stop)

    async def _try_step(self) -> int:
        try:
            wait = await self.step()
            if self._trouble.ends():
                log.info("spans are taken out of the state again", extra=self._named())
            return wait
        except StateError as error:
            if self._trouble.begins(str(error)):
                log.error("spans cannot be taken out of the state", extra=self._named() | {"why": str(error)})
        except Exception as error:
            # A mistake of ours must not end the export for good, and polling goes on anyway.
            if self._trouble.begins(repr(error)):
                log.exception("the sender of spans broke", extra=self._named())
        self._ahead.clear()
        return _STATE_PAUSE

    async def step(self) -> int:
        """Send one request, if there is something to send. Milliseconds until there may be more; 0: at once.

        Raises `StateError`.
        """
        journal, now = self._target.journal, self._clock.monotonic()
        if journal is None or not journal.ledger.waiting_spans:
            return NAP
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY / SECOND
            await self._make_room(journal)
        if now < self._quiet_until:
            return max(1, min(round((self._quiet_until - now) * SECOND), NAP))
        dues = await self._next_rows(journal)
        if not dues:
            return NAP
        parcel = await asyncio.to_thread(pack, [row.due for row in dues], self._policy, self._otlp)
        answer = await self._door.post(parcel.body)
        return await self._conclude(journal, parcel, answer)

    async def _next_rows(self, journal: Journal) -> Sequence[SpanRow]:
        if not self._ahead:
            self._ahead = await journal.first_spans(sealed=True, until=_ALWAYS, most=_AHEAD)
        old = self._too_old(self._ahead)
        if old:
            await self._give_up(journal, old, "too_old")
        return list(self._ahead.values())[: self._most]

    async def _conclude(self, journal: Journal, parcel: Parcel, answer: Answer) -> int:
        match answer:
            case Taken(rejected=rejected, why=why):
                await journal.write(
                    lambda draft: accepted(draft, parcel.keys, spans=parcel.spans, rejected=rejected),
                    spans=parcel.keys,
                )
                self._forget(parcel.keys)
                self._most = min(_CHUNK, self._most + 8)
                self._works()
                self._objects((why or "no reason given") if rejected else None)
                return 0
            case TooLarge() if len(parcel.keys) > 1:
                self._most = max(1, len(parcel.keys) // 2)
                return 0
            case TooLarge(why=why) | Refused(why=why):
                self._target.exports.errors["too_large" if isinstance(answer, TooLarge) else "refused"] += 1
                await self._give_up(journal, {key: self._ahead[key] for key in parcel.keys}, "refused")
                self._objects(why)
                return 0
            case Later():
                self._fails(answer)
        return NAP

    # -- what is given up ------------------------------------------------------------------------------------------

    async def _make_room(self, journal: Journal) -> None:
        """Give up the oldest rows, as far as there are too many of them or they are too old."""
        while (over := journal.ledger.waiting_spans - self._policy.max_pending) > 0:
            rows = await journal.oldest_spans(min(over, _CHUNK))
            if not rows:
                return
            await self._give_up(journal, rows, "queue_full")
        while old := self._too_old(await journal.oldest_spans(_CHUNK)):
            await self._give_up(journal, old, "too_old")

    def _too_old(self, rows: Mapping[str, SpanRow]) -> dict[str, SpanRow]:
        earliest = self._target.server_now() - self._policy.max_age
        return {key: row for key, row in rows.items() if row.due.finished_at < earliest}

    async def _give_up(self, journal: Journal, rows: Mapping[str, SpanRow], reason: str) -> None:
        dues = {key: row.due for key, row in rows.items()}
        await journal.write(lambda draft: give_up(draft, dues, reason), spans=list(dues))
        self._forget(rows)
        if not self._giving_up:
            log.warning("spans are given up", extra=self._named() | {"reason": reason, "runs": len(rows)})
        self._giving_up = True

    def _forget(self, keys: Mapping[str, SpanRow] | Sequence[str]) -> None:
        for key in keys:
            self._ahead.pop(key, None)

    # -- how it goes -----------------------------------------------------------------------------------------------

    def _fails(self, answer: Later) -> None:
        exports = self._target.exports
        exports.errors[answer.reason] += 1
        if exports.trouble is None:
            log.warning(
                "spans are not taken; they are kept and sent again",
                extra=self._named() | {"reason": answer.reason, "why": answer.why},
            )
            exports.troubled_since = self._clock.now()
        exports.trouble = f"{answer.reason}: {answer.why}"
        self._failures += 1
        self._quiet_until = self._clock.monotonic() + pause(answer, self._failures, self._chance) / SECOND

    def _works(self) -> None:
        if self._target.exports.trouble is not None:
            log.info("spans are taken again", extra=self._named())
        self._target.exports.trouble = self._target.exports.troubled_since = None
        self._failures, self._quiet_until, self._giving_up = 0, 0.0, False

    def _objects(self, why: str | None) -> None:
        if why is not None and why != self._target.exports.objection:
            log.error("the collector refuses spans", extra=self._named() | {"why": why})
        self._target.exports.objection = why

    def _named(self) -> dict[str, object]:
        return {"target": self._target.name, "collector": self._otlp.shown}
