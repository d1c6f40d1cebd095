"""Budgets of series: what goes over them is counted under __other__, sums stay exact, memory stays bounded."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.ledger.limits import OTHER, Limits, limits
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.metrics.family import Rest, fold


def tight(tasks: int = 2, series: int = 3, allow: str = ".*") -> Limits:
    return Limits(
        tasks=tasks,
        queues=1,
        schedules=1,
        series=dict.fromkeys(limits().series, series),
        allow=(re.compile(allow),),
    )


@pytest.mark.parametrize("max_series", [1_000, 50_000, 1_000_000])
def test_all_budgets_together_stay_below_the_limit(max_series: int) -> None:
    made = limits(max_series)
    lines = {"run_wait_seconds": 13, "run_duration_seconds": 14}
    by_task = sum(most * lines.get(family, 1) for family, most in made.series.items()) + 4 * made.tasks
    assert by_task + made.queues * 6 + made.schedules * 5 <= max_series


def test_the_default_holds_some_hundred_tasks() -> None:
    assert limits().tasks == 514


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["COMPLETED", "FAILED", "EXECUTING"])), max_size=60))
def test_the_sum_over_a_family_is_what_it_would_be_without_limits(runs: list[tuple[int, str]]) -> None:
    books = (Book(), Book())
    books[0].ledger.limits = tight()
    seen = [
        a_run(f"run_{number}", status, task=f"task-{task}", started_at=1_500, finished_at=2_000 + number)
        for number, (task, status) in enumerate(runs)
    ]
    for run in seen:
        for book in books:
            book.write(lambda draft, run=run: sight(draft, [run], now=BIRTH + 9_000, count_tests=False))
    bounded, free = books
    for family in ("runs_triggered_total", "runs_started_total", "runs_finished_total", "run_attempts_total"):
        assert sum(bounded.counts(family).values()) == sum(free.counts(family).values())
        assert len([labels for labels in bounded.counts(family) if labels[0] != OTHER]) <= 3
    for family in ("run_wait_seconds", "run_duration_seconds"):
        mine, all_of_it = list(bounded.ledger.histogram(family).items()), list(free.ledger.histogram(family).items())
        assert sum(one.sum for _, one in mine) == sum(one.sum for _, one in all_of_it)
        assert sum(one.count for _, one in mine) == sum(one.count for _, one in all_of_it)
        assert len([labels for labels, _ in mine if labels[0] != OTHER]) <= 3
    assert len(bounded.ledger.tasks) <= 2
    own = {labels[0] for _, labels in bounded.ledger.counters if len(labels) and labels[0].startswith("task")}
    assert own <= set(bounded.ledger.tasks), "or the page, made task by task, would not show them"
    assert bool(bounded.ledger.overflow) == any(OTHER in labels for _, labels in bounded.ledger.counters)


def test_a_series_that_exists_keeps_growing_when_the_budget_is_used_up() -> None:
    book = Book()
    book.ledger.limits = tight(tasks=1, series=1)
    for number, task in enumerate(["first", "second", "first", "third", "first"]):
        run = a_run(f"run_{number}", task=task, finished_at=2_000)
        book.write(lambda draft, run=run: sight(draft, [run], now=BIRTH + 9_000, count_tests=False))
    assert book.counts("runs_triggered_total") == {("first",): 3, (OTHER,): 2}
    assert book.ledger.overflow["runs_triggered_total"] == 2


def test_a_task_that_is_not_allowed_has_no_series_of_its_own() -> None:
    book = Book()
    book.ledger.limits = tight(tasks=9, series=9, allow="send-.*")
    for number, task in enumerate(["send-email", "resend", "send-\nodd"]):
        run = a_run(f"run_{number}", task=task, finished_at=2_000)
        book.write(lambda draft, run=run: sight(draft, [run], now=BIRTH + 9_000, count_tests=False))
    assert book.counts("runs_triggered_total") == {("send-email",): 1, (OTHER,): 2}


def test_a_pattern_from_the_configuration_may_meet_a_line_break() -> None:
    assert limits(allow=["send.*"]).allows("send-\nodd")
    assert not limits(allow=["send"]).allows("send-email"), "the whole id, not its beginning"


@pytest.mark.parametrize(
    ("rest", "left"),
    [
        (Rest.SUMMED, [(("a", "x"), 1), (("b", "x"), 2), ((OTHER, "x"), 7), ((OTHER, "y"), 5)]),
        (Rest.OLDEST, [(("a", "x"), 1), (("b", "x"), 2), ((OTHER, "x"), 3), ((OTHER, "y"), 5)]),
        (Rest.DROPPED, [(("a", "x"), 1), (("b", "x"), 2)]),
    ],
)
def test_gauges_are_folded_on_the_page(rest: Rest, left: list[object]) -> None:
    rows = [(("a", "x"), 1), (("b", "x"), 2), (("c", "x"), 3), (("d", "x"), 4), (("c", "y"), 5)]
    assert list(fold(rows, 2, rest)) == left
