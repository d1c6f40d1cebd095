"""The gate: who gets 401, what stays open, who may write, and how often one may ask."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import bcrypt
import pytest
from aiohttp.test_utils import TestClient, TestServer

from operated_stage import Operated
from outbox_stage import Scripted
from triggerdev_exporter.config.access import Access
from triggerdev_exporter.web.credentials import Credentials, read_basic
from triggerdev_exporter.web.gate import Gate, names_of
from triggerdev_exporter.web.limiter import RATES, Buckets, Rate
from triggerdev_exporter.web.server import make_app

PASSWORD = "correct horse battery staple"
USERS = {"ann": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


ANN, WRONG = basic("ann", PASSWORD), basic("ann", "correct horse")
SILENCE = {"matchers": "task=x", "duration": "2h", "author": "ann", "comment": "x"}

Client = TestClient[Any, Any]
Serve = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def serve() -> Serve:
    stage = Operated(Scripted("hook"))

    @asynccontextmanager
    async def serving(access: Access | None = None, opened: tuple[str, ...] = ("probes",)) -> AsyncIterator[Client]:
        gate = Gate(stage.clock, Access(users=USERS) if access is None else access, opened)
        async with TestClient(TestServer(make_app(stage, gate))) as client:
            client.stage, client.gate = stage, gate  # type: ignore[attr-defined]  # for the tests below
            yield client

    return serving


PATHS = ("/", "/metrics", "/api/v1/alerts", "/api/v1/openapi.json", "/nope", "/-/reload")


async def test_without_credentials_nothing_but_the_probes_is_told(serve: Serve) -> None:
    async with serve() as client:
        for path in PATHS:
            response = await client.get(path)
            assert (path, response.status) == (path, 401)
            assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        for path in ("/-/healthy", "/-/ready"):
            assert (await client.get(path)).status == 200
        assert (await client.post("/api/v1/silences", json=SILENCE)).status == 401
        assert (await client.post("/-/reload")).status == 401
        told = await (await client.get("/api/v1/alerts")).json()
        assert told == {"error": {"code": "unauthorized", "message": "a name and a password are needed (HTTP basic)"}}


async def test_metrics_may_be_left_open_while_the_rest_is_not(serve: Serve) -> None:
    async with serve(opened=("metrics", "probes")) as client:
        assert (await client.get("/metrics")).status == 200
        assert (await client.get("/")).status == 401
    async with serve(opened=()) as client:
        assert (await client.get("/-/ready")).status == 401


async def test_with_credentials_all_is_told(serve: Serve) -> None:
    async with serve() as client:
        for path in ("/", "/metrics", "/api/v1/alerts"):
            assert (await client.get(path, headers=ANN)).status == 200
        assert (await client.post("/api/v1/silences", json=SILENCE, headers=ANN)).status == 201


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic %%%",
        "Bearer abc",
        "Basic " + base64.b64encode(b"ann").decode(),
        "Basic " + base64.b64encode(b"ann:").decode(),
        "Basic " + base64.b64encode(b"nobody:" + PASSWORD.encode()).decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"ann:" + b"x" * 73).decode(),
        "Basic " + "A" * 5_000,
    ],
)
async def test_what_is_no_right_password(serve: Serve, header: str) -> None:
    async with serve() as client:
        assert (await client.get("/metrics", headers={"Authorization": header})).status == 401


async def test_who_guesses_passwords_is_slowed_down_and_who_knows_one_is_not(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as client:
        assert (await client.get("/metrics", headers=ANN)).status == 200
        statuses = [(await client.get("/metrics", headers=WRONG)).status for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        response = await client.get("/api/v1/alerts", headers=WRONG)
        assert (response.status, response.headers["Retry-After"]) == (429, "2")
        assert (await response.json())["error"]["code"] == "too_many"
        # Remembered as right: not worked out again.
        assert (await client.get("/metrics", headers=ANN)).status == 200
        client.stage.clock.advance(4)  # type: ignore[attr-defined]
        assert (await client.get("/metrics", headers=WRONG)).status == 401
    refused = [record for record in caplog.records if "somebody was refused" in record.message]
    assert len(refused) == 1, "told once a minute"
    assert "correct" not in caplog.text


async def test_a_hundred_guesses_at_once_are_not_let_through(serve: Serve) -> None:
    async with serve() as client:
        responses = await asyncio.gather(*(client.get("/", headers=WRONG) for _ in range(40)))
        statuses = [response.status for response in responses]
        assert (statuses.count(401), statuses.count(429)) == (10, 30)


async def test_users_may_change_while_it_stands(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.get("/metrics", headers=ANN)).status == 200
        other = {"ann": bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()}
        client.gate.use(Access(users=other), ())  # type: ignore[attr-defined]
        assert (await client.get("/metrics", headers=ANN)).status == 401, "what was remembered is forgotten"
        client.gate.use(Access(), ())  # type: ignore[attr-defined]
        assert (await client.get("/metrics")).status == 200


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
async def test_a_page_of_another_site_writes_nothing_with_credentials_or_without(
    serve: Serve, headers: dict[str, str]
) -> None:
    for access in (Access(), Access(users=USERS)):
        async with serve(access) as client:
            auth = ANN if access.users else {}
            for path in ("/-/reload", "/api/v1/silences", "/no/such/route"):
                response = await client.post(path, json=SILENCE, headers={**headers, **auth})
                assert (path, response.status) == (path, 403)


async def test_headers_of_the_web_config_stand_in_place_of_ours(serve: Serve) -> None:
    async with serve(
        Access(headers={"X-Frame-Options": "sameorigin", "Strict-Transport-Security": "max-age=1"})
    ) as client:
        headers = (await client.get("/")).headers
        assert (headers["X-Frame-Options"], headers["Strict-Transport-Security"]) == ("sameorigin", "max-age=1")
        assert headers["Cache-Control"] == "no-store"


async def test_a_body_that_is_too_large_and_a_rate_that_is_too_high(serve: Serve) -> None:
    async with serve(Access()) as client:
        response = await client.post("/api/v1/silences", json={"comment": "x" * 70_000})
        assert response.status == 413
        burst = RATES["scrape"].burst
        statuses = [(await client.get("/metrics")).status for _ in range(burst + 1)]
        assert statuses == [200] * burst + [429]
        assert (await client.get("/-/healthy")).status == 200, "probes have a bucket of their own"
        client.stage.clock.advance(1)  # type: ignore[attr-defined]
        assert (await client.get("/metrics")).status == 200


async def test_the_rate_limit_of_the_web_config_is_over_all(serve: Serve) -> None:
    async with serve(Access(interval_ms=1_000, burst=2)) as client:
        assert [(await client.get("/-/healthy")).status for _ in range(3)] == [200, 200, 429]


async def test_without_the_right_name_in_its_certificate_nobody_comes_in(serve: Serve) -> None:
    async with serve(Access(allowed_sans=frozenset({"prometheus.example"}))) as client:
        assert (await client.get("/metrics")).status == 403
    assert names_of({"subjectAltName": (("DNS", "a"), ("IP Address", "127.0.0.1"))}) == ["a", "127.0.0.1"]


async def test_right_ones_are_remembered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triggerdev_exporter.web.credentials.MOST_REMEMBERED", 1)
    credentials = Credentials({**USERS, "bob": USERS["ann"]})
    assert await credentials.check("ann", PASSWORD)
    assert credentials.remembers("ann", PASSWORD)
    assert await credentials.check("bob", PASSWORD)
    assert not credentials.remembers("ann", PASSWORD)
    assert not await credentials.check("nobody", PASSWORD)


def test_a_password_may_hold_colons() -> None:
    assert read_basic("basic " + base64.b64encode(b"ann:a:b").decode()) == ("ann", "a:b")


def test_buckets() -> None:
    buckets = Buckets(Rate(2, 3))
    assert [buckets.take("a", 0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b", 0) == 0
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("a", 0.5) == 0.5
    buckets.give("a")
    assert buckets.take("a", 0.5) == 0
    assert buckets.wait("a", 100) == 0
    many = Buckets(Rate(1, 1))
    for number in range(3_000):
        many.take(str(number), 0)
    assert len(many._buckets) == 2_000
