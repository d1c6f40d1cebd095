"""Rules as the program uses them: frozen, complete, every default filled in. How they are written is `written/`'s.

Durations are milliseconds, shares fractions. A `RuleSet` is one whole configuration of alerting: whoever holds one
can evaluate, route, test, replay and export without looking anything up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND

SEVERITIES = ("critical", "warning", "info")


class OnNoData(StrEnum):
    """What a series that is gone does to its alert."""

    KEEP_STATE = "keep_state"
    """Keep it for `missing_after` evaluations, then resolve it as ``entity_gone``."""
    OK = "ok"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Flapping:
    """How many firing/resolved changes in how long make an alert flap, and how long it must be quiet afterwards."""

    changes: int = 6
    window: int = HOUR
    stable: int = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class EvidenceWish:
    top_errors: int = 3
    failing_runs: int = 5
    errors: str = "message"
    """``message``, ``name`` or ``off``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing was written, for messages and pages."""

    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule. Its identity is (group, name); alerts are told apart by their labels besides."""

    name: str
    group: str
    when: Condition
    for_: int = 0
    keep_firing_for: int = 0
    severity: str = "warning"
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Static ones that the rule adds; the others (``alertname``, ``severity``, dimensions, …) are not here."""
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Templates: ``summary``, ``description``, ``runbook``, ``dashboard`` and what a person adds."""
    on_no_data: OnNoData = OnNoData.KEEP_STATE
    missing_after: int = 2
    """Evaluations that a gone series is waited for."""
    hold_insufficient_for: int = 0
    """How long a firing alert stays when its sample becomes too small; the condition's window by default."""
    flapping: Flapping | None = Flapping()
    evidence: EvidenceWish = EvidenceWish()
    max_series: int = 500
    enabled: bool = True
    place: Place = Place()
    shipped: bool = False

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"

    @property
    def window(self) -> int:
        """How far back its condition looks, milliseconds; 0 for one that reads the present."""
        return int(self.when.values.get("window") or 0)  # type: ignore[arg-type]  # a duration, by its row


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated at the same instants."""

    name: str
    rules: tuple[Rule, ...]
    interval: int = MINUTE
    exact: bool = False
    """Aligned to multiples of the interval, without an offset of its own."""
    query_delay: int = 30 * SECOND
    """Windows end that long before the evaluation, for runs that become visible late."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label. An absent label is an empty one."""

    label: str
    values: tuple[str, ...]
    """Globs; any of them may match."""
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Backoff:
    """Each repetition waits `factor` times longer, up to `most`."""

    factor: float = 1.0
    most: int = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the route tree. An alert goes to the deepest nodes that match it, as in Alertmanager."""

    receiver: str
    path: str
    """Position in the tree, like ``0/1/0``; with the group labels it is the group's key."""
    match: tuple[Matcher, ...] = ()
    continue_: bool = False
    group_by: tuple[str, ...] = ("alertname", "target")
    group_wait: int = 30 * SECOND
    group_interval: int = 5 * MINUTE
    repeat_interval: int = 4 * HOUR
    repeat_backoff: Backoff = Backoff()
    mute: tuple[str, ...] = ()
    """Names of time intervals in which nothing is sent."""
    active: tuple[str, ...] = ()
    """If not empty: the only time intervals in which something is sent."""
    send_resolved: bool = True
    send_resolved_when_muted: bool = True
    startup_summarize: bool = True
    children: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of the week in a time zone. Empty fields mean always."""

    times: tuple[tuple[int, int], ...] = ()
    """Minutes of the local day, from–to (exclusive); to < from goes past midnight and belongs to the day it began."""
    weekdays: tuple[int, ...] = ()
    """0 is Monday."""
    days_of_month: tuple[tuple[int, int], ...] = ()
    """Negative ones count from the end of the month."""
    months: tuple[int, ...] = ()
    years: tuple[tuple[int, int], ...] = ()
    location: str = "UTC"


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches `source` fires, those that match `target` and agree on `equal` are not sent."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
    """A receiver by name. `settings` is its own model (`receivers/<kind>.py`), checked when the file was read."""

    name: str
    kind: str
    settings: object
    place: Place = Place()


@dataclass(frozen=True, slots=True)
class Ping:
    """The dead man's switch: a URL that is fetched while all is well. `settings` as for a webhook."""

    settings: object
    interval: int = MINUTE


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything about alerting."""

    groups: tuple[Group, ...] = ()
    routes: Route | None = None
    """``None``: alerts show on pages and metrics and are sent to nobody."""
    receivers: Mapping[str, ReceiverConfig] = field(default_factory=dict)
    owners: tuple[tuple[str, str], ...] = ()
    """(glob of task ids, owner), first match wins."""
    time_intervals: Mapping[str, tuple[TimeRange, ...]] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()
    fallback: str | None = None
    """The receiver that is told when another one fails."""
    ping: Ping | None = None
    flood_ceiling: int = 60
    """Messages a receiver may get in ten minutes before the rest is collapsed into digests."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for group in self.groups for rule in group.rules)
