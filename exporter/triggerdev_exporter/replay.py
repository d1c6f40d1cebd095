"""What a target did, read back for `rules replay`: the API's lists become a story, with what they do not tell.

Reads within the target's own share of the quota and writes nothing. What the past does not hold (queue limits, pauses,
batches, our own outages) is named, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from triggerdev_alerts.history.story import (
    QueueSight,
    StoryDeployment,
    StoryRun,
    StorySchedule,
    StoryToken,
    TargetStory,
)
from triggerdev_exporter.api.calls import Call, Dialect, Priority
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.dialects.probe import dialects, probe_call
from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.collect.walk import pages, whole_list
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.errors import ExporterError, Forbidden, NotFound, Unauthorized
from triggerdev_exporter.ledger.thing_news import DEPLOYMENT_ENDS
from triggerdev_exporter.records import Deployment, Page, Queue, Run, Schedule, WaitpointToken
from triggerdev_exporter.statuses import TERMINAL

T = TypeVar("T")

MOST_RUNS = 500_000
"""More would not fit into memory beside what is made of them."""
MOST_OPEN_PAGES = 20

_OF_THE_SOURCE = "how well the API could be read is not known afterwards"
_ALWAYS_UNTOLD = (
    ("batch_items", "the API has no list of batches"),
    ("batch_items_failed", "the API has no list of batches"),
    ("batches_open_older", "the API has no list of batches"),
    ("queue_limit", "limits of queues are only told as they are now"),
    ("queue_paused", "whether a queue was paused is not told afterwards"),
    ("view_lag", _OF_THE_SOURCE),
    ("collector_age", _OF_THE_SOURCE),
    ("collector_interval", _OF_THE_SOURCE),
    ("quota_remaining", _OF_THE_SOURCE),
    ("clock_skew", _OF_THE_SOURCE),
)
_NO_QUEUES = "runs are listed without their queue, and this project has queues besides its tasks' own"
_STATUSES = ("DEQUEUED", "PENDING_VERSION", "WAITING")


@dataclass(frozen=True, slots=True)
class Lists:
    """What the API told. ``None``: this list could not be had."""

    runs: tuple[Run, ...]
    queues: tuple[Queue, ...] | None
    schedules: tuple[Schedule, ...] | None
    deployments: tuple[Deployment, ...] | None
    tokens: tuple[WaitpointToken, ...] | None


@dataclass(frozen=True, slots=True)
class Past:
    """A target's story, and in sentences what it cannot tell."""

    story: TargetStory
    caveats: tuple[str, ...]


async def read_past(
    client: Client,
    config: TargetConfig,
    *,
    since: Instant,
    until: Instant,
    progress: Callable[[int], None] = lambda runs: None,
) -> Past:
    """Everything that is told of [`since`, `until`]. `progress` hears how many runs were read. Raises `ApiError`."""
    dialect = await dialect_of(client, config)
    lists = Lists(
        runs=await _runs(client, dialect, since=since, until=until, progress=progress),
        queues=await _optional(whole_list(client, dialect.queues, lambda queue: queue.name)),
        schedules=await _optional(whole_list(client, dialect.schedules, lambda schedule: schedule.id)),
        deployments=await _optional(_deployments(client, dialect, since)),
        tokens=await _optional(_tokens(client, dialect, since)),
    )
    return past(lists, config, since=since, until=until)


async def dialect_of(client: Client, config: TargetConfig, metadata_key: str | None = None) -> Dialect:
    """The dialect that the server of `config` speaks. Raises `ApiError`."""
    spoken = dialects(metadata_key)
    if config.dialect != "auto":
        return spoken[config.dialect]
    try:
        return spoken[await client.fetch(probe_call(), Priority.LIVE)]
    except (Forbidden, NotFound):
        return spoken["trigger"]


async def _runs(
    client: Client, dialect: Dialect, *, since: Instant, until: Instant, progress: Callable[[int], None]
) -> tuple[Run, ...]:
    """Runs created in the span, and those that were created before and are still open."""
    found: dict[str, Run] = {}
    # Patient, not urgent: it waits for our share of the quota, and never takes what live polling needs first.
    listed = pages(
        client, lambda cursor: dialect.runs(created_from=since, cursor=cursor), lambda run: run.id, Priority.SETTLE
    )
    async for page in listed:
        found.update({run.id: run for run in page if run.created_at <= until})
        progress(len(found))
        if len(found) > MOST_RUNS:
            raise ExporterError(
                f"more than {MOST_RUNS:,} runs since {iso(since)}: they do not fit into memory; "
                "replay a shorter span with --from and --to"
            )
    read = 0
    still_open = pages(
        client,
        lambda cursor: dialect.runs(created_from=1, only_open=True, cursor=cursor),
        lambda run: run.id,
        Priority.SETTLE,
    )
    async for page in still_open:
        found.update({run.id: run for run in page if run.created_at <= until})
        read += 1
        if read >= MOST_OPEN_PAGES:
            break
    return tuple(found.values())


async def _deployments(client: Client, dialect: Dialect, since: Instant) -> tuple[Deployment, ...]:
    """The newest first, down to one that ended before the span: what was the newest then."""
    found: dict[str, Deployment] = {}
    async for page in pages(client, dialect.deployments, lambda one: one.id, Priority.SETTLE):
        found.update({one.id: one for one in page})
        if any(one.created_at < since and one.status in DEPLOYMENT_ENDS for one in page):
            break
    return tuple(found.values())


