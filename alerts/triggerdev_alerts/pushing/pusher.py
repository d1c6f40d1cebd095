"""The pusher: tells one member of an Alertmanager cluster what it is due, and again when it is due again.

Nothing of it is on disk. Whoever asserts the whole state anew at every start has nothing to remember, and nothing that
a crash could lose.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import HOUR, SECOND, Clock, Instant
from triggerdev_alerts.outbox import standing
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.pushing.assertions import Claim, EvidenceOf, Plan, assertion, claims
from triggerdev_alerts.receivers.alertmanager import Alertmanager, Taken
from triggerdev_alerts.trouble import Trouble
from triggerdev_alerts.waiting import wait_for

log = logging.getLogger(__name__)

BATCH = 100
"""Alerts a request."""
LONGEST_NAP = 5 * SECOND
"""However far off the next assertion is: nobody may have poked."""
FIRST_WAIT = SECOND
"""After the first failure; doubled up to the resend delay."""
LONGEST_PAUSE = HOUR
_DOUBLINGS = 12


class Standing:
    """How a receiver fares: it fails only while none of its members takes anything."""

    def __init__(self, receiver: str, scribe: Scribe, members: int) -> None:
        self._receiver = receiver
        self._scribe = scribe
        self._members = members
        self._troubles: dict[str, str] = {}

    async def note(self, member: str, trouble: str, now: Instant) -> None:
        """`member` was asked; `trouble` is empty if it took something. Raises `BookError`."""
        if trouble:
            self._troubles[member] = trouble
        else:
            self._troubles.pop(member, None)
        if len(self._troubles) == self._members:
            await self._scribe.write(lambda draft: standing.failing(draft, self._receiver, trouble, now))
        elif self._receiver in self._scribe.book.receivers:
            await self._scribe.write(lambda draft: standing.well(draft, self._receiver))


@dataclass(frozen=True, slots=True)
class _Told:
    """What was taken last of one alert."""

    at: Instant
    state: tuple[Instant, bool]


async def _no_pause() -> None:
    return


class Pusher:
    """One member of one receiver. `step` may be called at any instant; `next_due` says when it has something to do.

    A member that fails keeps nothing from the others: each has a pusher of its own.
    """

    def __init__(
        self,
        member: Alertmanager,
        receiver: str,
        plan: Plan,
        resend_delay: int,
        scribe: Scribe,
        standing: Standing,
        clock: Clock,
        *,
        evidence_of: EvidenceOf | None = None,
        pause: Callable[[], Awaitable[None]] = _no_pause,
    ) -> None:
        self._member = member
        self._receiver = receiver
        self._plan = plan
        self._resend_delay = resend_delay
        self._book = scribe.book
        self._standing = standing
        self._clock = clock
        self._evidence_of = evidence_of
        self._pause = pause
        self._told: dict[str, _Told] = {}
        self._failures = 0
        self._retry_at: Instant = 0
        self._trouble = ""
        self._objection = ""
        self._unwritten = Trouble()
        self._woken = asyncio.Event()

    def poke(self) -> None:
        """Look again: an alert may have fired or ended."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Assert whatever is due, until `stop` is set or the task is cancelled. Nothing is lost by either."""
        while not stop.is_set():
            self._woken.clear()
            await self.step(self._clock.now())
            now = self._clock.now()
            await wait_for(self._clock, min(max(self.next_due(now) - now, 0), LONGEST_NAP), self._woken, stop)

    def next_due(self, now: Instant) -> Instant:
        """When `step` has something to do again; at the latest in a while."""
        dues = [self._due_at(claim, now) for claim in claims(self._book, self._plan, now).values()]
        return max(min(dues, default=now + LONGEST_NAP), self._waits_until(now))

    async def step(self, now: Instant) -> None:
        """Assert everything that is due at `now`. Raises nothing but cancellation."""
        if self._waits_until(now) > now:
            return
        try:
            await self._assert_due(now)
            self._unwritten.ends()
        except BookError as error:
            if self._unwritten.begins(str(error)):
                log.error("how Alertmanager fares cannot be written down", extra=self._named() | {"why": str(error)})
        except Exception as error:
            # A mistake of ours. Its text may hold a secret; where it happened does not.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("a pusher broke", extra=self._named() | {"error": type(error).__name__, "where": where})
            self._back_off(None)

    async def _assert_due(self, now: Instant) -> None:
        found = claims(self._book, self._plan, now)
        self._told = {name: told for name, told in self._told.items() if name in found}
        due = [claim for claim in found.values() if self._due_at(claim, now) <= now]
        for start in range(0, len(due), BATCH):
            if not await self._assert(due[start : start + BATCH], now):
                # Whoever does not take one part takes no other either; all of it is still due.
                return
            await self._pause()

    async def _assert(self, batch: Sequence[Claim], now: Instant) -> bool:
        """Assert a part of it, in halves where it must be; whether the member takes anything now."""
        answer = await self._member.post([assertion(claim, self._plan, now, self._evidence_of) for claim in batch], now)
        if answer.taken is Taken.NONE:
            self._fails(answer.detail)
            self._back_off(answer.retry_at)
            await self._standing.note(self._member.name, answer.detail or "no answer", now)
            return False
        if answer.taken is Taken.NOT_SO and len(batch) > 1:
            middle = len(batch) // 2
            return await self._assert(batch[:middle], now) and await self._assert(batch[middle:], now)
        # One that is refused for itself counts as told too: it is tried again with the others, not before.
        self._told |= {claim.alert.fingerprint: _Told(now, claim.state) for claim in batch}
        self._objects("" if answer.taken is Taken.ALL else answer.detail)
        self._works()
        await self._standing.note(self._member.name, "", now)
        return True

    def _due_at(self, claim: Claim, now: Instant) -> Instant:
        told = self._told.get(claim.alert.fingerprint)
        if told is None or told.state != claim.state or told.at > now:
            return now
        return told.at + self._plan.period(claim.alert)

    def _waits_until(self, now: Instant) -> Instant:
        # Nobody waits longer than that, unless the clock was set back: then nobody waits.
        return self._retry_at if self._retry_at <= now + LONGEST_PAUSE else now

    def _back_off(self, retry_at: Instant | None) -> None:
        wait = min(self._resend_delay, FIRST_WAIT << min(self._failures, _DOUBLINGS))
        self._failures += 1
        now = self._clock.now()
        self._retry_at = max(retry_at or 0, now + wait)

    def _fails(self, why: str) -> None:
        if not self._trouble:
            log.warning("Alertmanager takes no alerts", extra=self._named() | {"why": why})
        self._trouble = why or "no answer"

    def _works(self) -> None:
        if self._trouble:
            log.info("Alertmanager takes alerts again", extra=self._named())
        self._trouble, self._failures, self._retry_at = "", 0, 0

    def _objects(self, why: str) -> None:
        if why and why != self._objection:
            log.error("Alertmanager refuses some alerts", extra=self._named() | {"why": why})
        self._objection = why

    def _named(self) -> dict[str, str]:
        return {"receiver": self._receiver, "member": self._member.name}
