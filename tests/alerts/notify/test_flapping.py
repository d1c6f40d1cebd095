"""What counts as flapping, to the millisecond. What is then told is in test_sequences.py."""

from __future__ import annotations

import pytest

from triggerdev_alerts.book import Book, Draft, Flap, Kind
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.notify.flapping import flapping_changes, note_change
from triggerdev_alerts.rules.model import Flapping

SETTINGS = Flapping(changes=3, window=10 * MINUTE, stable=5 * MINUTE)
NOON: Instant = 1_780_315_200_000


def after(*changes: int) -> Flap:
    """What is known after changes at these milliseconds after noon."""
    draft = Draft(Book())
    for change in changes:
        note_change(draft, "a", SETTINGS, NOON + change)
    flap = draft.get(Kind.FLAP, "a", Flap)
    assert flap is not None
    return flap


@pytest.mark.parametrize(
    ("changes", "flaps"),
    [
        ((0, 5 * MINUTE), False),
        ((0, 5 * MINUTE, 6 * MINUTE), True),
        ((0, 5 * MINUTE, 10 * MINUTE - 1), True),
        ((0, 5 * MINUTE, 10 * MINUTE), False),
    ],
    ids=["too few", "enough", "just within the window", "the first is as old as the window"],
)
def test_so_many_changes_within_the_window(changes: tuple[int, ...], flaps: bool) -> None:
    assert bool(flapping_changes(after(*changes), NOON + changes[-1])) is flaps


def test_it_ends_when_it_was_stable_for_long_enough_and_is_then_counted_anew() -> None:
    flap = after(0, MINUTE, 2 * MINUTE)
    stable = 2 * MINUTE + SETTINGS.stable
    assert flapping_changes(flap, NOON + stable - 1) == 3
    assert flapping_changes(flap, NOON + stable) == 0
    assert flapping_changes(after(0, MINUTE, 2 * MINUTE, stable - 1), NOON + stable - 1) == 4
    # Two of the changes are within the window still, but they belong to what is over.
    again = after(0, MINUTE, 2 * MINUTE, stable)
    assert (again.changes, again.since) == ((NOON + stable,), 0)
