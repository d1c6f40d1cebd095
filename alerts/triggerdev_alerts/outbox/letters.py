"""Letters are written, wait in the line of their group, and are taken out when they are due. Pure.

One line a receiver and group, first in first out, one under way at a time. What becomes of an attempt is
`conclusions.py`, what a newer letter replaces `superseding.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from triggerdev_alerts.book import Book, Draft, Letter, LetterStatus
from triggerdev_alerts.instants import HOUR, Instant
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.outbox.retry import RetryPolicy
from triggerdev_alerts.outbox.superseding import supersede
from triggerdev_alerts.receivers.port import Receiver

LONGEST_WAIT = 2 * HOUR
"""Longer than any pause or backoff."""
Line = tuple[str, str]
"""(receiver, group key)."""


def post(draft: Draft, notification: Notification, receiver: Receiver, now: Instant) -> None:
    """Write `notification` into the outbox, rendered once, and let it replace what waits and is older."""
    draft.put_letter(
        Letter(
            id=notification.id,
            receiver=receiver.name,
            group_key=notification.group_key,
            seq=notification.seq,
            notification=notification,
            body=receiver.render(notification),
            kind=receiver.kind,
            next_at=now,
            created_at=now,
        )
    )
    supersede(draft, receiver, notification.group_key, now)


def heads(book: Book, receivers: Collection[str], busy: Collection[Line] = ()) -> Iterator[tuple[Letter, Instant]]:
    """The first letter of each line that is not `busy` and can move, and when it may go; in no order.

    One that was under way when the process ended may go at once: its fate is unknown, and only sending it again
    settles it. A receiver that asked for a pause gets nothing meanwhile, whatever it is about.
    """
    for line, waiting in book.letters_by_group.items():
        entry = book.receivers.get(line[0])
        if line[0] in receivers and line not in busy and (entry is None or not entry.disabled):
            head = min(waiting.values(), key=lambda letter: letter.seq)
            at = 0 if head.status is LetterStatus.SENDING else head.next_at
            yield head, max(at, entry.paused_until if entry is not None else 0)


def due(book: Book, receivers: Collection[str], now: Instant, busy: Collection[Line] = ()) -> list[Letter]:
    """Those of `heads` that may go now, the oldest first."""
    # Nothing waits longer than that, unless the clock was set back: then it waits no more.
    may_go = [letter for letter, at in heads(book, receivers, busy) if at <= now or at > now + LONGEST_WAIT]
    return sorted(may_go, key=lambda letter: (letter.created_at, letter.receiver, letter.group_key))


def stranded(book: Book, receivers: Collection[str], policy: RetryPolicy) -> Iterator[tuple[Letter, Instant]]:
    """Letters that cannot be sent before a reload, and when they are given up."""
    disabled = {name for name, entry in book.receivers.items() if entry.disabled}
    for letter in book.letters.values():
        if letter.receiver not in receivers:
            yield letter, letter.created_at + policy.orphaned
        elif letter.receiver in disabled:
            yield letter, letter.created_at + policy.give_up


def begin(draft: Draft, letter: Letter, receiver: Receiver, now: Instant) -> Letter:
    """Mark `letter` as under way, which must be on disk before it is sent."""
    if letter.kind not in ("", receiver.kind):
        # A reload gave its name to a receiver of another kind, which could not read what was written for the old one.
        body = receiver.render(letter.notification)
        letter = replace(letter, body=body, kind=receiver.kind, is_degraded=False)
    # Under way already: by a process that ended before it could say what became of it.
    ambiguous = letter.ambiguous or letter.status is LetterStatus.SENDING
    begun = replace(letter, status=LetterStatus.SENDING, attempts=letter.attempts + 1, ambiguous=ambiguous, next_at=now)
    draft.put_letter(begun)
    return begun
