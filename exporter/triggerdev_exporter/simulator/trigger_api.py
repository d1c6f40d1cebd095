"""The routes of the real server: what each answers, given the world. Pure; gate and faults are in `server.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote
from zoneinfo import available_timezones

from triggerdev_exporter.clock import DAY
from triggerdev_exporter.simulator import replies, trigger_views, trql
from triggerdev_exporter.simulator.entities import Queue, Schedule, Token
from triggerdev_exporter.simulator.error_groups import error_groups
from triggerdev_exporter.simulator.parameters import (
    Issue,
    Refused,
    instant,
    last_values,
    number,
    period_ms,
    real_run_question,
)
from triggerdev_exporter.simulator.replies import Reply
from triggerdev_exporter.simulator.routes import Ask, Guard, Route
from triggerdev_exporter.simulator.runlist import page_after, page_before, page_by_id, read_cursor, write_cursor

T = TypeVar("T")
Json = dict[str, Any]

_DEPLOYMENT_STATUSES = ("PENDING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT")
_ERROR_STATUSES = ("unresolved", "resolved", "ignored")
_TOKEN_STATUSES = ("WAITING", "COMPLETED", "TIMED_OUT")


def _refusal(issues: list[Issue]) -> Reply:
    return replies.json({"error": "Query Error", "details": issues}, 400)


def runs(ask: Ask) -> Reply:
    profile = ask.profile
    try:
        question = real_run_question(ask.params, ask.now, region=profile.kind_and_region)
    except Refused as refused:
        return _refusal(refused.issues)
    if ask.faults.view_empty:
        return replies.json({"data": [], "pagination": {}})
    world, wanted, size, seen = ask.world, question.filter, question.size, ask.seen_at
    if not profile.composite_cursors:
        page = page_by_id(world, wanted, size, question.after, seen)
        cursors = {"next": page.next and page.next[1], "previous": page.previous and page.previous[1]}
    else:
        # If both cursors are sent, `before` wins; garbage restarts at the newest.
        above = read_cursor(question.before) if question.before else None
        if above is not None:
            page = page_before(world, wanted, size, above, seen, ascending=profile.ascending_backward)
        else:
            cursor = question.before or question.after
            below = read_cursor(question.after) if question.after and not question.before else None
            page = page_after(world, wanted, size, below, seen, deeper=cursor is not None)
        cursors = {
            "next": page.next and write_cursor(page.next),
            "previous": page.previous and write_cursor(page.previous),
        }
    return replies.json(
        {
            "data": [trigger_views.list_run(world, run, profile, dated=ask.dated) for run in page.runs],
            "pagination": {name: cursor for name, cursor in cursors.items() if cursor is not None},
        }
    )


def run(ask: Ask) -> Reply:
    found = ask.world.run(ask.argument)
    if found is None:
        return replies.not_found(retry=True)
    return replies.json(trigger_views.one_run(ask.world, found, ask.profile, dated=ask.dated))


def _offset_page(
    ask: Ask, rows: Sequence[T], tell: Callable[[T], Json], *, default: int, legacy: bool = False
) -> Reply:
    """The envelope of lists that count pages."""
    values = last_values(ask.params)
    try:
        page = number(values, "page", default=1, most=None)
        size = min(100, number(values, "perPage", default=default, most=None))
    except Refused as refused:
        if legacy:
            return replies.json({"error": "Invalid request parameters", "issues": refused.issues}, 400)
        return _refusal(refused.issues)
    pages = -(-len(rows) // size)
    return replies.json(
        {
            "data": [tell(row) for row in rows[(page - 1) * size : page * size]],
            "pagination": {"currentPage": page, "totalPages": max(pages, int(legacy)), "count": len(rows)},
        }
    )


def errors(ask: Ask) -> Reply:
    """Groups of errors, the most frequent first; a cursor is the id of the last one shown."""
    values = last_values(ask.params)
    status = values.get("filter[status]")
    if status is not None and status not in _ERROR_STATUSES:
        return _refusal([{"received": status, "code": "invalid_enum_value", "options": list(_ERROR_STATUSES),
                          "path": ["filter[status]"], "message": "Invalid enum value"}])  # fmt: skip
    try:
        size = number(values, "page[size]", default=25, most=100)
    except Refused as refused:
        return _refusal(refused.issues)
    oldest = ask.now - (period_ms(values.get("filter[period]", "1d")) or DAY)
    newest = ask.now
    if "filter[from]" in values or "filter[to]" in values:
        oldest = instant(values.get("filter[from]", "")) or 0
        newest = instant(values.get("filter[to]", "")) or newest
    # Nobody resolves or ignores an error here.
    found = [] if ask.faults.view_empty or status in ("resolved", "ignored") else error_groups(
        ask.world, oldest, min(newest, ask.seen_at),
        task=values.get("filter[taskIdentifier]"), version=values.get("filter[version]"),
    )  # fmt: skip
    search = values.get("filter[search]", "").lower()
    rows = [group for group in found if search in group.message.lower()]
    ids = [group.id for group in rows]
    after = values.get("page[after]")
    begin = ids.index(after) + 1 if after in ids else 0
    shown = rows[begin : begin + size]
    more = {"next": shown[-1].id} if begin + size < len(rows) else {}
    return replies.json({"data": [trigger_views.error_group(group) for group in shown], "pagination": more})


def queues(ask: Ask) -> Reply:
    rows = sorted(ask.world.queues.values(), key=lambda row: (row.short_name, row.name))
    return _offset_page(ask, rows, lambda row: trigger_views.queue(row, ask.profile), default=25)


def queue(ask: Ask) -> Reply:
    kind = last_values(ask.params).get("type", "id")
    if kind not in {"id", "task", "custom"}:
        return _refusal([{"code": "invalid_enum_value", "options": ["id", "task", "custom"], "received": kind,
                          "path": ["type"], "message": "Invalid enum value"}])  # fmt: skip
    # The SDK encodes slashes twice: the router has undone one, the route undoes the other.
    name = unquote(ask.argument)
    found: Queue | None
    if kind == "id":
        found = next((row for row in ask.world.queues.values() if row.id == name), None)
    else:
        found = ask.world.queues.get(f"task/{name}" if kind == "task" else name)
    if found is None:
        return replies.error(404, "queue-not-found")
    return replies.json(trigger_views.queue(found, ask.profile))


def _batch(ask: Ask, version: int) -> Reply:
    found = ask.world.batches.get(ask.argument)
    if found is None:
        return replies.not_found(retry=True)
    return replies.json(trigger_views.batch(found, version=version))


def batch_v1(ask: Ask) -> Reply:
    return _batch(ask, 1)


def batch_v2(ask: Ask) -> Reply:
    return _batch(ask, 2)


def schedules(ask: Ask) -> Reply:
    world = ask.world
    rows: list[Schedule] = [] if world.current_deployment is None else list(world.schedules.values())[::-1]
    rows.sort(key=lambda row: row.created_at, reverse=True)
    return _offset_page(ask, rows, lambda row: trigger_views.schedule(world, row, listed=True), default=20, legacy=True)


def schedule(ask: Ask) -> Reply:
    found = ask.world.schedules.get(ask.argument)
    if found is None:
        return replies.error(404, "Schedule not found")
    return replies.json(trigger_views.schedule(ask.world, found, listed=False))


def timezones(ask: Ask) -> Reply:
    without = last_values(ask.params).get("excludeUtc") == "true"
    return replies.json({"timezones": ["UTC"] * (not without) + sorted(available_timezones() - {"UTC"})})


def deployments(ask: Ask) -> Reply:
    values = last_values(ask.params)
    status = values.get("status")
    if status is not None and status not in _DEPLOYMENT_STATUSES:
        wanted = " | ".join(f"'{word}'" for word in _DEPLOYMENT_STATUSES)
        return _refusal([{"received": status, "code": "invalid_enum_value", "options": list(_DEPLOYMENT_STATUSES),
                          "path": ["status"],
                          "message": f"Invalid enum value. Expected {wanted}, received '{status}'"}])  # fmt: skip
    try:
        size = max(5, number(values, "page[size]", default=20, most=100))
    except Refused as refused:
        return _refusal(refused.issues)
    oldest: int | None = None
    if (period := values.get("period")) is not None:
        length = period_ms(period)
        if length is None:
            return replies.internal_error()
        oldest = ask.now - length
    elif (start := values.get("from")) is not None:
        oldest = instant(start)
    newest = instant(values["to"]) if "from" in values and "to" in values else None
    rows = [
        row
        for row in ask.world.newest_deployments()
        if (status is None or row.status == status)
        and (oldest is None or row.created_at >= oldest)
        and (newest is None or row.created_at <= newest)
    ]
    # A cursor that nobody knows is ignored: the first page comes again.
    ids = [row.id for row in rows]
    after = values.get("page[after]")
    begin = ids.index(after) + 1 if after in ids else 0
    shown = rows[begin : begin + size]
    return replies.json(
        {
            "data": [trigger_views.list_deployment(row, omit_nulls=ask.omit_nulls) for row in shown],
            "pagination": {"next": shown[-1].id} if begin + size < len(rows) else {},
        }
    )


def current_deployment(ask: Ask) -> Reply:
    found = ask.world.deployments.get(ask.world.current_deployment or "")
    if found is None:
        return replies.not_found(retry=False)
    return replies.json(trigger_views.list_deployment(found, omit_nulls=ask.omit_nulls))


def latest_deployment(ask: Ask) -> Reply:
    """It looks at unmanaged deployments only, and there are none."""
    return replies.error(404, "Deployment not found")


def deployment(ask: Ask) -> Reply:
    found = ask.world.deployments.get(ask.argument)
    if found is None:
        return replies.error(404, "Deployment not found")
    return replies.json(trigger_views.one_deployment(ask.world, found))


def tokens(ask: Ask) -> Reply:
    values = last_values(ask.params)
    try:
        size = number(values, "page[size]", default=25, most=100)
    except Refused as refused:
        return _refusal(refused.issues)
    statuses = values["filter[status]"].split(",") if "filter[status]" in values else None
    if statuses and (wrong := [word for word in statuses if word not in _TOKEN_STATUSES]):
        message = f"Invalid status values: {', '.join(wrong)}"
        return _refusal([{"code": "custom", "message": message, "path": ["filter[status]"]}])
    tags = set(values["filter[tags]"].split(",")) if "filter[tags]" in values else None
    oldest = instant(values.get("filter[createdAt][from]", "")) or 0
    if (length := period_ms(values.get("filter[createdAt][period]", ""))) is not None:
        oldest = max(oldest, ask.now - length)
    newest = instant(values.get("filter[createdAt][to]", ""))
    key = values.get("filter[idempotencyKey]")
    rows: list[Token] = [
        row
        for row in ask.world.tokens.values()
        if (statuses is None or row.status in statuses)
        and (tags is None or not tags.isdisjoint(row.tags))
        and row.created_at >= oldest
        and (newest is None or row.created_at <= newest)
        and (key is None or row.idempotency_key == key)
    ]
    rows.sort(key=lambda row: row.key, reverse=True)
    after, before = values.get("page[after]"), values.get("page[before]")
    if before is not None:
        newer = [row for row in rows if row.key > before]
        shown, more_newer, more_older = newer[-size:], len(newer) > size, True
    else:
        older = [row for row in rows if after is None or row.key < after]
        shown, more_newer, more_older = older[:size], after is not None, len(older) > size
    pagination: Json = {}
    if shown and more_older:
        pagination["next"] = shown[-1].key
    if shown and more_newer:
        pagination["previous"] = shown[0].key
    return replies.json(
        {"data": [trigger_views.list_token(row, ask.origin) for row in shown], "pagination": pagination}
    )


def token(ask: Ask) -> Reply:
    found = ask.world.tokens.get(ask.argument)
    # Not a 404: the real route fails.
    return replies.internal_error() if found is None else replies.json(trigger_views.one_token(found, ask.origin))


def query(ask: Ask) -> Reply:
    return trql.answer(ask)


def query_schema(ask: Ask) -> Reply:
    return replies.json(trql.schema()) if ask.profile.query_schema else replies.html(404)


ROUTES: tuple[Route, ...] = (
    Route("/api/v1/runs", "runs", runs, view=True),
    Route("/api/v3/runs/{}", "run", run),
    Route("/api/v1/queues", "queues", queues),
    Route("/api/v1/queues/{}", "queues", queue),
    Route("/api/v1/batches/{}", "batch", batch_v1),
    Route("/api/v2/batches/{}", "batch", batch_v2),
    Route("/api/v1/schedules", "schedules", schedules, guard=Guard.LEGACY),
    Route("/api/v1/schedules/{}", "schedules", schedule, guard=Guard.LEGACY),
    Route("/api/v1/timezones", "timezones", timezones, guard=Guard.OPEN, limited=""),
    Route("/api/v1/deployments", "deployments", deployments, limited="deployments"),
    Route("/api/v1/deployments/current", "current_deployment", current_deployment, limited=""),
    Route("/api/v1/deployments/latest", "deployments", latest_deployment, guard=Guard.OLDER, limited="deployments"),
    Route("/api/v1/deployments/{}", "deployment", deployment, guard=Guard.OLDER, limited="deployments"),
    Route("/api/v1/waitpoints/tokens", "tokens", tokens, guard=Guard.NO_SCOPES),
    Route("/api/v1/waitpoints/tokens/{}", "token", token, guard=Guard.NO_SCOPES),
    Route("/api/v1/errors", "errors", errors, view=True),
    Route("/api/v1/query", "query", query, method="POST", view=True),
    Route("/api/v1/query/schema", "query", query_schema),
)
