"""Silences: added, ended early and forgotten, as operations on a draft. What they withhold is `withholding`'s."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from msgspec.structs import replace

from triggerdev_alerts.book import Draft, Kind, Silence
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.instants import DAY, MINUTE, Instant
from triggerdev_alerts.notify.matching import matches
from triggerdev_alerts.rules.model import Matcher

KEPT = 5 * DAY
"""How long a silence that is over is shown."""
LONGEST = 366 * DAY
LONGEST_AUTHOR = 128
LONGEST_COMMENT = 1_024
MOST_SILENCES = 10_000
"""Everybody who may add one may add many; each is asked about every alert."""


def add_silence(
    draft: Draft,
    matchers: Sequence[Matcher],
    *,
    duration: int,
    author: str,
    comment: str,
    now: Instant,
    starts_at: Instant | None = None,
) -> Silence:
    """Add a silence that starts now, or at `starts_at`, and lasts `duration` milliseconds.

    The id follows from the content and the instant: the same request twice at one instant is one silence.

    Raises:
        Unfit: it would silence everything, is over already, or nobody says who wants it and why.
    """
    start = now if starts_at is None else starts_at
    _check_matchers(matchers)
    _check_span(start, duration, now)
    author, comment = _words("author", author, LONGEST_AUTHOR), _words("comment", comment, LONGEST_COMMENT)
    if len(draft.all(Kind.SILENCE, Silence)) >= MOST_SILENCES:
        raise Unfit("silence", f"there are {MOST_SILENCES} silences already; expire some first")
    written = tuple((matcher.label, matcher.negative, matcher.values) for matcher in matchers)
    silence = Silence(
        id=_id(repr((written, start, duration, author, comment, now))),
        matchers=written,
        starts_at=start,
        ends_at=start + duration,
        author=author,
        comment=comment,
        created_at=now,
    )
    draft.put(Kind.SILENCE, silence.id, silence)
    return silence


def expire_silence(draft: Draft, silence_id: str, now: Instant) -> Silence:
    """End a silence now; one that is over stays as it is.

    Raises:
        Unfit: there is no such silence.
    """
    silence = draft.get(Kind.SILENCE, silence_id, Silence)
    if silence is None:
        raise Unfit("silence", f'there is no silence "{silence_id}"; see "silence list"')
    if silence.ends_at > now:
        silence = replace(silence, starts_at=min(silence.starts_at, now), ends_at=now)
        draft.put(Kind.SILENCE, silence_id, silence)
    return silence


def prune_silences(draft: Draft, now: Instant) -> None:
    """Forget silences that have been over for days."""
    for silence_id, silence in draft.all(Kind.SILENCE, Silence).items():
        if silence.ends_at + KEPT <= now:
            draft.drop(Kind.SILENCE, silence_id)


def _check_matchers(matchers: Sequence[Matcher]) -> None:
    # An alert without labels fits only what fits everything.
    if all(matches(matcher, ()) for matcher in matchers):
        raise Unfit(
            "silence",
            "this fits an alert without labels, so nearly all; add one that must be there, like alertname=QueueStalled",
        )


def _check_span(start: Instant, duration: int, now: Instant) -> None:
    if duration < MINUTE:
        raise Unfit("duration", 'a silence lasts at least a minute; write "1h" or "30m"')
    if duration > LONGEST:
        raise Unfit("duration", "a silence lasts at most 366d; switch the rule off instead")
    if start + duration <= now:
        raise Unfit("silence", "this silence would be over already; let it start later or last longer")


def _words(what: str, text: str, longest: int) -> str:
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not clean:
        raise Unfit(what, f"a silence needs {'an' if what == 'author' else 'a'} {what}: who wants it, or why")
    return clean[:longest]


def _id(content: str) -> str:
    return "sil_" + hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
