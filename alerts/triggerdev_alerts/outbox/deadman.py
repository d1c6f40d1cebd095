"""Whether to tell a dead man's switch that alerting works. Pure; whoever pings does it with the answer.

A process that lives is no proof. The switch hears of us only while rules are evaluated, on fresh data, and what they
decide gets out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from triggerdev_alerts.book import Book
from triggerdev_alerts.instants import MINUTE, SECOND, Instant

OLDEST_LETTER = 15 * MINUTE
LATEST_TICK = 3 * MINUTE


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether to ping, and if not, why."""

    pings: bool
    reason: str = ""


def should_ping(
    book: Book,
    stale: Collection[str],
    now: Instant,
    *,
    ticked: bool,
    holders: Collection[str] = (),
    oldest_letter: int = OLDEST_LETTER,
    latest_tick: int = LATEST_TICK,
) -> Proof:
    """`ticked`: the last step of the engine succeeded. `stale`: targets that cannot be read or whose data is old.

    `holders`: receivers that get no letters, whose silence no letter shows.
    """
    if not ticked:
        return Proof(False, "the last evaluation failed")
    quiet = now - book.clock.stepped_at
    if quiet > latest_tick:
        return Proof(False, f"nothing was evaluated for {quiet // SECOND} s")
    if stale:
        return Proof(False, f"no fresh data of {', '.join(sorted(stale))}")
    oldest = oldest_open(book)
    if oldest is not None and now - oldest >= oldest_letter:
        return Proof(False, f"a notification waits for {(now - oldest) // SECOND} s")
    for name in sorted(holders):
        entry = book.receivers.get(name)
        if entry is not None and entry.failing_since and now - entry.failing_since >= oldest_letter:
            return Proof(False, f"{name} has taken nothing for {(now - entry.failing_since) // SECOND} s")
    return Proof(True)


def oldest_open(book: Book) -> Instant | None:
    """When the oldest letter that is not delivered was written; ``None`` if none waits."""
    return min((letter.created_at for letter in book.letters.values()), default=None)
