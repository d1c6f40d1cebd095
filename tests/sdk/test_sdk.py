"""Certified by the official SDK: it reads every list and every item of the simulator, and understands what is there.

Needs node and npm, and the SDK from the registry once (into ``node_modules``). Without them the tests are skipped,
but fail in CI.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from npm_project import install
from triggerdev_exporter.clock import HOUR, MINUTE, ScaledClock
from triggerdev_exporter.simulator.command import Running, start_simulator
from triggerdev_exporter.simulator.limiter import Quota
from triggerdev_exporter.simulator.scenario import shop
from triggerdev_exporter.simulator.spellings import spelling
from triggerdev_exporter.simulator.world import World

HERE = Path(__file__).parent
START = 1_795_458_600_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def node(require: Callable[[str], str]) -> str:
    """The path of node, with the SDK installed beside the harness."""
    found, npm = require("node"), require("npm")
    install(HERE, npm)
    return found


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    """The shop after 25 minutes, stopped, with an odd queue, and every status of a run at least once."""
    clock = ScaledClock(speed=0, start=START)
    world = World(shop(), 7, START - 25 * MINUTE)
    world.advance(START)
    world.add_queue("a/b c", limit=3)
    for status in (
        "DELAYED",
        "PENDING_VERSION",
        "QUEUED",
        "DEQUEUED",
        "EXECUTING",
        "RETRYING_AFTER_FAILURE",
        "WAITING",
    ):
        world.add_run(task="odd-task", status=status, delayed_until=START + HOUR if status == "DELAYED" else None)
    for status in (
        "COMPLETED",
        "FAILED",
        "CRASHED",
        "SYSTEM_FAILURE",
        "TIMED_OUT",
        "CANCELED",
        "EXPIRED",
        "INTERRUPTED",
    ):
        world.add_run(task="odd-task", status=status, ttl="10m" if status == "EXPIRED" else None)
    world.add_deployment(status="FAILED")
    world.add_deployment(status="PENDING")
    async with start_simulator(world=world, clock=clock, omit_nulls=True) as running:
        yield running


async def _play(node: str, running: Running, known: dict[str, Any]) -> dict[str, Any]:
    """What the SDK understood."""
    process = await asyncio.create_subprocess_exec(
        node,
        "harness.mjs",
        cwd=HERE,
        env={
            "PATH": os.environ["PATH"],
            "TRIGGER_API_URL": running.url,
            "TRIGGER_SECRET_KEY": "tr_prod_harness",
            "HARNESS": json.dumps(known),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out)
    return told


async def test_the_official_sdk_reads_everything(node: str, simulator: Running) -> None:
    world = simulator.world
    odd = [run for run in world.runs.values() if run.task == "odd-task"]
    batch = next(iter(world.batches.values()))
    told = await _play(
        node,
        simulator,
        {
            "task": "charge-card",
            "from": START - 10 * MINUTE,
            "queue": "emails",
            "queueId": world.queues["emails"].id,
            "slashed": "a/b c",
            "batch": batch.id,
            "retrieve": [run.id for run in odd],
        },
    )
    order = ["run_" + key for _, key in reversed(world.index.order)]

    assert told["runs"] == order
    open_runs = {run.id: spelling(run.status).dated for run in world.runs.values() if not run.is_final}
    # The SDK knows no filter for the old spellings, so runs that try again are not asked for.
    retrying = {run.id for run in world.runs.values() if run.status == "RETRYING_AFTER_FAILURE"}
    assert dict(told["open"]) == {run: status for run, status in open_runs.items() if run not in retrying}
    charged = [r for r in world.runs.values() if r.task == "charge-card" and r.created_at >= START - 10 * MINUTE]
    assert told["filtered"] == ["charge-card"] * len(charged)
    assert told["queueFilter"] == sum(1 for run in world.runs.values() if run.queue == "emails")
    assert told["pages"]["first"] + told["pages"]["second"] == order[:10]
    assert sorted(told["pages"]["back"]) == sorted(order[:5])
    assert told["statuses"] == {run.id: [spelling(run.status).dated, run.attempts, run.created_at] for run in odd}
    assert told["missing"] == 404
    assert {(kind, name): (queued, running) for kind, name, queued, running in told["queues"]} == {
        (queue.type, queue.short_name): (queue.queued, queue.running) for queue in world.queues.values()
    }
    assert told["queue"] == ["emails", "charge-card", "a/b c"]
    assert told["batch"] == [batch.status, batch.items_created + batch.items_failed]
    assert sorted(told["schedules"][0]) == sorted(world.schedules)
    assert told["schedules"][2] is True
    assert told["deployments"][0] == [row.version for row in world.newest_deployments()]
    assert sorted(told["tokens"][0]) == sorted(token.status for token in world.tokens.values())
    counts: dict[str, int] = {}
    for run in world.runs.values():
        title = spelling(run.status).title
        counts[title] = counts.get(title, 0) + 1
    assert told["query"] == counts


async def test_the_sdk_refuses_the_nulls_of_deployments_as_it_does_for_real(node: str) -> None:
    async with start_simulator(clock=ScaledClock(speed=0, start=START)) as running:
        running.world.add_deployment(status="PENDING", git=None)
        process = await asyncio.create_subprocess_exec(
            node,
            "--input-type=module",
            "-e",
            'import {deployments} from "@trigger.dev/sdk";'
            'try { await deployments.list(); console.log("read"); } catch (error) { console.log(error.message); }',
            cwd=HERE,
            env={"PATH": os.environ["PATH"], "TRIGGER_API_URL": running.url, "TRIGGER_SECRET_KEY": "tr_prod_harness"},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert "data[0].git" in out.decode()


async def test_the_official_sdk_is_patient_with_it(node: str) -> None:
    """An empty page in the middle of a walk, a used-up rate limit, and the three kinds of 404."""
    quota = Quota(burst=8, refill=8, interval_ms=1000)
    async with start_simulator(quota=quota, deployment_quota=quota) as running:
        world, long_ago = running.world, running.clock.now() - HOUR
        world.add_queue("emails")  # beside the own queue of the task
        made = [world.add_run(task="a", status="EXECUTING", created_at=long_ago - number) for number in range(60)]
        for run_id in made[20:40]:
            world.change_run(run_id, "COMPLETED")
        running.faults.view_lag_s = 300
        told = await _play(node, running, {"play": "patience"})
        asked = Counter((each.path.partition("?")[0], each.status) for each in running.requests)
    assert told["emptyMiddlePage"] == made[:20] + made[40:]
    assert told["throttled"] == [2] * 12
    assert sum(count for (_, status), count in asked.items() if status == 429) > 0
    assert told["missing"] == {"retried": 404, "final": 404, "untold": 404}
    # x-should-retry: true is believed, even for a 404; false and silence are not retried.
    assert asked["/api/v3/runs/run_doesnotexist", 404] == 2
    assert asked["/api/v1/deployments/current", 404] == 1
    assert asked["/api/v1/queues/none", 404] == 1
