"""The courier: sends what is due, and writes down what became of it. It decides neither what is due nor what follows.

Marked as under way, on disk; sent; marked as what it became, on disk. So a kill at any point repeats a letter with the
same id and the same body, or sends one that nobody had sent, and never loses one. Receivers do not wait for each other.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from triggerdev_alerts.book import Draft, Letter, LetterStatus, ReceiverEntry
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import HOUR, SECOND, Clock, Instant
from triggerdev_alerts.outbox.conclusions import conclude, strand
from triggerdev_alerts.outbox.letters import Line, begin, due, heads, stranded
from triggerdev_alerts.outbox.pace import Pace
from triggerdev_alerts.outbox.retry import Chance, RetryPolicy
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.superseding import supersede
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate, Receiver
from triggerdev_alerts.waiting import wait_for

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Requests to one receiver at a time."""
LONGEST_NAP = 60 * SECOND
"""However far off the next letter is: the clock may be set meanwhile."""
AFTER_ERROR = 5 * SECOND
BETWEEN_TIDYING = HOUR
GRACE = 9.0
"""Seconds of the machine that requests under way get when the process ends: with all else, it ends within twelve."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """An attempt that ended."""

    letter: Letter
    receiver: Receiver
    attempt: Attempt
    at: Instant


class Courier:
    """Sends the letters of one book.

    `step` sends what is due at an instant and waits for the answers: for tests and commands. `run` is the daemon's: it
    takes a `turn` whenever something is due, and goes on while answers are out.
    """

    def __init__(
        self,
        scribe: Scribe,
        receivers: Mapping[str, Receiver],
        clock: Clock,
        chance: Chance,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._scribe = scribe
        self._clock = clock
        self._chance = chance
        self._policy = policy
        self._tasks: dict[Line, asyncio.Task[None]] = {}
        self._unmarked: dict[Line, _Sent] = {}
        self._woken = asyncio.Event()
        self._tidied_at: Instant = 0
        self._trouble = ""
        self._is_ending = False
        self.use(receivers)

    def use(self, receivers: Mapping[str, Receiver]) -> None:
        """Send to these from now on. What is under way ends with the receiver that it was begun with."""
        self._receivers = dict(receivers)
        self._paces = {name: Pace(receiver.rate) for name, receiver in receivers.items()}
        self.poke()

    def poke(self) -> None:
        """Look again: something was written into the outbox."""
        self._woken.set()

    async def settled(self) -> None:
        """Wait until what is under way now has ended, one way or the other."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def step(self, now: Instant) -> None:
        """Send everything that is due at `now`, and what becomes due at `now` by that; until all have answered.

        Raises `BookError`; what was sent and could not be written down is written down first the next time.
        """
        while True:
            await self._mark()
            await self._launch(now)
            if not self._tasks:
                return
            done, _ = await asyncio.wait(list(self._tasks.values()))
            for task in done:
                task.result()

    def next_due(self, now: Instant) -> Instant | None:
        """When `step` has something to do again; ``None`` if nothing waits but answers."""
        book = self._scribe.book
        dues = [
            max(at, self._paces[letter.receiver].free_at(now))
            for letter, at in heads(book, self._receivers, self._busy())
            if self._under_way(letter.receiver) < AT_ONCE
        ]
        dues += [at for _, at in stranded(book, self._receivers, self._policy)]
        return min(dues, default=None)

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due, until `stop` is set; then end as `stop` does."""
        while not stop.is_set():
            self._woken.clear()
            await wait_for(self._clock, await self.turn(self._clock.now()), self._woken, stop)
        await self.stop()

    async def stop(self, grace: float = GRACE) -> None:
        """Begin nothing more, wait `grace` seconds for what is under way, and leave the rest for the next start."""
        self._is_ending = True
        tasks = set(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                # A receiver that does not let itself be cancelled must not keep the process either.
                await asyncio.wait(late, timeout=1.0)
        try:
            await self._mark()
        except BookError as error:
            log.error("what was sent last could not be written down and will be sent again", extra={"why": str(error)})

    async def turn(self, now: Instant) -> int:
        """Start what is due and wait for no answer; for how many milliseconds there is nothing to do."""
        try:
            await self._mark()
            await self._launch(now)
            await self._tidy(now)
        except BookError as error:
            return self._fails(str(error))
        except Exception as error:
            # A mistake of ours. Whoever carries messages must go on, and must not be silent about it.
            return self._fails(f"{type(error).__name__}: {error}", error)
        if self._trouble:
            log.info("notifications can be sent again")
            self._trouble = ""
        following = self.next_due(now)
        return LONGEST_NAP if following is None else min(max(following - now, 0), LONGEST_NAP)

    def _fails(self, why: str, bug: Exception | None = None) -> int:
        if why != self._trouble:
            log.error("nothing can be sent", extra={"why": why}, exc_info=bug)
        self._trouble = why
        return AFTER_ERROR

    async def _tidy(self, now: Instant) -> None:
        """Forget old letters now and then, after what is urgent."""
        if not 0 <= now - self._tidied_at < BETWEEN_TIDYING:
            await self._scribe.storage.forget(now)
            self._tidied_at = now

    async def _launch(self, now: Instant) -> None:
        if self._is_ending:
            return
        for letter, receiver, handle in await self._scribe.write(lambda draft: self._begin(draft, now)):
            envelope = Envelope(
                id=letter.id,
                body=letter.body,
                notification=letter.notification,
                attempt=letter.attempts,
                at=now,
                handle=handle,
            )
            self._paces[receiver.name].take(now, 1)
            self._tasks[_line(letter)] = asyncio.create_task(self._deliver(letter, receiver, envelope))

    def _begin(self, draft: Draft, now: Instant) -> list[tuple[Letter, Receiver, str]]:
        book = self._scribe.book
        for letter, at in list(stranded(book, self._receivers, self._policy)):
            if at <= now and _line(letter) not in self._busy():
                strand(draft, letter, now)
        room = {name: self._room(name, now) for name in self._receivers}
        begun = []
        for letter in due(book, self._receivers, now, self._busy()):
            if room[letter.receiver] > 0:
                room[letter.receiver] -= 1
                entry = book.receivers.get(letter.receiver, ReceiverEntry())
                handle, receiver = entry.handles.get(letter.group_key, ""), self._receivers[letter.receiver]
                begun.append((begin(draft, letter, receiver, now), receiver, handle))
        return begun

    def _room(self, receiver: str, now: Instant) -> int:
        """How many requests to it may start now."""
        slots = AT_ONCE - self._under_way(receiver)
        free = self._paces[receiver].free(now)
        return slots if free is None else min(slots, free)

    def _under_way(self, receiver: str) -> int:
        return sum(1 for name, _ in self._tasks if name == receiver)

    def _busy(self) -> set[Line]:
        return {*self._tasks, *self._unmarked}

    async def _deliver(self, letter: Letter, receiver: Receiver, envelope: Envelope) -> None:
        """One letter's attempt, from the request to what became of it on disk."""
        line = _line(letter)
        try:
            attempt = await _attempt(receiver, envelope)
            self._unmarked[line] = _Sent(letter, receiver, attempt, self._clock.now())
            await self._mark_one(line)
        except BookError as error:
            # It stays unmarked, so that it is not sent again, and is written down before anything else is sent.
            log.error("what was sent could not be written down yet", extra={"id": letter.id, "why": str(error)})
        finally:
            del self._tasks[line]
            self.poke()

    async def _mark(self) -> None:
        for line in [line for line in self._unmarked if line not in self._tasks]:
            await self._mark_one(line)

    async def _mark_one(self, line: Line) -> None:
        sent = self._unmarked[line]
        book = self._scribe.book
        before = book.receivers.get(sent.letter.receiver, ReceiverEntry())
        try:
            after = await self._scribe.write(lambda draft: self._conclude(draft, sent))
        finally:
            # Cancelled or not: what counts is whether it is in the book.
            if book.letters.get(sent.letter.id) != sent.letter:
                del self._unmarked[line]
        _tell(sent, after, before)

    def _conclude(self, draft: Draft, sent: _Sent) -> Letter:
        after = conclude(draft, sent.letter, sent.attempt, sent.at, self._policy, self._chance)
        if after.is_open:
            supersede(draft, sent.receiver, after.group_key, sent.at)
        return after


