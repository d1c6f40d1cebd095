"""The latest runs that ended, for those who look into an alert. In memory only, bounded, and never counted.

Which task's versions failed and succeeded is remembered beside them: a few versions a task.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from triggerdev_exporter.clock import Instant

KEPT_RUNS = 30
"""A task: the latest that did not succeed."""
KEPT_VERSIONS = 5
KEPT_TASKS = 1_000


class Ended(NamedTuple):
    """A run that ended. Its order is that of ends."""

    finished_at: Instant
    id: str
    task: str
    status: str
    created_at: Instant
    version: str
    queue: str | None
    tags: tuple[str, ...]
    is_success: bool


@dataclass(slots=True)
class VersionSight:
    """What is known of one version of a task."""

    first_created: Instant
    succeeded: bool = False


@dataclass(slots=True)
class _OfTask:
    unsuccessful: list[Ended] = field(default_factory=list)
    versions: dict[str, VersionSight] = field(default_factory=dict)


class Recent:
    """What ended lately, by task."""

    def __init__(self) -> None:
        self._tasks: dict[str, _OfTask] = {}

    def add(self, run: Ended) -> None:
        if not run.is_success:
            mine = self._of(run.task)
            insort(mine.unsuccessful, run)
            del mine.unsuccessful[:-KEPT_RUNS]
        self.saw(run.task, run.version, run.created_at, succeeded=run.is_success)

    def saw(self, task: str, version: str, created_at: Instant, *, succeeded: bool) -> None:
        """A run of that version of a task ended that was created at that time, and none before it."""
        mine = self._of(task)
        seen = mine.versions.setdefault(version, VersionSight(created_at))
        seen.first_created = min(seen.first_created, created_at)
        seen.succeeded = seen.succeeded or succeeded
        if len(mine.versions) > KEPT_VERSIONS:
            oldest = min(mine.versions, key=lambda version: mine.versions[version].first_created)
            del mine.versions[oldest]

    def _of(self, task: str) -> _OfTask:
        mine = self._tasks.pop(task, None) or _OfTask()
        # Tasks in which something happened come last; the first ones are forgotten first.
        self._tasks[task] = mine
        while len(self._tasks) > KEPT_TASKS:
            del self._tasks[next(iter(self._tasks))]
        return mine

    def unsuccessful(self) -> Iterator[Ended]:
        """Runs that did not succeed, task by task."""
        for mine in self._tasks.values():
            yield from mine.unsuccessful

    def unsuccessful_of(self, task: str) -> tuple[Ended, ...]:
        """Those of one task, the latest first."""
        mine = self._tasks.get(task)
        return () if mine is None else tuple(reversed(mine.unsuccessful))

    def versions(self, task: str) -> dict[str, VersionSight]:
        mine = self._tasks.get(task)
        return {} if mine is None else mine.versions
