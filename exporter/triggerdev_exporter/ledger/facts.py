"""The rows that the ledger keeps about single things: one frozen struct a kind, saved as JSON under (kind, key).

A field may be added with a default; none may be removed or change its meaning within a major version of the state, so
that the previous minor still reads the file after a rollback.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.statuses import RunStatus


class Kind(StrEnum):
    """What a fact is about; the first half of its key."""

    RUN = "run"
    TASK = "task"
    SLOT = "slot"
    SCHEDULE = "schedule"
    BATCH = "batch"
    TOKEN = "token"  # noqa: S105 - a waitpoint token, not a secret
    DEPLOYMENT = "deployment"
    COVERAGE = "coverage"
    CURSOR = "cursor"
    STRIP = "strip"
    TEST = "test"
    ROOT = "root"

    # As in `statuses.RunStatus`: facts are looked up by it several times a run.
    __hash__ = str.__hash__


class OpenRun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run that has not ended, key: run id."""

    task: str
    status: RunStatus
    created_at: Instant
    started_at: Instant | None = None
    delayed_until: Instant | None = None
    version: str | None = None
    is_test: bool = False
    start_counted: bool = False
    queue: str | None = None
    batch_id: str | None = None
    missing: int = 0
    """How many times in a row nobody could find it."""
    attempts: int | None = None
    """How many attempts were begun, where that is told."""
    parent_id: str | None = None
    root_id: str | None = None
    traceparent: str | None = None
    """These three only where spans are exported."""

    @property
    def since(self) -> Instant:
        """When its present state began, as far as the API tells: what "oldest" is measured from."""
        if self.status in (RunStatus.DEQUEUED, RunStatus.EXECUTING):
            return self.created_at if self.started_at is None else self.started_at
        if self.status is RunStatus.QUEUED and self.delayed_until is not None:
            return max(self.created_at, self.delayed_until)
        return self.created_at


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of a task, key: task id. Of its test runs, under a kind of their own, only how they ended."""

    last_finished: Instant | None = None
    last_success: Instant | None = None
    failures: tuple[Instant, ...] = ()
    """End times of the failures after the last success, ascending, the newest `KEPT_FAILURES` of them."""
    older_failures: int = 0
    version: str | None = None
    version_at: Instant = 0
    open_statuses: tuple[str, ...] = ()
    """Open statuses ever seen, sorted: their series stay at 0."""
    queue: str | None = None
    """In which queue its newest run was of which that was told."""

    @property
    def consecutive_failures(self) -> int:
        return self.older_failures + len(self.failures)


KEPT_FAILURES = 256


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Scheduled runs of one task at one instant, key: ``<instant>/<task>``."""

    task: str
    at: Instant
    runs: int = 0
    successes: int = 0


class ScheduleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as last seen and how far its slots are judged, key: schedule id."""

    task: str
    type: str
    cron: str
    timezone: str
    active: bool
    announced: tuple[tuple[Instant, Instant], ...] = ()
    """What the platform said of slots that are not judged yet: (when it was said, the next slot), ascending."""
    judged_to: Instant
    """Slots up to here are settled; it starts at our first complete poll and again at every edit."""
    last_run: Instant | None = None
    last_success: Instant | None = None
    known_since: Instant = 0
    """Since when it is as it is: slots after that are judged. 0: an earlier version did not say."""
    verdicts: tuple[tuple[Instant, bool], ...] = ()
    """The latest slots that were judged and whether a run met them, ascending."""


class OpenBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that is followed, key: batch id. `status` is empty until it was read for the first time."""

    status: str = ""
    created_at: Instant = 0
    was_partial: bool = False
    missing: int = 0


class OpenToken(msgspec.Struct, frozen=True, kw_only=True):
    """A waitpoint token that waits, key: token id."""

    created_at: Instant
    missing: int = 0


class OpenDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that has not ended, key: deployment id."""

    status: str
    created_at: Instant


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a collector has read, key: its name (tokens, deployments)."""

    newest: Instant = 0
    ended: dict[str, Instant] = {}
    """Deployments: by final status, when the last one ended."""
    verdict: str = ""
    """Deployments: how the newest ended that succeeded or failed."""
    verdict_of: Instant = 0
    """When that one was created."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Created-at time that is not read yet: from `start` to `end`, going on downwards at `cursor`."""

    start: Instant
    end: Instant
    since: Instant
    """Server time at which it was opened."""
    cursor: str | None = None
    read_to: Instant = 0
    """Up to here everything was read before: what the walk repeats is for rows that become visible late."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Which created-at time of runs has been read; one row a target.

    Everything from `tail` to `walked_at` is covered, except `gaps`.
    """

    tail: Instant
    newest: Instant | None = None
    """Newest createdAt seen; may lie up to 30 s ahead of the server's clock (scheduled runs)."""
    newest_id: str | None = None
    """The run that has it, while it exists."""
    walked_at: Instant = 0
    """Server time of the last walk whose newest page was read."""
    overlap: int = 60_000
    """Milliseconds re-read below the newest run, for rows that become visible late."""
    gaps: tuple[Gap, ...] = ()
    sweep: Gap | None = None
    """The slow re-reading of the last hours, while one is under way."""
    swept_at: Instant = 0
    refreshed_at: Instant = 0
    """Server time of the last complete reading of the open set."""
    looked_back: bool = False
    """The first look-back is complete."""
    environment_id: str | None = None
    environment: str | None = None
    environment_type: str | None = None
    project: str | None = None
    has_strips: bool = False
    """Whoever wrote this also fills the cells of strips. A version that knows none leaves it out, and so tells us."""


class EndedRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended and may have children that go on, key: run id. Only where spans follow metadata."""

    traceparent: str


class StripFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A strip of cells that is kept, key: `strips.Strip.key`."""

    since: Instant
    """Everything that happened after that is in its cells."""
    reach: int
    """How far back its cells are kept, milliseconds."""
    shortened: bool = False
    """There were too many cells, and those up to `since` were given up."""


Fact = (
    OpenRun
    | TaskFacts
    | Slot
    | ScheduleFacts
    | OpenBatch
    | OpenToken
    | OpenDeployment
    | Coverage
    | Cursor
    | StripFacts
    | EndedRoot
)

FACT_TYPES: dict[Kind, type[Fact]] = {
    Kind.RUN: OpenRun,
    Kind.TASK: TaskFacts,
    Kind.SLOT: Slot,
    Kind.SCHEDULE: ScheduleFacts,
    Kind.BATCH: OpenBatch,
    Kind.TOKEN: OpenToken,
    Kind.DEPLOYMENT: OpenDeployment,
    Kind.COVERAGE: Coverage,
    Kind.CURSOR: Cursor,
    Kind.STRIP: StripFacts,
    Kind.TEST: TaskFacts,
    Kind.ROOT: EndedRoot,
}