async def _attempt(receiver: Receiver, envelope: Envelope) -> Attempt:
    try:
        return await receiver.send(envelope)
    except Exception as error:
        # A mistake of ours. Its text may hold an address, which may be a secret; where it happened does not.
        where = "".join(traceback.format_tb(error.__traceback__))
        name = type(error).__name__
        log.error("a receiver broke", extra={"receiver": receiver.name, "error": name, "where": where})
        return Attempt(Fate.AMBIGUOUS, f"the receiver broke ({name}); the log says where")


def _tell(sent: _Sent, after: Letter, before: ReceiverEntry) -> None:
    """Log what changed for the receiver, and every letter that was given up."""
    fate, where = sent.attempt.fate, {"receiver": after.receiver, "why": sent.attempt.detail}
    if after.status is LetterStatus.DEAD:
        log.error("a notification was given up", extra={**where, "id": after.id, "group": after.group_key})
    if fate is Fate.GONE:
        log.error("the receiver is gone: nothing is sent to it until a reload", extra=where)
    elif fate is Fate.THROTTLED:
        log.warning("the receiver asks for a pause", extra={**where, "seconds": (after.next_at - sent.at) / SECOND})
    elif fate in (Fate.FAILED, Fate.AMBIGUOUS) and not before.failing_since:
        log.warning("a receiver fails", extra=where)
    elif fate is Fate.DELIVERED and before.failing_since:
        log.info("the receiver works again", extra={"receiver": after.receiver})


def _line(letter: Letter) -> Line:
    return letter.receiver, letter.group_key
