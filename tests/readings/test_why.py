"""Why a task does its work or not: a row a leaf, each with its exact words; and what is gathered of a real watcher."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from story import Daemon, tell
from triggerdev_alerts.signals import Blind, ErrorCount
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger.recent import Ended
from triggerdev_exporter.readings.course import Bar, Lately, lately
from triggerdev_exporter.readings.task_sight import (
    ScheduleSight,
    TaskSight,
    Unseen,
    Waiting,
    known_tasks,
    knows,
    sight_of,
)
from triggerdev_exporter.readings.why import TREE, Leaf, explain
from triggerdev_exporter.records import Queue, RunError
from triggerdev_exporter.simulator.entities import error_of
from triggerdev_exporter.statuses import RunStatus

AT = 1_795_521_600_000  # 2026-11-24 12:00 UTC
QUEUED, DEQUEUED, EXECUTING = RunStatus.QUEUED, RunStatus.DEQUEUED, RunStatus.EXECUTING


def queue(running: int = 0, limit: int | None = 10, *, paused: bool = False) -> Queue:
    return Queue(
        name="emails", type="custom", task=None, queued=3, running=running, paused=paused, concurrency_limit=limit
    )


def ended(status: str, ago: int, version: str = "20261124.2") -> Ended:
    at = AT - ago
    return Ended(at, f"run_{ago}", "mail", status, at - MINUTE, version, None, (), False)


def schedule(*missed: int, next_run: int | None = None) -> ScheduleSight:
    return ScheduleSight(
        id="sched_1",
        cron="0 * * * *",
        timezone="Europe/London",
        type="DECLARATIVE",
        active=True,
        missed=missed,
        last_run=None,
        next_run=next_run,
    )


WAITING = {QUEUED: Waiting(3, AT - 5 * MINUTE, "run_1")}
ONE = {QUEUED: Waiting(1, AT - 5 * MINUTE, "run_1")}
WELL: dict[str, Any] = {"last_success": AT - 12 * SECOND, "last_finished": AT - 12 * SECOND}


@dataclass(frozen=True)
class Row:
    leaf: Leaf
    says: str
    known: dict[str, Any] = field(default_factory=dict)


ROWS = [
    Row(
        Leaf.CANNOT_SEE,
        "Runs cannot be read since 2026-11-24 11:42 UTC (18 min), so nobody can say. timeout: no answer within 10 s. "
        "The last success that was seen was 20 min ago (2026-11-24 11:40 UTC).",
        {
            "runs_unseen": Unseen("runs", Blind.FAILING, AT - 18 * MINUTE, "timeout: no answer within 10 s"),
            "last_success": AT - 20 * MINUTE,
            "failures": 5,
        },
    ),
    Row(
        Leaf.CANNOT_SEE,
        "Runs cannot be read, so nobody can say. auth: the key is wrong.",
        {"runs_unseen": Unseen("runs", Blind.AUTH, None, "auth: the key is wrong")},
    ),
    Row(Leaf.STARTING, "The runs of the past are still being read.", {"is_starting": True}),
    Row(
        Leaf.NOT_TRIGGERED,
        "Nobody has triggered it since 2026-11-24 11:00 UTC, as far back as was looked.",
        {"known_since": AT - HOUR},
    ),
    Row(
        Leaf.NOT_TRIGGERED,
        "Nobody triggers it: its last run ended 5 h ago (2026-11-24 07:00 UTC), and none came after it. "
        "The current deployment (20261124.2) does not hold it.",
        {"last_success": AT - 5 * HOUR, "last_finished": AT - 5 * HOUR, "is_deployed": False},
    ),
    Row(
        Leaf.PAUSED,
        "Its queue emails is paused. 3 runs wait, the oldest for 5 min.",
        {**WELL, "open": WAITING, "queue": queue(paused=True)},
    ),
    Row(
        Leaf.PAUSED,
        "Its queue emails is paused. What is triggered now will wait.",
        {**WELL, "queue": queue(paused=True)},
    ),
    Row(
        Leaf.QUEUE_LIMIT,
        "3 runs wait, the oldest for 5 min: its queue emails is full, 10 of 10 run.",
        {**WELL, "open": WAITING, "queue": queue(10), "running_elsewhere": 4},
    ),
    Row(
        Leaf.ENVIRONMENT_LIMIT,
        "One run waits for 5 min, though its queue emails has room (1 of 10 run). 41 runs in all queues: most likely "
        "that is the limit of the environment.",
        {**WELL, "open": ONE, "queue": queue(1), "running_elsewhere": 40},
    ),
    Row(
        Leaf.NO_VERSION,
        "3 runs wait, the oldest for 5 min, for a version that is not deployed. The current one, 20261124.2, does not "
        "hold the task.",
        {
            **WELL,
            "open": {RunStatus.PENDING_VERSION: Waiting(3, AT - 5 * MINUTE, "run_1")},
            "is_deployed": False,
        },
    ),
    Row(
        Leaf.NOTHING_DEQUEUES,
        "3 runs wait, the oldest for 5 min, and nothing runs in any queue: nobody takes runs.",
        {**WELL, "open": WAITING, "queue": queue(0), "running_elsewhere": 0},
    ),
    Row(
        Leaf.WAITS,
        "3 runs wait, the oldest for 5 min; why cannot be said: the server does not tell in which queue they are.",
        {**WELL, "open": WAITING},
    ),
    Row(
        Leaf.WAITS,
        "3 runs wait, the oldest for 5 min; why cannot be said: queues cannot be read.",
        {
            **WELL,
            "open": WAITING,
            "queue": queue(10),
            "queues_unseen": Unseen("queues", Blind.FAILING, AT - MINUTE, "http: 500"),
        },
    ),
    Row(
        Leaf.STUCK_STARTING,
        "2 runs were taken from the queue and do not start, for 3 min.",
        {**WELL, "open": {DEQUEUED: Waiting(2, AT - 3 * MINUTE, "run_1")}},
    ),
    Row(
        Leaf.RETRYING,
        "2 runs are being attempted again (attempt 3), and none has succeeded since the first of them began, "
        "4 min ago (2026-11-24 11:56 UTC).",
        {
            "last_success": AT - 10 * MINUTE,
            "last_finished": AT - 10 * MINUTE,
            "open": {EXECUTING: Waiting(2, AT - 4 * MINUTE, "run_1", 3)},
            "retrying": Waiting(2, AT - 4 * MINUTE, "run_1", 3),
        },
    ),
    Row(
        Leaf.EXPIRED,
        "Its last 2 runs expired, 1 min ago (2026-11-24 11:59 UTC): they waited longer than the TTL and will never be "
        "done.",
        {
            "last_success": AT - HOUR,
            "last_finished": AT - MINUTE,
            "unsuccessful": (ended("EXPIRED", MINUTE), ended("EXPIRED", 9 * MINUTE), ended("FAILED", 2 * HOUR)),
        },
    ),
    Row(
        Leaf.CANCELED,
        "Its last run was canceled, the last one 30 s ago.",
        {
            "last_success": AT - HOUR,
            "last_finished": AT - 30 * SECOND,
            "unsuccessful": (ended("CANCELED", 30 * SECOND),),
        },
    ),
    Row(
        Leaf.FAILING,
        "Its last 7 runs failed, since 2026-11-24 11:42 UTC (18 min). All are of version 20261124.2; an older one "
        "succeeded. Most often: SmtpError: mailbox unavailable. The last success was 20 min ago "
        "(2026-11-24 11:40 UTC).",
        {
            "last_success": AT - 20 * MINUTE,
            "last_finished": AT - SECOND,
            "failures": 7,
            "failing_since": AT - 18 * MINUTE,
            "since_version": "20261124.2",
            "errors": (ErrorCount("SmtpError", "mailbox unavailable", 6), ErrorCount("Error", "x", 1)),
        },
    ),
    Row(
        Leaf.FAILING,
        "Its last run failed, since 2026-11-24 11:00 UTC (1 h). No success was ever seen.",
        {
            "last_finished": AT - HOUR,
            "failures": 1,
            "failing_since": AT - HOUR,
            "schedules": (schedule(),),
        },
    ),
    Row(
        Leaf.FAILING_PARTLY,
        "24 of the 57 runs of the last 15 min failed.",
        {**WELL, "failures": 1, "lately": Lately(57, 24, 15)},
    ),
    Row(
        Leaf.LAST_FAILED,
        "Its last run failed, the last one 30 s ago.",
        {
            "last_success": AT - HOUR,
            "last_finished": AT - 30 * SECOND,
            "failures": 1,
            "failing_since": AT - 30 * SECOND,
            "unsuccessful": (ended("CRASHED", 30 * SECOND),),
        },
    ),
    Row(
        Leaf.LATE_SCHEDULE,
        "Its schedule 0 * * * * (Europe/London) was due 1 h ago (2026-11-24 11:00 UTC), and no run came; 2 in a row "
        "are missing.",
        {"last_success": AT - 3 * HOUR, "schedules": (schedule(AT - 2 * HOUR, AT - HOUR),)},
    ),
    Row(
        Leaf.SLOW,
        "A run executes for 40 min; they rarely take longer than 2 min.",
        {**WELL, "open": {EXECUTING: Waiting(1, AT - 40 * MINUTE, "run_1")}, "usual": 2.0 * MINUTE},
    ),
    Row(Leaf.FINE, "It works: the last success was 12 s ago.", WELL),
    Row(
        Leaf.FINE,
        "It works: the last success was 12 s ago. 2 of the 57 runs of the last 15 min failed.",
        # In a busy task one that fails, and one that waits for seconds, are no news.
        {
            **WELL,
            "failures": 1,
            "lately": Lately(57, 2, 15),
            "open": {QUEUED: Waiting(9, AT - 20 * SECOND, "run_1"), EXECUTING: Waiting(2, AT - MINUTE, "run_2")},
            "queue": queue(10),
            "usual": float(MINUTE),
        },
    ),
    Row(
        Leaf.NOT_DUE,
        "A schedule starts it, and it was not due yet since we look. The next run is due at 2026-11-25 03:00 UTC.",
        {"schedules": (schedule(next_run=AT + 15 * HOUR),)},
    ),
    Row(
        Leaf.WORKING,
        "Runs are under way (1 EXECUTING), and none has ended well or badly since we look.",
        {"open": {EXECUTING: Waiting(1, AT - MINUTE, "run_1")}},
    ),
    Row(
        Leaf.NO_OUTCOME,
        "Its last run ended 1 min ago (2026-11-24 11:59 UTC), neither well nor badly: it was canceled or expired.",
        {"last_finished": AT - MINUTE},
    ),
]


def sight(known: dict[str, Any]) -> TaskSight:
    return TaskSight(**{"target": "prod", "task": "mail", "at": AT, "deployed_version": "20261124.2", **known})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.leaf))
def test_every_leaf_in_its_words(row: Row) -> None:
    cause = explain(sight(row.known)).cause
    assert (cause.leaf, cause.says) == (row.leaf, row.says)


def test_there_is_a_row_for_every_leaf() -> None:
    assert {row.leaf for row in ROWS} == set(Leaf)
    assert len(TREE) == len(Leaf)


def test_other_troubles_are_told_beside_the_answer() -> None:
    why = explain(
        sight(
            {
                "last_success": AT - HOUR,
                "last_finished": AT - SECOND,
                "failures": 4,
                "open": WAITING,
                "queue": queue(paused=True),
                "is_catching_up": True,
                "schedules_unseen": Unseen("schedules", Blind.FAILING, None, "http: 500"),
            }
        )
    )
    assert why.cause.leaf is Leaf.PAUSED
    assert [cause.leaf for cause in why.also] == [Leaf.FAILING]
    assert why.unseen == (
        "schedules cannot be read: http: 500",
        "runs of the time we were away are still being read",
    )


def test_from_what_is_old_nothing_is_concluded() -> None:
    blind = explain(sight({**ROWS[0].known, "open": WAITING, "queue": queue(paused=True)}))
    assert (blind.cause.leaf, blind.also) == (Leaf.CANNOT_SEE, ())


instants = st.none() | st.integers(AT - 3 * DAY, AT)
waitings = st.builds(Waiting, st.integers(1, 9), st.integers(AT - DAY, AT), st.just("run_1"), st.integers(0, 3))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "runs_unseen": st.just(Unseen("runs", Blind.FAILING, None, "http: 500")),
            "is_starting": st.booleans(),
            "open": st.dictionaries(st.sampled_from([QUEUED, DEQUEUED, EXECUTING, RunStatus.WAITING]), waitings),
            "retrying": waitings,
            "queue": st.builds(queue, st.integers(0, 12), st.none() | st.integers(0, 10), paused=st.booleans()),
            "running_elsewhere": st.none() | st.integers(0, 50),
            "last_success": instants,
            "last_finished": instants,
            "failures": st.integers(0, 400),
            "failing_since": instants,
            "unsuccessful": st.lists(
                st.builds(ended, st.sampled_from(["EXPIRED", "CANCELED", "FAILED"]), st.integers(0, DAY)), max_size=3
            ).map(tuple),
            "lately": st.builds(Lately, st.integers(10, 20), st.integers(0, 10), st.just(5)),
            "schedules": st.lists(st.builds(schedule, st.integers(AT - DAY, AT)), max_size=2).map(tuple),
            "usual": st.none() | st.floats(0, 1e9),
        },
    )
)
def test_whatever_is_known_there_is_an_answer(known: dict[str, Any]) -> None:
    why = explain(sight(known))
    assert why.cause.says
    assert why.cause.leaf not in {cause.leaf for cause in why.also}
    assert "\n" not in why.cause.says


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        ([None, Bar(20, 0), Bar(20, 0)], None),
        ([Bar(50, 5), Bar(50, 5), Bar(50, 5)], Lately(150, 15, 15)),
        # What began a minute ago does not drown in what was before; a single run that failed is no storm.
        ([Bar(70, 3), Bar(70, 3), Bar(18, 12)], Lately(18, 12, 5)),
        ([Bar(70, 3), Bar(8, 4), Bar(3, 3)], Lately(11, 7, 10)),
        ([Bar(2, 0), Bar(1, 0), Bar(1, 1)], Lately(4, 1, 15)),
        ([Bar(0, 0), Bar(0, 0), Bar(0, 0)], Lately(0, 0, 15)),
    ],
)
def test_how_a_task_does_now(bars: list[Bar | None], expected: Lately | None) -> None:
    assert lately(bars) == expected


async def why(daemon: Daemon, task: str) -> Leaf:
    found = sight_of(daemon.target, task, daemon.clock.now())
    return explain(found).cause.leaf


async def test_what_a_watcher_gathers(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        assert await why(daemon, "mail") is Leaf.STARTING
        story.world.add_queue("emails", limit=1)
        story.world.add_run(task="mail", status="COMPLETED", queue="emails", version="20261123.1")
        await daemon.poll()
        assert await why(daemon, "mail") is Leaf.FINE
        assert await why(daemon, "nobody") is Leaf.NOT_TRIGGERED
        assert knows(daemon.target, "mail")
        assert not knows(daemon.target, "nobody")
        assert known_tasks(daemon.target) == {"mail"}

        await story.let(daemon, 30, step=30)
        failed = [
            story.world.add_run(
                task="mail",
                status="FAILED",
                queue="emails",
                version="20261123.2",
                error=error_of("FAILED", "E", "broken"),
            )
            for _ in range(3)
        ]
        await story.let(daemon, 90, step=30)
        assert await why(daemon, "mail") is Leaf.FAILING
        error = RunError(name="E", message="broken")
        told = sight_of(daemon.target, "mail", daemon.clock.now(), lambda _, runs, __: {error: len(runs[:1])})
        assert told.errors == (ErrorCount("E", "broken", 1),)
        assert {run.id for run in told.unsuccessful} == set(failed)
        assert told.queue_name == "emails"
        assert told.since_version == "20261123.2"

        story.world.add_run(task="mail", status="QUEUED", queue="emails")
        story.world.pause_queue("emails")
        await story.let(daemon, 120, step=30)
        assert await why(daemon, "mail") is Leaf.PAUSED
        story.faults.on("runs", status=500)
        await story.let(daemon, 60, step=30)
        assert await why(daemon, "mail") is Leaf.CANNOT_SEE
