"""How pages show things: instants, moods, the small pictures. And which task comes first."""

from __future__ import annotations

from typing import Any

import pytest

from triggerdev_exporter.readings.ranking import Ranked, ordered
from triggerdev_exporter.readings.why import Leaf
from triggerdev_exporter.web import filters
from triggerdev_exporter.web.sparkline import sparkline
from triggerdev_exporter.web.task_views import BarView, TimingView

AT = "2026-11-24T12:00:00.000Z"


@pytest.mark.parametrize(
    ("then", "ago", "until"),
    [
        ("2026-11-24T11:59:59.500Z", "just now", "now"),
        ("2026-11-24T11:59:18.000Z", "42 s ago", "now"),
        ("2026-11-24T11:56:30.000Z", "3 min 30 s ago", "now"),
        ("2026-11-24T11:45:30.000Z", "14 min ago", "now"),
        ("2026-11-22T08:00:00.000Z", "2 d 4 h ago", "now"),
        ("2026-11-24T12:00:09.900Z", "just now", "in 9 s"),
        ("2026-11-24T15:20:00.000Z", "just now", "in 3 h 20 min"),
    ],
)
def test_ages(then: str, ago: str, until: str) -> None:
    assert (filters.ago(then, AT), filters.until(then, AT)) == (ago, until)


def test_every_answer_has_a_mood() -> None:
    unsure = {Leaf.STARTING, Leaf.NO_OUTCOME}
    assert {leaf for leaf in Leaf if filters.mood(leaf.value) == "unknown"} == unsure
    assert {leaf for leaf in Leaf if filters.mood(leaf.value) == "well"} == {Leaf.FINE, Leaf.NOT_DUE, Leaf.WORKING}


@pytest.mark.parametrize(
    ("url", "is_web"),
    [
        ("https://a.test/x", True),
        ("javascript:alert(1)", False),
        ("//a.test", False),
        ("http://[", False),
        (None, False),
    ],
)
def test_a_link_leads_to_the_web_or_nowhere(url: str | None, is_web: bool) -> None:
    assert filters.is_web(url) is is_web


def test_timing() -> None:
    assert filters.timing(TimingView(runs=9, half_ms=500, most_ms=None)) == (
        "half within 500 ms, 95 of 100 longer than can be told"
    )


def test_query_keeps_the_rest() -> None:
    assert filters.query({"sort": "busy", "search": "a&b", "target": ""}, page=2) == "sort=busy&search=a%26b&page=2"


def test_a_picture_tells_nothing_from_unknown_and_what_failed_by_its_place() -> None:
    drawn = str(sparkline([None, BarView(ended=0, failed=0), BarView(ended=4, failed=1)], 'a "task" <b>'))
    assert drawn == (
        '<svg class="spark" role="img" viewBox="0 0 15 33" width="15" height="33">'
        "<title>a &#34;task&#34; &lt;b&gt;</title>"
        '<line class="line" x1="0" y1="20.5" x2="15" y2="20.5"/>'
        '<rect class="unknown" x="0" y="19" width="4" height="2"/>'
        '<rect class="ended" x="10" y="0" width="4" height="20"/>'
        '<rect class="failed" x="10" y="21" width="4" height="12"/></svg>'
    )


def test_the_order_of_tasks() -> None:
    def one(task: str, **more: Any) -> Ranked:
        return Ranked("prod", task, **{"trouble": 0, "ended": 0, "failed": 0, "failures": 0, **more})

    tasks = [one("b", ended=9), one("a", ended=9), one("c", trouble=2, failed=50), one("d", trouble=3, failed=5)]
    assert [each.task for each in ordered(tasks, "trouble")] == ["d", "c", "a", "b"]
    assert [each.task for each in ordered(tasks, "busy")] == ["a", "b", "c", "d"]
    assert [each.task for each in ordered(tasks, "name")] == ["a", "b", "c", "d"]
