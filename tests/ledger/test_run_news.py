"""Who is counted, once: rules as tables, and the same ledger whatever the order, the pages and the repetition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.clock import DAY, SECOND
from triggerdev_exporter.ledger.facts import Coverage, Gap, Kind
from triggerdev_exporter.ledger.run_news import enrich, not_found, open_by_status, sight
from triggerdev_exporter.records import Enrichment, Run

NOW = BIRTH + 3_600_000


def see(book: Book, *runs: Run, now: int = NOW, count_tests: bool = False) -> list[str]:
    news = book.write(lambda draft: sight(draft, runs, now=now, count_tests=count_tests))
    return [notice.reason for notice in news.notices]


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        # created, started and finished after birth: counted three times, each once
        ({"created_at": 0, "started_at": 10, "finished_at": 20}, (1, 1, 1)),
        # created before birth, finished after it
        ({"created_at": -10, "started_at": -5, "finished_at": 20}, (0, 0, 1)),
        ({"created_at": -10, "started_at": 5, "finished_at": 20}, (0, 1, 1)),
        # all over before birth: the look-back fills gauges, not counters
        ({"created_at": -30, "started_at": -20, "finished_at": -10}, (0, 0, 0)),
        # never started
        ({"created_at": 0, "finished_at": 20, "status": "EXPIRED"}, (1, 0, 1)),
        # a dialect that leaves finishedAt out: the last change is the end
        ({"created_at": -10, "updated_at": 20}, (0, 0, 1)),
        # not over
        ({"created_at": 0, "started_at": 10, "status": "EXECUTING"}, (1, 1, 0)),
        ({"created_at": 0, "status": "UNKNOWN"}, (1, 0, 0)),
    ],
)
def test_what_is_counted_depends_on_birth(fields: dict[str, object], counted: tuple[int, int, int]) -> None:
    book = Book()
    see(book, a_run(**fields))  # type: ignore[arg-type]  # keywords by name
    families = ("runs_triggered_total", "runs_started_total", "runs_finished_total")
    assert tuple(sum(book.counts(family).values()) for family in families) == counted


def test_a_life_is_counted_once_however_often_it_is_seen() -> None:
    book = Book()
    life = [
        a_run(status="QUEUED"),
        a_run(status="DEQUEUED", started_at=2_000),
        a_run(status="EXECUTING", started_at=2_000),
        a_run(status="COMPLETED", started_at=2_000, finished_at=5_000, compute_ms=2_500, cost_nanousd=7),
    ]
    for run in life:
        see(book, run, run)
        see(book, run)
    assert book.counts("runs_triggered_total") == {("send-email",): 1}
    assert book.counts("runs_started_total") == {("send-email",): 1}
    assert book.counts("runs_finished_total") == {("send-email", "COMPLETED"): 1}
    assert book.count("run_compute_seconds_total", "send-email") == 2_500
    assert book.count("run_cost_usd_total", "send-email") == 7
    wait = book.ledger.histograms["run_wait_seconds", ("send-email",)]
    assert (wait.count, wait.sum) == (1, 1_000)
    duration = book.ledger.histograms["run_duration_seconds", ("send-email", "success")]
    assert (duration.count, duration.sum) == (1, 3_000)
    assert book.ledger.runs == {}


@pytest.mark.parametrize(
    ("fields", "wait"),
    [
        ({"created_at": 0, "started_at": 700}, 700),
        # the delay is the user's wish, not our wait
        ({"created_at": 0, "delayed_until": 500, "started_at": 700}, 200),
        # a delay that was over before the run was created
        ({"created_at": 0, "delayed_until": -500, "started_at": 700}, 700),
        # a scheduled run may start before its createdAt, which is the slot
        ({"created_at": 0, "started_at": -700}, 0),
    ],
)
def test_wait_begins_when_the_run_could_start(fields: dict[str, object], wait: int) -> None:
    book = Book()
    see(book, a_run(finished_at=1_000, **fields))  # type: ignore[arg-type]  # keywords by name
    assert book.ledger.histograms["run_wait_seconds", ("send-email",)].sum == wait


def test_test_runs_are_kept_apart_unless_wanted() -> None:
    book = Book()
    see(book, a_run("run_1", "EXECUTING", is_test=True), a_run("run_2", is_test=True, finished_at=2_000))
    assert book.counts("runs_triggered_total") == {}
    assert book.counts("runs_test_finished_total") == {("send-email",): 1}
    assert open_by_status(book.ledger.runs.values()) == {}
    assert book.ledger.tasks == {}
    wanted = Book()
    see(wanted, a_run("run_2", is_test=True, finished_at=2_000), count_tests=True)
    assert wanted.counts("runs_finished_total") == {("send-email", "COMPLETED"): 1}


def test_a_run_that_comes_back_is_told_once_and_not_counted_again() -> None:
    book = Book()
    see(book, a_run(finished_at=2_000))
    assert see(book, a_run(status="EXECUTING")) == ["reopened"]
    assert see(book, a_run(status="EXECUTING")) == []
    assert see(book, a_run(finished_at=9_000)) == []
    assert sum(book.counts("runs_finished_total").values()) == 1
    assert book.ledger.runs == {}


@pytest.mark.parametrize(
    ("gap", "status", "told", "counted"),
    [
        # read long ago, ended, and only now visible: its id may have been forgotten, so it is not counted
        (False, "COMPLETED", ["too_late"], 0),
        # open ones carry what was counted of them
        (False, "EXECUTING", [], 0),
        # from time that was never read, nothing can have been counted: an outage of eight days loses nothing
        (True, "COMPLETED", [], 1),
    ],
)
def test_too_late_is_only_where_we_have_read(gap: bool, status: str, told: list[str], counted: int) -> None:
    book = Book()
    gaps = (Gap(start=BIRTH, end=BIRTH + DAY, since=BIRTH),) if gap else ()
    covered = Coverage(tail=BIRTH, walked_at=BIRTH + 9 * DAY, gaps=gaps)
    book.write(lambda draft: draft.put(Kind.COVERAGE, "", covered))
    run = a_run(status=status, finished_at=60_000) if status == "COMPLETED" else a_run(status=status)
    assert see(book, run, now=BIRTH + 9 * DAY) == told
    assert sum(book.counts("runs_finished_total").values()) == counted


def test_a_run_that_nobody_finds_vanishes_after_three_looks_and_visibly() -> None:
    book = Book()
    see(book, a_run(status="EXECUTING"))
    told = [
        [notice.reason for notice in book.write(lambda draft: not_found(draft, "run_1", now=NOW)).notices]
        for _ in range(3)
    ]
    assert told == [[], [], ["vanished"]]
    assert book.ledger.runs == {}
    see(book, a_run(finished_at=2_000))
    assert book.counts("runs_finished_total") == {}


def test_a_run_found_again_starts_its_looks_anew() -> None:
    book = Book()
    see(book, a_run(status="EXECUTING"))
    book.write(lambda draft: not_found(draft, "run_1", now=NOW))
    book.write(lambda draft: not_found(draft, "run_1", now=NOW))
    see(book, a_run(status="EXECUTING"))
    assert book.ledger.runs["run_1"].missing == 0


def test_enrichment_adds_and_never_counts_a_run() -> None:
    book = Book()
    see(book, a_run("run_1", "QUEUED"), a_run("run_2", started_at=1_500, finished_at=2_000), a_run("run_3", "EXPIRED"))
    rows = [
        Enrichment(run_id="run_1", task="send-email", queue="emails", batch_id="batch_1", attempts=0),
        Enrichment(run_id="run_2", task="send-email", queue="emails", attempts=3, is_finished=True),
        # never started: what TRQL calls its first attempt was none
        Enrichment(run_id="run_3", task="send-email", attempts=1, is_finished=True),
        Enrichment(run_id="run_unknown", task="send-email", attempts=5, is_finished=True),
    ]
    for _ in range(2):
        book.write(lambda draft: enrich(draft, rows, now=NOW))
    assert book.count("run_attempts_total", "send-email") == 3
    assert book.ledger.runs["run_1"].queue == "emails"
    assert sum(book.counts("runs_triggered_total").values()) == 3


@pytest.mark.parametrize(
    ("ends", "streak"),
    [
        ("F1 F2 F3", 3),
        ("F1 S2 F3", 1),
        ("S1 F2 S3", 0),
        ("F1 F2 C3 E4", 2),
        ("S5 F1 F2 F6", 1),
    ],
)
def test_a_streak_counts_failures_after_the_last_success(ends: str, streak: int) -> None:
    kinds = {"F": "FAILED", "S": "COMPLETED", "C": "CANCELED", "E": "EXPIRED"}
    runs = [a_run(f"run_{end}", kinds[end[0]], finished_at=int(end[1]) * SECOND) for end in ends.split()]
    for order in (runs, runs[::-1]):
        book = Book()
        for run in order:
            see(book, run)
        assert book.ledger.tasks["send-email"].consecutive_failures == streak


def test_versions_beyond_the_three_newest_are_folded_and_the_sum_stays() -> None:
    versions = ["20261123.10", "20261123.9", "20261124.1", "20261122.3", "20261123.2"]
    for order in (versions, versions[::-1], sorted(versions)):
        book = Book()
        for number, version in enumerate(order):
            see(book, a_run(f"run_{number}", finished_at=2_000, version=version))
        assert book.counts("runs_by_version_finished_total") == {
            ("20261124.1", "success"): 1,
            ("20261123.10", "success"): 1,
            ("20261123.9", "success"): 1,
            ("__older__", "success"): 2,
        }


@pytest.mark.parametrize(
    ("status", "fields", "since"),
    [
        ("EXECUTING", {"started_at": 7_000}, 7_000),
        ("DEQUEUED", {"started_at": 7_000}, 7_000),
        ("QUEUED", {"delayed_until": 5_000}, 5_000),
        ("QUEUED", {"delayed_until": 500}, 1_000),
        ("DELAYED", {"delayed_until": 5_000}, 1_000),
        ("WAITING", {"started_at": 7_000}, 1_000),
    ],
)
def test_oldest_is_measured_from_when_the_state_began(status: str, fields: dict[str, object], since: int) -> None:
    book = Book()
    see(book, a_run(status=status, **fields))  # type: ignore[arg-type]  # keywords by name
    [(count, oldest)] = open_by_status(book.ledger.runs.values()).values()
    assert (count, oldest - BIRTH) == (1, since)


# -- the same ledger, whatever the order ------------------------------------------------------------------------------


@st.composite
def lives(draw: st.DrawFn) -> list[list[Run]]:
    """For each of some runs, the sights of it in the order of its life."""
    stories = []
    for number in range(draw(st.integers(1, 8))):
        created = draw(st.integers(-10, 10)) * 6_000
        started = created + draw(st.integers(0, 9)) * 1_000
        finished = started + draw(st.integers(0, 9)) * 1_000
        base = {
            "created_at": created,
            "task": draw(st.sampled_from(["a", "b"])),
            "version": draw(st.sampled_from(["20261123.1", "20261123.2", "20261123.3", "20261123.4", "20261123.5"])),
        }
        end = draw(st.sampled_from(["COMPLETED", "FAILED", "CRASHED", "CANCELED", "TIMED_OUT"]))
        run_id = f"run_{number}"
        stories.append(
            [
                a_run(run_id, "QUEUED", **base),
                a_run(run_id, "EXECUTING", started_at=started, **base),
                a_run(run_id, end, started_at=started, finished_at=finished, compute_ms=3, cost_nanousd=5, **base),
            ]
        )
    return stories


def totals(book: Book) -> object:
    ledger = book.ledger
    return (
        {key: value for key, value in ledger.counters.items() if value},
        {key: (histogram.cells, histogram.sum) for key, histogram in ledger.histograms.items()},
        {
            task: (facts.last_finished, facts.last_success, facts.consecutive_failures)
            for task, facts in ledger.tasks.items()
        },
        ledger.runs,
    )


@given(lives(), st.randoms(use_true_random=False), st.integers(1, 5), st.data())
def test_order_pages_and_repetition_do_not_matter(
    stories: list[list[Run]], random: object, size: int, data: st.DataObject
) -> None:
    straight = Book()
    for story in stories:
        see(straight, story[-1])

    # Each run is first seen at any point of its life, and again at any later ones; runs are mixed freely.
    sights: list[tuple[float, Run]] = []
    for story in stories:
        seen = [*data.draw(st.lists(st.integers(0, 2), max_size=4)), 2]
        for rank, step in enumerate(sorted(seen)):
            sights.append((rank + data.draw(st.floats(0, 0.99)), story[step]))
    sights.sort(key=lambda pair: pair[0])
    mixed = Book()
    runs = [run for _, run in sights]
    for start in range(0, len(runs), size):
        see(mixed, *runs[start : start + size])
    assert totals(mixed) == totals(straight)
