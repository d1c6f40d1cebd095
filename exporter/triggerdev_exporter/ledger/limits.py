"""How many series each family may have, which tasks and tags have series of their own, and in which buckets. Pure.

`max_series` is divided once, by what a task typically takes: every family has a budget of its own, and their sum is
below the limit. What goes over a budget is counted under ``task="__other__"``, so that sums over a family stay true.
A series that exists keeps its place: folding never makes a counter step back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from triggerdev_exporter.ledger.tally import BOUNDS_MS
from triggerdev_exporter.statuses import Outcome

OTHER = "__other__"

#: Lines of the page that a task typically takes in a family. Those of histograms follow from their buckets.
_LINES_A_TASK: dict[str, int] = {
    "runs_triggered_total": 1,
    "runs_started_total": 1,
    "runs_finished_total": 7,
    "runs_test_finished_total": 1,
    "runs_open": 4,
    "runs_oldest_open_timestamp_seconds": 4,
    "run_compute_seconds_total": 1,
    "run_cost_usd_total": 1,
    "run_attempts_total": 1,
    "schedule_missed_total": 1,
    "schedules": 1,
    # last finished, last success, streak, info
    "": 4,
}
#: Label sets that a task typically takes in a histogram.
_HISTOGRAMS_A_TASK: dict[str, int] = {"run_wait_seconds": 1, "run_duration_seconds": 2}
_NEITHER_OR_OTHER = 2
_LINES_A_QUEUE = 6
_LINES_A_SCHEDULE = 5
_TASKS_PART, _QUEUES_PART, _SCHEDULES_PART = 0.70, 0.20, 0.05
"""The rest is for families that do not grow."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a target may take."""

    tasks: int
    """Tasks with facts and series of their own."""
    queues: int
    schedules: int
    series: Mapping[str, int]
    """Label sets, by family with the label ``task``; ``__other__`` comes on top."""
    allow: tuple[re.Pattern[str], ...]
    bounds: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: BOUNDS_MS)
    """Upper bounds of each histogram family, ``+Inf`` left out, in milliseconds."""
    tags: Mapping[str, int] = field(default_factory=dict)
    """Tags that have series of their own, and how many values of each."""

    @property
    def strip_series(self) -> int:
        """Sets of labels in one strip of cells; ``__other__`` comes on top."""
        return 4 * self.tasks

    @property
    def cells(self) -> int:
        """Cells in all strips together. Beyond it the largest strip reaches back less far."""
        return 2_000 * self.tasks

    def allows(self, task: str) -> bool:
        """Whether `task` may have series of its own at all."""
        return any(pattern.fullmatch(task) for pattern in self.allow)


def limits(
    max_series: int = 50_000,
    allow: Sequence[str] = (".*",),
    *,
    buckets: Mapping[str, tuple[int, ...]] | None = None,
    tags: Mapping[str, int] | None = None,
) -> Limits:
    """The limits under `max_series`; `allow` are regular expressions that a task's whole id must match.

    `buckets` are bounds (ms) of histogram families in place of ours; `tags` say of how many values each is told apart.
    """
    bounds, tags = {**BOUNDS_MS, **(buckets or {})}, tags or {}
    max_series = max(0, max_series - lines_of_tags(tags))
    # A bucket more than bounds, count and sum.
    lines_a_series = {family: len(bounds[family]) + 3 for family in _HISTOGRAMS_A_TASK}
    lines_a_task = _LINES_A_TASK | {family: n * lines_a_series[family] for family, n in _HISTOGRAMS_A_TASK.items()}
    tasks = max(1, int(max_series * _TASKS_PART / sum(lines_a_task.values())))
    return Limits(
        tasks=tasks,
        queues=max(1, int(max_series * _QUEUES_PART / _LINES_A_QUEUE)),
        schedules=max(1, int(max_series * _SCHEDULES_PART / _LINES_A_SCHEDULE)),
        series={
            family: max(1, tasks * lines // lines_a_series.get(family, 1))
            for family, lines in lines_a_task.items()
            if family
        },
        # DOTALL: a task id may hold a line break, and ".*" means all of them.
        allow=tuple(re.compile(pattern, re.DOTALL) for pattern in allow),
        bounds=bounds,
        tags=tags,
    )


def lines_of_tags(tags: Mapping[str, int]) -> int:
    """How many series tags take at most, by the number of values of each."""
    return sum((values + _NEITHER_OR_OTHER) * len(Outcome) for values in tags.values())
