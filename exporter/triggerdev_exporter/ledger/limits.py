"""How many series each family may have, and which tasks may have series of their own. Pure.

`max_series` is divided once, by what a task typically takes: every family has a budget of its own, and their sum is
below the limit. What goes over a budget is counted under ``task="__other__"``, so that sums over a family stay true.
A series that exists keeps its place: folding never makes a counter step back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OTHER = "__other__"

#: Lines of the page that a task typically takes in a family (a histogram: its buckets, count and sum).
_LINES_A_TASK: dict[str, int] = {
    "runs_triggered_total": 1,
    "runs_started_total": 1,
    "runs_finished_total": 7,
    "runs_test_finished_total": 1,
    "runs_open": 4,
    "runs_oldest_open_timestamp_seconds": 4,
    "run_wait_seconds": 13,
    "run_duration_seconds": 28,
    "run_compute_seconds_total": 1,
    "run_cost_usd_total": 1,
    "run_attempts_total": 1,
    "schedule_missed_total": 1,
    "schedules": 1,
    # last finished, last success, streak, info
    "": 4,
}
#: Lines that one label set takes, where that is not one.
_LINES_A_SERIES: dict[str, int] = {"run_wait_seconds": 13, "run_duration_seconds": 14}
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


def limits(max_series: int = 50_000, allow: Sequence[str] = (".*",)) -> Limits:
    """The limits under `max_series`; `allow` are regular expressions that a task's whole id must match."""
    tasks = max(1, int(max_series * _TASKS_PART / sum(_LINES_A_TASK.values())))
    return Limits(
        tasks=tasks,
        queues=max(1, int(max_series * _QUEUES_PART / _LINES_A_QUEUE)),
        schedules=max(1, int(max_series * _SCHEDULES_PART / _LINES_A_SCHEDULE)),
        series={
            family: max(1, tasks * lines // _LINES_A_SERIES.get(family, 1))
            for family, lines in _LINES_A_TASK.items()
            if family
        },
        # DOTALL: a task id may hold a line break, and ".*" means all of them.
        allow=tuple(re.compile(pattern, re.DOTALL) for pattern in allow),
    )
