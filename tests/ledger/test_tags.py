"""Tags as labels: only those that the configuration names, only so many values of each, and sums that stay true."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.ledger.limits import OTHER, limits
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.ledger.tags import TAGGED, UNTAGGED, value_of


@pytest.mark.parametrize(
    ("tags", "value"),
    [
        (("team:billing",), "billing"),
        (("team=billing",), "billing"),
        (("team_billing",), "billing"),
        (("team:a:b_c",), "a:b_c"),
        (("org:x", "team:billing", "team:growth"), "billing"),
        (("team",), "true"),
        (("team:",), "true"),
        (("teams:billing", "myteam:x", "Team:x"), UNTAGGED),
        ((), UNTAGGED),
    ],
)
def test_what_a_run_says_of_a_tag(tags: tuple[str, ...], value: str) -> None:
    assert value_of("team", tags) == value


def see(book: Book, run_id: str, *tags: str, status: str = "COMPLETED", **more: object) -> None:
    run = a_run(run_id, status, finished_at=2_000, tags=tags, **more)
    book.write(lambda draft: sight(draft, [run], now=BIRTH + 9_000, count_tests=False))


def test_each_run_counts_once_for_each_tag_that_somebody_named() -> None:
    book = Book()
    book.ledger.limits = limits(tags={"team": 5, "urgent": 1})
    see(book, "run_1", "team:billing", "user:42")
    see(book, "run_2", "team:billing", "urgent", status="CRASHED")
    see(book, "run_3", status="EXPIRED")
    see(book, "run_4", "team:growth", status="EXECUTING")
    see(book, "run_5", "team:growth", is_test=True)
    see(book, "run_1", "team:billing")
    assert book.counts(TAGGED) == {
        ("team", "billing", "success"): 1,
        ("team", "billing", "failure"): 1,
        ("team", UNTAGGED, "expired"): 1,
        ("urgent", UNTAGGED, "success"): 1,
        ("urgent", "true", "failure"): 1,
        ("urgent", UNTAGGED, "expired"): 1,
    }


def test_nothing_is_counted_by_tags_that_nobody_named() -> None:
    book = Book()
    see(book, "run_1", "team:billing")
    assert book.counts(TAGGED) == {}


def test_values_beyond_the_most_are_others_and_those_that_were_there_go_on() -> None:
    book = Book()
    book.ledger.limits = limits(tags={"team": 2})
    for number, team in enumerate(["a", "b", "c", "a", "d"]):
        see(book, f"run_{number}", f"team:{team}")
    see(book, "run_9", "team:a", status="FAILED")
    assert book.counts(TAGGED) == {
        ("team", "a", "success"): 2,
        ("team", "b", "success"): 1,
        ("team", OTHER, "success"): 2,
        ("team", "a", "failure"): 1,
    }
    assert book.ledger.overflow[TAGGED] == 2


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["COMPLETED", "FAILED"])), max_size=80), st.integers(1, 5)
)
def test_the_sum_over_the_values_of_a_tag_is_all_runs(runs: list[tuple[int, str]], size: int) -> None:
    book = Book()
    book.ledger.limits = limits(tags={"team": 3})
    seen = [
        a_run(f"run_{number}", status, finished_at=2_000, tags=(f"team:{team}",) if team else ())
        for number, (team, status) in enumerate(runs)
    ]
    for start in range(0, len(seen), size):
        page = seen[start : start + size]
        book.write(lambda draft, page=page: sight(draft, page, now=BIRTH + 9_000, count_tests=False))
    by_outcome: Counter[str] = Counter()
    for (_, _, outcome), count in book.counts(TAGGED).items():
        by_outcome[outcome] += count
    statuses = Counter(status for _, status in runs)
    assert by_outcome == Counter(success=statuses["COMPLETED"], failure=statuses["FAILED"])
    assert len({value for _, value, _ in book.counts(TAGGED)} - {UNTAGGED, OTHER}) <= 3
