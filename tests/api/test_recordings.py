"""The answers of a real server, all of them that our client can meet: read, or turned into the right error."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.scripted_server import Reply, ScriptedServer
from triggerdev_exporter.api.calls import Call
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.dialects.probe import DIALECTS, probe_call
from triggerdev_exporter.errors import (
    ApiError,
    Forbidden,
    HttpFailed,
    NotFound,
    RateLimited,
    Unauthorized,
)
from triggerdev_exporter.records import Enrichment, Page, Run
from triggerdev_exporter.statuses import RunStatus
from virtual_clock import VirtualClock

RECORDED = Path(__file__).parents[1] / "recorded"
TRIGGER = DIALECTS["trigger"]

#: Which call a recorded request stands for, by its path.
CALLS: tuple[tuple[str, Callable[[], Call[Any] | None]], ...] = (
    (r"/api/v1/runs", lambda: TRIGGER.runs(created_from=1)),
    (r"/api/v3/runs/[^/]+", lambda: TRIGGER.run("run_x")),
    (r"/api/v1/queues", lambda: TRIGGER.queues()),
    (r"/api/v2/batches/[^/]+", lambda: TRIGGER.batch("batch_x")),
    (r"/api/v1/batches/batch_none", lambda: TRIGGER.batch("batch_none")),
    (r"/api/v1/schedules", lambda: TRIGGER.schedules()),
    (r"/api/v1/deployments", lambda: TRIGGER.deployments()),
    (r"/api/v1/deployments/current", TRIGGER.current_deployment),
    (r"/api/v1/deployments/deployment_[^/]+", lambda: TRIGGER.deployment_tasks("deployment_x")),
    (r"/api/v1/waitpoints/tokens", lambda: TRIGGER.tokens()),
    (r"/api/v1/waitpoints/tokens/[^/]+", lambda: TRIGGER.token("waitpoint_x")),
    (r"/api/v1/query", TRIGGER.enrichment),
    (r"/api/v1/nope|/api/v1/runs/", probe_call),
)


@cache
def recording(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text())


def call_for(name: str) -> Call[Any] | None:
    path = urlsplit(recording(name)["request"]["path"]).path
    for pattern, call in CALLS:
        if re.fullmatch(pattern, path):
            return call()
    return None


NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))
# Aggregates of other statements than ours have no run_id: nobody asks for them.
OTHER_QUERIES = {
    "query-batches",
    "query-empty-quantile",
    "query-newest",
    "query-open-by-status",
    "query-runs-by-status",
    "query-top-errors",
}
NO_BODY = {"runs-list-head"}
MET = [name for name in NAMES if call_for(name) and name not in OTHER_QUERIES | NO_BODY]
GOOD = [name for name in MET if recording(name)["status"] == 200]
BAD = [name for name in MET if recording(name)["status"] != 200]


def body(name: str) -> bytes:
    return json.dumps(recording(name)["body"]).encode()


def read(name: str) -> Any:
    call = call_for(name)
    assert call is not None
    return call.decode(body(name))


def test_enough_of_them_are_met() -> None:
    assert len(GOOD) >= 100
    assert len(BAD) >= 25


@pytest.mark.parametrize("name", GOOD)
def test_a_good_answer_is_read_completely(name: str) -> None:
    got, told = read(name), recording(name)["body"]
    if isinstance(got, Page):
        assert len(got.items) == len(told["data"])
        assert [item.id for item in got.items if hasattr(item, "id")] == [
            item["id"] for item in told["data"] if "queue" not in item["id"]
        ]
    elif name.startswith("query"):
        assert len(got) == len(told["results"])
    elif isinstance(got, tuple):
        assert len(got) == len(told.get("worker", {}).get("tasks", []))
    else:
        assert got.id == told["id"]


@pytest.mark.parametrize("name", [name for name in GOOD if name.startswith("runs-list")])
def test_every_run_of_a_list_says_what_its_json_says(name: str) -> None:
    for run, told in zip(read(name).items, recording(name)["body"]["data"], strict=True):
        assert run.task == told["taskIdentifier"]
        assert run.status is not RunStatus.UNKNOWN
        assert run.environment == told["env"]["name"]
        assert run.tags == tuple(told["tags"])
        assert run.kind == told["taskKind"]
        assert (run.started_at is None) == ("startedAt" not in told)
        assert (run.finished_at is None) == ("finishedAt" not in told)
        assert run.created_at % 1000 == int(told["createdAt"][20:23])
        assert run.cost_nanousd == 0


def test_a_page_of_a_hundred() -> None:
    page = read("runs-list-size100-first")
    assert len(page.items) == 100
    assert page.next == "eyJjIjoxNzk1NDU4NTQ0NTMzLCJyIjoiY213dGxucmR4MDBmeWY0N2Rpb252bGNkbyJ9"
    assert read("runs-list-size100-last").next is None
    assert Counter(run.status.value for run in page.items)[RunStatus.COMPLETED] > 50


def test_a_scheduled_run_can_lie_in_the_future() -> None:
    run = read("runs-list-size100-first").items[0]
    assert run == Run(
        id="run_cmwtlod3p01fyvz7dt21zohl0",
        task="hourly-poll",
        status=RunStatus.QUEUED,
        created_at=1_795_458_600_000,
        updated_at=1_795_458_572_668,
        compute_ms=0,
        cost_nanousd=0,
        depth=0,
        kind="SCHEDULED",
        environment_id="cmwtlm1640004e07duibwo37d",
        environment="prod",
        region="local-dev",
    )


@pytest.mark.parametrize(
    ("name", "status", "attempts"),
    [
        ("run-completed-apiversion", RunStatus.COMPLETED, 1),
        ("run-crashed-apiversion", RunStatus.CRASHED, None),
        ("run-failed-apiversion", RunStatus.FAILED, None),
        ("run-retry-ok-apiversion", RunStatus.COMPLETED, 2),
        ("run-system-failure-apiversion", RunStatus.SYSTEM_FAILURE, None),
        ("run-timed-out-apiversion", RunStatus.TIMED_OUT, None),
        ("run-cancel-me-apiversion", RunStatus.CANCELED, None),
        ("run-delayed-apiversion", RunStatus.DELAYED, 0),
        ("run-expire-apiversion", RunStatus.EXPIRED, 0),
        ("run-pending-version-apiversion", RunStatus.PENDING_VERSION, 0),
        ("run-hold-executing-apiversion", RunStatus.EXECUTING, 1),
        ("run-waiting-apiversion", RunStatus.WAITING, 1),
        ("run-queued-behind-pause-apiversion", RunStatus.QUEUED, 0),
    ],
)
def test_a_retrieved_run(name: str, status: RunStatus, attempts: int | None) -> None:
    run = read(name)
    assert run.status is status
    assert run.attempts == recording(name)["body"]["attemptCount"]
    assert attempts is None or run.attempts == attempts


def test_both_spellings_of_a_waiting_run_mean_the_same() -> None:
    assert recording("run-waiting")["body"]["status"] == "FROZEN"
    assert read("run-waiting").status is read("run-waiting-apiversion").status is RunStatus.WAITING


def test_family_and_batch_of_a_run() -> None:
    child, told = read("run-child-of-a-run"), recording("run-child-of-a-run")["body"]["relatedRuns"]
    assert (child.parent_id, child.root_id) == (told["parent"]["id"], told["root"]["id"])
    assert read("run-in-a-batch").batch_id == "batch_cmwtlmdqb004qf47d0w3t200e"
    assert read("run-completed").parent_id is None


def test_queues_have_raw_names() -> None:
    queues = {queue.name: queue for queue in read("queues-list").items}
    assert queues["task/build-report"].task == "build-report"
    assert queues["task/build-report"].running == 1
    assert (queues["crm"].type, queues["crm"].task, queues["crm"].paused) == ("custom", None, True)
    assert (queues["crm"].queued, queues["crm"].concurrency_limit) == (4, 5)
    assert queues["task/build-report"].concurrency_limit is None


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("queues-list", None),
        ("queues-list-perpage2-page1", "2"),
        ("queues-list-page-past-end", None),
        ("queues-list-empty-environment", None),
        ("schedules-list", None),
        ("schedules-list-past-end", None),
        ("deployments-list-size5", "deployment_t46h12n7n1xpd7ox7uwdu"),
        ("waitpoints-list-size1", "cmwtln3yi0095f47dnxumbrok"),
        ("waitpoints-list", None),
        ("runs-list-period-1m-empty", None),
    ],
)
def test_where_a_list_goes_on(name: str, following: str | None) -> None:
    assert read(name).next == following


def test_batches() -> None:
    batch = read("batch-v2-1")
    assert (batch.status, batch.items_created, batch.items_failed) == ("COMPLETED", 400, 0)
    assert batch.updated_at - batch.created_at == 65_970
    assert read("batch-first").items_created == 9


def test_schedules() -> None:
    schedules = read("schedules-list").items
    assert Counter((schedule.type, schedule.active) for schedule in schedules) == {
        ("IMPERATIVE", False): 2,
        ("IMPERATIVE", True): 2,
        ("DECLARATIVE", True): 1,
    }
    assert (schedules[2].cron, schedules[2].timezone) == ("*/15 * * * *", "America/New_York")
    assert schedules[2].next_run == 1_795_459_500_000
    assert schedules[2].environment_type == "PRODUCTION"


def test_deployments() -> None:
    deployments = read("deployments-list").items
    assert {deployment.status for deployment in deployments} >= {
        "PENDING",
        "BUILDING",
        "DEPLOYED",
        "CANCELED",
        "FAILED",
    }
    assert [d.deployed_at is None for d in deployments] == [d.status != "DEPLOYED" for d in deployments]
    current = read("deployments-current")
    assert (current.version, current.runtime, current.tasks) == ("20261123.4", "node-22", None)
    assert read("deployment-deployed")[:2] == ("build-report", "cleanup-blobs")
    assert read("deployment-pending") == ()


def test_tokens() -> None:
    assert [token.status for token in read("waitpoints-list").items] == ["COMPLETED", "WAITING", "WAITING"]
    token = read("waitpoint-1")
    assert token.completed_at == token.created_at + 17
    assert not [field for field in token.__struct_fields__ if "url" in field]


def test_enrichment_of_a_statement_like_ours() -> None:
    rows = {row.run_id: row for row in read("query-runs-changed")}
    assert rows["run_cmwtlnyog00n9f47dlxkqtq6d"] == Enrichment(
        run_id="run_cmwtlnyog00n9f47dlxkqtq6d",
        task="send-email",
        queue="emails",
        batch_id="batch_cmwtln7nz0096f47dv5m34gzt",
        attempts=1,
        queued_at=1_795_458_553_968,
        dequeued_at=1_795_458_584_522,
        machine="small-1x",
    )


ERRORS: dict[str, type[ApiError]] = {
    "trailing-slash-redirect": HttpFailed,
    "waitpoint-404": HttpFailed,  # the server says 500
    "runs-list-project-pat-noenv": HttpFailed,
}
BY_STATUS = {400: HttpFailed, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: HttpFailed, 429: RateLimited}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_answer_becomes_its_error(
    name: str, server: ScriptedServer, make_client: Callable[..., Client], clock: VirtualClock
) -> None:
    recorded, call = recording(name), call_for(name)
    assert call is not None
    text = recorded["body"]
    sent = b"<html>" if "_omitted" in text else text.get("_text", json.dumps(text)).encode()
    hop = {"transfer-encoding", "connection", "keep-alive", "content-length", "vary", "date"}
    headers = {key: value for key, value in recorded["headers"].items() if key not in hop}
    headers.setdefault("content-type", "text/plain")
    server.script = [Reply(recorded["status"], sent, {"Content-Type": "", **headers})]
    client = make_client()
    with pytest.raises(ApiError) as caught:
        await client.fetch(call)
    assert type(caught.value) is ERRORS.get(name, BY_STATUS.get(recorded["status"]))
    assert caught.value.status == recorded["status"]
    if isinstance(text.get("error"), str):
        assert text["error"][:150] in str(caught.value)
    if isinstance(caught.value, NotFound):
        assert caught.value.is_json == (name != "unknown-api-route")
    again = recorded["headers"].get("x-should-retry") == "true" or recorded["status"] in (429, 500)
    assert len(server.requests) == (3 if again else 1)


async def test_a_429_waits_until_the_recorded_reset(
    server: ScriptedServer, make_client: Callable[..., Client], clock: VirtualClock
) -> None:
    recorded = recording("ratelimit-4-of-5")
    reset = int(recorded["headers"]["x-ratelimit-reset"])
    hop = {"transfer-encoding", "connection", "keep-alive", "content-length", "vary"}
    limited = {key: value for key, value in recorded["headers"].items() if key not in hop}
    clock.advance((reset - clock.now()) / 1000 - 9.873)
    server.script = [
        Reply(429, json.dumps(recorded["body"]).encode(), {"Content-Type": "", **limited}),
        Reply(200, body("queues-list")),
    ]
    page = await make_client().fetch(TRIGGER.queues())
    assert len(page.items) == 8
    assert 9.873 <= sum(clock.slept) <= 10.9
