"""The seed dialect: its own names, shapes and limits. The document it comes from says no more than this."""

from __future__ import annotations

import pytest

from simulator.conftest import START, Client, Open
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, iso
from triggerdev_exporter.simulator.scenario import shop
from triggerdev_exporter.simulator.spellings import SPELLINGS
from triggerdev_exporter.simulator.world import World

SEED_STATUSES = set(
    (
        "QUEUED EXECUTING REATTEMPTING WAITING_FOR_DEPLOY WAITING_TO_RESUME COMPLETED_SUCCESSFULLY INTERRUPTED "
        "COMPLETED_WITH_ERRORS CANCELLED CRASHED FAILED_TO_RUN TIMED_OUT EXPIRED DELAYED SYSTEM_FAILURE"
    ).split()
)


@pytest.fixture
async def seed(open_simulator: Open) -> Client:
    return await open_simulator(profile="seed")


async def test_a_run(seed: Client) -> None:
    world = seed.running.world
    schedule = world.add_schedule(task="a", cron="0 3 * * *")
    run_id = world.add_run(task="a", status="FAILED", started_at=START, schedule_id=schedule, payload={"n": 1})
    status, body = await seed.ask(f"/api/v1/runs/{run_id}")
    assert status == 200
    assert body == {
        "id": run_id,
        "status": "COMPLETED_WITH_ERRORS",
        "taskIdentifier": "a",
        "createdAt": iso(START),
        "updatedAt": iso(START),
        "startedAt": iso(START),
        "finishedAt": iso(START),
        "isTest": False,
        "payload": {"n": 1},
        "tags": [],
        "relatedRuns": {"children": []},
        "attempts": [],
        "schedule": {"id": schedule, "type": "DECLARATIVE", "expression": "0 3 * * *"},
    }
    assert (await seed.ask(f"/api/v3/runs/{run_id}"))[0] == 404


@pytest.mark.parametrize("status", sorted(SPELLINGS))
async def test_every_status_is_one_of_the_document(seed: Client, status: str) -> None:
    run_id = seed.running.world.add_run(task="a", status=status)
    _, body = await seed.ask(f"/api/v1/runs/{run_id}")
    assert body["status"] in SEED_STATUSES
    assert await seed.ids(f"/api/v1/runs?filter[status]={body['status']}") == [run_id]


async def test_cursors_are_run_ids(seed: Client) -> None:
    made = [seed.running.world.add_run(task="a", created_at=START - number) for number in range(25)]
    _, first = await seed.ask("/api/v1/runs?page[size]=10")
    assert first["pagination"] == {"next": made[9]}
    _, second = await seed.ask(f"/api/v1/runs?page[size]=10&page[after]={made[9]}")
    assert second["pagination"] == {"next": made[19], "previous": made[10]}
    assert await seed.ids(f"/api/v1/runs?page[size]=10&page[after]={made[19]}") == made[20:]
    assert await seed.ids(f"/api/v1/runs?page[size]=10&page[before]={made[10]}") == made[:10]
    assert (await seed.ask("/api/v1/runs?page[after]=run_unknown"))[0] == 400


@pytest.mark.parametrize(("size", "status"), [("9", 400), ("10", 200), ("100", 200), ("101", 400), ("x", 400)])
async def test_page_sizes(seed: Client, size: str, status: int) -> None:
    told, body = await seed.ask(f"/api/v1/runs?page[size]={size}")
    assert told == status
    if status == 400:
        assert isinstance(body["details"][0]["path"], str)


