"""Which slots of a schedule were met: tables for cron, and sequences of looks at schedules while runs come in."""

from __future__ import annotations

from datetime import datetime

import pytest

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.clock import HOUR, MINUTE
from triggerdev_exporter.ledger import slots
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.records import Schedule


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "until", "due"),
    [
        ("*/15 * * * *", "UTC", "2026-11-23T18:00Z", "2026-11-23T18:30Z", ["18:15", "18:30"]),
        # the bounds: open below, closed above
        ("0 * * * *", "UTC", "2026-11-23T18:00Z", "2026-11-23T19:00Z", ["19:00"]),
        ("0 3 * * *", "America/New_York", "2026-11-23T00:00Z", "2026-11-24T00:00Z", ["08:00"]),
        # London puts its clocks back at 02:00 BST on 25 October: 03:00 is 03:00Z from then on
        ("0 3 * * *", "Europe/London", "2026-10-24T00:00Z", "2026-10-25T12:00Z", ["02:00", "03:00"]),
        # an expression or a zone that is not understood has no slots, and no verdicts
        ("every day", "UTC", "2026-11-23T18:00Z", "2026-11-24T18:00Z", []),
        ("0 * * * *", "Mars/Olympus", "2026-11-23T18:00Z", "2026-11-24T18:00Z", []),
    ],
)
def test_cron_slots(cron: str, zone: str, after: str, until: str, due: list[str]) -> None:
    found = list(slots.cron_slots(cron, zone, at(after), at(until)))
    assert [f"{(one // HOUR) % 24:02}:{(one // MINUTE) % 60:02}" for one in found] == due


def a_schedule(schedule_id: str = "sched_1", **fields: object) -> Schedule:
    base: dict[str, object] = {
        "id": schedule_id,
        "task": "send-email",
        "type": "DECLARATIVE",
        "cron": "* * * * *",
        "timezone": "UTC",
        "active": True,
        "next_run": None,
    }
    return Schedule(**{**base, **fields})  # type: ignore[arg-type]  # keywords by name


def look(book: Book, minute: float, *schedules: Schedule, read_to: float | None = None) -> int:
    """Look at the schedules at `minute` after birth, runs read up to `read_to`; the misses counted so far."""
    until = BIRTH + int((minute if read_to is None else read_to) * MINUTE)
    book.write(lambda d: slots.look(d, schedules, now=BIRTH + int(minute * MINUTE), complete_until=until))
    return sum(book.counts("schedule_missed_total").values())


def fire(book: Book, *minutes: int, status: str = "COMPLETED", **fields: object) -> None:
    for minute in minutes:
        run = a_run(f"run_{minute}_{fields}", status, created_at=minute * MINUTE, kind="SCHEDULED", **fields)
        book.write(lambda draft, run=run: sight(draft, [run], now=BIRTH + HOUR, count_tests=False))


def test_a_slot_is_missed_five_minutes_after_it_was_due_and_not_before() -> None:
    book = Book()
    assert look(book, 0, a_schedule()) == 0
    fire(book, 2, 3)
    missed = [look(book, minute, a_schedule()) for minute in (5.9, 6, 7, 8, 9)]
    #                 slots judged:                      -    1   1-2 1-3 1-4
    assert missed == [0, 1, 1, 1, 2]


def test_no_verdict_beyond_what_has_been_read_and_all_of_them_once_it_is() -> None:
    book = Book()
    look(book, 0, a_schedule())
    assert look(book, 60, a_schedule(), read_to=0.5) == 0
    fire(book, *range(1, 51))
    assert look(book, 61, a_schedule(), read_to=61) == 6


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"cron": "*/2 * * * *"}, 0),  # edited: judged anew from the look that saw it
        ({"timezone": "Asia/Tokyo"}, 0),
        ({"active": False}, 0),
        ({}, 4),
    ],
)
def test_an_edit_starts_the_judging_anew(change: dict[str, object], missed: int) -> None:
    book = Book()
    look(book, 0, a_schedule())
    look(book, 4, a_schedule(**change))
    assert look(book, 9, a_schedule(**change)) == missed


