"""An alert: its state as it is kept, and the transitions it makes. Plain data; what changes it is `evaluation/`.

The identity of an alert is its rule and its final labels; values, thresholds, versions and run ids are never labels.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from triggerdev_alerts.instants import Instant

Labels = tuple[tuple[str, str], ...]
"""Sorted (name, value) pairs, empty values left out."""


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    """Still firing for everybody else: the condition is gone, but not for `keep_firing_for` yet."""


class Outcome(StrEnum):
    """What one evaluation says of one series; the values are label values of ``rule_evaluations_total``."""

    TRUE = "true"
    FALSE = "false"
    CLEARING = "clearing"
    INSUFFICIENT = "insufficient"
    NO_DATA = "no_data"
    ERROR = "error"


class Reason(StrEnum):
    """Why a transition happened; part of every message."""

    CONDITION_MET = "condition_met"
    CONDITION_CLEARED = "condition_cleared"
    INSUFFICIENT_SAMPLE = "insufficient_sample"
    ENTITY_GONE = "entity_gone"
    NO_DATA = "no_data"
    """Fires because there is no data, as `on_no_data: firing` says."""
    RULE_REMOVED = "rule_removed"
    RULE_DISABLED = "rule_disabled"
    MANUAL = "manual"


def fingerprint(rule_id: str, labels: Labels) -> str:
    """16 hex digits that stand for an alert for ever."""
    text = "\x00".join((rule_id, *(part for pair in labels for part in pair)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One series of one rule that is not inactive. Key: `fingerprint`. Saved as JSON; fields are only ever added."""

    fingerprint: str
    rule: str
    """`Rule.id`."""
    labels: Labels
    """Final: alertname, severity, target, dimensions, owner, the rule's own."""
    key: tuple[str, ...]
    """The series in the readings, in the order of the condition's `by`."""
    target: str
    state: State
    active_at: Instant
    """When it became pending."""
    credit: int = 0
    """Milliseconds for which the condition was observed to hold, while pending."""
    fired_at: Instant = 0
    last_true: Instant = 0
    previous: Outcome = Outcome.TRUE
    """What the last evaluation said."""
    recovered: int = 0
    """Milliseconds of `keep_firing_for` that have passed, while recovering."""
    insufficient_since: Instant = 0
    missing: int = 0
    """Evaluations in a row without data."""
    stale_since: Instant = 0
    """Since when it is held although nothing can be read; 0 while all is well."""
    stale_reason: str = ""
    value: float = 0.0
    threshold: float = 0.0
    sample: int | None = None

    @property
    def is_firing(self) -> bool:
        return self.state is not State.PENDING

    def label(self, name: str) -> str:
        return next((value for known, value in self.labels if known == name), "")


class Change(StrEnum):
    """The kinds of transitions."""

    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESUMED = "resumed"
    """Recovering, and the condition holds again: the same incident."""
    RESOLVED = "resolved"
    DROPPED = "dropped"
    """Pending, and the condition is gone before it fired."""


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One alert changed its state at an instant. `alert` is as it is afterwards (for an end: as it was last)."""

    at: Instant
    change: Change
    reason: Reason
    alert: Alert
