"""``POST /api/v1/query``: answers the statements that a client of ours may send, from the lagging view.

Understood is ``SELECT … FROM runs [WHERE …] [GROUP BY …] [ORDER BY …] [LIMIT …]`` with the columns of `trql_rows.py`
and the few functions in `trql_parser.py`; anything else is refused in the real server's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from triggerdev_exporter.clock import DAY, Instant
from triggerdev_exporter.simulator import replies
from triggerdev_exporter.simulator.entities import FINAL, Run
from triggerdev_exporter.simulator.parameters import period_ms
from triggerdev_exporter.simulator.profiles import Profile
from triggerdev_exporter.simulator.replies import Reply
from triggerdev_exporter.simulator.routes import Ask
from triggerdev_exporter.simulator.trql_parser import UNIT_MS, Mistake, Statement, parse
from triggerdev_exporter.simulator.trql_rows import COLUMNS, Row, TrqlRow, written
from triggerdev_exporter.simulator.world import World

MAX_ROWS = 10_000
#: The one shape that must not look at every run.
_RECENT_OR_OPEN = re.compile(
    r"where\s*\(?\s*completed_at\s*>=?\s*now\(\)\s*-\s*interval\s+(\d+)\s+(\w+)\s+or\s+is_finished\s*=\s*0\s*\)?", re.I
)


def busy(profile: Profile) -> Reply:
    """All query slots of the project are taken."""
    message = "You've exceeded your query concurrency of 3 for this project. Please try again later."
    return replies.error(profile.query_busy_status, message)


def answer(ask: Ask) -> Reply:
    """The answer to a query request."""
    try:
        document: Any = msgspec.json.decode(ask.body)
    except msgspec.DecodeError:
        return replies.error(400, "Invalid JSON")
    if not isinstance(document, dict) or not isinstance(document.get("query"), str):
        issue = {
            "code": "invalid_type",
            "expected": "string",
            "received": "undefined",
            "path": ["query"],
            "message": "Required",
        }
        return replies.json({"error": "Body Error", "details": [issue]}, 400)
    text: str = document["query"]
    try:
        statement = parse(text, ask.now)
    except Mistake as mistake:
        return replies.error(400, str(mistake))
    results: list[dict[str, Any]] = []
    if not ask.faults.view_empty:
        results = run_statement(statement, _rows(ask, text, statement, document.get("period")))
    if document.get("format") == "csv":
        lines = [",".join(statement.names)] + [",".join(map(str, row.values())) for row in results]
        return replies.json({"format": "csv", "results": "\n".join(lines)})
    return replies.json({"format": "json", "results": results})


def _rows(ask: Ask, text: str, statement: Statement, period: object) -> Iterator[Row]:
    """The runs that the time filter lets through, as the view knows them."""
    world, seen_at = ask.world, ask.seen_at
    oldest = ask.now - 30 * DAY
    if not statement.mentions_time:
        length = period_ms(period) if isinstance(period, str) else None
        oldest = max(oldest, ask.now - (7 * DAY if length is None else length))
    for run in _candidates(world, text, seen_at):
        if run.visible_at <= seen_at and run.created_at >= oldest:
            yield TrqlRow(world, run, seen_at)


def _candidates(world: World, text: str, seen_at: Instant) -> Iterable[Run]:
    match = _RECENT_OR_OPEN.search(text)
    if match is None or match[2].upper().rstrip("S") not in UNIT_MS:
        return list(world.runs.values())
    since = min(seen_at, world.now - int(match[1]) * UNIT_MS[match[2].upper().rstrip("S")])
    keys = world.index.changed_since(since)
    for status, places in world.index.by_status.items():
        # INTERRUPTED is final, but `is_finished` does not know.
        if status not in FINAL or status == "INTERRUPTED":
            keys.update(key for _, key in places)
    return [world.runs[key] for key in sorted(keys)]


def run_statement(statement: Statement, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Filter, group, order, cut."""
    kept = [row for row in rows if statement.where is None or statement.where(row)]
    groups: list[list[Row]]
    if statement.aggregate:
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in kept:
            found.setdefault(tuple(column(row) for column in statement.group), []).append(row)
        # Without GROUP BY there is one group, be it empty.
        groups = list(found.values()) if statement.group else [kept]
    else:
        groups = [[row] for row in kept]
    for key, descending in reversed(statement.order):
        keyed = [(key(group), group) for group in groups]
        keyed.sort(key=lambda pair: (pair[0] is not None, pair[0]), reverse=descending)
        groups = [group for _, group in keyed]
    return [
        {item.name: written(item.value(group)) if item.is_date else item.value(group) for item in statement.items}
        for group in groups[: min(MAX_ROWS, statement.limit)]
    ]


def schema() -> dict[str, Any]:
    """What ``GET /api/v1/query/schema`` tells, as far as we know it: the table of runs."""
    columns = [
        {"name": name, "type": column.type, "example": column.example, **({"coreColumn": True} if column.core else {})}
        for name, column in COLUMNS.items()
    ]
    return {"tables": [{"name": "runs", "timeColumn": "triggered_at", "columns": columns}]}
