"""Letters are written, wait in the line of their group, and are taken out when they are due. Pure.

One line a receiver and group, first in first out, one under way at a time. What becomes of an attempt is
`conclusions.py`, what a newer letter replaces `superseding.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from triggerdev_alerts.book import Book, Draft, Letter, LetterStatus
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.outbox.retry import RetryPolicy
from triggerdev_alerts.outbox.superseding import supersede
from triggerdev_alerts.receivers.port import Receiver

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
            next_at=now,
            created_at=now,
        )
    )
    supersede(draft, receiver, notification.group_key, now)


def due(book: Book, receivers: Collection[str], now: Instant, *, busy: Collection[Line] = ()) -> list[Letter]:
    """The letters to send now, the oldest first: the head of each line that is not `busy`.

    One that was under way when the process ended is due at once; its fate is unknown, and only sending it again
    settles it.
    """
    heads = [letter for line, letter, at in _heads(book, receivers) if at <= now and line not in busy]
    return sorted(heads, key=lambda letter: (letter.created_at, letter.receiver, letter.group_key))


def next_due(
    book: Book, receivers: Collection[str], policy: RetryPolicy, *, busy: Collection[Line] = ()
) -> Instant | None:
    """When `due` or `stranded` has something to do; ``None`` if nothing waits. It may be in the past."""
    dues = [at for line, _, at in _heads(book, receivers) if line not in busy]
    dues += [at for _, at in _stranded(book, receivers, policy)]
    return min(dues, default=None)


def begin(draft: Draft, letter: Letter, now: Instant) -> Letter:
    """Mark `letter` as under way, which must be on disk before it is sent."""
    # Under way already: by a process that ended before it could say what became of it.
    ambiguous = letter.ambiguous or letter.status is LetterStatus.SENDING
    begun = replace(letter, status=LetterStatus.SENDING, attempts=letter.attempts + 1, ambiguous=ambiguous, next_at=now)
    draft.put_letter(begun)
    return begun


def stranded(book: Book, receivers: Collection[str], policy: RetryPolicy, now: Instant) -> list[Letter]:
    """Letters that have waited long enough for a receiver that is switched off, or not configured any more."""
    return [letter for letter, at in _stranded(book, receivers, policy) if at <= now]


def _heads(book: Book, receivers: Collection[str]) -> Iterator[tuple[Line, Letter, Instant]]:
    """The first letter of each line that can move, and when it may go."""
    for line, waiting in book.letters_by_group.items():
        entry = book.receivers.get(line[0])
        if line[0] in receivers and (entry is None or not entry.disabled):
            head = min(waiting.values(), key=lambda letter: letter.seq)
            at = 0 if head.status is LetterStatus.SENDING else head.next_at
            yield line, head, max(at, entry.paused_until if entry is not None else 0)


def _stranded(book: Book, receivers: Collection[str], policy: RetryPolicy) -> Iterator[tuple[Letter, Instant]]:
    """Letters that cannot be sent, and when they are given up."""
    disabled = {name for name, entry in book.receivers.items() if entry.disabled}
    for letter in book.letters.values():
        if letter.receiver not in receivers:
            yield letter, letter.created_at + policy.orphaned
        elif letter.receiver in disabled:
            yield letter, letter.created_at + policy.give_up
