"""The world: the same history however it is stepped, and counts that stay true whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.simulator.entities import FINAL, RUNNING
from triggerdev_exporter.simulator.scenario import SCENARIOS, QueueSpec, Scenario, TaskSpec, busy, shop
from triggerdev_exporter.simulator.truth import missed, truth
from triggerdev_exporter.simulator.world import NEVER, World

START = 1_795_458_600_000


def check_counts(world: World) -> None:
    """What the world keeps on the side is what its runs say."""
    for queue in world.queues.values():
        runs = [run for run in world.runs.values() if run.queue == queue.name]
        assert queue.queued == sum(run.status == "PENDING" for run in runs), queue.name
        assert queue.running == sum(run.status in RUNNING for run in runs), queue.name
        assert queue.limit is None or queue.running <= queue.limit
    assert world.running == sum(queue.running for queue in world.queues.values())
    assert len(world.index.order) == len(world.runs) == sum(map(len, world.index.by_status.values()))
    assert world.index.order == sorted((run.created_at, run.key) for run in world.runs.values())
    for batch in world.batches.values():
        runs = [world.runs[key] for key in batch.run_keys]
        assert batch.open_runs == sum(not run.is_final for run in runs)


def check_dates(world: World) -> None:
    """Every run's dates fit its status, and come in order."""
    for run in world.runs.values():
        assert run.history == sorted(run.history, key=lambda step: step[0])
        assert run.history[-1][1] == run.status
        if run.status in RUNNING:
            assert run.started_at is not None
        if run.started_at is not None and run.completed_at is not None:
            assert run.started_at <= run.completed_at
        assert (run.finished_at is not None) == (run.status in FINAL)
        assert run.visible_at <= world.now


@given(steps=st.lists(st.integers(1, 20 * MINUTE), max_size=12), seed=st.integers(0, 5))
@settings(max_examples=15)
def test_the_history_does_not_depend_on_the_steps(steps: list[int], seed: int) -> None:
    end = START + 90 * MINUTE
    once, stepped = World(shop(), seed, START), World(shop(), seed, START)
    once.advance(end)
    now = START
    for step in steps:
        now = min(end, now + step)
        stepped.advance(now)
    stepped.advance(end)
    assert truth(once, START, end) == truth(stepped, START, end)
    assert once.index.order == stepped.index.order


def test_another_seed_gives_another_history() -> None:
    one, other = World(shop(), 1, START), World(shop(), 2, START)
    for world in (one, other):
        world.advance(START + 10 * MINUTE)
    assert truth(one, START, one.now) != truth(other, START, other.now)


@given(
    seed=st.integers(0, 1000),
    limit=st.integers(1, 4),
    environment=st.integers(1, 6),
    pauses=st.lists(st.booleans(), max_size=6),
)
@settings(max_examples=25)
def test_counts_are_conserved(seed: int, limit: int, environment: int, pauses: list[bool]) -> None:
    wild = TaskSpec(
        "wild",
        per_second=0.8,
        queue="narrow",
        retry=0.3,
        wait=0.3,
        delay=0.2,
        cancel=0.1,
        ttl_ms=MINUTE,
        next_version=0.1,
        burst=0.1,
        stuck=0.05,
        test=0.1,
        child="tame",
        child_chance=0.3,
    )
    scenario = Scenario(
        "test",
        tasks=(wild, TaskSpec("tame", per_second=0.3)),
        queues=(QueueSpec("narrow", limit=limit),),
        environment_limit=environment,
        deploy_every_ms=4 * MINUTE,
    )
    world = World(scenario, seed, START)
    for number, paused in enumerate(pauses, start=1):
        world.advance(START + number * 3 * MINUTE)
        world.pause_queue("narrow", paused)
        check_counts(world)
        check_dates(world)
        assert world.running <= environment


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_lives(name: str) -> None:
    world = World(SCENARIOS[name](), 1, START)
    world.advance(START + HOUR)
    check_counts(world)
    check_dates(world)


def test_the_shop_has_its_troubles() -> None:
    world = World(shop(), 1, START)
    world.advance(START + 3 * HOUR)
    told = truth(world, START, world.now)
    statuses = {labels["status"] for labels, _ in told["triggerdev_runs_finished_total"]}
    assert statuses >= {"COMPLETED", "FAILED", "CRASHED", "TIMED_OUT", "EXPIRED", "CANCELED", "SYSTEM_FAILURE"}
    assert {b["status"] for b, _ in told["triggerdev_batches_finished_total"]} >= {"COMPLETED", "PARTIAL_FAILED"}
    assert world.queues["crm"].paused
    assert world.queues["crm"].queued > 0
    assert sum(value for _, value in told["triggerdev_deployments_finished_total"]) >= 3


def test_a_schedules_run_is_made_before_its_slot_and_created_on_it() -> None:
    world = World(shop(), 1, START)
    world.advance(START + HOUR)
    polls = [run for run in world.runs.values() if run.task == "poll-orders"]
    assert {run.created_at for run in polls} >= {START + number * MINUTE for number in range(2, 59)}
    assert all(run.created_at % MINUTE == 0 and 0 <= run.created_at - run.visible_at <= 30 * SECOND for run in polls)
    assert any(run.started_at is not None and run.started_at < run.created_at for run in polls)


