"""Query parameters as the two servers read them, and the words in which they refuse them.

The real one keeps the last value of a repeated name, ignores names it does not know and treats an empty value as
absent; the seed one takes repeated names as lists. A refusal is `Refused`, with the zod issues of the real server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.simulator.runlist import RunFilter
from triggerdev_exporter.simulator.spellings import REAL_FILTERS, SEED_FILTERS

Params = Sequence[tuple[str, str]]
Issue = dict[str, Any]

MACHINES = ("micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x")
_UNITS = {
    "ms": 1,
    "s": SECOND,
    "sec": SECOND,
    "second": SECOND,
    "seconds": SECOND,
    "m": MINUTE,
    "min": MINUTE,
    "minute": MINUTE,
    "minutes": MINUTE,
    "h": HOUR,
    "hour": HOUR,
    "hours": HOUR,
    "d": DAY,
    "day": DAY,
    "days": DAY,
    "w": 7 * DAY,
    "week": 7 * DAY,
    "weeks": 7 * DAY,
}


class Refused(Exception):
    """A request that the server answers 400."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__(str(issues))
        self.issues = issues


@dataclass(frozen=True, slots=True)
class RunQuestion:
    """A request for a page of runs, understood."""

    filter: RunFilter
    size: int
    after: str | None
    before: str | None


def last_values(params: Params) -> dict[str, str]:
    """The real server's reading: the last value wins, an empty one is none."""
    return {name: value for name, value in dict(params).items() if value != ""}


def period_ms(text: str) -> Instant | None:
    """``1h``, ``90m``, ``1 day``; ``None`` for what cannot be read."""
    parts = re.findall(r"([\d.]+)\s*([a-zA-Z]+)", text)
    if not parts or any(unit.lower() not in _UNITS for _, unit in parts):
        return None
    return round(sum(float(number) * _UNITS[unit.lower()] for number, unit in parts))


def instant(text: str) -> Instant | None:
    """Epoch milliseconds or an ISO date; ``None`` for garbage."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def number(values: dict[str, str], name: str, *, default: int, most: int | None, least: int = 1) -> int:
    """A whole number between `least` and `most`, or `Refused` in zod's words."""
    text = values.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise Refused([_nan(name)]) from None
    issues: list[Issue] = []
    if value != int(value):
        issues.append({"code": "invalid_type", "expected": "integer", "received": "float", "path": [name],
                       "message": "Expected integer, received float"})  # fmt: skip
    if value <= 0:
        issues.append(_bound("too_small", "minimum", 0, False, name))
    if most is not None and value < least:
        issues.append(_bound("too_small", "minimum", least, True, name))
    if most is not None and value > most:
        issues.append(_bound("too_big", "maximum", most, True, name))
    if issues:
        raise Refused(issues)
    return int(value)


def _nan(name: str) -> Issue:
    return {
        "code": "invalid_type",
        "expected": "number",
        "received": "nan",
        "path": [name],
        "message": "Expected number, received nan",
    }


def _bound(code: str, word: str, value: int, inclusive: bool, name: str) -> Issue:
    relation = "greater than" if word == "minimum" else "less than"
    return {
        "code": code,
        word: value,
        "type": "number",
        "inclusive": inclusive,
        "exact": False,
        "message": f"Number must be {relation} {'or equal to ' if inclusive else ''}{value}",
        "path": [name],
    }


def _list(values: dict[str, str], name: str) -> frozenset[str] | None:
    return frozenset(values[name].split(",")) if name in values else None


def _custom(name: str, message: str) -> Issue:
    return {"code": "custom", "message": message, "path": [name]}


