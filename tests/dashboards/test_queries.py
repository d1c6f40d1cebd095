"""A real Prometheus answers every query of every dashboard, on a good day and on a bad one, with true numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.days import BEGIN, END, Day, Told, bad_day, good_day, told
from dashboards.memory import ALL, ONE, OURS, Choice, Memory, Sample, expand, legend, remember, span_s
from dashboards.shipped import NAMES, Json, panels, read
from end_to_end.processes import stage_in
from triggerdev_exporter.clock import DAY, Instant

MOST_SERIES = 60
"""The shop has nine tasks in seven statuses; what draws more than this draws more than a person can tell apart."""

SPARSE = {"Test runs an hour"}
"""Panels that may be empty for a single task or queue."""
NOT_ALWAYS = {"target", "task", "queue", "owner"}
"""Labels of an alert that are empty where they do not apply; an empty label is none in Prometheus."""


# A day is played, remembered and asked in one test: it is the playing that takes time, and workers share nothing.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("day", [good_day(), bad_day()], ids=lambda day: day.name)
async def test_every_query_has_its_answer(
    day: Day, require: Callable[[str], str], free_port: int, tmp_path: Path
) -> None:
    known = await told(day, tmp_path)
    with stage_in(tmp_path) as stage:
        memory = remember(stage, require, free_port, known.text)
        assert memory.values("target", "triggerdev_up") == (["prod"] if day.is_alone else ["prod", "staging"])
        complaints = [
            f"{name}, {choice.name}: {complaint}"
            for name in NAMES
            for choice in (ALL, ONE)
            for complaint in _complaints(memory, read(name), choice, is_good=day.name == "good")
        ]
        complaints += _untrue(memory, known)
        if day.blind_at is not None:
            complaints += _sure_of_itself(memory, day.blind_at)
        assert list(_missed(memory)) == []
    assert complaints == []


def _complaints(memory: Memory, dashboard: Json, choice: Choice, *, is_good: bool) -> Iterator[str]:
    shown_s = span_s(dashboard)
    for panel in panels(dashboard):
        answers = [_answer(memory, target, choice, shown_s) for target in panel["targets"]]
        may_be_empty = _may_be_empty(panel, choice, is_good=is_good)
        for target, found in zip(panel["targets"], answers, strict=True):
            # On a bad day each query has something to show; on a good one it is enough if the panel has.
            something = any(answers) if is_good or choice is ONE else bool(found)
            for complaint in [*_odd(found, panel, target), *([] if something or may_be_empty else ["is empty"])]:
                yield f"“{panel['title']}” {target['refId']} {complaint}\n    {target['expr']}"
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]  # linted
            values = memory.values(label, expand(selector, choice, shown_s))
            wanted = set() if choice is ALL else {choice.values.get(label, values[0] if values else "")}
            if not values or not wanted <= set(values):
                yield f"${variable['name']} offers {values}"
    for mark in dashboard["annotations"]["list"]:
        found = memory.range(expand(mark["expr"], choice, shown_s), shown_s)
        words = re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"])
        for complaint in _without(found, words, mark["expr"]):
            yield f"annotation {mark['name']} {complaint}"
        if mark["useValueForTime"] and any(not BEGIN - DAY < at <= END for _, values in found for at in values):
            yield f"annotation {mark['name']} marks another day"
        if not found and (mark["enable"] or not is_good):
            yield f"annotation {mark['name']} marks nothing"


def _answer(memory: Memory, target: Json, choice: Choice, shown_s: int) -> list[Sample]:
    query = expand(target["expr"], choice, shown_s)
    return memory.now(query) if target["instant"] else memory.range(query, shown_s)


def _may_be_empty(panel: Json, choice: Choice, *, is_good: bool) -> bool:
    return (is_good and "noValue" in panel["fieldConfig"]["defaults"]) or (choice is ONE and panel["title"] in SPARSE)


def _odd(found: list[Sample], panel: Json, target: Json) -> Iterator[str]:
    if len(found) > MOST_SERIES:
        yield f"draws {len(found)} series"
    if any(not math.isfinite(value) for _, values in found for value in values):
        yield "has a value that is no number"
    if panel["type"] == "table":
        columns = panel["transformations"][-1]["options"]["renameByName"]
        labels = [name for name in columns if not name.startswith("Value")]
        # Where several queries are merged, one of them brings the label.
        if len(panel["targets"]) == 1:
            yield from _without(found, labels, target["expr"])
        return
    yield from _without(found, re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]), target["expr"])
    told = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    if silent := sorted({label for labels, _ in found for label in labels} - told):
        yield f"tells series apart by {', '.join(silent)}, and the legend does not"
    legends = sorted(legend(labels, target["legendFormat"]) for labels, _ in found)
    if len(set(legends)) != len(legends):
        yield f"has two series with the same legend: {legends}"
    if panel["type"] == "stat" and panel["options"]["textMode"] == "value" and len(found) > 1:
        yield f"shows {len(found)} numbers where one is meant"


def _without(found: list[Sample], labels: list[str], expr: str) -> Iterator[str]:
    for label in labels:
        may_lack = "triggerdev_alert_firing" in expr and label in NOT_ALWAYS
        if not may_lack and any(label not in has for has, _ in found):
            yield f"has no label {label}"


# ── who watches the watchman ──────────────────────────────────────────────────────────────────────────────────────────

_SPOILT = {
    'triggerdev_up{job=~"$job", target="none"}': "is empty",
    'triggerdev_up{job=~"$job"} * 0 / 0': "has a value that is no number",
    'sum by (queue) (triggerdev_queue_depth{job=~"$job"})': "numbers where one is meant",
    'max(triggerdev_queue_depth{job=~"$job"})': "has no label queue",
    '{__name__=~"triggerdev_run.*", job=~"$job"}': " draws ",
}


def _missed(memory: Memory) -> Iterator[str]:
    """Mistakes in a panel that nobody complains of."""
    dashboard = read("overview")
    panel = next(panels(dashboard))
    for expr, complaint in _SPOILT.items():
        target = {**panel["targets"][0], "expr": expr, "legendFormat": "{{queue}}" if "label" in complaint else "one"}
        spoilt = {**dashboard, "panels": [{**panel, "targets": [target]}]}
        if not any(complaint in told for told in _complaints(memory, spoilt, ALL, is_good=True)):
            yield expr


# ── blind is not healthy ──────────────────────────────────────────────────────────────────────────────────────────────


def _sure_of_itself(memory: Memory, at: Instant) -> Iterator[str]:
    """Numbers of the moment that are 0 while Trigger.dev cannot be read. What is slow to change may still be known."""
    for name in NAMES:
        dashboard = read(name)
        for panel in panels(dashboard):
            expr = panel["targets"][0]["expr"]
            # What grew is counted, what has words says "down", and the exporter knows its own affairs.
            is_of_the_moment = panel["type"] == "stat" and not re.search("increase|rate|exporter_build_info", expr)
            if is_of_the_moment and not panel["fieldConfig"]["defaults"]["mappings"]:
                found = memory.now(expand(expr, ALL, span_s(dashboard)), at)
                if any(values == [0] for _, values in found):
                    yield f"{name} “{panel['title']}” says 0, and nobody can see"


# ── the simulator's truth ─────────────────────────────────────────────────────────────────────────────────────────────


def _untrue(memory: Memory, known: Told) -> Iterator[str]:
    """Chosen panels against what the simulator knows."""
    failed = known.total("runs_finished_total", status={"FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT"})
    fine = known.total("runs_finished_total", status={"COMPLETED"})
    ended = known.total("runs_finished_total")
    oldest = known.each("runs_oldest_open_timestamp_seconds")
    queued = [END / 1000 - since for labels, since in oldest.items() if ("status", "QUEUED") in labels]
    depth, paused = known.each("queue_depth"), known.each("queue_paused")
    wanted: list[tuple[str, str, float, float]] = [
        # dashboard, panel, truth, relative tolerance: `increase` extrapolates to the edges of what it is asked for
        ("overview", "Runs waiting", known.total("queue_depth"), 0),
        ("overview", "Runs executing", known.total("queue_running"), 0),
        ("overview", "Longest wait in a queue", max([0, *queued]), 0),
        ("overview", "Runs that fail", failed / (failed + fine), 0.02),
        ("overview", "Spent", known.total("run_cost_usd_total"), 0.03),
        ("overview", "Missed schedules", known.total("schedule_missed_total"), 0.03),
        ("overview", "Alerts firing", known.firing, 0),
        ("task", "Runs that ended", ended, 0.03),
        ("task", "Failures in a row", max(known.each("run_consecutive_failures").values()), 0),
        ("task", "Open runs", known.total("runs_open"), 0),
        ("queues", "Runs waiting", known.total("queue_depth"), 0),
        ("queues", "Paused queues that hold runs", sum(paused[q] == 1 and depth[q] > 0 for q in depth), 0),
        ("deployments", "Runs that wait for a version", known.total("runs_open", status={"PENDING_VERSION"}), 0),
        ("cost", "Compute time", known.total("run_compute_seconds_total"), 0.03),
        ("batches", "Schedules that are on", known.total("schedules", active={"true"}), 0),
        ("exporter", "Trigger.dev reached", 1, 0),
    ]
    for name, title, truth, tolerance in wanted:
        dashboard = read(name)
        (panel,) = (panel for panel in panels(dashboard) if panel["title"] == title)
        ((_, (value,)),) = memory.now(expand(panel["targets"][0]["expr"], OURS, span_s(dashboard)))
        if not math.isclose(value, truth, rel_tol=tolerance, abs_tol=1e-6):
            yield f"{name} “{title}” says {value}, and {truth} is true"


def test_macros_are_filled_in() -> None:
    expr = 'rate(a_total{task=~"$task"}[$__rate_interval]) + increase(b_total[$__range]) / $__range_s'
    assert expand(expr, ONE, 60) == 'rate(a_total{task=~"charge-card"}[240s]) + increase(b_total[60s]) / 60'
    assert BEGIN < END
