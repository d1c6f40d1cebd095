"""The routes of the seed dialect: bare arrays, its own field names, run ids as cursors, no limits told. Pure."""

from __future__ import annotations

from zoneinfo import available_timezones

from triggerdev_exporter.simulator import replies, seed_views
from triggerdev_exporter.simulator.index import Place
from triggerdev_exporter.simulator.parameters import Refused, seed_run_question
from triggerdev_exporter.simulator.replies import Reply
from triggerdev_exporter.simulator.routes import Ask, Guard, Route
from triggerdev_exporter.simulator.runlist import page_after, page_before


def _bad_request(issues: list[dict[str, object]]) -> Reply:
    details = [
        {"code": issue["code"], "message": issue["message"], "path": ".".join(map(str, issue["path"]))}  # type: ignore[call-overload]
        for issue in issues
    ]
    return replies.json({"error": "Bad request", "details": details}, 400)


def _place(ask: Ask, cursor: str) -> Place | None:
    found = ask.world.run(cursor)
    return None if found is None else (found.created_at, found.key)


def runs(ask: Ask) -> Reply:
    try:
        question = seed_run_question(ask.params)
    except Refused as refused:
        return _bad_request(refused.issues)
    if ask.faults.view_empty:
        return replies.json({"data": [], "pagination": {}})
    world, wanted, size, seen = ask.world, question.filter, question.size, ask.seen_at
    cursor = question.before or question.after
    place = _place(ask, cursor) if cursor else None
    if cursor and place is None:
        return replies.error(400, f"Unknown cursor: {cursor}")
    if question.before and place is not None:
        page = page_before(world, wanted, size, place, seen, ascending=False)
    else:
        page = page_after(world, wanted, size, place, seen, deeper=place is not None)
    pagination = {
        name: "run_" + there[1]
        for name, there in (("next", page.next), ("previous", page.previous))
        if there is not None
    }
    return replies.json({"data": [seed_views.run(world, run) for run in page.runs], "pagination": pagination})


def run(ask: Ask) -> Reply:
    found = ask.world.run(ask.argument)
    return replies.error(404, "Run not found") if found is None else replies.json(seed_views.run(ask.world, found))


def queues(ask: Ask) -> Reply:
    return replies.json([seed_views.queue(row) for _, row in sorted(ask.world.queues.items())])


def queue(ask: Ask) -> Reply:
    found = ask.world.queues.get(ask.argument)
    return replies.error(404, "Queue not found") if found is None else replies.json(seed_views.queue(found))


def batch(ask: Ask) -> Reply:
    found = ask.world.batches.get(ask.argument)
    return replies.error(404, "Batch not found") if found is None else replies.json(seed_views.batch(ask.world, found))


def schedules(ask: Ask) -> Reply:
    return replies.json([seed_views.schedule(ask.world, row) for row in ask.world.schedules.values()])


def schedule(ask: Ask) -> Reply:
    found = ask.world.schedules.get(ask.argument)
    if found is None:
        return replies.error(404, "Schedule not found")
    return replies.json(seed_views.schedule(ask.world, found))


def timezones(ask: Ask) -> Reply:
    return replies.json(sorted(available_timezones()))


def deployments(ask: Ask) -> Reply:
    rows = ask.world.newest_deployments()
    return replies.json([seed_views.deployment(row) for row in rows])


def latest_deployment(ask: Ask) -> Reply:
    rows = ask.world.newest_deployments()
    return replies.json(seed_views.deployment(rows[0])) if rows else replies.error(404, "Deployment not found")


def deployment(ask: Ask) -> Reply:
    found = ask.world.deployments.get(ask.argument)
    return replies.error(404, "Deployment not found") if found is None else replies.json(seed_views.deployment(found))


def token(ask: Ask) -> Reply:
    found = ask.world.tokens.get(ask.argument)
    return replies.error(404, "Waitpoint not found") if found is None else replies.json(seed_views.token(found))


_ROWS = (
    ("/api/v1/runs", "runs", runs),
    ("/api/v1/runs/{}", "run", run),
    ("/api/v1/queues", "queues", queues),
    ("/api/v1/queues/{}", "queues", queue),
    ("/api/v1/batches/{}", "batch", batch),
    ("/api/v1/schedules", "schedules", schedules),
    ("/api/v1/schedules/timezones", "timezones", timezones),
    ("/api/v1/schedules/{}", "schedules", schedule),
    ("/api/v1/deployments", "deployments", deployments),
    ("/api/v1/deployments/latest", "deployments", latest_deployment),
    ("/api/v1/deployments/{}", "deployment", deployment),
    ("/api/v1/waitpoints/{}", "token", token),
)
ROUTES: tuple[Route, ...] = tuple(
    Route(path, endpoint, answer, guard=Guard.NEW, limited="", view=endpoint == "runs")
    for path, endpoint, answer in _ROWS
)
