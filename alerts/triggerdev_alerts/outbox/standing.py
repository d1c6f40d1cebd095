"""How a receiver fares, as its entry in the book notes it. Pure.

A receiver is *failing* while attempts end without an answer, or with one that says that it is broken, and something
waits for it. A letter that is refused is the letter's fault, and a receiver that asks for a pause is well.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from triggerdev_alerts.book import Draft, Kind, ReceiverEntry
from triggerdev_alerts.instants import HOUR, Instant

LONGEST_ERROR = 512
MOST_DEAD = 1_000
MOST_HANDLES = 2_000
"""Groups whose message is remembered, a receiver. Ends make room; this is for groups that never end."""


def standing(draft: Draft, receiver: str) -> ReceiverEntry:
    return draft.get(Kind.RECEIVER, receiver, ReceiverEntry) or ReceiverEntry()


def failing(draft: Draft, receiver: str, error: str, now: Instant) -> None:
    entry = standing(draft, receiver)
    _note(draft, receiver, replace(entry, failing_since=entry.failing_since or now, last_error=cut(error)))


def paused(draft: Draft, receiver: str, error: str, until: Instant) -> None:
    entry = standing(draft, receiver)
    # Of two answers that cross, the longer pause is meant.
    _note(draft, receiver, replace(entry, paused_until=max(until, entry.paused_until), last_error=cut(error)))


def gone(draft: Draft, receiver: str, error: str, now: Instant) -> None:
    entry = standing(draft, receiver)
    why = cut(error) or "the receiver does not exist any more"
    _note(draft, receiver, replace(entry, failing_since=entry.failing_since or now, disabled=why, last_error=why))


def well(draft: Draft, receiver: str) -> None:
    entry = standing(draft, receiver)
    if not entry.disabled:
        _note(draft, receiver, replace(entry, failing_since=0, last_error=""))


def lost(draft: Draft, receiver: str, error: str, now: Instant) -> None:
    """A letter to it was given up."""
    entry = standing(draft, receiver)
    recent = [instant for instant in (*entry.dead, now) if instant > now - HOUR]
    _note(draft, receiver, replace(entry, dead=tuple(recent[-MOST_DEAD:]), last_error=cut(error)))


def calm(draft: Draft, receiver: str) -> None:
    """Nothing waits for it any more, so nothing will show whether it works again: it is not said to fail for ever."""
    entry = standing(draft, receiver)
    if entry.failing_since and not entry.disabled and all(each.receiver != receiver for each in draft.open_letters()):
        _note(draft, receiver, replace(entry, failing_since=0))


def opened(draft: Draft, receiver: str, group_key: str, handle: str) -> None:
    """A message arrived that a group fires."""
    entry = standing(draft, receiver)
    others = {group: kept for group, kept in entry.handles.items() if group != group_key}
    for oldest in list(others)[: max(0, len(others) + 1 - MOST_HANDLES)]:
        del others[oldest]
    _note(draft, receiver, replace(entry, handles={**others, group_key: handle}))


def closed(draft: Draft, receiver: str, group_key: str) -> None:
    """A message arrived that all is over."""
    entry = standing(draft, receiver)
    if group_key in entry.handles:
        handles = {group: kept for group, kept in entry.handles.items() if group != group_key}
        _note(draft, receiver, replace(entry, handles=handles))


def enable_all(draft: Draft) -> None:
    """After a start or a reload: try the receivers again that were gone."""
    for name, entry in draft.all(Kind.RECEIVER, ReceiverEntry).items():
        if entry.disabled:
            _note(draft, name, replace(entry, disabled="", failing_since=0))


def calm_absent(draft: Draft, configured: Collection[str]) -> None:
    """After a start or a reload: a receiver that is not there any more is not asked, so it cannot fail."""
    for name, entry in draft.all(Kind.RECEIVER, ReceiverEntry).items():
        if name not in configured and entry.failing_since:
            _note(draft, name, replace(entry, failing_since=0))


def cut(text: str) -> str:
    return text[:LONGEST_ERROR]


def _note(draft: Draft, receiver: str, entry: ReceiverEntry) -> None:
    draft.put(Kind.RECEIVER, receiver, entry)
