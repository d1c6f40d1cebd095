"""What watching a target costs: calls a minute at its intervals, by collector. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from triggerdev_exporter.clock import MINUTE
from triggerdev_exporter.config.model import Intervals
from triggerdev_exporter.ledger.coverage import SWEEP_DEPTH, SWEEP_EVERY

PAGE = 100


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is to read."""

    runs_a_minute: float = 0.0
    open_runs: int = 0
    queues: int = 0
    schedules: int = 0
    deployments: int = 0
    open_batches: int = 0
    has_query: bool = True
    has_current: bool = True
    has_tokens: bool = True


def calls_a_minute(intervals: Intervals, load: Load) -> dict[str, float]:
    """By collector, as it settles down: without the first look-back and without a catch-up."""

    def every(interval: int) -> float:
        return MINUTE / interval

    new_pages = 1.25 * load.runs_a_minute / PAGE
    sweep = load.runs_a_minute * (SWEEP_DEPTH / MINUTE) / PAGE / (SWEEP_EVERY / MINUTE)
    enrichment = min(1.0, load.runs_a_minute + load.open_runs) if load.has_query else 0.0
    return {
        # The newest page at each tick, the open set page by page, what is new, and the sweep of the last hours.
        "runs": every(intervals.runs) * (1 + ceil(load.open_runs / PAGE)) + new_pages + sweep + enrichment,
        "queues": every(intervals.queues) * max(1, ceil(load.queues / PAGE)),
        "batches": every(intervals.batches) * load.open_batches / 2,
        "schedules": every(intervals.schedules) * max(1, ceil(load.schedules / PAGE)),
        "deployments": every(intervals.deployments) * (1 + load.has_current),
        "waitpoints": every(intervals.waitpoints) * load.has_tokens,
    }
