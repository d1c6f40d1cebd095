"""The pinger: fetches the address of the dead man's switch while `deadman` says that alerting works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from triggerdev_alerts.book import Book
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Clock, Instant
from triggerdev_alerts.outbox.deadman import Proof, should_ping
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import Door, DoorError, HttpDoor
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.secret import SecretError, Source, scrub
from triggerdev_alerts.receivers.verdict import verdict
from triggerdev_alerts.receivers.webhook import USER_AGENT, Settings
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.waiting import wait_for

log = logging.getLogger(__name__)

AGAIN = 10 * SECOND
"""After a ping that failed, or was not due since something is wrong: the interval is for when all is well."""
LONGEST_NAP = MINUTE


class Pinger:
    """Pings one switch. `step` may be called at any instant; `next_due` says when it has something to do.

    `proof` answers whether alerting works at an instant.
    """

    def __init__(self, url: Source, interval: int, door: Door, clock: Clock, proof: Callable[[Instant], Proof]) -> None:
        self._url = url
        self._interval = interval
        self._door = door
        self._clock = clock
        self._proof = proof
        self._due_at: Instant = 0
        self._trouble = ""
        self.pinged_at: Instant = 0
        """When it heard of us last; 0 before the first time."""

    async def run(self, stop: asyncio.Event) -> None:
        """Ping whenever it is due, until `stop` is set or the task is cancelled."""
        while not stop.is_set():
            await self.step(self._clock.now())
            now = self._clock.now()
            await wait_for(self._clock, min(max(self.next_due(now) - now, 0), LONGEST_NAP), stop)

    def next_due(self, now: Instant) -> Instant:
        """When `step` has something to do again."""
        # Nobody waits longer than that, unless the clock was set back.
        return self._due_at if self._due_at <= now + max(self._interval, HOUR) else now

    async def step(self, now: Instant) -> None:
        """Ping if it is due and all is well. Raises nothing but cancellation."""
        if self.next_due(now) > now:
            return
        try:
            why, retry_at = await self._ping(now)
        except Exception as error:
            # A mistake of ours. Its text may hold the address, which is a secret.
            why, retry_at = f"{type(error).__name__}, a mistake in this program", None
        self._due_at = now + self._interval if not why else max(now + min(AGAIN, self._interval), retry_at or 0)
        if why and not self._trouble:
            log.warning("the dead man's switch is not pinged", extra={"why": why})
        elif self._trouble and not why:
            log.info("the dead man's switch is pinged again")
        self._trouble = why

    async def _ping(self, now: Instant) -> tuple[str, Instant | None]:
        """What went wrong, empty if nothing, and until when it wants to be left alone."""
        proof = self._proof(now)
        if not proof.pings:
            return proof.reason, None
        try:
            url = self._url.read()
        except SecretError as error:
            return str(error), None
        try:
            reply = await self._door.get(url, {"User-Agent": USER_AGENT})
        except DoorError as error:
            return scrub(error.detail, [url]), None
        if 200 <= reply.status < 300:
            self.pinged_at = now
            return "", None
        attempt = verdict(reply, now)
        return scrub(attempt.detail, [url]), attempt.retry_at


@asynccontextmanager
async def open_pinger(
    ruleset: RuleSet,
    book: Book,
    clock: Clock,
    *,
    stale: Callable[[Instant], Collection[str]],
    ticked: Callable[[], bool],
) -> AsyncIterator[Pinger | None]:
    """The pinger of a rule set, running until this is left; ``None`` without ``ping``.

    `stale` and `ticked` answer what `should_ping` asks.
    """
    ping = ruleset.ping
    if ping is None or not isinstance(ping.settings, Settings):
        yield None
        return
    holders = [name for name, config in ruleset.receivers.items() if KINDS[config.kind].holds_state]
    door = HttpDoor(policy(ping.settings.allow_private))
    pinger = Pinger(
        ping.settings.url_source,
        ping.interval,
        door,
        clock,
        lambda now: should_ping(book, stale(now), now, ticked=ticked(), holders=holders),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(pinger.run(stop), name="pinger")
    try:
        yield pinger
    finally:
        stop.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.close()
