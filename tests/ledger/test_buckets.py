"""Buckets of one's own: what was counted before stays where it can be told exactly, and begins anew where not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import limits
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.ledger.tally import BOUNDS_MS, Histogram, regrouped
from triggerdev_exporter.records import Run

DURATION, PLACE = "run_duration_seconds", ("send-email", "success")
COARSE, FOREIGN = (SECOND, 5 * MINUTE, HOUR), (2 * SECOND, HOUR)

BOUNDS = st.sets(st.integers(1, 50), min_size=1, max_size=8).map(lambda bounds: tuple(sorted(bounds)))


@given(BOUNDS, st.data(), st.lists(st.integers(0, 60), max_size=40))
def test_coarser_buckets_hold_what_they_would_have_held(
    bounds: tuple[int, ...], data: st.DataObject, values: list[int]
) -> None:
    fewer = tuple(sorted(data.draw(st.sets(st.sampled_from(bounds), min_size=1))))
    fine, coarse = Histogram(bounds), Histogram(fewer)
    for value in values:
        fine.observe(value)
        coarse.observe(value)
    assert regrouped(fine, fewer) == coarse


def test_a_bound_inside_a_bucket_cannot_be_told() -> None:
    assert regrouped(Histogram((1, 5)), (1, 3)) is None


def end(number: int, lasted: int) -> Run:
    return a_run(f"run_{number}", started_at=0, finished_at=lasted)


def see(draft: Draft, run: Run) -> None:
    sight(draft, [run], now=BIRTH + 3 * HOUR, count_tests=False)


@pytest.mark.parametrize(("bounds", "kept"), [(COARSE, 3), (FOREIGN, 0), (BOUNDS_MS[DURATION], 3)])
async def test_other_buckets_after_a_restart(tmp_path: Path, bounds: tuple[int, ...], kept: int) -> None:
    lasted = [SECOND, 3 * SECOND, 2 * HOUR]

    async def opened(ledger: Ledger) -> Journal:
        ledger.keep_within(limits(buckets={DURATION: bounds}))
        return Journal("prod", ledger, store)

    store = open_store(tmp_path / "state.db")
    journal = Journal("prod", await store.begin("prod", BIRTH), store)
    for number, value in enumerate(lasted):
        await journal.write(lambda draft, number=number, value=value: see(draft, end(number, value)))
    loaded = await store.load("prod")
    assert loaded is not None
    journal = await opened(loaded)
    assert sum(one.count for one in journal.ledger.histogram(DURATION).values()) == kept
    # The next value takes the buckets of today to the disk.
    await journal.write(lambda draft: see(draft, end(9, 3 * SECOND)))
    mine = journal.ledger.histogram(DURATION)[PLACE]
    assert (mine.bounds, mine.count) == (bounds, kept + 1)
    assert mine.sum == 3 * SECOND + (sum(lasted) if kept else 0)
    loaded = await store.load("prod")
    await store.close()
    assert loaded is not None
    assert loaded.histogram(DURATION)[PLACE] == mine


def test_an_exemplar_stands_beside_the_bucket_of_its_own_layout() -> None:
    book = Book()
    book.ledger.keep_within(limits(buckets={DURATION: COARSE}))
    book.write(lambda draft: see(draft, end(1, 3 * SECOND)))
    found = book.ledger.exemplars.of((DURATION, PLACE))
    assert [None if one is None else one.run_id for one in found] == [None, "run_1", None, None]


def test_more_buckets_leave_room_for_fewer_tasks() -> None:
    many = tuple(range(1, 31))
    assert limits(buckets={DURATION: many}).tasks < limits().tasks < limits(buckets={DURATION: (1,)}).tasks
    assert limits(tags={"team": 100}).tasks < limits().tasks
