"""An outbox on a virtual clock, with receivers that do as they are told. Instants are seconds after `NOW`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alert_notices import NOW, notice
from triggerdev_alerts.book import Book, Letter, LetterStatus
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why, notification_id
from triggerdev_alerts.outbox.courier import Courier
from triggerdev_alerts.outbox.letters import post
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.retry import RetryPolicy
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.standing import enable_all
from triggerdev_alerts.outbox.storage import Storage
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate, Receiver
from virtual_clock import VirtualClock

SECOND = 1_000
EXACT = RetryPolicy(jitter=0.0)
DELIVERED, FAILED, AMBIGUOUS = Attempt(Fate.DELIVERED), Attempt(Fate.FAILED, "refused"), Attempt(Fate.AMBIGUOUS, "late")
REFUSED, GONE = Attempt(Fate.REFUSED, "HTTP 400"), Attempt(Fate.GONE, "HTTP 410")


@dataclass
class Scripted:
    """A receiver: what it answers is a list that is used up, then a function of the time, then "delivered"."""

    name: str = "hook"
    answers: list[Attempt] = field(default_factory=list)
    answer: Callable[[Envelope], Attempt] = lambda envelope: DELIVERED
    wait: Callable[[Envelope], Awaitable[None]] | None = None
    opens_incidents: bool = False
    edits: bool = False
    rate: tuple[float, int] | None = None
    kind: str = "scripted"
    got: list[Envelope] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)

    def render(self, notification: Notification) -> str:
        shown = " ".join(f"{alert.label('task')}={alert.status}" for alert in notification.alerts)
        missed = " missed" if notification.missed_firing else ""
        return f"{notification.kind} {shown}{missed} ({notification.why})"

    async def send(self, envelope: Envelope) -> Attempt:
        self.got.append(envelope)
        if self.wait is not None:
            await self.wait(envelope)
        attempt = self.answers.pop(0) if self.answers else self.answer(envelope)
        self.fates.append(attempt.fate)
        return attempt

    async def close(self) -> None:
        return

    @property
    def at(self) -> list[float]:
        """When it was asked, in seconds."""
        return [(envelope.at - NOW) / SECOND for envelope in self.got]

    @property
    def bodies(self) -> list[str]:
        """What arrived, each id once."""
        arrived = {
            envelope.id: envelope.body
            for envelope, fate in zip(self.got, self.fates, strict=False)
            if fate in (Fate.DELIVERED, Fate.AMBIGUOUS)
        }
        return list(arrived.values())


class Outbox:
    """Book, scribe, courier and clock; `restart` is a new process on the same storage."""

    def __init__(self, *receivers: Receiver, storage: Storage | None = None, policy: RetryPolicy = EXACT) -> None:
        self.storage: Any = storage or MemoryStore()
        self.clock = VirtualClock(NOW)
        self.policy = policy
        self.receivers: Mapping[str, Receiver] = {receiver.name: receiver for receiver in receivers}
        self._begin(Book())
        self._seqs: dict[tuple[str, str], int] = {}

    def _begin(self, book: Book) -> None:
        self.book = book
        self.scribe = Scribe(book, self.storage)
        self.courier = Courier(self.scribe, self.receivers, self.clock, lambda: 0.5, self.policy)

    async def restart(self) -> None:
        self._begin(await self.storage.load())
        await self.scribe.write(enable_all)

    async def post(self, notification: Notification) -> Notification:
        receiver = self.receivers[notification.receiver]
        await self.scribe.write(lambda draft: post(draft, notification, receiver, self.clock.now()))
        return notification

    async def say(
        self,
        alerts: Sequence[AlertNotice] | str,
        *,
        group: str = "g",
        receiver: str = "hook",
        why: Why | None = None,
        kind: NoticeKind | None = None,
        **changes: Any,
    ) -> Notification:
        """Post a message. ``"a -b"``: the task a fires, b ended."""
        notices = those(alerts) if isinstance(alerts, str) else tuple(alerts)
        fires = any(each.status == "firing" for each in notices)
        seq = self._seqs[receiver, group] = self._seqs.get((receiver, group), 0) + 1
        return await self.post(
            Notification(
                id=notification_id(receiver, group, seq),
                receiver=receiver,
                group_key=group,
                group_labels=(),
                seq=seq,
                kind=kind or (NoticeKind.FIRING if fires else NoticeKind.RESOLVED),
                why=why or (Why.ALL_RESOLVED if not fires else Why.FIRST if seq == 1 else Why.NEW_ALERTS),
                at=self.clock.now(),
                alerts=notices,
                **changes,
            )
        )

    @property
    def seconds(self) -> float:
        """Since the start."""
        return (self.clock.now() - NOW) / SECOND

    async def at(self, seconds: float) -> None:
        """Let time pass until then; the courier steps whenever it wants to, and at the end."""
        end = NOW + round(seconds * SECOND)
        while (due := self.courier.next_due(self.clock.now())) is not None and due <= end:
            self._to(max(due, self.clock.now()))
            await self.courier.step(self.clock.now())
        self._to(end)
        await self.courier.step(end)

    def _to(self, instant: int) -> None:
        self.clock.advance((instant - self.clock.now()) / SECOND)

    async def letters(self, status: LetterStatus | None = None) -> list[Letter]:
        """Of any age, in the order in which they were written."""
        found: list[Letter] = await self.storage.letters(status=status, limit=10_000)
        return sorted(found, key=lambda letter: (letter.receiver, letter.group_key, letter.seq))

    async def statuses(self) -> list[str]:
        return [str(letter.status) for letter in await self.letters()]

    def counted(self, outcome: str, receiver: str = "hook") -> int:
        return self.book.counts["notifications_total", (receiver, outcome)]


def those(written: str) -> tuple[AlertNotice, ...]:
    """``"a -b"``: the task a fires, b ended."""
    return tuple(
        notice(word.removeprefix("-"), "resolved" if word.startswith("-") else "firing") for word in written.split()
    )


async def turns(count: int = 20) -> None:
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)  # noqa: TID251 -- lets the others run; nobody waits
