"""``/api/v1/…`` about what is watched: tasks, targets, and the first page as data. Reads only.

What is told is gathered in `watching.py`, how errors are told is `json_api.py`'s.
"""

from __future__ import annotations

from aiohttp import web

from triggerdev_exporter.readings.ranking import SORTS
from triggerdev_exporter.web import watching
from triggerdev_exporter.web.api_route import ApiRoute, Parameter, paging
from triggerdev_exporter.web.json_api import answer, chosen, paged
from triggerdev_exporter.web.overview import Overview
from triggerdev_exporter.web.target_views import TargetList
from triggerdev_exporter.web.task_views import TaskAnswer, TaskList, WhyList

USUAL, MOST = 50, 200
"""How many tasks one answer lists."""


def routes(served: watching.Watching) -> list[ApiRoute]:
    """The routes about what is watched."""

    async def overview(_: web.Request) -> web.Response:
        return answer(await watching.overview(served))

    async def targets(_: web.Request) -> web.Response:
        return answer(watching.target_list(served))

    async def tasks(request: web.Request) -> web.Response:
        limit, offset = paged(request, USUAL, MOST)
        return answer(
            await watching.task_list(
                served,
                sort=chosen(request, "sort", SORTS) or SORTS[0],
                search=request.query.get("search", ""),
                target=chosen(request, "target", [target.name for target in served.targets]),
                limit=limit,
                offset=offset,
            )
        )

    async def task(request: web.Request) -> web.Response:
        return answer(watching.task_answer(served, request.match_info["task"], request.query.get("target")))

    async def why(request: web.Request) -> web.Response:
        return answer(watching.why_answers(served, request.match_info["task"], request.query.get("target")))

    name = Parameter("task", "The id of a task; a slash in it is %2F.")
    target = Parameter("target", "Only in that one.")
    return [
        ApiRoute("GET", "/api/v1/overview", overview, "What the first page shows.", Overview),
        ApiRoute("GET", "/api/v1/targets", targets, "Targets and their collectors.", TargetList),
        ApiRoute(
            "GET",
            "/api/v1/tasks",
            tasks,
            "Tasks, those with a trouble first.",
            TaskList,
            query=(
                Parameter("sort", "What comes first.", choices=SORTS, default=SORTS[0]),
                Parameter("search", "Only those whose name contains it."),
                target,
                *paging(USUAL, MOST),
            ),
        ),
        ApiRoute(
            "GET",
            "/api/v1/tasks/{task}",
            task,
            "Everything about one task, by target.",
            TaskAnswer,
            query=(target,),
            in_path=(name,),
            refuses=(404,),
        ),
        ApiRoute(
            "GET",
            "/api/v1/tasks/{task}/why",
            why,
            "Why a task does its work or does not, by target.",
            WhyList,
            query=(target,),
            in_path=(name,),
            refuses=(404,),
        ),
    ]
