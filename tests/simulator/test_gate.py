"""Before any route: keys, branches, rates, redirects; and what is made to go wrong."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from simulator.conftest import START, Client, Open
from triggerdev_exporter.clock import HOUR, SECOND
from triggerdev_exporter.simulator.faults import ENDPOINTS, Faults
from triggerdev_exporter.simulator.limiter import Limiter, Quota
from triggerdev_exporter.simulator.world import World

PATHS = {
    "runs": "/api/v1/runs",
    "run": "/api/v3/runs/run_x",
    "queues": "/api/v1/queues",
    "batch": "/api/v2/batches/batch_x",
    "schedules": "/api/v1/schedules",
    "deployments": "/api/v1/deployments",
    "deployment": "/api/v1/deployments/deployment_x",
    "current_deployment": "/api/v1/deployments/current",
    "tokens": "/api/v1/waitpoints/tokens",
    "token": "/api/v1/waitpoints/tokens/waitpoint_x",
    "errors": "/api/v1/errors",
    "query": "/api/v1/query",
}


async def ask(client: Client, endpoint: str, **more: Any) -> tuple[int, Any]:
    if endpoint == "query":
        more |= {"method": "POST", "body": {"query": "SELECT run_id FROM runs"}}
    return await client.ask(PATHS[endpoint], **more)


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["tr_dev_a", "tr_stg_a", "tr_prod_a", "tr_prod_sk_0123456789abcdefABCDEF01"])
async def test_any_key_of_that_form_is_good(client: Client, key: str) -> None:
    assert (await client.ask(PATHS["runs"], key=key))[0] == 200


@pytest.mark.parametrize("key", ["tr_pat_x", "pk_prod_x", "nonsense", ""])
@pytest.mark.parametrize(
    ("endpoint", "words"), [("runs", "Invalid API key"), ("schedules", "Invalid or Missing API Key")]
)
async def test_other_keys_are_refused_in_the_words_of_the_route(
    client: Client, key: str, endpoint: str, words: str
) -> None:
    assert await client.ask(PATHS[endpoint], key=key) == (401, {"error": words})
    assert "x-ratelimit-limit" in client.headers


async def test_without_authorization_the_limiter_answers(client: Client) -> None:
    status, body = await client.ask(PATHS["runs"], key=None)
    assert (status, body["title"]) == (401, "Unauthorized")
    assert client.headers["content-type"].startswith("application/problem+json")
    assert "x-ratelimit-limit" not in client.headers
    assert (await client.ask("/api/v1/timezones", key=None))[0] == 200


async def test_a_revoked_key_is_refused_from_then_on(client: Client) -> None:
    assert (await client.ask(PATHS["runs"]))[0] == 200
    client.running.faults.revoked.add("tr_prod_x")
    assert (await client.ask(PATHS["runs"]))[0] == 401
    assert (await client.ask(PATHS["runs"], key="tr_prod_y"))[0] == 200


async def test_a_restricted_key_meets_the_routes_that_know_no_scopes(client: Client) -> None:
    client.running.faults.restricted.add("tr_prod_x")
    told = {
        endpoint: (await ask(client, endpoint))[0] for endpoint in ("runs", "queues", "schedules", "tokens", "token")
    }
    assert told == {"runs": 200, "queues": 200, "schedules": 401, "tokens": 403, "token": 403}


async def test_preview_keys_want_a_branch(open_simulator: Open) -> None:
    client = await open_simulator(branches=frozenset({"feat/x"}))

    async def told(key: str, **headers: str) -> tuple[int, str | None]:
        status, body = await client.ask(PATHS["runs"], key=key, **headers)
        return status, body.get("error")

    assert await told("tr_preview_a") == (401, "x-trigger-branch header required for preview env")
    assert await told("tr_preview_a", x_trigger_branch="other") == (401, "No matching branch env")
    assert (await told("tr_preview_a", x_trigger_branch="feat/x"))[0] == 200
    assert (await told("tr_dev_a", x_trigger_branch="default"))[0] == 200
    assert (await told("tr_dev_a", x_trigger_branch="other"))[0] == 401
    assert (await told("tr_prod_a", x_trigger_branch="other"))[0] == 200  # ignored


async def test_keys_of_another_environment_see_another_world(open_simulator: Open) -> None:
    staging = World(start=START, environment="stg")
    client = await open_simulator(environments={"stg": staging})
    run_id = client.running.world.add_run(task="a")
    assert (await client.ask(f"/api/v3/runs/{run_id}", key="tr_stg_x"))[0] == 404
    assert (await client.ask(f"/api/v3/runs/{run_id}"))[0] == 200


# ── rates ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bucket_is_refilled_by_whole_intervals() -> None:
    limiter = Limiter(Quota(burst=3, refill=2, interval_ms=10_000))

    def told(second: int) -> tuple[bool, int, int]:
        verdict = limiter.ask("k", second * 1000)
        return verdict.allowed, verdict.remaining, verdict.reset // 1000

    assert [told(0) for _ in range(4)] == [(True, 2, 10), (True, 1, 10), (True, 0, 10), (False, -1, 10)]
    assert [told(9), told(10), told(19), told(19)] == [(False, -1, 10), (True, 1, 20), (True, 0, 20), (False, -1, 20)]
    assert told(100) == (True, 2, 110)


async def test_limits_are_by_environment_and_deployments_have_their_own(open_simulator: Open) -> None:
    client = await open_simulator(quota=Quota(burst=2, refill=1))
    assert [(await client.ask(PATHS["runs"], key=f"tr_prod_{n}"))[0] for n in range(3)] == [200, 200, 429]
    assert "retry-after" not in client.headers
    assert int(client.headers["x-ratelimit-reset"]) == START + 10 * SECOND
    assert (await client.ask(PATHS["runs"], key="tr_dev_x"))[0] == 200
    assert (await client.ask(PATHS["deployments"]))[0] == 200
    assert client.headers["x-ratelimit-limit"] == "1500"
    client.running.world.add_deployment()
    assert (await client.ask(PATHS["current_deployment"]))[0] == 200
    assert "x-ratelimit-limit" not in client.headers
    client.running.scaled.set(now=START + 10 * SECOND)
    assert (await client.ask(PATHS["runs"]))[0] == 200


async def test_older_servers_count_by_the_header(open_simulator: Open) -> None:
    client = await open_simulator(quota=Quota(burst=1, refill=1), profile="v4.4")
    assert [(await client.ask(PATHS["runs"], key=key))[0] for key in ("tr_prod_a", "tr_prod_b", "tr_prod_a")] == [
        200,
        200,
        429,
    ]
    assert (await client.ask(PATHS["deployments"], key="tr_prod_b"))[0] == 429


async def test_every_request_is_remembered(client: Client) -> None:
    for endpoint in PATHS:
        await ask(client, endpoint)
    assert [each.endpoint for each in client.running.requests] == list(PATHS)
    assert dict(client.running.simulator.counts) == dict.fromkeys(PATHS, 1)
    last = client.running.requests[-1]
    assert (last.at, last.method, last.path, last.key) == (START, "POST", "/api/v1/query", "tr_prod_x")


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_faults_know_every_endpoint() -> None:
    assert set(PATHS) == set(ENDPOINTS)
    with pytest.raises(ValueError, match="no such endpoint"):
        Faults().on("nope")


@pytest.mark.parametrize(("what", "says"), [({"deny": 500}, "deny is 401 or 403"), ({"cut": "jso"}, "cut is json or")])
def test_a_fault_that_would_do_nothing_is_refused(what: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Faults().on("runs", **what)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(("what", "status"), [({"deny": 401}, 401), ({"deny": 403}, 403), ({"status": 502}, 502)])
async def test_one_endpoint_fails_alone(client: Client, endpoint: str, what: dict[str, int], status: int) -> None:
    client.running.faults.on(endpoint, **what)
    others = [other for other in ENDPOINTS if other != endpoint]
    assert (await ask(client, endpoint))[0] == status
    assert status not in [(await ask(client, other))[0] for other in others]


async def test_a_fault_can_pass(client: Client) -> None:
    client.running.faults.on("runs", status=500, times=2)
    assert [(await ask(client, "runs"))[0] for _ in range(3)] == [500, 500, 200]


async def test_html_where_json_was_due(client: Client) -> None:
    client.running.faults.on("queues", html=True)
    status, text = await ask(client, "queues")
    assert status == 200
    assert "<html" in text


async def test_bodies_that_end_too_early(client: Client) -> None:
    client.running.world.add_queue("q")
    client.running.faults.on("queues", cut="connection")
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(client, "queues")
    client.running.faults.on("queues", cut="json")
    with pytest.raises(ValueError, match="truncated"):
        await ask(client, "queues")


async def test_a_body_that_does_not_end(client: Client) -> None:
    client.running.faults.on("runs", oversize_mb=3)
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer tr_prod_x"}) as session:
        async with session.get(client.running.url + PATHS["runs"]) as answer:
            assert len(await answer.read()) > 3 << 20
        async with session.get(client.running.url + PATHS["runs"]) as answer:
            assert len(await answer.content.read(1000)) > 0  # and away: the server must not mind


async def test_a_cursor_that_repeats_and_dates_that_are_null(client: Client) -> None:
    client.running.world.add_run(task="a")
    client.running.faults.on("runs", repeat_cursor=True, null_dates=True)
    cursors = {(await ask(client, "runs"))[1]["pagination"]["next"] for _ in range(2)}
    assert len(cursors) == 1
    assert (await ask(client, "runs"))[1]["data"][0]["createdAt"] is None


@pytest.mark.parametrize("broken", [{"view_status": 500}, {"view_empty": True}])
async def test_the_view_breaks_and_the_live_plane_does_not(client: Client, broken: dict[str, Any]) -> None:
    run_id = client.running.world.add_run(task="a")
    client.running.faults.update(broken)
    told = [await ask(client, "runs"), await ask(client, "query")]
    if "view_status" in broken:
        assert [status for status, _ in told] == [500, 500]
    else:
        assert [body for _, body in told] == [{"data": [], "pagination": {}}, {"format": "json", "results": []}]
    assert (await client.ask(f"/api/v3/runs/{run_id}"))[0] == 200
    assert (await ask(client, "queues"))[1]["data"][0]["queued"] == 1


async def test_the_api_is_down(client: Client) -> None:
    client.running.faults.api_down = "503"
    assert (await ask(client, "queues"))[0] == 503
    client.running.faults.api_down = "reset"
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(client, "queues")
    client.running.faults.clear()
    assert (await ask(client, "queues"))[0] == 200


async def test_limits_that_never_end(client: Client) -> None:
    client.running.faults.always_429 = True
    status, body = await ask(client, "runs")
    assert (status, body["remaining"]) == (429, -1)


async def test_the_date_is_the_simulators_and_can_be_skewed(client: Client) -> None:
    async def date() -> float:
        await ask(client, "queues")
        return parsedate_to_datetime(client.headers["Date"]).timestamp() - START / 1000

    assert await date() == 0
    client.running.faults.clock_skew_s = -90
    assert await date() == -90
    client.running.faults.clock_skew_s = 0
    client.running.scaled.set(now=START + HOUR)
    assert await date() == 3600


# ── the control API ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_clock_over_http(client: Client) -> None:
    async def turn(**wish: Any) -> Any:
        return (await client.ask("/_sim/clock", method="POST", body=wish, key=None))[1]

    assert await turn(advance=90.5) == {"now": START + 90_500, "speed": 0.0}
    assert await turn(at=START + HOUR) == {"now": START + HOUR, "speed": 0.0}
    assert client.running.world.now == START + HOUR
    assert (await turn(speed=50))["speed"] == 50
    assert (await turn(freeze=True))["speed"] == 0
    assert (await client.ask("/_sim/clock"))[1]["now"] == client.running.clock.now()


async def test_the_truth_over_http(client: Client) -> None:
    client.running.world.add_run(task="a", status="COMPLETED", started_at=START - 3000, finished_at=START)
    _, body = await client.ask(f"/_sim/truth?since={START}&buckets_duration=1,5", key=None)
    assert body["now"] == START
    assert body["families"]["triggerdev_runs_finished_total"] == [[{"task": "a", "status": "COMPLETED"}, 1.0]]
    assert [labels["le"] for labels, _ in body["families"]["triggerdev_run_duration_seconds_bucket"]] == [
        "1.0",
        "5.0",
        "+Inf",
    ]
    assert (await client.ask("/_sim/truth?since=x"))[0] == 400


async def test_faults_over_http(client: Client) -> None:
    async def breaks(**what: Any) -> tuple[int, Any]:
        return await client.ask("/_sim/faults", method="POST", body=what, key=None)

    await breaks(view_lag_s=30, revoked=["tr_prod_x"], endpoints={"queues": {"status": 500}})
    assert client.running.faults.view_lag_s == 30
    assert (await ask(client, "queues"))[0] == 401
    assert (await ask(client, "queues", key="tr_prod_y"))[0] == 500
    await breaks(endpoints={"queues": None}, revoked=[])
    assert (await ask(client, "queues"))[0] == 200
    assert (await breaks(nope=1))[0] == 400
    assert (await breaks(endpoints={"queues": {"nope": 1}}))[0] == 400
    await breaks(clear=True)
    assert client.running.faults == Faults()
    _, told = await client.ask("/_sim/requests", key=None)
    assert told["counts"] == {"queues": 3}
    assert "tr_prod" not in str(told)
