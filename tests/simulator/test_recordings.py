"""Certified by recordings: a world with the recorded entities answers as the real server did.

Nearly all recorded exchanges come out equal, value by value. What cannot is listed below with its reason.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from simulator.recorded_world import EXCHANGES, recorded_now, recorded_world
from triggerdev_exporter.clock import SECOND, ScaledClock
from triggerdev_exporter.simulator.command import Running, start_simulator
from triggerdev_exporter.simulator.limiter import Quota
from triggerdev_exporter.simulator.scenario import EMPTY
from triggerdev_exporter.simulator.world import World

#: Recordings of what an exporter never asks for, and why.
OUT_OF_SCOPE = {
    "batch-results": "outputs of runs: not a source of metrics",
    "bulk-actions-list": "not watched",
    "envvars-404": "environment variables are never read",
    "envvars-list": "environment variables are never read",
    "queue-metrics": "one request a queue, and zeros unless switched on",
    "run-events": "traces of the inside of a run",
    "run-trace": "traces of the inside of a run",
    "run-metadata": "users' data",
    "run-result-failed": "always 404 on the new engine",
    "run-result-ok": "always 404 on the new engine",
    "run-result-unfinished": "always 404 on the new engine",
    "runs-list-project-pat": "needs a personal access token",
    "runs-list-project-pat-noenv": "needs a personal access token",
    "query-runs-by-status": "the recording does not hold the statement",
    "runs-list-by-error": "the fingerprint of an error group is the server's secret",
    "query-top-errors": "checked by its own test: most recorded runs do not tell their error",
    "query-schema": "checked by its own test: we play one of four tables",
    "ratelimit-1-of-5": "checked by its own test, as a sequence",
    "ratelimit-2-of-5": "checked by its own test, as a sequence",
    "ratelimit-3-of-5": "checked by its own test, as a sequence",
    "ratelimit-4-of-5": "checked by its own test, as a sequence",
    "ratelimit-5-of-5": "checked by its own test, as a sequence",
}
#: Compared by keys and types only.
BY_SHAPE = {
    "query-batches": "the recordings hold 160 of 613 runs, so counts differ",
    "query-open-by-status": "likewise, and groups come in no order",
    "runs-list-machine": "the third run on that machine is in no recording, so there is no next page",
    "unknown-api-route": "the page itself is not recorded",
}
#: Values that are made up by whoever answers.
MADE_UP = {
    "contentHash",
    "description",
    "exportName",
    "filePath",
    "idempotencyKey",
    "imageReference",
    "nextRun",
    "nextRunEffectiveAt",
    "url",
}
HEADERS = ("content-type", "x-should-retry", "location", "x-ratelimit-limit", "x-remix-error")
CASES = sorted(set(EXCHANGES) - set(OUT_OF_SCOPE))


def differences(recorded: Any, told: Any, path: str = "", *, by_shape: bool = False) -> Iterator[str]:
    """Where `told` is not what was recorded."""
    if isinstance(recorded, dict) and isinstance(told, dict):
        for key in sorted(recorded.keys() ^ told.keys()):
            yield f"{path}.{key}: only in {'the recording' if key in recorded else 'the simulator'}"
        for key in sorted(recorded.keys() & told.keys()):
            loose = by_shape or key in MADE_UP or (path.endswith("]") and key == "id" and ".worker.tasks" in path)
            yield from differences(recorded[key], told[key], f"{path}.{key}", by_shape=loose or path == ".worker")
    elif isinstance(recorded, list) and isinstance(told, list):
        if not by_shape and len(recorded) != len(told):
            yield f"{path}: {len(recorded)} items recorded, {len(told)} told"
        for number, (one, other) in enumerate(zip(recorded, told, strict=False)):
            yield from differences(one, other, f"{path}[{number}]", by_shape=by_shape)
    elif not _alike(recorded, told) or (not by_shape and recorded != told):
        yield f"{path}: {recorded!r} recorded, {told!r} told"


def _alike(recorded: object, told: object) -> bool:
    """Of the same JSON type."""
    return type(recorded) is type(told) or (_number(recorded) and _number(told))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.fixture
async def replay() -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    clock = ScaledClock(speed=0, start=recorded_now("runs-list-default"))
    staging = World(EMPTY, environment="stg")
    async with (
        start_simulator(world=recorded_world(), clock=clock, environments={"stg": staging}) as running,
        aiohttp.ClientSession() as session,
    ):
        yield running, session


def _key(auth: str) -> dict[str, str]:
    if auth == "none":
        return {}
    kinds = {"env secret key (prod)": "tr_prod_x", "env secret key (staging)": "tr_stg_x"}
    return {"Authorization": "Bearer " + kinds.get(auth, "pk_prod_x" if auth == "public key" else "tr_pat_x")}


async def _ask(running: Running, session: aiohttp.ClientSession, request: dict[str, Any]) -> tuple[int, Any, Any]:
    async with session.request(
        request["method"],
        URL(running.url + request["path"], encoded=True),
        headers={**request.get("headers", {}), **_key(request["auth"])},
        json=request.get("body"),
        allow_redirects=False,
    ) as answer:
        raw = await answer.read()
        if "json" in answer.headers.get("content-type", "") and raw:
            return answer.status, answer.headers, msgspec.json.decode(raw)
        return answer.status, answer.headers, {"_text": raw.decode()}


@pytest.mark.parametrize("name", CASES)
async def test_the_simulator_answers_as_recorded(replay: tuple[Running, aiohttp.ClientSession], name: str) -> None:
    running, session = replay
    exchange = EXCHANGES[name]
    running.scaled.set(now=recorded_now(name))
    status, headers, body = await _ask(running, session, exchange["request"])

    assert status == exchange["status"]
    assert {h: headers.get(h) for h in HEADERS} == {h: exchange["headers"].get(h) for h in HEADERS}
    for header in ("x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"):
        assert (header in headers) == (header in exchange["headers"]), header
    recorded = exchange["body"]
    if "_omitted" in recorded:
        assert "<html" in body["_text"]
        return
    if "results" in recorded or name in BY_SHAPE:
        pagination = recorded.get("pagination"), body.get("pagination")
        assert name in BY_SHAPE or pagination[0] == pagination[1]
        recorded.pop("pagination", None), body.pop("pagination", None)
    assert list(differences(recorded, body, by_shape=name in BY_SHAPE)) == []


def test_every_recording_has_its_place() -> None:
    assert set(OUT_OF_SCOPE) | set(BY_SHAPE) <= set(EXCHANGES)
    assert not set(OUT_OF_SCOPE) & set(BY_SHAPE)
    assert len(CASES) > 150


async def test_the_fourth_request_of_a_bucket_of_three_is_refused() -> None:
    """ratelimit-1-of-5 … ratelimit-5-of-5, one after the other."""
    told = [EXCHANGES[f"ratelimit-{number}-of-5"] for number in range(1, 6)]
    clock = ScaledClock(speed=0, start=recorded_now("ratelimit-1-of-5"))
    quota = Quota(burst=3, refill=3, interval_ms=10 * SECOND)
    async with start_simulator(clock=clock, quota=quota) as running, aiohttp.ClientSession() as session:
        for exchange in told:
            request = {**exchange["request"], "auth": "env secret key (prod)"}
            status, headers, body = await _ask(running, session, request)
            assert status == exchange["status"]
            assert headers["content-type"] == exchange["headers"]["content-type"]
            assert headers["x-ratelimit-limit"] == "3"
            assert headers["x-ratelimit-remaining"] == exchange["headers"]["x-ratelimit-remaining"]
            assert int(headers["x-ratelimit-reset"]) == clock.now() + 10 * SECOND
            assert "retry-after" not in headers
            assert list(differences(exchange["body"], body, by_shape=True)) == []
            if status == 429:
                assert body["remaining"] == exchange["body"]["remaining"]


async def test_the_schema_of_runs_has_the_recorded_columns(replay: tuple[Running, aiohttp.ClientSession]) -> None:
    running, session = replay
    _, _, body = await _ask(running, session, EXCHANGES["query-schema"]["request"])
    recorded = EXCHANGES["query-schema"]["body"]["tables"][0]
    told = body["tables"][0]
    assert (told["name"], told["timeColumn"]) == (recorded["name"], recorded["timeColumn"])
    assert [(c["name"], c["type"], c.get("coreColumn")) for c in told["columns"]] == [
        (c["name"], c["type"], c.get("coreColumn")) for c in recorded["columns"]
    ]


async def test_top_errors_have_the_recorded_columns(replay: tuple[Running, aiohttp.ClientSession]) -> None:
    running, session = replay
    status, _, body = await _ask(running, session, EXCHANGES["query-top-errors"]["request"])
    recorded = EXCHANGES["query-top-errors"]["body"]["results"]
    assert status == 200
    assert {tuple(row) for row in body["results"]} == {tuple(row) for row in recorded}
    counts = [row["n"] for row in body["results"]]
    assert counts == sorted(counts, reverse=True)
