"""What a receiver is, and what becomes of one attempt to send. The outbox decides what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import Notification


class Fate(StrEnum):
    """How an attempt ended, by what may be done next."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """It certainly did not arrive; try again later, or send something newer instead."""
    AMBIGUOUS = "ambiguous"
    """It may have arrived; the same must be sent again."""
    THROTTLED = "throttled"
    """The whole receiver pauses until `Attempt.retry_at`."""
    REFUSED = "refused"
    """It will never be taken: a dead letter."""
    GONE = "gone"
    """The receiver does not exist any more: a dead letter, and nothing more is sent until a reload."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt."""

    fate: Fate
    detail: str = ""
    """In words, without secrets or addresses that are secrets, at most 512 characters."""
    retry_at: Instant | None = None
    """Throttled: until when, as the receiver said (capped at an hour from now); ``None`` where it did not say."""
    handle: str = ""
    """Delivered: what is needed to edit the message later."""
    body: str | None = None
    """Refused: another body to try once instead (a plain text where blocks were invalid)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One attempt to send one letter."""

    id: str
    """The letter's, the same at every attempt: idempotency key."""
    body: str
    """As rendered when the letter was written."""
    notification: Notification
    attempt: int
    """From 1."""
    at: Instant
    handle: str = ""
    """What the receiver returned for an earlier message of the same group."""


class Receiver(Protocol):
    """One configured receiver."""

    name: str
    kind: str
    opens_incidents: bool
    """PagerDuty and the like: a resolve without a trigger that was delivered means nothing there."""
    edits: bool
    """Whether a later message of a group replaces the earlier one, so that only the newest matters."""
    rate: tuple[float, int] | None
    """Requests a second that it takes for long, and at once; ``None``: it names no limit but its 429."""

    def render(self, notification: Notification) -> str:
        """The body. Pure: equal notifications make equal bodies. Never raises: bad templates fall back."""
        ...

    async def send(self, envelope: Envelope) -> Attempt:
        """One attempt, within the receiver's own timeout. Raises nothing but cancellation."""
        ...

    async def close(self) -> None: ...
