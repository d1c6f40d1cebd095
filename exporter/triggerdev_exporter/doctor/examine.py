"""One look at a target's API, each list once, in a dozen requests. What was told is kept as it came: nothing is judged.

An answer is a value, the `ApiError` that came instead, or `Skipped`: not asked, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

from triggerdev_exporter.api.calls import Call, Dialect
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.dialects.probe import DIALECTS, probe_call
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.collect.walk import CursorGuard
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.errors import (
    ApiError,
    HttpFailed,
    NotFound,
    RateLimited,
    TimedOut,
    TlsFailed,
    Unauthorized,
    Unreachable,
)
from triggerdev_exporter.ledger.coverage import EARLIEST
from triggerdev_exporter.records import Batch, Deployment, Enrichment, Page, Queue, Run, Schedule, WaitpointToken

T = TypeVar("T")

MOST_PAGES = 10
"""Of one list: enough to count what is there, and no burden for whoever has more."""
OPEN_PAGES = 3
_HOPELESS = (Unreachable, TimedOut, TlsFailed, RateLimited)
"""The next request would fare no better, and each takes its time."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not asked for."""

    why: str


NO_ENDPOINT = Skipped("this server's dialect has no such endpoint")
_NOT_REACHED = Skipped("the API was not reached")

Told: TypeAlias = T | ApiError | Skipped


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The beginning of a list."""

    items: tuple[T, ...]
    is_whole: bool
    """Whether that is all there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a target told. `config` is what it is told to be."""

    config: TargetConfig
    spoken: Told[str] = _NOT_REACHED
    """The dialect that the probe found."""
    dialect: str = "trigger"
    """The one that was used for the rest."""
    runs: Told[Some[Run]] = _NOT_REACHED
    """The newest page."""
    open_runs: Told[Some[Run]] = _NOT_REACHED
    queues: Told[Some[Queue]] = _NOT_REACHED
    schedules: Told[Some[Schedule]] = _NOT_REACHED
    deployments: Told[Some[Deployment]] = _NOT_REACHED
    current: Told[Deployment] = _NOT_REACHED
    tasks: Told[tuple[str, ...]] = _NOT_REACHED
    """Of the deployment that is current."""
    tokens: Told[Some[WaitpointToken]] = _NOT_REACHED
    rows: Told[tuple[Enrichment, ...]] = _NOT_REACHED
    """What TRQL answered."""
    batch: Told[Batch] = _NOT_REACHED
    limit: int | None = None
    remaining: int | None = None
    """Of the server's bucket, as last told."""
    offset: int | None = None
    """Milliseconds that the server's clock is ahead of ours; ``None`` if it never told its time."""
    now: Instant = 0
    """Server time at the end."""


async def examine(client: Client, config: TargetConfig, clock: Clock) -> Examined:
    """Ask for everything that collectors read, once. Raises nothing but cancellation."""
    seen = await _asked(client, config)
    meter = client.meter
    return replace(
        seen,
        limit=meter.rate_limit,
        remaining=meter.rate_limit_remaining,
        offset=meter.server_offset if meter.is_dated else None,
        now=meter.server_now(clock.now()),
    )


async def _asked(client: Client, config: TargetConfig) -> Examined:
    spoken = await _told(client, probe_call())
    seen = Examined(config=config, spoken=spoken)
    if isinstance(spoken, _HOPELESS):
        return seen
    name = spoken if isinstance(spoken, str) else config.dialect if config.dialect != "auto" else "trigger"
    dialect = DIALECTS[name]
    seen = replace(seen, dialect=name, runs=await _page(client, dialect.runs(created_from=EARLIEST)))
    if isinstance(spoken, HttpFailed | Unauthorized | NotFound) and isinstance(seen.runs, type(spoken)):
        return seen
    return await _rest(client, dialect, seen)


async def _rest(client: Client, dialect: Dialect, seen: Examined) -> Examined:
    def still_open(cursor: str | None) -> Call[Page[Run]]:
        return dialect.runs(created_from=EARLIEST, only_open=True, cursor=cursor)

    rows: Told[tuple[Enrichment, ...]] = await _told(client, dialect.enrichment())
    current = await _told(client, dialect.current_deployment())
    deployments = await _page(client, dialect.deployments())
    return replace(
        seen,
        open_runs=await _list(client, still_open, OPEN_PAGES),
        queues=await _list(client, dialect.queues),
        schedules=await _list(client, dialect.schedules),
        deployments=deployments,
        current=current,
        tasks=await _tasks(client, dialect, current, deployments),
        tokens=await _tokens(client, dialect),
        rows=rows,
        batch=await _batch(client, dialect, seen.config, rows),
    )


async def _tokens(client: Client, dialect: Dialect) -> Told[Some[WaitpointToken]]:
    call = dialect.tokens(only_open=True)
    return NO_ENDPOINT if call is None else await _page(client, call)


async def _tasks(
    client: Client, dialect: Dialect, current: Told[Deployment], deployments: Told[Some[Deployment]]
) -> Told[tuple[str, ...]]:
    found = current if isinstance(current, Deployment) else None
    if found is None and isinstance(deployments, Some):
        # Servers before v4.5 do not say which is current; the newest that was deployed is, as a rule.
        found = next((one for one in deployments.items if one.status == "DEPLOYED"), None)
    if found is None:
        return Skipped("no deployment is known")
    call = dialect.deployment_tasks(found.id)
    if call is None:
        return Skipped("this dialect tells no tasks of a deployment") if found.tasks is None else found.tasks
    return await _told(client, call)


async def _batch(
    client: Client, dialect: Dialect, config: TargetConfig, rows: Told[tuple[Enrichment, ...]]
) -> Told[Batch]:
    found = next(iter(config.batches), None)
    if found is None and isinstance(rows, tuple):
        found = next((row.batch_id for row in rows if row.batch_id), None)
    if found is None:
        return Skipped("no batch is known to try it with")
    return await _told(client, dialect.batch(found))


async def _told(client: Client, call: Call[T] | None) -> Told[T]:
    if call is None:
        return NO_ENDPOINT
    try:
        return await client.fetch(call)
    except ApiError as error:
        return error


async def _page(client: Client, call: Call[Page[T]]) -> Told[Some[T]]:
    told = await _told(client, call)
    return Some(told.items, told.next is None) if isinstance(told, Page) else told


async def _list(client: Client, call: Callable[[str | None], Call[Page[T]]], most: int = MOST_PAGES) -> Told[Some[T]]:
    guard, cursor = CursorGuard(), None
    items: list[T] = []
    for _ in range(most):
        request = call(cursor)
        told = await _told(client, request)
        if not isinstance(told, Page):
            return told
        items += told.items
        if told.next is None:
            return Some(tuple(items), True)
        try:
            guard.passed(request.endpoint, frozenset(map(repr, told.items)), told.next)
        except ApiError as error:
            return error
        cursor = told.next
    return Some(tuple(items), False)


def is_absent(told: object) -> bool:
    """Whether the endpoint itself is not there: the server's page, not its word about a thing."""
    return isinstance(told, NotFound) and not told.is_json
