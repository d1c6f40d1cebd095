"""Queues, batches, schedules, deployments, tokens and the query API of the real server, beyond the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.conftest import START, Client, Open
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND

WIDE = (
    "run_id status task_identifier queue batch_id root_run_id parent_run_id depth triggered_at queued_at dequeued_at "
    "executed_at completed_at delay_until expired_at attempt_count usage_duration total_cost is_test is_finished "
    "task_version machine project environment environment_type"
).split()
CHANGED = (
    "FROM runs WHERE completed_at > now() - INTERVAL 60 MINUTE OR is_finished = 0 ORDER BY triggered_at DESC LIMIT 100"
)


async def test_counts_of_queues_follow_the_runs(client: Client) -> None:
    world = client.running.world
    for status in ("QUEUED", "QUEUED", "DELAYED", "PENDING_VERSION", "DEQUEUED", "EXECUTING", "WAITING", "FAILED"):
        world.add_run(
            task="a", queue="emails", status=status, delayed_until=START + HOUR if status == "DELAYED" else None
        )
    _, body = await client.ask("/api/v1/queues")
    assert [(row["name"], row["queued"], row["running"]) for row in body["data"]] == [("emails", 2, 2)]


async def test_queues_are_paged_by_number_and_clamped(client: Client) -> None:
    for number in range(120):
        client.running.world.add_queue(f"q{number:03d}")
    _, body = await client.ask("/api/v1/queues?perPage=500&page=2")
    assert body["pagination"] == {"currentPage": 2, "totalPages": 2, "count": 120}
    assert [row["name"] for row in body["data"]] == [f"q{number:03d}" for number in range(100, 120)]


@pytest.mark.parametrize("path", ["a%252Fb%20c?type=custom", "a%2Fb%20c?type=custom", "build?type=task"])
async def test_a_queue_is_found_by_name(client: Client, path: str) -> None:
    client.running.world.add_queue("a/b c")
    client.running.world.add_queue("task/build")
    assert (await client.ask(f"/api/v1/queues/{path}"))[0] == 200
    assert await client.ask("/api/v1/queues/build") == (404, {"error": "queue-not-found"})


async def test_the_latest_server_tells_the_version_of_queues(open_simulator: Open) -> None:
    client = await open_simulator(profile="latest")
    client.running.world.add_queue("q")
    assert (await client.ask("/api/v1/queues"))[1]["data"][0]["version"] == "V1"


async def test_a_partly_failed_batch_tells_its_errors(client: Client) -> None:
    batch = client.running.world.add_batch(status="PARTIAL_FAILED", items_created=2, items_failed=1, task="a")
    _, first = await client.ask(f"/api/v1/batches/{batch}")
    _, second = await client.ask(f"/api/v2/batches/{batch}")
    assert (first["runCount"], first["successfulRunCount"], first["failedRunCount"]) == (3, 2, 1)
    assert second["processing"]["errors"] == first["errors"]


async def test_next_run_moves_with_the_clock(client: Client) -> None:
    world, clock = client.running.world, client.running.scaled
    world.add_deployment()
    world.add_schedule(task="a", cron="*/10 * * * *", automatic=False)
    told = []
    for minutes in (0, 5, 10, 11):
        clock.set(now=START + minutes * MINUTE)
        _, body = await client.ask("/api/v1/schedules")
        told.append(body["data"][0]["nextRun"][11:16])
    assert told == ["18:40", "18:40", "18:50", "18:50"]


async def test_schedules_are_hidden_until_something_is_deployed(client: Client) -> None:
    client.running.world.add_schedule(task="a", cron="0 3 * * *")
    _, body = await client.ask("/api/v1/schedules")
    assert body == {"data": [], "pagination": {"currentPage": 1, "totalPages": 1, "count": 0}}


async def test_deployments_in_pages(client: Client) -> None:
    made = [client.running.world.add_deployment(created_at=START - 100 + number) for number in range(12)][::-1]
    _, first = await client.ask("/api/v1/deployments?page[size]=1")  # five is the least
    assert [row["id"] for row in first["data"]] == made[:5]
    _, second = await client.ask(f"/api/v1/deployments?page[size]=100&page[after]={first['pagination']['next']}")
    assert [row["id"] for row in second["data"]] == made[5:]
    assert second["pagination"] == {}
    assert (await client.ask("/api/v1/deployments?period=nonsense"))[0] == 500
    assert (await client.ask("/api/v1/deployments?page[size]=101"))[0] == 400


async def test_tokens_in_pages(client: Client) -> None:
    made = [client.running.world.add_token(created_at=START - 100 + number) for number in range(5)][::-1]
    _, first = await client.ask("/api/v1/waitpoints/tokens?page[size]=3")
    _, second = await client.ask(f"/api/v1/waitpoints/tokens?page[size]=3&page[after]={first['pagination']['next']}")
    assert [row["id"] for row in first["data"] + second["data"]] == made
    assert await client.ids("/api/v1/waitpoints/tokens?filter[status]=COMPLETED") == []
    assert (await client.ask("/api/v1/waitpoints/tokens?filter[status]=PENDING"))[0] == 400


# ── TRQL ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [WIDE, ["run_id"], WIDE[::-3]])
@pytest.mark.parametrize("case", [str, str.lower])
async def test_any_columns_in_any_case(client: Client, columns: list[str], case: Any) -> None:
    world = client.running.world
    world.add_run(task="a", status="COMPLETED", started_at=START, finished_at=START, cost_nanousd=7_000_000)
    world.add_run(task="b", created_at=START - HOUR)
    world.add_run(task="c", status="FAILED", created_at=START - 3 * HOUR)
    statement = f"SELECT {', '.join(columns)} {CHANGED}"
    status, body = await client.query("\n  ".join(case(statement).split(" ")))
    assert status == 200, body
    assert [tuple(row) for row in body["results"]] == [tuple(columns)] * 2


async def test_values_look_as_recorded(client: Client) -> None:
    client.running.world.add_run(
        task="a", status="COMPLETED", started_at=START + 5, finished_at=START + 1569, cost_nanousd=7_000_000, attempts=2
    )
    client.running.scaled.set(now=START + 5 * SECOND)
    _, body = await client.query(f"SELECT {', '.join(WIDE)} {CHANGED}")
    row = body["results"][0]
    assert row["triggered_at"] == "2026-11-23 18:30:00.000"
    assert row["completed_at"] == "2026-11-23 18:30:01.569"
    assert (row["batch_id"], row["parent_run_id"], row["delay_until"]) == (None, None, None)
    assert (row["is_test"], row["is_finished"], row["status"], row["attempt_count"]) == (False, 1, "Completed", 2)
    assert (row["total_cost"], row["queue"], row["environment"]) == (0.007, "task/a", "prod")


async def test_the_query_lags_with_the_view(client: Client) -> None:
    world, clock = client.running.world, client.running.scaled
    run_id = world.add_run(task="a", status="COMPLETED", created_at=START, started_at=START, finished_at=START + 10_000)
    client.running.faults.view_lag_s = 5
    told = []
    for second in (0, 6, 12, 20):
        clock.set(now=START + second * SECOND)
        _, body = await client.query(f"SELECT run_id, status, completed_at {CHANGED}")
        told.append([(row["status"], row["completed_at"] is not None) for row in body["results"]])
        assert [row["run_id"] for row in body["results"]] == [run_id] * len(body["results"])
    assert told == [[], [("Executing", False)], [("Executing", False)], [("Completed", True)]]


async def test_grouping_and_conditions(client: Client) -> None:
    world = client.running.world
    batch = world.add_batch()
    for status in ("COMPLETED", "COMPLETED", "TIMED_OUT", "QUEUED"):
        world.add_run(task="a", status=status, batch_id=batch)
    world.add_run(task="b", status="PAUSED")
    world.add_run(task="b", status="INTERRUPTED")

    async def told(statement: str) -> list[tuple[Any, ...]]:
        status, body = await client.query(statement)
        assert status == 200, body
        return [tuple(row.values()) for row in body["results"]]

    assert await told(
        "SELECT status, count() AS n FROM runs WHERE batch_id != '' GROUP BY status ORDER BY n DESC, status"
    ) == [
        ("Completed", 2),
        ("Queued", 1),
        ("Timed out", 1),
    ]
    assert await told("SELECT count() AS n FROM runs WHERE status IN ('timed out', 'COMPLETED_SUCCESSFULLY')") == [(3,)]
    # is_finished counts Paused and forgets Interrupted.
    assert await told("SELECT status FROM runs WHERE task_identifier = 'b' AND is_finished = 1") == [("Paused",)]
    assert await told("SELECT count() AS n FROM runs WHERE status = 'nonsense'") == [(0,)]
    assert await told("SELECT max(triggered_at) AS newest, countIf(is_test = 1) AS t FROM runs") == [
        ("2026-11-23 18:30:00.000", 0)
    ]


@pytest.mark.parametrize(
    ("statement", "begins"),
    [
        ("SELECT nope FROM runs", 'Unknown column "nope". Available columns: attempt_count, batch_id'),
        ("SELECT run_id FROM secrets", 'Table "secrets" is not accessible'),
        ("SELECT histogram(depth) FROM runs", "Unknown function: histogram"),
        ("SELECT run_id FROM runs LIMIT", "Syntax error at line 1:29"),
        ("DROP TABLE runs", "Syntax error at line 1:0"),
        ("SELECT run_id FROM runs WHERE ~", "Syntax error at line 1:"),
    ],
)
async def test_what_is_refused(client: Client, statement: str, begins: str) -> None:
    status, body = await client.query(statement)
    assert status == 400
    assert body["error"].startswith(begins)


@pytest.mark.parametrize(("profile", "status"), [("v4.4", 400), ("v4.5", 429)])
async def test_three_queries_at_a_time(open_simulator: Open, profile: str, status: int) -> None:
    client = await open_simulator(profile=profile)
    client.running.faults.query_busy = True
    told, body = await client.query("SELECT run_id FROM runs")
    assert told == status
    assert "query concurrency of 3" in body["error"]
    assert int(client.headers["x-ratelimit-remaining"]) > 0


async def test_errors_are_counted_by_group_the_most_frequent_first(client: Client) -> None:
    world = client.running.world
    for task, message, ago in (("a", "x", 0), ("a", "x", 10), ("a", "y", 0), ("b", "x", 0), ("a", "x", 25 * 60)):
        error = {"name": "SmtpError", "message": message}
        world.add_run(task=task, status="FAILED", created_at=START - ago * MINUTE, error=error)
    world.add_run(task="a", status="COMPLETED")
    _, body = await client.ask("/api/v1/errors")
    assert (len(body["data"]), body["pagination"]) == (3, {})
    first = body["data"][0]
    assert (first["taskIdentifier"], first["errorMessage"], first["count"]) == ("a", "x", 2)
    assert first["id"] == f"error_{first['fingerprint']}"
    assert (first["errorType"], first["status"], first["resolvedAt"]) == ("SmtpError", "unresolved", None)
    runs = (await client.ask(f"/api/v1/runs?filter[error]={first['id']}"))[1]["data"]
    assert len(runs) == 3, "a group's runs of all time"
    _, body = await client.ask("/api/v1/errors?filter[period]=5m&filter[taskIdentifier]=a")
    assert [one["count"] for one in body["data"]] == [1, 1]
    _, one = await client.ask("/api/v1/errors?page[size]=1")
    _, two = await client.ask(f"/api/v1/errors?page[size]=2&page[after]={one['pagination']['next']}")
    assert len({each["id"] for each in (*one["data"], *two["data"])}) == 3
    assert (await client.ask("/api/v1/errors?filter[status]=solved"))[0] == 400
    assert (await client.ask("/api/v1/errors?filter[status]=ignored"))[1]["data"] == []


async def test_older_servers_have_no_list_of_errors(open_simulator: Open) -> None:
    for profile in ("v4.4", "seed"):
        client = await open_simulator(profile=profile)
        assert (await client.ask("/api/v1/errors"))[0] == 404
