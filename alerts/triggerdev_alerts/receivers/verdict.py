"""What an HTTP answer means for the letter, as all receivers see it unless their API says otherwise. Pure."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

from triggerdev_alerts.instants import HOUR, SECOND, Instant
from triggerdev_alerts.receivers.door import DoorError, Reply
from triggerdev_alerts.receivers.port import Attempt, Fate

LONGEST_PAUSE = HOUR
_LONGEST_DETAIL = 300
#: A gateway in between may have passed the message on before it gave up.
_AMBIGUOUS = frozenset({502, 504})
_AGAIN = frozenset({408, 425})


def verdict(reply: Reply, now: Instant, *, gone: frozenset[int] = frozenset({410})) -> Attempt:
    """What to do after `reply`; `gone` are the statuses that say that the receiver does not exist."""
    status = reply.status
    if 200 <= status < 300:
        return Attempt(Fate.DELIVERED)
    detail = f"HTTP {status}: {excerpt(reply.text)}" if reply.text.strip() else f"HTTP {status}"
    if status == 429:
        return Attempt(Fate.THROTTLED, detail, retry_at=retry_at(reply, now))
    if status in gone:
        return Attempt(Fate.GONE, detail)
    if 300 <= status < 400:
        return Attempt(Fate.REFUSED, f"HTTP {status}: a redirect, which is never followed; set the address it leads to")
    if status in _AMBIGUOUS:
        return Attempt(Fate.AMBIGUOUS, detail)
    if status >= 500 or status in _AGAIN:
        return Attempt(Fate.FAILED, detail)
    return Attempt(Fate.REFUSED, detail)


def failed(error: DoorError) -> Attempt:
    """The attempt that ended without an answer."""
    return Attempt(error.fate, error.detail)


def retry_at(reply: Reply, now: Instant) -> Instant | None:
    """Until when the receiver wants to be left alone, an hour at most; ``None`` where it does not say."""
    wait = _wait(reply, now)
    return None if wait is None else now + min(max(wait, 0), LONGEST_PAUSE)


def _wait(reply: Reply, now: Instant) -> int | None:
    written = reply.headers.get("retry-after", "").strip()
    if written:
        try:
            return round(float(written) * SECOND)
        except (ValueError, OverflowError):
            pass
        try:
            return round(parsedate_to_datetime(written).timestamp() * 1000) - now
        except (ValueError, TypeError, OverflowError):
            return None
    try:
        told = json.loads(reply.text).get("retry_after")
        return None if told is None else round(float(told) * SECOND)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def excerpt(text: str) -> str:
    """The beginning of an answer's body, on one line, without control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * _LONGEST_DETAIL]).split())
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"
