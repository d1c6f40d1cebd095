"""What the API answers about targets: how each fares, and each of its collectors. Structs, and how they are made. Pure.

Instants are RFC 3339 in UTC. Fields are only ever added within a major version. No key is here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from triggerdev_alerts.instants import iso_or_none
from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.ledger import coverage
from triggerdev_exporter.target import CollectorState, Target
from triggerdev_exporter.web.span_views import SpansView, spans_view

CALLS: Mapping[str, tuple[str, ...]] = {
    "runs": ("runs", "run", "query"),
    "queues": ("queues",),
    "batches": ("batch",),
    "schedules": ("schedules",),
    "deployments": ("deployments", "deployment", "current_deployment"),
    "waitpoints": ("tokens", "token"),
}
"""Collector → the endpoints that it calls."""


class CollectorView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str
    """``ok``, ``failing``, ``stale`` (its gauges are too old to show), ``not_available`` or ``waiting``."""
    last_success: str | None
    duration_ms: int | None
    """Of the last look."""
    interval_ms: int
    next_at: str | None
    """About when it looks again."""
    errors: dict[str, int]
    """Reason → how often, since the start."""
    trouble: str | None
    """What is wrong now, in words."""
    calls: int
    """Requests since the start; they count against the quota."""


class RateLimitView(msgspec.Struct, frozen=True, kw_only=True):
    limit: int
    remaining: int
    """For everybody who uses this key."""


class DeploymentView(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    status: str
    deployed_at: str | None
    runtime: str | None


class BatchesView(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    count: int
    oldest: str


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    api_url: str
    dialect: str | None
    environment: str | None
    state: str
    """``ok``, ``failing`` (a collector fails), ``blind`` (no runs), ``unreachable`` (or the key is refused), or
    ``waiting``."""
    counting_since: str | None
    catching_up: bool
    view_lag_ms: int | None
    """How far the run list is behind; ``None`` before the first evidence."""
    clock_offset_ms: int
    """The server's clock is ahead of ours by that."""
    rate_limit: RateLimitView | None
    """As the server last told it."""
    share_percent: float
    """Of the quota, that is ours at most."""
    throttled_s: float
    """How long our own requests were held back, since the start."""
    open_runs: dict[str, int] | None
    """Status → how many; ``None`` while not known."""
    queued: int | None
    """In all queues."""
    running: int | None
    batches: list[BatchesView]
    """Open ones."""
    deployment: DeploymentView | None
    """The current one."""
    spans: SpansView | None
    """``None`` where none are exported."""
    collectors: list[CollectorView]


class TargetList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    targets: list[TargetView]


def target_view(target: Target, now: Instant) -> TargetView:
    meter, ledger, sights = target.client.meter, target.ledger, target.sights
    covered = None if ledger is None else ledger.coverage
    collectors = [_collector(target, name, state, now) for name, state in target.states.items()]
    seen = sights.queues
    return TargetView(
        name=target.name,
        api_url=target.config.api_url,
        dialect=None if target.dialect is None else target.dialect.name,
        environment=None if covered is None else covered.environment,
        state=_state(target, collectors),
        counting_since=None if ledger is None else iso(ledger.birth),
        catching_up=covered is not None
        and coverage.catching_up(covered, target.states["runs"].interval_ms, target.server_now()),
        view_lag_ms=sights.view_lag_ms,
        clock_offset_ms=meter.server_offset,
        rate_limit=None
        if meter.rate_limit is None
        else RateLimitView(limit=meter.rate_limit, remaining=meter.rate_limit_remaining or 0),
        share_percent=round(target.config.quota.share * 100, 3),
        throttled_s=round(meter.throttled_seconds, 3),
        open_runs=None
        if ledger is None or covered is None
        else dict(sorted(Counter(run.status.value for run in ledger.runs.values()).items())),
        queued=None if seen is None else sum(queue.queued for queue in seen),
        running=None if seen is None else sum(queue.running for queue in seen),
        batches=_batches(target),
        deployment=_deployment(target),
        spans=spans_view(target),
        collectors=collectors,
    )


def _state(target: Target, collectors: list[CollectorView]) -> str:
    if target.client.meter.up is None:
        return "waiting"
    if target.client.meter.up is False or target.is_refused:
        return "unreachable"
    bad = {one.name for one in collectors if one.state in ("failing", "stale")}
    if "runs" in bad:
        return "blind"
    return "failing" if bad else "ok"


def _collector(target: Target, name: str, state: CollectorState, now: Instant) -> CollectorView:
    calls = target.client.meter.requests
    return CollectorView(
        name=name,
        state=_word(state, now),
        last_success=iso_or_none(state.last_success),
        duration_ms=None if state.duration_s is None else round(state.duration_s * 1000),
        interval_ms=state.interval_ms,
        next_at=iso_or_none(state.next_at),
        errors=dict(sorted(state.errors.items())),
        trouble=state.trouble,
        calls=sum(number for (endpoint, _), number in calls.items() if endpoint in CALLS[name]),
    )


def _word(state: CollectorState, now: Instant) -> str:
    if state.supported is False:
        return "not_available"
    if state.up is None:
        return "waiting"
    if state.is_stale(now):
        return "stale"
    return "ok" if state.up else "failing"


def _batches(target: Target) -> list[BatchesView]:
    found: dict[str, tuple[int, Instant]] = {}
    for batch in () if target.ledger is None else target.ledger.batches.values():
        if batch.status:
            count, oldest = found.get(batch.status, (0, batch.created_at))
            found[batch.status] = (count + 1, min(oldest, batch.created_at))
    return [
        BatchesView(status=status, count=count, oldest=iso(oldest)) for status, (count, oldest) in sorted(found.items())
    ]


def _deployment(target: Target) -> DeploymentView | None:
    one = target.sights.deployment
    if one is None:
        return None
    return DeploymentView(
        version=one.version, status=one.status, deployed_at=iso_or_none(one.deployed_at), runtime=one.runtime
    )