def real_run_question(params: Params, now: Instant, *, region: bool) -> RunQuestion:
    """``GET /api/v1/runs`` of the real server: everything of section 2.1 of the API reference."""
    values = last_values(params)
    issues: list[Issue] = []
    size = 25
    try:
        size = number(values, "page[size]", default=25, most=100)
    except Refused as refused:
        issues += refused.issues
    statuses: frozenset[str] | None = None
    if (text := values.get("filter[status]")) is not None:
        wrong = [word for word in text.split(",") if word not in REAL_FILTERS]
        if wrong:
            issues.append(_custom("filter[status]", f"Invalid status values: {', '.join(wrong)}"))
        else:
            statuses = frozenset().union(*(REAL_FILTERS[word] for word in text.split(",")))
    machines = _list(values, "filter[machine]")
    if machines and (unknown := sorted(machines - set(MACHINES))):
        issues.append(_custom("filter[machine]", f"Invalid machine values: {', '.join(unknown)}"))
    is_test = values.get("filter[isTest]")
    if is_test is not None and is_test not in {"true", "false"}:
        issues.append(_custom("filter[isTest]", "Invalid boolean value"))
    bounds: dict[str, Instant] = {}
    for end in ("from", "to"):
        name = f"filter[createdAt][{end}]"
        if name in values:
            when = instant(values[name])
            if when is None:
                issues.append({"code": "invalid_date", "path": [name], "message": "Invalid date"})
            else:
                bounds[end] = when
    if issues:
        raise Refused(issues)
    oldest, newest = bounds.get("from"), bounds.get("to")
    if newest is not None:
        newest = min(newest, now)
    if (period := values.get("filter[createdAt][period]")) is not None:
        # The period wins; one that cannot be read leaves no bound at all.
        length = period_ms(period)
        oldest, newest = (None if length is None else now - length), None
    elif not bounds:
        oldest = now - 7 * DAY
    return RunQuestion(
        RunFilter(
            statuses=statuses,
            tasks=_list(values, "filter[taskIdentifier]"),
            versions=_list(values, "filter[version]"),
            tags=_list(values, "filter[tag]"),
            is_test=None if is_test is None else is_test == "true",
            oldest=oldest,
            newest=newest,
            batch=values.get("filter[batch]"),
            schedule=values.get("filter[schedule]"),
            bulk=values.get("filter[bulkAction]"),
            error=values.get("filter[error]") if region else None,
            queues=_list(values, "filter[queue]"),
            machines=machines,
            regions=_list(values, "filter[region]") if region else None,
        ),
        size,
        values.get("page[after]"),
        values.get("page[before]"),
    )


def seed_run_question(params: Params) -> RunQuestion:
    """``GET /api/v1/runs`` of the seed: repeated names, dotted dates, sizes from 10 to 100, no default window."""
    lists: dict[str, list[str]] = {}
    for name, value in params:
        if value != "":
            lists.setdefault(name, []).append(value)
    values = {name: found[-1] for name, found in lists.items()}
    size = number(values, "page[size]", default=25, most=100, least=10)
    statuses: frozenset[str] | None = None
    if words := lists.get("filter[status]"):
        wrong = [word for word in words if word not in SEED_FILTERS]
        if wrong:
            raise Refused([_custom("filter[status]", f"Invalid status values: {', '.join(wrong)}")])
        statuses = frozenset().union(*(SEED_FILTERS[word] for word in words))
    bounds: dict[str, Instant] = {}
    for end in ("from", "to"):
        name = f"filter[createdAt.{end}]"
        if name in values:
            when = None if values[name].lstrip("-").isdigit() else instant(values[name])
            if when is None:
                raise Refused([{"code": "invalid_date", "path": [name], "message": "Invalid date"}])
            bounds[end] = when
    is_test = values.get("filter[isTest]")
    if is_test not in {None, "true", "false"}:
        raise Refused([_custom("filter[isTest]", "Invalid boolean value")])
    tasks, tags = lists.get("filter[taskIdentifier]"), lists.get("filter[tag]")
    return RunQuestion(
        RunFilter(
            statuses=statuses,
            tasks=frozenset(tasks) if tasks else None,
            tags=frozenset(tags) if tags else None,
            is_test=None if is_test is None else is_test == "true",
            oldest=bounds.get("from"),
            newest=bounds.get("to"),
        ),
        size,
        values.get("page[after]"),
        values.get("page[before]"),
    )
