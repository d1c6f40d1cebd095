"""What becomes of a letter after an attempt, and of dead letters by hand: the table of fates. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from triggerdev_alerts.book import Draft, Letter, LetterStatus
from triggerdev_alerts.instants import HOUR, SECOND, Instant
from triggerdev_alerts.notification import NoticeKind, Notification
from triggerdev_alerts.outbox import standing
from triggerdev_alerts.outbox.counts import Outcome, count
from triggerdev_alerts.outbox.retry import Chance, RetryPolicy
from triggerdev_alerts.receivers.port import Attempt, Fate

LONGEST_PAUSE = HOUR


def conclude(
    draft: Draft, letter: Letter, attempt: Attempt, now: Instant, policy: RetryPolicy, chance: Chance
) -> Letter:
    """`letter`, which was under way, after `attempt`. Call `superseding.supersede` afterwards if it waits again."""
    match attempt.fate:
        case Fate.DELIVERED:
            return _delivered(draft, letter, attempt, now)
        case Fate.FAILED | Fate.AMBIGUOUS:
            standing.failing(draft, letter.receiver, attempt.detail, now)
            doubtful = letter.ambiguous or attempt.fate is Fate.AMBIGUOUS
            at = now + policy.wait(letter.attempts, chance)
            return _again(draft, replace(letter, ambiguous=doubtful), attempt, at, now, policy)
        case Fate.THROTTLED:
            wait = policy.wait(letter.attempts, chance) if attempt.retry_at is None else attempt.retry_at - now
            until = now + min(max(wait, SECOND), LONGEST_PAUSE)
            standing.paused(draft, letter.receiver, attempt.detail, until)
            return _again(draft, letter, attempt, until, now, policy)
        case Fate.REFUSED if attempt.body is not None and not letter.is_degraded:
            degraded = replace(letter, body=attempt.body, is_degraded=True)
            return _again(draft, degraded, attempt, now, now, policy)
        case Fate.REFUSED:
            return _lost(draft, letter, attempt.detail, now)
        case Fate.GONE:
            standing.gone(draft, letter.receiver, attempt.detail, now)
            return _lost(draft, letter, attempt.detail, now)


def strand(draft: Draft, letter: Letter, now: Instant) -> None:
    """Give up a letter of `letters.stranded`."""
    disabled = standing.standing(draft, letter.receiver).disabled
    if disabled:
        _lost(draft, letter, f"given up: the receiver was switched off ({disabled})", now)
    else:
        _bury(draft, letter, "given up: no receiver of this name is configured any more", now)


def retry(draft: Draft, letter: Letter, now: Instant) -> Letter:
    """Put a dead letter into its line again, with the id and the body that it had, for a whole day more."""
    again = replace(letter, status=LetterStatus.QUEUED, attempts=0, next_at=now, created_at=now, done_at=0)
    draft.put_letter(again)
    return again


def drop(draft: Draft, letter: Letter, now: Instant) -> Letter:
    """Put a dead letter away: nobody wants it any more."""
    dropped = replace(letter, status=LetterStatus.SUPERSEDED, done_at=now)
    draft.put_letter(dropped)
    return dropped


def _delivered(draft: Draft, letter: Letter, attempt: Attempt, now: Instant) -> Letter:
    standing.well(draft, letter.receiver)
    if letter.notification.kind is NoticeKind.RESOLVED:
        standing.closed(draft, letter.receiver, letter.group_key)
    elif _opens(letter.notification):
        standing.opened(draft, letter.receiver, letter.group_key, attempt.handle)
    sent = replace(letter, status=LetterStatus.SENT, last_error="", done_at=now)
    draft.put_letter(sent)
    count(draft, letter.receiver, Outcome.DELIVERED)
    return sent


def _opens(notification: Notification) -> bool:
    return notification.kind in (NoticeKind.FIRING, NoticeKind.FLAPPING) and not notification.is_test


def _again(draft: Draft, letter: Letter, attempt: Attempt, at: Instant, now: Instant, policy: RetryPolicy) -> Letter:
    if policy.is_over(letter.created_at, now):
        return _lost(draft, letter, f"given up after {policy.give_up // HOUR} h: {attempt.detail}", now)
    waiting = replace(letter, status=LetterStatus.QUEUED, next_at=at, last_error=standing.cut(attempt.detail))
    draft.put_letter(waiting)
    count(draft, letter.receiver, Outcome.RETRIED)
    return waiting


def _lost(draft: Draft, letter: Letter, why: str, now: Instant) -> Letter:
    dead = _bury(draft, letter, why, now)
    if letter.ambiguous and _opens(letter.notification):
        # It may have arrived before it was given up: its end must be told.
        known = standing.standing(draft, letter.receiver).handles.get(letter.group_key, "")
        standing.opened(draft, letter.receiver, letter.group_key, known)
    standing.lost(draft, letter.receiver, why, now)
    standing.calm(draft, letter.receiver)
    return dead


def _bury(draft: Draft, letter: Letter, why: str, now: Instant) -> Letter:
    dead = replace(letter, status=LetterStatus.DEAD, last_error=standing.cut(why), done_at=now)
    draft.put_letter(dead)
    count(draft, letter.receiver, Outcome.DEAD)
    return dead
