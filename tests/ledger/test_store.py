"""The state file: what was committed is what is loaded, and a file that cannot be used says what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger_book import BIRTH, a_run
from triggerdev_exporter.errors import StateError
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Gap, Kind, ScheduleFacts
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.lock import StateLock
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.ledger.settled import HORIZON, hashes
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.records import Run


def known(ledger: Ledger) -> object:
    histograms = {place: (histogram.cells, histogram.sum) for place, histogram in ledger.histograms.items()}
    return ledger.birth, ledger.counters, histograms, ledger.facts, ledger.schedules_by_task


RUNS = st.lists(
    st.builds(
        lambda number, status, task, version: a_run(
            f"run_{number}", status, task=task, version=version, started_at=2_000, finished_at=5_000
        ),
        st.integers(0, 20),
        st.sampled_from(["QUEUED", "EXECUTING", "COMPLETED", "FAILED", "EXPIRED"]),
        st.sampled_from(["a", 'b"\\', "ü\n"]),
        st.sampled_from([f"20261123.{n}" for n in range(6)]),
    ),
    max_size=30,
)


@given(RUNS, st.integers(1, 7))
async def test_what_was_committed_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, runs: list[Run], size: int
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.db"
    store = open_store(path)
    journal = Journal("prod", await store.begin("prod", BIRTH), store)
    for start in range(0, len(runs), size):
        page = runs[start : start + size]
        await journal.write(
            lambda draft, page=page: sight(draft, page, now=BIRTH, count_tests=False),
            lookup=hashes(Kind.RUN, [run.id for run in page]),
        )
    facts = Coverage(tail=1, gaps=(Gap(start=1, end=2, since=3, cursor="c"),))
    schedule = ScheduleFacts(task="a", type="x", cron="*", timezone="UTC", active=True, judged_to=1)

    def more(draft: Draft) -> None:
        draft.put(Kind.COVERAGE, "", facts)
        draft.put(Kind.SCHEDULE, "sched_1", schedule)

    await journal.write(more)
    await store.close()
    again = open_store(path)
    loaded = await again.load("prod")
    assert loaded is not None
    assert known(loaded) == known(journal.ledger)
    assert await again.load("other") is None
    await again.close()


async def test_a_commit_that_fails_changes_nothing_in_memory_or_on_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    journal = Journal("prod", await store.begin("prod", BIRTH), store)
    breaker = sqlite3.connect(tmp_path / "state.db")
    breaker.execute("CREATE TRIGGER no BEFORE INSERT ON settled BEGIN SELECT RAISE(FAIL, 'no room'); END")
    breaker.commit()
    run = a_run(finished_at=2_000)
    with pytest.raises(StateError, match="no room"):
        await journal.write(lambda draft: sight(draft, [run], now=BIRTH, count_tests=False))
    assert journal.ledger.counters == {}
    assert breaker.execute("SELECT count(*) FROM counter").fetchone() == (0,)
    breaker.execute("DROP TRIGGER no")
    breaker.commit()
    breaker.close()
    await journal.write(lambda draft: sight(draft, [run], now=BIRTH, count_tests=False))
    assert sum(value for value in journal.ledger.counter("runs_finished_total").values()) == 1
    await store.close()


async def test_ids_are_remembered_for_the_horizon_and_no_longer(tmp_path: Path) -> None:
    store = open_store(tmp_path / "state.db")
    journal = Journal("prod", await store.begin("prod", BIRTH), store)
    run = a_run(finished_at=2_000)
    await journal.write(lambda draft: sight(draft, [run], now=BIRTH, count_tests=False))
    lookup = hashes(Kind.RUN, [run.id])
    assert await journal.forget(BIRTH + HORIZON) == 0
    assert list(await store.settled("prod", lookup)) == lookup
    assert await journal.forget(BIRTH + HORIZON + 2_000) == 1
    assert await store.settled("prod", lookup) == {}
    await store.close()


def make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE target (id INTEGER)")
    connection.execute("PRAGMA user_version = 2000")
    connection.close()


def make_foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE somebody_elses (id INTEGER)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b"not a database, but long enough to be looked at" * 30), "is damaged"),
        (make_newer, "written by a newer triggerdev-exporter"),
        (make_foreign, "not a state file of triggerdev-exporter"),
        (lambda path: path.mkdir(), "cannot write the state file"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_remedy(tmp_path: Path, spoil: object, says: str) -> None:
    path = tmp_path / "state.db"
    spoil(path)  # type: ignore[operator]  # a callable, from the table
    with pytest.raises(StateError, match=says) as refused:
        open_store(path)
    assert str(path) in str(refused.value)
    assert "state:" in str(refused.value) or "Move it away" in str(refused.value)


async def test_a_newer_minor_is_read_and_what_it_added_stays(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = open_store(path)
    await store.begin("prod", BIRTH)
    await store.close()
    newer = sqlite3.connect(path)
    newer.execute("INSERT INTO fact VALUES (1, 'hologram', 'x', '{}')")
    newer.execute("""INSERT INTO fact VALUES (1, 'token', 'waitpoint_1', '{"created_at": 5, "colour": "red"}')""")
    newer.execute("PRAGMA user_version = 1007")
    newer.commit()
    newer.close()
    again = open_store(path)
    ledger = await again.load("prod")
    assert ledger is not None
    assert ledger.tokens["waitpoint_1"].created_at == 5
    await again.close()
    kept = sqlite3.connect(path)
    assert kept.execute("SELECT count(*) FROM fact WHERE kind = 'hologram'").fetchone() == (1,)
    assert kept.execute("PRAGMA user_version").fetchone() == (1007,)
    kept.close()


def test_the_second_on_a_state_is_told_who_the_first_is(tmp_path: Path) -> None:
    import os

    state = tmp_path / "state.db"
    with StateLock(state), pytest.raises(StateError, match=f"in use by process {os.getpid()} on "):
        StateLock(state).__enter__()
    with StateLock(state):
        pass