async def _tokens(client: Client, dialect: Dialect, since: Instant) -> tuple[WaitpointToken, ...]:
    def call(cursor: str | None) -> Call[Page[WaitpointToken]]:
        request = dialect.tokens(created_from=since, cursor=cursor)
        if request is None:
            raise NotFound("waitpoints: this dialect has no list of them", is_json=True)
        return request

    found: dict[str, WaitpointToken] = {}
    async for page in pages(client, call, lambda token: token.id, Priority.SETTLE):
        found.update({token.id: token for token in page})
    return tuple(found.values())


async def _optional(reading: Awaitable[T]) -> T | None:
    """A list that a key or a server may not offer."""
    try:
        return await reading
    except (Forbidden, NotFound, Unauthorized):
        return None


def past(lists: Lists, config: TargetConfig, *, since: Instant, until: Instant) -> Past:
    """The story that the lists tell, purely."""
    custom = sorted(queue.name for queue in lists.queues or () if not queue.name.startswith("task/"))
    told_queues = lists.queues is not None and not custom
    runs = tuple(_run(run, config, in_own_queue=told_queues) for run in lists.runs)
    untold = dict(_ALWAYS_UNTOLD)
    if not told_queues:
        why = "the list of queues could not be read" if lists.queues is None else _NO_QUEUES
        untold |= dict.fromkeys(("queue_depth", "queue_running", "queue_oldest_age"), why)
    if lists.schedules is None:
        untold |= dict.fromkeys(
            ("missed_slots", "schedules_missing", "scheduled_tasks"), "the list of schedules could not be read"
        )
    if lists.deployments is None:
        untold |= dict.fromkeys(
            ("deployment_failed", "deployments_open_older"), "the list of deployments could not be read"
        )
    if lists.tokens is None:
        untold["waitpoints_open_older"] = "there is no list of waitpoint tokens"
    if lists.runs and all(run.cost_nanousd is None for run in lists.runs):
        untold["run_cost"] = "the server does not tell what runs cost"
    story = TargetStory(
        name=config.name,
        runs=runs,
        queues=tuple(depths(runs)) if told_queues else (),
        schedules=tuple(_schedule(each, since) for each in lists.schedules or () if each.active),
        deployments=tuple(_deployment(each) for each in lists.deployments or ()),
        tokens=tuple(
            StoryToken(created=each.created_at, completed=each.completed_at or each.timeout_at)
            if each.status in ("COMPLETED", "TIMED_OUT")
            else StoryToken(created=each.created_at)
            for each in lists.tokens or ()
        ),
        known_since=since,
        untold=tuple(sorted(untold.items())),
        untold_statuses=_STATUSES,
    )
    return Past(story, tuple(_caveats(lists, custom, since)))


def _run(run: Run, config: TargetConfig, *, in_own_queue: bool) -> StoryRun:
    finished = None
    if run.status in TERMINAL:
        # The API always tells when a run ended; where it does not, its last change is the nearest there is.
        finished = run.finished_at or run.updated_at or run.started_at or run.created_at
    return StoryRun(
        id=run.id,
        task=run.task,
        status=run.status.value,
        created=run.created_at,
        due=run.delayed_until,
        started=run.started_at,
        finished=finished,
        queue=f"task/{run.task}" if in_own_queue else None,
        version=run.version or "",
        tags=run.tags,
        cost=(run.cost_nanousd or 0) / 1e9,
        is_test=run.is_test and not config.test_runs,
    )


def _schedule(schedule: Schedule, since: Instant) -> StorySchedule:
    return StorySchedule(
        id=schedule.id,
        task=schedule.task,
        cron=schedule.cron,
        timezone=schedule.timezone,
        known_since=since,
        type=schedule.type,
    )


def _deployment(one: Deployment) -> StoryDeployment:
    ended = None
    if one.status in DEPLOYMENT_ENDS:
        # Only DEPLOYED tells when it ended.
        ended = one.created_at if one.deployed_at is None else one.deployed_at
    return StoryDeployment(status=one.status, created=one.created_at, ended=ended, version=one.version)


def depths(runs: Iterable[StoryRun]) -> Iterator[QueueSight]:
    """How many runs waited and ran in each queue, a sight at each change. Runs whose queue is not told are left out."""
    changes: dict[str, dict[Instant, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for run in runs:
        if run.queue is None:
            continue
        mine = changes[run.queue]
        # One that started before it could have (a schedule's run may) never waited.
        ready = run.ready if run.started is None else min(run.ready, run.started)
        left = run.started if run.started is not None else run.finished
        if left is None or left >= ready:
            mine[ready][0] += 1
            if left is not None:
                mine[left][0] -= 1
        if run.started is not None:
            mine[run.started][1] += 1
            if run.finished is not None:
                mine[max(run.finished, run.started)][1] -= 1
    for name, by_instant in changes.items():
        depth = running = 0
        for at in sorted(by_instant):
            depth += by_instant[at][0]
            running += by_instant[at][1]
            yield QueueSight(queue=name, at=at, depth=depth, running=running)


def _caveats(lists: Lists, custom: Sequence[str], since: Instant) -> Iterator[str]:
    yield f"Runs that were created before {iso(since)[:19]}Z and ended since are not seen."
    yield "A run that has ended is taken to have executed from its start to its end: when it waited is not told."
    if custom:
        names = ", ".join(custom[:3]) + (f" and {len(custom) - 3} more" if len(custom) > 3 else "")
        yield f"Rules about queues were not replayed: in which queue a run was is not told, and there are also {names}."
    elif lists.queues is not None:
        yield "Depths of queues are counted from runs, as if none was ever paused."
    if lists.schedules:
        yield "Schedules are taken as they are now; one that was edited since is judged by its present hours."
    if lists.deployments:
        yield "A deployment that failed is taken to have failed when it was created: its end is not told."
    if lists.tokens is not None:
        yield f"Waitpoint tokens that were created before {iso(since)[:19]}Z are not seen."