def test_a_broken_schedule_misses_its_slots() -> None:
    world = World(shop(), 1, START)
    schedule = next(row for row in world.schedules.values() if row.task == "poll-orders")
    world.advance(START + 10 * MINUTE + 5 * SECOND)
    world.set_schedule(schedule.id, broken=True)
    world.advance(START + 30 * MINUTE)
    slots = missed(world, schedule, START, world.now)
    assert slots[-1] == START + 25 * MINUTE
    assert 14 <= len(slots) <= 15


# ── scripts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_scripted_run_lives_by_its_dates() -> None:
    world = World(start=START)
    run_id = world.add_run(
        task="a", status="FAILED", created_at=START + 1000, started_at=START + 2000, finished_at=START + 5000
    )
    seen = []
    for second in range(7):
        world.advance(START + second * 1000)
        run = world.run(run_id)
        seen.append(run.status if run else None)
    failed = "COMPLETED_WITH_ERRORS"
    assert seen == [None, "PENDING", "EXECUTING", "EXECUTING", "EXECUTING", failed, failed]
    run = world.run(run_id)
    assert run is not None
    assert (run.created_at, run.started_at, run.finished_at) == (START + 1000, START + 2000, START + 5000)


def test_a_delayed_run_is_delayed_then_queued_then_runs() -> None:
    world = World(start=START)
    run_id = world.add_run(task="a", status="COMPLETED", delayed_until=START + 3000, started_at=START + 5000)
    seen = []
    for second in range(7):
        world.advance(START + second * 1000)
        seen.append(world.runs[run_id.removeprefix("run_")].status)
        check_counts(world)
    assert seen == ["DELAYED"] * 3 + ["PENDING"] * 2 + ["COMPLETED_SUCCESSFULLY"] * 2


def test_a_late_row_appears_late_with_its_old_dates() -> None:
    world = World(start=START)
    run_id = world.add_run(task="a", status="COMPLETED", finished_at=START + 10, visible_at=START + MINUTE)
    world.advance(START + 59 * SECOND)
    assert world.run(run_id) is None
    assert truth(world, START, world.now)["triggerdev_runs_triggered_total"] == []
    world.advance(START + MINUTE)
    run = world.run(run_id)
    assert run is not None
    assert run.status_at(START + 10) == "COMPLETED_SUCCESSFULLY"


def test_a_change_voids_what_was_planned() -> None:
    world = World(start=START)
    run_id = world.add_run(task="a", status="COMPLETED", finished_at=START + MINUTE)
    world.change_run(run_id, "CANCELED")
    world.advance(START + HOUR)
    assert world.runs[run_id.removeprefix("run_")].status == "CANCELED"
    check_counts(world)


@pytest.mark.parametrize(
    ("status", "started_at", "finished"),
    [
        # A run cancelled before it began has no completedAt; the list then tells updatedAt.
        ("CANCELED", None, (None, START)),
        ("CANCELED", START, (START, START)),
        ("EXPIRED", None, (START, START)),
        ("SYSTEM_FAILURE", NEVER, (START, START)),
    ],
)
def test_how_ends_are_dated(status: str, started_at: int | None, finished: tuple[int | None, int]) -> None:
    world = World(start=START)
    run = world.run(world.add_run(task="a", status=status, started_at=started_at))
    assert run is not None
    assert (run.completed_at, run.finished_at) == finished
    assert run.started_at == (None if started_at == NEVER else started_at)


def test_children_know_their_root() -> None:
    world = World(start=START)
    root = world.add_run(task="a", status="EXECUTING")
    middle = world.add_run(task="b", status="EXECUTING", parent_id=root)
    leaf = world.run(world.add_run(task="c", parent_id=middle))
    assert leaf is not None
    assert (leaf.parent_id, leaf.root_id, leaf.depth) == (middle, root, 2)


def test_an_automatic_batch_ends_with_its_last_run() -> None:
    world = World(start=START)
    batch = world.add_batch(status="PARTIAL_FAILED", items_created=2, items_failed=1, automatic=True)
    first = world.add_run(task="a", status="EXECUTING", batch_id=batch)
    second = world.add_run(task="a", status="EXECUTING", batch_id=batch)
    world.change_run(first, "COMPLETED")
    assert world.batches[batch].status == "PARTIAL_FAILED"
    world.advance(START + SECOND)
    world.change_run(second, "FAILED")
    assert (world.batches[batch].status, world.batches[batch].updated_at) == ("COMPLETED", START + SECOND)
    assert truth(world, START, world.now)["triggerdev_batches_finished_total"] == [({"status": "PARTIAL_FAILED"}, 1)]


def test_a_deleted_run_is_gone() -> None:
    world = World(start=START)
    run_id = world.add_run(task="a")
    world.delete_run(run_id)
    assert world.run(run_id) is None
    check_counts(world)


def test_a_preloaded_world_is_full_at_once() -> None:
    world = World(busy(preload=1000), 1, START)
    assert len(world.runs) == 1000
    check_counts(world)
    check_dates(world)
