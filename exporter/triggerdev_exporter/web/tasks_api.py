"""``/api/v1/…`` about what is watched. It reads the memory of the running targets, and changes nothing.

What an answer looks like is `task_views.py`, how errors are told `json_api.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from triggerdev_alerts.documents.mistakes import found, suggestion
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.readings.task_sight import TaskSight, known_tasks, knows, sight_of
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.target import Target
from triggerdev_exporter.web import task_views as views
from triggerdev_exporter.web.api_route import ApiRoute, Parameter
from triggerdev_exporter.web.json_api import Problem, answer, chosen


class Watching(Protocol):
    """Whoever holds the targets."""

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def witness(self) -> LedgerWitness | None:
        """Who keeps the errors of runs; ``None`` while alerting is not running."""
        ...


def routes(served: Watching) -> list[ApiRoute]:
    """The routes about tasks."""

    async def why(request: web.Request) -> web.Response:
        return answer(views.why_list(sights(served, request), served.clock.now()))

    task = Parameter("task", "The id of a task; a slash in it is %2F.")
    target = Parameter("target", "Only in that one.")
    return [
        ApiRoute(
            "GET",
            "/api/v1/tasks/{task}/why",
            why,
            "Why a task does its work or does not, by target.",
            views.WhyList,
            query=(target,),
            in_path=(task,),
            refuses=(404,),
        )
    ]


def sights(served: Watching, request: web.Request) -> list[TaskSight]:
    """The task of the address in all targets that know it, or in the one that is named. Raises `Problem`."""
    task = request.match_info["task"]
    name = chosen(request, "target", [target.name for target in served.targets])
    now, witness = served.clock.now(), served.witness
    asked = [target for target in served.targets if name in (None, target.name)]
    knowing = [target for target in asked if knows(target, task)]
    if not knowing:
        raise Problem(404, "not_found", _nobody_knows(task, asked))
    if witness is None:
        return [sight_of(target, task, now) for target in knowing]
    return [sight_of(target, task, now, witness.errors_in) for target in knowing]


def _nobody_knows(task: str, targets: Sequence[Target]) -> str:
    known = sorted(set().union(*(known_tasks(target) for target in targets)))
    if not known:
        return f"no task {found(task)} is known, nor any other: runs were not read yet, or there are none"
    return f"no task {found(task)} is known{suggestion(task, known)}"
