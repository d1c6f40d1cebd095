"""A receiver is tried out: a marked sample goes through it, now, past the outbox. Nothing of it is remembered."""

from __future__ import annotations

import logging
import traceback

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.sample import TEST_RULE, sample
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate, Receiver
from triggerdev_alerts.rules.model import Route

log = logging.getLogger(__name__)

IN_WORDS: dict[Fate, str] = {
    Fate.DELIVERED: "the receiver took it",
    Fate.FAILED: "it did not arrive",
    Fate.AMBIGUOUS: "it may have arrived",
    Fate.THROTTLED: "the receiver asks for a pause",
    Fate.REFUSED: "the receiver refused it",
    Fate.GONE: "the receiver does not exist any more",
}


async def try_out(receiver: Receiver, now: Instant) -> Attempt:
    """Send a sample through `receiver`; what became of it. Raises nothing but cancellation.

    Where a message opens an incident, one that closes it follows: a test leaves nothing behind.
    """
    route = Route(receiver=receiver.name, path="test")
    attempt = await _sent(receiver, sample(TEST_RULE, route, now=now, is_test=True), now)
    if attempt.fate is Fate.DELIVERED and receiver.opens_incidents:
        attempt = await _sent(receiver, sample(TEST_RULE, route, now=now, is_test=True, is_resolved=True), now)
    return attempt


def in_words(attempt: Attempt) -> str:
    """``it did not arrive: no connection in time``."""
    words = IN_WORDS[attempt.fate]
    return f"{words}: {attempt.detail}" if attempt.detail else words


async def _sent(receiver: Receiver, notification: Notification, now: Instant) -> Attempt:
    try:
        body = receiver.render(notification)
        attempt = await receiver.send(_envelope(notification, body, 1, now))
        if attempt.fate is Fate.REFUSED and attempt.body is not None:
            attempt = await receiver.send(_envelope(notification, attempt.body, 2, now))
    except Exception as error:
        # A mistake of ours. Its text may hold an address, which may be a secret; where it happened does not.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("a receiver broke", extra={"receiver": receiver.name, "error": type(error).__name__, "where": where})
        return Attempt(Fate.AMBIGUOUS, f"the receiver broke ({type(error).__name__}); the log says where")
    return attempt


def _envelope(notification: Notification, body: str, attempt: int, now: Instant) -> Envelope:
    return Envelope(id=notification.id, body=body, notification=notification, attempt=attempt, at=now)
