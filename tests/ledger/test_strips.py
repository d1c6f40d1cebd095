"""Cells: sums and sketches against brute force, in any order; on disk as in memory; older and newer files."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, Book, a_run
from triggerdev_alerts.signals import ENDINGS
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger import sketch
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Kind, StripFacts
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import OTHER, limits
from triggerdev_exporter.ledger.run_news import enrich, sight
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.store import Store, open_store
from triggerdev_exporter.ledger.strips import ENDED, About, Family, Sketch, Strip, Track, strip_of_key
from triggerdev_exporter.records import Enrichment, Run

CELL = 10 * SECOND
BY_TASK = Strip(Family.FINISHED, ("task",), CELL)
BY_QUEUE = Strip(Family.FINISHED, ("queue",), CELL)
LASTED = Strip(Family.DURATION, ("task",), MINUTE)
NEEDS = {BY_TASK: HOUR, BY_QUEUE: HOUR, LASTED: HOUR}
NOW = BIRTH + 10 * MINUTE


def test_the_numbers_of_endings_stay() -> None:
    assert ENDED == ("COMPLETED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "CANCELED", "EXPIRED")
    assert set(ENDED) == set(ENDINGS)


@given(st.integers(0, 10**12))
def test_a_bucket_stands_for_its_values(millis: int) -> None:
    assert abs(sketch.value_of(sketch.code_of(millis)) - millis) <= sketch.ERROR * millis * (1 + 1e-9)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.floats(0.01, 0.999), st.integers(1, 5))
def test_a_percentile_is_off_by_one_percent_at_most(values: list[int], quantile: float, parts: int) -> None:
    codes: dict[int, int] = {}
    for part in range(parts):
        for value in values[part::parts]:
            codes[sketch.code_of(value)] = codes.get(sketch.code_of(value), 0) + 1
    true = sorted(values)[max(0, math.ceil(quantile * len(values)) - 1)]
    assert abs(sketch.percentile(codes, quantile) - true) <= sketch.ERROR * true * (1 + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-2, 5), st.integers(0, 30), st.integers(0, 30))))
def test_sums_between_cells_whatever_comes_when(steps: list[tuple[int, int, int, int]]) -> None:
    track, true = Track(), dict[int, int]()
    for cell, by, after, until in steps:
        track.add(cell, by)
        true[cell] = true.get(cell, 0) + by
        expected = sum(value for cell, value in true.items() if after < cell <= until)
        assert track.between(after, until) == expected
        if cell % 7 == 0:
            assert track.drop(cell // 2) == sum(1 for cell_ in true if cell_ <= cell // 2)
            true = {cell_: value for cell_, value in true.items() if cell_ > cell // 2}
    assert dict(track.items()) == true
    assert len(track) == len(true)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(-1, 3))), st.integers(0, 20))
def test_sketches_of_cells_add_up(added: list[tuple[int, int, int]], after: int) -> None:
    one, true = Sketch(), dict[int, int]()
    for cell, code, by in added:
        one.add(cell, code, by)
        if after < cell <= after + 7:
            true[code] = true.get(code, 0) + by
    found = Counter[int]()
    one.between(after, after + 7, found)
    assert +found == +Counter(true)
    assert one.drop(after) == len({(cell, code) for cell, code, _ in added if cell <= after})
    assert sum(count for _, count in one.items()) == sum(by for cell, _, by in added if cell > after)


def test_a_strip_is_named_by_its_key() -> None:
    strip = Strip(Family.WAIT, ("task", "tag"), MINUTE, ("vip:*", 'a"ü'), tests=True)
    assert strip_of_key(strip.key) == strip
    for odd in ("", "[]", '["no",[],1,[],false]', "{}", "7"):
        with pytest.raises(ValueError, match="names no strip of cells"):
            strip_of_key(odd)


@pytest.mark.parametrize(("at", "cell"), [(0, 0), (1, 1), (CELL, 1), (CELL + 1, 2)])
def test_a_cell_has_its_end_and_not_its_beginning(at: int, cell: int) -> None:
    assert BY_TASK.cell(at) == cell


def test_who_counts_in_a_strip() -> None:
    about = About("a", None, "v1", ("team:x", "vip"), is_test=False)
    assert Strip(Family.FINISHED, (), CELL).labels(about) == ()
    assert Strip(Family.FINISHED, ("task", "version"), CELL).labels(about) == ("a", "v1")
    assert Strip(Family.FINISHED, ("tag",), CELL, ("team:*",)).labels(about) == ("team:x\nvip",)
    assert Strip(Family.FINISHED, (), CELL, ("other",)).labels(about) is None
    assert Strip(Family.FINISHED, (), CELL).labels(about._replace(is_test=True)) is None
    assert Strip(Family.FINISHED, (), CELL, tests=True).labels(about._replace(is_test=True)) == ()


# ── what a page changes ─────────────────────────────────────────────────────────────────────────────────────────────


def a_book(needs: dict[Strip, int] | None = None, *, begun: bool = True) -> Book:
    book = Book()
    book.ledger.strips.needs = NEEDS if needs is None else needs
    if begun:
        book.write(lambda draft: draft.put(Kind.COVERAGE, "", Coverage(tail=BIRTH - HOUR, has_strips=True)))
    return book


def see(book: Book, *runs: Run, now: int = NOW) -> None:
    book.write(lambda draft: sight(draft, runs, now=now, count_tests=False))


def cells(ledger: Ledger, strip: Strip) -> dict[tuple[str, ...], int]:
    """What all cells of a strip hold, by labels."""
    if strip.family is Family.DURATION:
        found = {}
        for labels, trail in ledger.strips.trails(strip).items():
            codes = Counter[int]()
            trail.sketch.between(-1, 2**40, codes)
            found[labels] = codes.total()
        return found
    subs = range(len(ENDED))
    return {labels: trail.between(-1, 2**40, subs) for labels, trail in ledger.strips.trails(strip).items()}


def test_a_run_is_in_the_cell_of_its_end_once_whatever_birth_says() -> None:
    book = a_book()
    early = a_run("early", created_at=-30 * MINUTE, started_at=-30 * MINUTE, finished_at=-29 * MINUTE)
    late = a_run("late", "FAILED", started_at=2_000, finished_at=15_000)
    for _ in range(3):
        see(book, early, late)
    trail = book.ledger.strips.trails(BY_TASK)["send-email",]
    end = BY_TASK.cell(BIRTH - 29 * MINUTE)
    assert trail.between(end - 1, end, (0,)) == 1
    end = BY_TASK.cell(BIRTH + 15_000)
    assert trail.between(end - 1, end, (ENDED.index("FAILED"),)) == 1
    assert cells(book.ledger, BY_TASK) == {("send-email",): 2}
    assert cells(book.ledger, LASTED) == {("send-email",): 2}


def test_nothing_is_kept_that_no_rule_asks_for() -> None:
    book = a_book({})
    see(book, a_run(finished_at=2_000))
    assert book.ledger.strips.entries == 0
    assert book.ledger.kept_strips == {}


def test_what_lies_further_back_than_any_rule_reaches_is_not_kept() -> None:
    book = a_book()
    see(book, a_run(created_at=-2 * HOUR, started_at=-2 * HOUR, finished_at=-2 * HOUR))
    assert book.ledger.strips.entries == 0


def kept(book: Book, strip: Strip = BY_TASK) -> StripFacts:
    return book.ledger.kept_strips[strip.key]


def test_since_when_a_strip_knows_everything() -> None:
    book = a_book()
    see(book, a_run(finished_at=2_000))
    assert kept(book) == StripFacts(since=BIRTH - HOUR, reach=HOUR)
    later = Strip(Family.FINISHED, ("version",), CELL)
    book.ledger.strips.needs = {BY_TASK: 2 * HOUR, later: HOUR}
    see(book, now=NOW + 3 * HOUR)
    assert kept(book).since == NOW + 3 * HOUR - HOUR, "what lies further back was forgotten"
    assert kept(book, later).since == NOW + 3 * HOUR
    assert BY_QUEUE.key not in book.ledger.kept_strips
    assert cells(book.ledger, BY_QUEUE) == {}


def test_a_version_that_keeps_no_strips_counted_in_between() -> None:
    book = a_book()
    see(book, a_run(finished_at=2_000))
    without = msgspec.structs.replace(book.ledger.coverage, has_strips=False)
    book.write(lambda draft: draft.put(Kind.COVERAGE, "", without))
    see(book, now=NOW + MINUTE)
    assert kept(book).since == NOW + MINUTE
    assert book.ledger.coverage is not None
    assert book.ledger.coverage.has_strips


def told(run_id: str, queue: str) -> Enrichment:
    return Enrichment(run_id=run_id, task="send-email", queue=queue, is_finished=True)


def test_a_run_moves_to_its_queue_once_that_is_told() -> None:
    book = a_book()
    see(book, a_run("one", finished_at=2_000), a_run("two", finished_at=2_000))
    assert cells(book.ledger, BY_QUEUE) == {("\x00send-email",): 2}
    for _ in range(2):
        book.write(lambda draft: enrich(draft, [told("one", "emails")], now=NOW))
    assert cells(book.ledger, BY_QUEUE) == {("\x00send-email",): 1, ("emails",): 1}
    assert set(book.ledger.untold) == {"two"}
    # One that was told while it was open is in its queue at once.
    see(book, a_run("three", "EXECUTING"))
    book.write(lambda draft: enrich(draft, [told("three", "crm")], now=NOW))
    see(book, a_run("three", finished_at=3_000))
    assert cells(book.ledger, BY_QUEUE)["crm",] == 1


def test_too_many_labels_are_counted_together() -> None:
    book = a_book({BY_TASK: HOUR})
    book.ledger.limits = limits(66)
    most = book.ledger.limits.strip_series
    for n in range(most + 3):
        see(book, a_run(f"run_{n}", task=f"task-{n}", finished_at=2_000))
    found = cells(book.ledger, BY_TASK)
    assert len(found) == most + 1
    assert found[OTHER,] == 3


# ── on disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def everything(ledger: Ledger) -> dict[str, object]:
    return {
        strip.key: {
            labels: (
                {sub: dict(track.items()) for sub, track in trail.tracks.items()},
                dict(trail.sketch.items()),
            )
            for labels, trail in ledger.strips.trails(strip).items()
        }
        for strip in NEEDS
    }


async def begin(store: Store) -> Journal:
    ledger = await store.begin("prod", BIRTH)
    ledger.strips.needs = NEEDS
    journal = Journal("prod", ledger, store)
    await journal.write(lambda draft: draft.put(Kind.COVERAGE, "", Coverage(tail=BIRTH - HOUR, has_strips=True)))
    return journal


async def write(journal: Journal, *runs: Run, now: int = NOW) -> None:
    def decide(draft: Draft) -> None:
        sight(draft, runs, now=now, count_tests=False)

    await journal.write(decide, lookup=hashes(Kind.RUN, [run.id for run in runs]))


RUNS = st.lists(
    st.builds(
        lambda number, status, task, after: a_run(
            f"run_{number}", status, task=task, started_at=after, finished_at=after + 5_000
        ),
        st.integers(0, 40),
        st.sampled_from(["QUEUED", "EXECUTING", "COMPLETED", "FAILED", "EXPIRED"]),
        st.sampled_from(["a", 'b"\\', "ü\n"]),
        st.integers(2_000, 500_000),
    ),
    max_size=40,
)


@given(RUNS, st.integers(1, 7), st.booleans())
async def test_what_is_loaded_is_what_was_kept(
    tmp_path_factory: pytest.TempPathFactory, runs: list[Run], size: int, trims: bool
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.db"
    store = open_store(path)
    journal = await begin(store)
    for start in range(0, len(runs), size):
        await write(journal, *runs[start : start + size])
        if trims:
            await journal.trim(BIRTH + HOUR + 30_000 * start)
    await store.close()
    again = open_store(path)
    loaded = await again.load("prod")
    assert loaded is not None
    assert everything(loaded) == everything(journal.ledger)
    assert loaded.strips.entries == journal.ledger.strips.entries
    await again.close()


async def test_old_cells_and_strips_that_nobody_needs_leave_the_file(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    journal = await begin(store)
    await write(journal, a_run("1", finished_at=2_000), a_run("2", finished_at=5 * MINUTE))
    await journal.trim(BIRTH + HOUR + 4 * MINUTE)
    assert cells(journal.ledger, BY_TASK) == {("send-email",): 1}
    journal.ledger.strips.needs = {BY_TASK: HOUR}
    await write(journal)
    await store.close()
    file = sqlite3.connect(tmp_path / "state.db")
    assert file.execute("SELECT key FROM strip").fetchall() == [(BY_TASK.key,)]
    assert file.execute("SELECT count(*), sum(value) FROM strip_cell").fetchone() == (1, 1)
    assert file.execute("SELECT count(*) FROM strip_series").fetchone() == (1,)
    file.close()


async def test_too_many_cells_shorten_the_largest_strip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path / "state.db")
    journal = await begin(store)
    for start in range(0, 600, 100):
        runs = [
            a_run(f"run_{n}", finished_at=2_000 + n % 180 * CELL, started_at=1_000, task=f"t{n // 180}")
            for n in range(start, start + 100)
        ]
        await write(journal, *runs, now=BIRTH + 31 * MINUTE)
    before = journal.ledger.strips.entries
    assert before > 1_200
    # As many as are allowed, seen from here.
    journal.ledger.strips.entries += journal.ledger.limits.cells
    await journal.trim(BIRTH + 31 * MINUTE)
    assert journal.ledger.strips.entries - journal.ledger.limits.cells < before
    shortened = [facts for facts in journal.ledger.kept_strips.values() if facts.shortened]
    assert [facts.since > BIRTH for facts in shortened] == [True]
    assert "too many cells" in caplog.text
    await store.close()


async def test_a_file_of_the_minor_before_is_brought_up_and_a_copy_put_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_store(path)
    await store.begin("prod", BIRTH)
    await store.close()
    old = sqlite3.connect(path)
    old.executescript(
        "DROP TABLE strip; DROP TABLE strip_series; DROP TABLE strip_cell; DROP TABLE span_due; "
        "PRAGMA user_version = 1000; VACUUM;"
    )
    old.close()
    again = open_store(path)
    ledger = await again.load("prod")
    assert ledger is not None
    ledger.strips.needs = NEEDS
    journal = Journal("prod", ledger, again)
    await journal.write(lambda draft: draft.put(Kind.COVERAGE, "", Coverage(tail=BIRTH - HOUR, walked_at=BIRTH)))
    await write(journal, a_run("1", finished_at=2_000))
    assert cells(ledger, BY_TASK) == {("send-email",): 1}
    assert ledger.kept_strips[BY_TASK.key].since == NOW
    await again.close()
    beside = sqlite3.connect(tmp_path / "state.db.1.0.bak")
    assert beside.execute("PRAGMA user_version").fetchone() == (1000,)
    assert beside.execute("SELECT name FROM target").fetchall() == [("prod",)]
    beside.close()
    third = open_store(path)
    assert (await third.load("prod")) is not None
    await third.close()
