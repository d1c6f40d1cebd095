"""A story: what happened on some targets, on a time axis, whole and at once. Frozen records; nothing is answered here.

Instants are Unix milliseconds. A story holds the truth; what could be seen of it at an instant follows from
`StoryRun.visible_at` and the outages, and is `signals.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.signals import OPEN_STATUSES, Blind

COLLECTORS = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")
DEPLOYMENT_FAILURES = ("FAILED", "TIMED_OUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRun:
    """One run. Delayed until `due`, waiting until `started`, executing until `finished`; then `status`."""

    id: str
    task: str
    status: str
    """How it ended. An open status: where it stays once it would come there; with `finished`, it ends COMPLETED."""
    created: Instant
    due: Instant | None = None
    """End of its delay, if it has one."""
    started: Instant | None = None
    finished: Instant | None = None
    visible_at: Instant | None = None
    """When the API shows it for the first time; from its creation (or start, if that is earlier) if ``None``."""
    queue: str | None = None
    """``None``: the server did not tell."""
    version: str = ""
    tags: tuple[str, ...] = ()
    cost: float = 0.0
    """US dollars."""
    is_test: bool = False
    error: tuple[str, str] = ("", "")
    """Name and message."""
    url: str = ""

    def is_visible(self, at: Instant) -> bool:
        shown = self.visible_at
        if shown is None:
            shown = self.created if self.started is None else min(self.created, self.started)
        return shown <= at

    @property
    def ready(self) -> Instant:
        """When it could have started."""
        return self.created if self.due is None else max(self.created, self.due)

    @property
    def ending(self) -> str:
        """The terminal status, if it ever ends."""
        if self.finished is None:
            return ""
        return "COMPLETED" if self.status in OPEN_STATUSES else self.status

    def ended(self, at: Instant) -> bool:
        return self.finished is not None and self.finished <= at

    def open_status(self, at: Instant) -> str:
        """Where it is at `at`; empty before it exists and after its end."""
        begun = self.created if self.started is None else min(self.created, self.started)
        if at < begun or self.ended(at):
            return ""
        if self.started is not None and self.started <= at:
            return self.status if self.status in ("DEQUEUED", "WAITING") else "EXECUTING"
        if self.status == "PENDING_VERSION":
            return "PENDING_VERSION"
        if self.status == "DELAYED" or (self.due is not None and at < self.due):
            return "DELAYED"
        return "QUEUED"

    def since(self, at: Instant) -> Instant:
        """When its status at `at` began, as far as the API tells: its start, the end of its delay, or its creation."""
        match self.open_status(at):
            case "EXECUTING" | "DEQUEUED":
                return self.created if self.started is None else self.started
            case "QUEUED":
                return self.ready
        return self.created


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSight:
    """How a queue is from an instant on."""

    queue: str
    at: Instant
    depth: int = 0
    running: int = 0
    limit: int | None = None
    paused: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySchedule:
    """A schedule. A run of its task that is created near a slot meets it."""

    id: str
    task: str
    slots: tuple[Instant, ...] = ()
    """When it is due, if `cron` is empty."""
    cron: str = ""
    timezone: str = "UTC"
    known_since: Instant
    """Since when it is as it is; earlier slots are not judged."""
    until: Instant | None = None
    """When it was switched off."""
    type: str = "DECLARATIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryBatch:
    status: str
    """How it ended, or the open status in which it stays."""
    created: Instant
    ended: Instant | None = None
    items: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDeployment:
    status: str
    created: Instant
    ended: Instant | None = None
    """``None`` while it is open."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryToken:
    """A waitpoint token."""

    created: Instant
    completed: Instant | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """A number from an instant on; ``None``: not known."""

    at: Instant
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time (`start` ≤ t < `end`) in which some collectors learn nothing that can be trusted."""

    start: Instant
    end: Instant | None = None
    collectors: tuple[str, ...] = COLLECTORS
    reason: Blind = Blind.FAILING
    text: str = ""

    def covers(self, at: Instant, collector: str) -> bool:
        return collector in self.collectors and self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStory:
    """What happened on one target. The order of the records means nothing."""

    name: str
    runs: tuple[StoryRun, ...] = ()
    queues: tuple[QueueSight, ...] = ()
    schedules: tuple[StorySchedule, ...] = ()
    batches: tuple[StoryBatch, ...] = ()
    deployments: tuple[StoryDeployment, ...] = ()
    tokens: tuple[StoryToken, ...] = ()
    view_lag: tuple[Level, ...] = ()
    quota: tuple[Level, ...] = ()
    skew: tuple[Level, ...] = ()
    outages: tuple[Outage, ...] = ()
    known_since: Instant | None = None
    """From when on runs and batches are known; ``None``: always. Windows that reach back further are unfilled."""
    untold: tuple[tuple[str, str], ...] = ()
    """(signal, why): what this story says nothing about, so that it is Unknown instead of empty."""
    untold_statuses: tuple[str, ...] = ()
    """Open statuses of which this story does not know when a run was in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything."""

    start: Instant
    targets: tuple[TargetStory, ...] = field(default_factory=tuple)
    poll: int = MINUTE
    """How often every collector looks, milliseconds; at multiples of it since `start`, and at every evaluation."""

    def target(self, name: str) -> TargetStory | None:
        return next((each for each in self.targets if each.name == name), None)
