"""The files are what the code makes, fit Grafana's grid, lead where they say, and turn red where the rules fire."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import cast

import pytest
from aiohttp import web

from boards.limits import limit, patience
from dashboards.shipped import GRAFANA, NAMES, Json, expressions, panels, read, selectors
from triggerdev_exporter.metrics.catalogue import ALL, own_labels
from triggerdev_exporter.metrics.family import Kind
from triggerdev_exporter.web.pages import Pages
from triggerdev_exporter.web.watching import Watching
from write import documents

LABELS = {family.full_name: (family.kind, {*own_labels(family), "job", "instance"}) for family in ALL}
PROMETHEUS_OWN = frozenset("up scrape_duration_seconds process_resident_memory_bytes process_cpu_seconds_total".split())
PAGES = {one.path for one in Pages(cast(Watching, None)).routes() if isinstance(one, web.RouteDef)}
"""The exporter's own."""
NOWHERE = {
    "triggerdev_exporter_config_last_reload_timestamp_seconds",
    "triggerdev_runs_by_tag_finished_total",  # empty until somebody names a tag
}
"""Metrics that no dashboard shows: for alerts and for looking things up."""


def test_the_files_are_what_the_code_makes() -> None:
    wanted = documents()
    found = {
        f"{folder}/{path.name}": path.read_text("utf-8")
        for folder in ("dashboards", "import")
        for path in (GRAFANA / folder).glob("*.json")
    }
    assert sorted(found) == sorted(wanted)
    assert [name for name, text in wanted.items() if found[name] != text] == [], "run `make docs`"
    assert {f"dashboards/{name}.json" for name in NAMES} == {name for name in wanted if name.startswith("dashboards")}


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_tidy(name: str) -> None:
    made = read(name)
    shown = list(panels(made))
    assert re.fullmatch(r"triggerdev-[a-z]{1,29}", made["uid"])
    assert "id" not in made
    assert (made["schemaVersion"], made["version"], made["graphTooltip"]) == (39, 1, 1)
    assert len(shown) <= 20
    assert len({panel["title"] for panel in shown}) == len(shown)
    ids = [panel["id"] for panel in made["panels"]]
    assert len(set(ids)) == len(ids)
    assert "${DS_" not in (GRAFANA / "dashboards" / f"{name}.json").read_text("utf-8")
    for panel in shown:
        if panel["type"] == "table":
            headings = set(panel["transformations"][-1]["options"]["renameByName"].values())
            assert {one["displayName"] for one in panel["options"]["sortBy"]} <= headings
            assert {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]} <= headings


