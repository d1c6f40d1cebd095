"""The truth, on worlds small enough to count by hand."""

from __future__ import annotations

import pytest

from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.simulator.truth import Buckets, truth
from triggerdev_exporter.simulator.world import NEVER, World

START = 1_795_458_600_000


@pytest.fixture
def world() -> World:
    return World(start=START)


def test_each_event_is_counted_by_its_own_date(world: World) -> None:
    """A run created before birth and ended after it was not triggered, but did finish."""
    birth = START
    world.add_run(
        task="a",
        status="COMPLETED",
        created_at=birth - 10_000,
        started_at=birth - 1,
        finished_at=birth,
        compute_ms=1500,
    )
    world.add_run(task="a", status="FAILED", created_at=birth - 10_000, started_at=birth, finished_at=birth + 2000)
    world.add_run(
        task="a", status="COMPLETED", created_at=birth - 10_000, started_at=birth - 9000, finished_at=birth - 1
    )
    world.add_run(task="a", status="EXECUTING", created_at=birth, started_at=birth + 1000)
    world.advance(START + MINUTE)
    told = truth(world, birth, world.now)
    assert told["triggerdev_runs_triggered_total"] == [({"task": "a"}, 1)]
    assert told["triggerdev_runs_started_total"] == [({"task": "a"}, 2)]
    assert told["triggerdev_runs_finished_total"] == [
        ({"task": "a", "status": "COMPLETED"}, 1),
        ({"task": "a", "status": "FAILED"}, 1),
    ]
    assert told["triggerdev_run_compute_seconds_total"] == [({"task": "a"}, 1.5)]
    assert told["triggerdev_runs_open"] == [({"task": "a", "status": "EXECUTING"}, 1)]
    assert told["triggerdev_runs_oldest_open_timestamp_seconds"] == [
        ({"task": "a", "status": "EXECUTING"}, (birth + 1000) / 1000)
    ]


def test_the_two_histograms(world: World) -> None:
    world.add_run(task="a", status="COMPLETED", started_at=START + 2000, finished_at=START + 9000)
    # Made before its slot and started before it: it waited for nothing.
    world.add_run(
        task="a",
        status="COMPLETED",
        created_at=START + MINUTE,
        visible_at=START + 40 * SECOND,
        started_at=START + 41 * SECOND,
        finished_at=START + 44 * SECOND,
    )
    # Waits only from the end of its delay.
    world.add_run(
        task="a", status="CRASHED", delayed_until=START + 5000, started_at=START + 5500, finished_at=START + 6000
    )
    # Never started: in neither.
    world.add_run(task="a", status="EXPIRED", finished_at=START + 1000)
    world.advance(START + HOUR)
    told = truth(world, START, world.now, buckets=Buckets(wait=(1, 5), duration=(5, 10)))
    assert told["triggerdev_run_wait_seconds_bucket"] == [
        ({"task": "a", "le": "1.0"}, 2),
        ({"task": "a", "le": "5.0"}, 3),
        ({"task": "a", "le": "+Inf"}, 3),
    ]
    assert told["triggerdev_run_wait_seconds_sum"] == [({"task": "a"}, 2.5)]
    assert told["triggerdev_run_duration_seconds_sum"] == [
        ({"task": "a", "outcome": "failure"}, 0.5),
        ({"task": "a", "outcome": "success"}, 10.0),
    ]


def test_test_runs_are_kept_apart(world: World) -> None:
    world.add_run(task="a", status="COMPLETED", is_test=True)
    world.add_run(task="a", status="EXECUTING", is_test=True)
    told = truth(world, START, world.now)
    assert told.pop("triggerdev_runs_test_finished_total") == [({"task": "a"}, 1)]
    assert [name for name, samples in told.items() if name.startswith("triggerdev_run") and samples] == []


def test_failures_in_a_row_look_back(world: World) -> None:
    for minutes, status in ((-50, "COMPLETED"), (-40, "FAILED"), (-30, "CANCELED"), (-20, "TIMED_OUT")):
        at = START + minutes * MINUTE
        world.add_run(task="a", status=status, created_at=at, started_at=at, finished_at=at + SECOND)
    told = truth(world, START, world.now, lookback_ms=HOUR)
    assert told["triggerdev_run_consecutive_failures"] == [({"task": "a"}, 2)]
    assert told["triggerdev_run_last_success_timestamp_seconds"] == [
        ({"task": "a"}, (START - 50 * MINUTE + 1000) / 1000)
    ]
    assert truth(world, START, world.now)["triggerdev_run_consecutive_failures"] == []


def test_open_runs_stand_since_when_it_matters(world: World) -> None:
    world.add_run(task="a", status="QUEUED", delayed_until=START + 1000)
    world.add_run(task="b", status="WAITING", started_at=START + 2000)
    world.add_run(task="c", status="DEQUEUED", started_at=START + 3000)
    world.add_run(task="d", status="SOMETHING_NEW", started_at=NEVER)
    world.advance(START + 5000)
    told = truth(world, START, world.now)["triggerdev_runs_oldest_open_timestamp_seconds"]
    assert [(labels["status"], value * 1000 - START) for labels, value in told] == [
        ("QUEUED", 1000),
        ("WAITING", 0),
        ("DEQUEUED", 3000),
        ("UNKNOWN", 0),
    ]


def test_the_live_plane(world: World) -> None:
    world.add_queue("emails", limit=3, extra_queued=7)
    world.add_run(task="a", queue="emails")
    world.add_schedule(task="a", cron="*/10 * * * *", automatic=False)
    world.add_deployment(version="1", status="DEPLOYED", deployed_at=START)
    world.add_deployment(version="2", status="FAILED", created_at=START - HOUR, ended_at=START + 1)
    world.add_token()
    world.add_token(status="TIMED_OUT", created_at=START - HOUR, completed_at=START)
    world.advance(START + 21 * MINUTE)
    told = truth(world, START, world.now)
    assert told["triggerdev_queue_depth"] == [({"queue": "emails"}, 8)]
    assert told["triggerdev_queue_concurrency_limit"] == [({"queue": "emails"}, 3)]
    # 18:40 is missed by five minutes, 18:50 not yet.
    assert told["triggerdev_schedule_missed_total"] == [({"task": "a", "type": "DECLARATIVE"}, 1)]
    assert told["triggerdev_deployments_finished_total"] == [({"status": "DEPLOYED"}, 1), ({"status": "FAILED"}, 1)]
    assert told["triggerdev_deployment_current_info"] == [({"version": "1", "runtime": "node-22"}, 1)]
    assert told["triggerdev_waitpoint_tokens_open"] == [({}, 1)]
    assert told["triggerdev_waitpoint_tokens_finished_total"] == [({"status": "TIMED_OUT"}, 1)]
