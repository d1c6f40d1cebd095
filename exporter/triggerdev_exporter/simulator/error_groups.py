"""Errors that are the same, and how often they were seen: what the server tells beside its runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.entities import Run
from triggerdev_exporter.simulator.world import World

_FAILED = frozenset({"COMPLETED_WITH_ERRORS", "INTERRUPTED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT"})


@dataclass(slots=True)
class ErrorGroup:
    """One group, counted over a time."""

    id: str
    task: str
    type: str
    message: str
    first_seen: Instant
    last_seen: Instant
    count: int = 0


def error_id(run: Run) -> str | None:
    """The id of the group of errors that a run belongs to."""
    if run.error is None:
        return None
    words = f"{run.task}\0{run.error.get('name')}\0{run.error['message']}"
    return "error_" + hashlib.blake2b(words.encode(), digest_size=8).hexdigest()


def error_groups(
    world: World, oldest: Instant, newest: Instant, *, task: str | None = None, version: str | None = None
) -> list[ErrorGroup]:
    """The groups with errors between `oldest` and `newest`, the most frequent first."""
    groups: dict[str, ErrorGroup] = {}
    for _, key in world.index.having(_FAILED):
        run = world.runs[key]
        group_id, at = error_id(run), run.finished_at
        if group_id is None or run.error is None or at is None or not oldest <= at <= newest:
            continue
        if task not in (None, run.task) or version not in (None, run.version):
            continue
        group = groups.get(group_id)
        if group is None:
            name = run.error.get("name", "Error")
            group = groups[group_id] = ErrorGroup(group_id, run.task, name, run.error["message"], at, at)
        group.count += 1
        group.first_seen, group.last_seen = min(group.first_seen, at), max(group.last_seen, at)
    return sorted(groups.values(), key=lambda group: (-group.count, group.id))
