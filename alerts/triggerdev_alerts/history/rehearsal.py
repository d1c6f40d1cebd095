"""An engine for tests and replays: the daemon's own, with a memory that ends with it and nobody to send to."""

from __future__ import annotations

from triggerdev_alerts.book import Book
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.signals import Signals, Witness


def rehearse(
    ruleset: RuleSet, signals: Signals, witness: Witness | None, *, started_at: Instant
) -> tuple[Engine, Book]:
    """An engine and its book. It decides every message; without receivers none becomes a letter."""
    book = Book()
    return Engine(ruleset, signals, witness, Scribe(book, MemoryStore()), {}, started_at=started_at), book