@pytest.mark.parametrize("name", NAMES)
def test_panels_fit_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in read(name)["panels"]]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_uids_and_titles_are_unique() -> None:
    boards = [read(name) for name in NAMES]
    for key in ("uid", "title", "description"):
        assert len({board[key] for board in boards}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_flavour_for_import_asks_for_the_data_source(name: str) -> None:
    provisioned, imported = read(name), read(name, "import")
    text = (GRAFANA / "import" / f"{name}.json").read_text("utf-8")
    assert [one["name"] for one in imported["__inputs"]] == ["DS_PROMETHEUS"]
    assert "${datasource" not in text
    assert text.count("${DS_PROMETHEUS}") == str(provisioned).count("'${datasource}'")
    assert imported["templating"]["list"] == [
        one if one["type"] != "query" else {**one, "datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}}
        for one in provisioned["templating"]["list"]
        if one["type"] != "datasource"
    ]
    looks = {panel["type"] for panel in panels(provisioned)}
    assert {one["id"] for one in imported["__requires"]} == {"grafana", "prometheus", *looks}


def _links(made: object) -> Iterator[str]:
    if isinstance(made, dict):
        for key, value in made.items():
            if key == "url" and isinstance(value, str) and value:
                yield value
            else:
                yield from _links(value)
    elif isinstance(made, list):
        for one in made:
            yield from _links(one)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_dashboards_and_keep_time_and_choices(name: str) -> None:
    variables = {read(one)["uid"]: {v["name"] for v in read(one)["templating"]["list"]} for one in NAMES}
    made = read(name)
    (to_all,) = made["links"]
    assert (to_all["tags"], to_all["includeVars"], to_all["keepTime"]) == (made["tags"], True, True)
    for url in _links(made):
        used = set(re.findall(r"\$\{(\w+)", url)) - {"__value", "__url_time_range"}
        assert used <= variables[made["uid"]], url
        if url.startswith("${app}/"):
            continue
        if url.startswith("${exporter}"):
            page = re.sub(r"\$\{__value[^}]*\}", "{name}", url.removeprefix("${exporter}"))
            assert page in PAGES, url
            continue
        uid, _, query = url.removeprefix("/d/").partition("?")
        set_there = re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", query)
        assert {one or other for one, other in set_there} <= variables[uid], url
        assert "${__url_time_range}" in query


def family_of(metric: str) -> str:
    if metric in LABELS:
        return metric
    bare = re.sub(r"_(bucket|count|sum)$", "", metric)
    return bare if bare in LABELS and LABELS[bare][0] is Kind.HISTOGRAM else metric


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_in_the_catalogue_and_has_the_labels_asked_for(name: str) -> None:
    for where, expr in expressions(read(name)):
        found = list(selectors(expr))
        assert {one.metric for one in found} >= set(re.findall(r"triggerdev_\w+", expr)), "a selector without matchers"
        for one in found:
            family = family_of(one.metric)
            if family in PROMETHEUS_OWN:
                continue
            assert family in LABELS, f"{where}: {one.metric}"
            assert set(one.matchers) <= LABELS[family][1], f"{where}: {one.metric}"


def test_metrics_that_no_dashboard_shows_are_known() -> None:
    shown = {family_of(one.metric) for name in NAMES for _, expr in expressions(read(name)) for one in selectors(expr)}
    assert LABELS.keys() - shown == NOWHERE, "show them in a dashboard, or add them to NOWHERE"


def test_the_page_about_dashboards_names_each_and_what_none_shows() -> None:
    page = (GRAFANA.parent / "docs" / "dashboards.md").read_text("utf-8")
    assert re.findall(r"\(\.\./grafana/dashboards/(\w+)\.json\)", page) == list(NAMES)
    assert set(re.findall(r"`(triggerdev_\w+)`", page)) == NOWHERE


@pytest.mark.parametrize("name", NAMES)
def test_there_are_pictures_of_it_light_and_dark(name: str) -> None:
    for theme in ("light", "dark"):
        picture = (GRAFANA.parent / "docs" / "images" / f"dashboard-{name}-{theme}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert 50_000 < len(picture) < 300_000, "a blank page, or more than a page of documentation should load"


FAILING = [limit("TaskFailureRateHigh"), limit("TaskFailureRateCritical")]
AGED = [limit("QueueAgeHigh"), limit("QueueAgeCritical")]
TURNS: dict[str, list[float]] = {
    # panel, or panel and column → where it turns orange or red; a count turns at the first one that is too many
    "Age of each collector's data, in intervals": [2, 3],
    "Age of this data": [120, patience("SourceUnreachable")],
    "Alerts firing": [1],
    "Crashed runs, 10 min": [limit("RunsCrashing") + 1],
    "Critical, firing": [1],
    "Depth of each queue": [limit("QueueBacklog")],
    "Did the newest deployment fail?": [1],
    "Drain ETA": AGED,
    "Failures in a row": [limit("ConsecutiveFailures") + 1],
    "Given up": [1],
    "Items that became no run": [limit("BatchItemsFailed", "failed_items_above") + 0.001],
    "Last success per task": [limit("TaskNoSuccess", "older_than")],
    "Longest undelivered": [limit("NotifierFailing", "older_than"), limit("OutboxStalled", "older_than")],
    "Longest wait in a queue": AGED,
    "Missed schedules": [1],
    "Missed slots": [1],
    "Notifications waiting": [1],
    "Oldest open batch": [limit("BatchStuck", "older_than")],
    "Oldest open deployment": [limit("DeployStuck", "older_than")],
    "Oldest open token": [limit("WaitpointStale", "older_than")],
    "Oldest run in the queue": AGED,
    "Others, firing": [1],
    "Paused queues that hold runs": [1],
    "Queues that stand still": [1],
    "Quota left": [limit("QuotaLow", "below")],
    "Quota left, over time": [limit("QuotaLow", "below")],
    "Runs that expire": [limit("RunsExpired")],
    "Runs that fail": FAILING,
    "Runs that wait for a version": [limit("RunsPendingVersion") + 1],
    "Runs waiting, the ten deepest queues": [limit("QueueBacklog")],
    "Share of runs that fail": FAILING,
    "Share of runs that fail, by version": FAILING,
    "Since when the oldest open run is in its status": [limit("RunsStuckDequeued", "older_than")],
    "Spent in the last 24 hours": [limit("SpendHigh")],
    "Tasks, the worst first: Failed": FAILING,
    "Use of concurrency": [limit("QueueSaturated")],
    "Use of concurrency, the ten fullest queues": [limit("QueueSaturated")],
    "Versions compared: Failed": FAILING,
    "View lag": [limit("ViewLagHigh")],
    "Who broke it: failures by version": FAILING,
}


def _turning(made: Json) -> Iterator[tuple[str, list[float]]]:
    for panel in panels(made):
        yield panel["title"], _after_the_first(panel["fieldConfig"]["defaults"]["thresholds"])
        for one in panel["fieldConfig"]["overrides"]:
            for each in one["properties"]:
                if each["id"] == "thresholds":
                    yield f"{panel['title']}: {one['matcher']['options']}", _after_the_first(each["value"])


def _after_the_first(thresholds: Json) -> list[float]:
    return [step["value"] for step in thresholds["steps"][1:]]


def test_a_panel_turns_red_where_the_shipped_rule_fires() -> None:
    found = [turning for name in NAMES for turning in _turning(read(name))]
    assert [(title, steps) for title, steps in found if steps != TURNS.get(title, [])] == []
    assert TURNS.keys() <= {title for title, _ in found}
    assert (FAILING, AGED) == ([0.2, 0.5], [600, 1800]), "seconds and shares"


# What a query answers in, by what stands in it; the first that is found decides.
MEANT = (
    (r"_usd_", "currencyUSD"),
    (r"_bytes\b", "bytes"),
    (r"> bool|_(paused|collector_up|supported)\)$", "bool_yes_no"),
    (r"time\(\).* / .*_interval_seconds\b|_attempts_total.* / ", "short"),
    (r"rate\(triggerdev_run_compute_seconds_total", "short"),  # seconds a second: machines
    (r"histogram_quantile|time\(\)|sum_over_time|clamp_max|_seconds(_total)?\b", "s"),
    (r" / ", "percentunit"),
    (r"rate\(.* \* 60$", "cpm"),
    (r"", "short"),
)


def _answered(panel: Json) -> Iterator[tuple[str, str]]:
    """(unit, expression) of all that a panel shows as a number."""
    columns = panel["transformations"][-1]["options"]["renameByName"] if panel["type"] == "table" else {}
    units = {
        one["matcher"]["options"]: each["value"]
        for one in panel["fieldConfig"]["overrides"]
        for each in one["properties"]
        if each["id"] == "unit"
    }
    for target in panel["targets"]:
        heading = columns.get("Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}", "")
        if heading or not columns:
            yield units.get(heading, panel["fieldConfig"]["defaults"]["unit"]), target["expr"]


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_is_that_of_the_query(name: str) -> None:
    for panel in panels(read(name)):
        if panel["fieldConfig"]["defaults"]["mappings"]:
            continue  # words instead of numbers
        for unit, expr in _answered(panel):
            bare = re.sub(r"\{[^}]*\}", "", expr)
            wanted = next(meant for pattern, meant in MEANT if re.search(pattern, bare))
            assert unit == wanted, f"{panel['title']}: {bare}"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("task", "Who broke it: failures by status"),
        ("task", "Who broke it: failures by version"),
        ("task", "Last success per task"),
        ("queues", "Why is it waiting"),
        ("queues", "Drain ETA"),
    ],
)
def test_a_panel_that_people_ask_for_by_name_is_there(name: str, title: str) -> None:
    assert title in {panel["title"] for panel in panels(read(name))}