def test_an_inactive_schedule_misses_nothing_and_starts_anew_when_switched_on() -> None:
    book = Book()
    look(book, 0, a_schedule(active=False))
    assert look(book, 60, a_schedule(active=False)) == 0
    look(book, 60, a_schedule())
    assert look(book, 66, a_schedule()) == 1


def test_where_the_platform_spoke_its_calendar_counts_and_elsewhere_ours() -> None:
    # Our cron would be due each minute. At 0 the platform says that the next run is at 7: no slot before it.
    book = Book()
    look(book, 0, a_schedule(next_run=BIRTH + 7 * MINUTE))
    fire(book, 7)
    assert look(book, 12, a_schedule(next_run=BIRTH + 13 * MINUTE)) == 0
    # Between 7 and 12 it said nothing, so 8 to 12 are ours to find; the word of minute 12 names 13.
    assert look(book, 17, a_schedule(next_run=BIRTH + 18 * MINUTE)) == 5
    assert look(book, 18, a_schedule(next_run=BIRTH + 19 * MINUTE)) == 6


def test_the_same_announcement_twice_is_one_slot() -> None:
    book = Book()
    for minute in (0, 2, 4, 6):
        look(book, minute, a_schedule(cron="?", next_run=BIRTH + 7 * MINUTE))
    assert look(book, 12, a_schedule(cron="?", next_run=BIRTH + 20 * MINUTE)) == 1
    assert look(book, 13, a_schedule(cron="?", next_run=BIRTH + 20 * MINUTE)) == 1


def test_an_expression_we_cannot_read_is_judged_by_the_announcements_alone() -> None:
    book = Book()
    look(book, 0, a_schedule(cron="?", next_run=BIRTH + 7 * MINUTE))
    assert look(book, 12, a_schedule(cron="?", next_run=BIRTH + 20 * MINUTE)) == 1


def test_schedules_of_one_task_share_the_runs_of_a_slot() -> None:
    book = Book()
    both = (a_schedule(), a_schedule("sched_2", type="IMPERATIVE"))
    look(book, 0, *both)
    fire(book, 1)
    look(book, 6, *both)
    assert book.counts("schedule_missed_total") == {("send-email", "IMPERATIVE"): 1}


def test_last_run_and_last_success_follow_the_runs() -> None:
    book = Book()
    look(book, 0, a_schedule())
    fire(book, 1)
    fire(book, 2, status="FAILED")
    fire(book, 3, status="EXECUTING")
    facts = book.ledger.schedules["sched_1"]
    assert (facts.last_run, facts.last_success) == (BIRTH + 3 * MINUTE, BIRTH + MINUTE)


def test_a_schedule_learns_of_runs_that_were_read_before_it() -> None:
    book = Book()
    fire(book, 1)
    fire(book, 2, status="FAILED")
    look(book, 3, a_schedule())
    facts = book.ledger.schedules["sched_1"]
    assert (facts.last_run, facts.last_success) == (BIRTH + 2 * MINUTE, BIRTH + MINUTE)


@pytest.mark.parametrize(
    ("fields", "filled"),
    [({}, 1), ({"kind": None}, 1), ({"kind": "STANDARD"}, 0), ({"created_at": MINUTE + 1}, 0)],
)
def test_only_a_run_on_the_minute_that_may_be_scheduled_fills_a_slot(fields: dict[str, object], filled: int) -> None:
    book = Book()
    run = a_run(**{"created_at": MINUTE, "kind": "SCHEDULED", **fields})  # type: ignore[arg-type]  # by name
    book.write(lambda draft: sight(draft, [run], now=BIRTH + HOUR, count_tests=False))
    assert len(book.ledger.slots) == filled


def test_slots_are_forgotten_after_two_days() -> None:
    book = Book()
    look(book, 0, a_schedule())
    fire(book, *range(1, 10))
    look(book, 3 * 24 * 60, a_schedule())
    assert book.ledger.slots == {}
