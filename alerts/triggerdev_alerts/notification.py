"""A notification: what one receiver is to be told about one group, frozen when it was decided. Plain data.

It is stored before it is sent, and rendered to the same bytes however often it is sent.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import Evidence


class NoticeKind(StrEnum):
    FIRING = "firing"
    """At least one alert of the group fires: a first message, a change, or a repetition (`Notification.why`)."""
    RESOLVED = "resolved"
    FLAPPING = "flapping"
    DIGEST = "digest"
    """More than the receiver's ceiling: a summary of several groups."""


class Why(StrEnum):
    """What made the group speak."""

    FIRST = "first notification"
    NEW_ALERTS = "new alerts added"
    SOME_RESOLVED = "some alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"
    MUTE_ENDED = "mute ended"
    FLAPPING = "flapping"
    DIGEST = "digest"
    TEST = "test"


class AlertNotice(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it is told."""

    fingerprint: str
    status: str
    """``firing`` or ``resolved``."""
    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    """Rendered templates; ``summary`` is always there."""
    starts_at: Instant
    ends_at: Instant | None = None
    value: float = 0.0
    threshold: float = 0.0
    sample: int | None = None
    unit: str = "count"
    """`signals.Unit`: how value and threshold are written."""
    reason: str = ""
    """`alert.Reason`."""
    held_since: Instant = 0
    """Since when it cannot be read and is held; 0 if it can."""
    evidence: Evidence = Evidence()
    says: str = ""
    """Value against threshold in words: ``42% of 57 runs failed in 15m (above 10%)``."""

    def label(self, name: str) -> str:
        return next((value for known, value in self.labels if known == name), "")


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What to tell `receiver` about a group."""

    id: str
    """``msg_…``: of receiver, group and sequence, so that a retry, a crash and a replay give the same one."""
    receiver: str
    group_key: str
    group_labels: Labels
    seq: int
    kind: NoticeKind
    why: Why
    at: Instant
    """When it was decided."""
    alerts: tuple[AlertNotice, ...]
    """Firing first, then resolved; each by labels. A receiver lists as many as it can show."""
    truncated: int = 0
    """How many more there are than `alerts`."""
    missed_firing: bool = False
    """Resolved, and nobody was told that it fired."""
    changes: int = 0
    """Flapping: how many changes in the window."""
    groups: tuple[str, ...] = ()
    """Digest: what each collapsed group would have said, in a line."""
    is_test: bool = False

    @property
    def is_firing(self) -> bool:
        return any(alert.status == "firing" for alert in self.alerts)


def notification_id(receiver: str, group_key: str, seq: int) -> str:
    digest = hashlib.sha256(f"{receiver}\x00{group_key}\x00{seq}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"msg_{digest[:32]}"
