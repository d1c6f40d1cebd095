"""Alerts that go on and off: what is remembered of their changes, and whether they flap. Says nothing to anybody."""

from __future__ import annotations

from triggerdev_alerts.book import Draft, Flap, Kind
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.rules.model import Flapping

MOST_KEPT = 200
"""Changes that are remembered of an alert: one that flaps for hours would keep every change of its window."""


def note_change(draft: Draft, fingerprint: str, settings: Flapping | None, at: Instant) -> None:
    """The alert fired or was resolved at `at`.

    After a stable time the count starts anew: an alert that flapped and was quiet is told at once when it fires again.
    """
    if settings is None:
        draft.drop(Kind.FLAP, fingerprint)
        return
    flap = draft.get(Kind.FLAP, fingerprint, Flap) or Flap()
    recent = tuple(change for change in flap.changes if change > at - settings.window) if at < flap.until else ()
    changes = (*recent, at)
    since = flap.since if at < flap.until else 0
    if not since and len(changes) >= settings.changes:
        since = at
    until = at + (settings.stable if since else settings.window)
    kept = changes[-max(MOST_KEPT, settings.changes) :]
    draft.put(Kind.FLAP, fingerprint, Flap(changes=kept, since=since, until=until))


def flapping_changes(flap: Flap | None, now: Instant) -> int:
    """How many changes an alert that flaps made lately; 0 for one that does not flap."""
    return len(flap.changes) if flap is not None and flap.since and now < flap.until else 0


def forget_quiet(draft: Draft, now: Instant) -> None:
    """Drop what can make nothing flap any more."""
    for fingerprint, flap in draft.all(Kind.FLAP, Flap).items():
        if now >= flap.until:
            draft.drop(Kind.FLAP, fingerprint)