async def test_filters(seed: Client) -> None:
    world = seed.running.world
    names = {
        world.add_run(task="a", tags=("x",)): "a",
        world.add_run(task="b", created_at=START - HOUR, status="EXECUTING", is_test=True): "b",
        world.add_run(task="c", created_at=START - 30 * DAY, status="DEQUEUED"): "c",
    }

    async def told(query: str) -> str:
        return "".join(sorted(names[run] for run in await seed.ids("/api/v1/runs?" + query)))

    assert await told("") == "abc"  # no window
    assert await told("filter[taskIdentifier]=a&filter[taskIdentifier]=c") == "ac"  # repeated names are a list
    assert await told("filter[taskIdentifier]=a,c") == ""
    assert await told("filter[status]=QUEUED&filter[status]=EXECUTING") == "abc"
    assert await told("filter[status]=EXECUTING") == "bc"
    assert await told(f"filter[createdAt.from]={iso(START - HOUR)}") == "ab"
    assert await told(f"filter[createdAt.to]={iso(START - HOUR)}") == "bc"
    assert await told(f"filter[createdAt][from]={START}") == "abc"  # the real spelling is ignored
    assert await told("filter[tag]=x") == "a"
    assert await told("filter[isTest]=true") == "b"
    assert (await seed.ask("/api/v1/runs?filter[status]=COMPLETED"))[0] == 400
    assert (await seed.ask("/api/v1/runs?filter[createdAt.from]=1735689600000"))[0] == 400


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        ("PENDING", "PENDING"),
        ("PROCESSING", "PROCESSING"),
        ("PARTIAL_FAILED", "PROCESSING"),
        ("COMPLETED", "COMPLETED"),
        ("ABORTED", "FAILED"),
    ],
)
async def test_batches(seed: Client, truth: str, told: str) -> None:
    world = seed.running.world
    batch = world.add_batch(status=truth, created_at=START - MINUTE, updated_at=START, items_created=2, items_failed=1)
    world.add_run(task="a", status="FAILED", batch_id=batch)
    world.add_run(task="a", status="EXECUTING", batch_id=batch)
    _, body = await seed.ask(f"/api/v1/batches/{batch}")
    final = {"completedAt": iso(START)} if truth in {"COMPLETED", "ABORTED"} else {}
    counts = {"totalCount": 3, "completedCount": 1, "failedCount": 1}
    assert body == {"id": batch, "status": told, "createdAt": iso(START - MINUTE), **counts, **final}


async def test_lists_are_bare_arrays(seed: Client) -> None:
    world = seed.running.world
    world.add_queue("emails", limit=3, extra_queued=2)
    world.add_queue("task/a", paused=True)
    world.add_deployment(version="1", status="INSTALLING", tasks=("a",))
    world.add_deployment(version="2", status="CANCELED", tasks=("a",))
    world.add_schedule(task="a", cron="0 3 * * *", external_id="cust_1", automatic=False)
    token = world.add_token(status="TIMED_OUT")
    _, queues = await seed.ask("/api/v1/queues")
    assert queues == [
        {"name": "emails", "paused": False, "concurrencyLimit": 3, "currentConcurrency": 0, "depth": 2},
        {"name": "task/a", "paused": True, "currentConcurrency": 0, "depth": 0},
    ]
    assert (await seed.ask("/api/v1/queues/task%2Fa"))[1] == queues[1]
    _, deployments = await seed.ask("/api/v1/deployments")
    assert [(row["version"], row["status"]) for row in deployments] == [("2", "FAILED"), ("1", "PENDING")]
    assert deployments[0]["tasks"] == [{"identifier": "a", "filePath": "src/trigger/a.ts"}]
    assert (await seed.ask("/api/v1/deployments/latest"))[1] == deployments[0]
    _, schedules = await seed.ask("/api/v1/schedules")
    assert (schedules[0]["task"], schedules[0]["externalId"], schedules[0]["nextRun"][11:16]) == (
        "a",
        "cust_1",
        "03:00",
    )
    assert "UTC" in (await seed.ask("/api/v1/schedules/timezones"))[1]
    assert (await seed.ask(f"/api/v1/waitpoints/{token}"))[1]["status"] == "EXPIRED"


async def test_what_it_does_not_have(seed: Client) -> None:
    for path in ("/api/v1/waitpoints/tokens/waitpoint_x", "/api/v1/deployments/current/x", "/api/v2/batches/x"):
        status, text = await seed.ask(path)
        assert status == 404
        assert "<html" in text
    status, text = await seed.query("SELECT run_id FROM runs")
    assert status == 404
    assert "<html" in text
    assert not [name for name in seed.headers if name.lower().startswith("x-ratelimit")]
    assert (await seed.ask("/api/v1/runs", key=None))[0] == 401


async def test_one_world_in_both_dialects(open_simulator: Open) -> None:
    """The same runs, with the same dates; what differs is how they are told."""
    world = World(shop(), 3, START - HOUR)
    world.advance(START)
    told = []
    for profile in ("seed", "latest"):
        client = await open_simulator(profile=profile, world=world)
        _, body = await client.ask("/api/v1/runs?page[size]=100")
        told.append([(r["id"], r["createdAt"], r.get("startedAt"), r.get("finishedAt")) for r in body["data"]])
    assert told[0] == told[1]
