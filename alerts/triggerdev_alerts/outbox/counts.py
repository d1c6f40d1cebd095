"""What the outbox counts: ``notifications_total`` by receiver and outcome."""

from __future__ import annotations

from enum import StrEnum

from triggerdev_alerts.book import Draft

FAMILY = "notifications_total"


class Outcome(StrEnum):
    """The values of the label ``outcome``."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    """An attempt that did not arrive, or may not have, and is repeated."""
    DEAD = "dead"
    SUPERSEDED = "superseded"


def count(draft: Draft, receiver: str, outcome: Outcome) -> None:
    draft.count(FAMILY, (receiver, outcome.value))
