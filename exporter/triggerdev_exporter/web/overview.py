"""What the landing page says of each target, as plain rows for the template. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triggerdev_exporter.clock import SECOND, Instant, iso
from triggerdev_exporter.ledger import coverage
from triggerdev_exporter.statuses import RunStatus
from triggerdev_exporter.target import CollectorState, Target


@dataclass(frozen=True, slots=True)
class CollectorRow:
    name: str
    word: str
    """``ok``, ``failing``, ``stale``, ``not available`` or ``waiting``; also the row's class."""
    last: str
    every: str
    trouble: str


@dataclass(frozen=True, slots=True)
class TargetRow:
    name: str
    api_url: str
    dialect: str
    environment: str
    word: str
    since: str
    lag: str
    quota: str
    open_runs: str
    queued: str
    collectors: tuple[CollectorRow, ...]
    catching_up: bool


def overview(targets: Sequence[Target], now: Instant) -> list[TargetRow]:
    """One row a target, with one a collector inside."""
    return [_target(target, now) for target in targets]


def _target(target: Target, now: Instant) -> TargetRow:
    meter, ledger = target.client.meter, target.ledger
    covered = None if ledger is None else ledger.coverage
    word = {None: "not asked yet", True: "reachable", False: "not reachable, or key refused"}[meter.up]
    lag = target.sights.view_lag_ms
    queued = target.sights.queues
    return TargetRow(
        name=target.name,
        api_url=target.config.api_url,
        dialect=target.dialect.name if target.dialect is not None else "not known yet",
        environment=(covered.environment if covered is not None else None) or "not known",
        word=word,
        since=iso(ledger.birth) if ledger is not None else "not yet",
        lag="no evidence yet" if lag is None else duration(lag),
        quota="not told"
        if meter.rate_limit is None
        else f"{meter.rate_limit_remaining} of {meter.rate_limit} requests left for everybody",
        open_runs="not known" if ledger is None else _open_runs(target),
        queued="not known" if queued is None else f"{sum(queue.queued for queue in queued)} in {len(queued)} queues",
        collectors=tuple(_collector(name, state, now) for name, state in target.states.items()),
        catching_up=covered is not None
        and coverage.catching_up(covered, target.states["runs"].interval_ms, target.server_now()),
    )


def _open_runs(target: Target) -> str:
    runs = target.ledger.runs.values() if target.ledger is not None else ()
    executing = sum(run.status is RunStatus.EXECUTING for run in runs)
    return f"{len(runs)}, {executing} of them executing"


def _collector(name: str, state: CollectorState, now: Instant) -> CollectorRow:
    if state.supported is False:
        word = "not available"
    elif state.up is None:
        word = "waiting"
    elif state.up:
        word = "ok"
    else:
        word = "stale" if state.is_stale(now) else "failing"
    return CollectorRow(
        name=name,
        word=word,
        last="never" if state.last_success is None else f"{duration(max(0, now - state.last_success))} ago",
        every=duration(state.interval_ms),
        trouble=state.trouble or "",
    )


def duration(milliseconds: int) -> str:
    """``350 ms``, ``42 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``: two units at most."""
    if milliseconds < SECOND:
        return f"{milliseconds} ms"
    seconds = milliseconds // SECOND
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])
