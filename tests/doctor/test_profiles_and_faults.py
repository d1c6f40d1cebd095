"""`doctor` against every server that is simulated and everything that can go wrong with it: what it says, row by row.

Each row names what differs from a healthy server, as check → (verdict, words that are in it).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_exporter.alerting import book_path
from triggerdev_exporter.app import open_client
from triggerdev_exporter.clock import Clock, ScaledClock
from triggerdev_exporter.config.model import Config, Quota, Target
from triggerdev_exporter.doctor.checks_target import TARGET_CHECKS
from triggerdev_exporter.doctor.checkup import check_up
from triggerdev_exporter.doctor.finding import Finding, Verdict
from triggerdev_exporter.simulator.command import start_simulator
from triggerdev_exporter.simulator.faults import EndpointFault, Faults
from virtual_clock import VirtualClock

OK, WARNING, BROKEN, UNKNOWN = "ok", "warning", "broken", "unknown"
KEY = "tr_prod_doctor"
Told = Mapping[str, tuple[str, str]]


async def told(
    folder: Path,
    profile: str,
    fault: Mapping[str, Any],
    *,
    clock: Clock | None = None,
    deadline_s: float = 30.0,
    **changes: Any,
) -> dict[str, Finding]:
    """What is said of the one target, by check."""
    clock = clock or VirtualClock()
    async with start_simulator("shop", profile=profile, clock=clock, history_s=900) as simulator:
        simulator.faults.update(dict(fault))
        base: dict[str, Any] = {"name": "prod", "api_url": simulator.url, "secret_key": SecretStr(KEY)}
        config = Config(targets=(Target(**{**base, **changes}),), state=folder / "state.db")
        rules = read_rules(shipped_rules())
        checks = check_up(
            config, rules, clock, open_client=partial(open_client, deadline_s=deadline_s), book=book_path(config.state)
        )
        found = {one.check: one.finding async for one in checks if one.about == "prod"}
    assert list(found) == [check.name for check in TARGET_CHECKS]
    assert all(KEY not in one.says + one.remedy for one in found.values())
    assert all(one.remedy for one in found.values() if one.verdict in (WARNING, BROKEN)), "each says what to do"
    return found


def agree(found: Mapping[str, Finding], expected: Told) -> None:
    """Everything that is expected, and nothing else that is not fine."""
    for check, (verdict, words) in expected.items():
        assert (check, found[check].verdict.value, found[check].says) == (check, verdict, found[check].says)
        assert words in found[check].says
    others = {c: f.says for c, f in found.items() if f.verdict is not Verdict.OK and c not in expected}
    assert others == {}


HEALTHY: dict[str, Told] = {
    "seed": {
        "dialect": (OK, "seed: the published description"),
        "waitpoints": (OK, "has no such endpoint"),
        "trql": (OK, "has no such endpoint"),
        "batches": (OK, "none is found without TRQL"),
        "quota": (OK, "tells no limit"),
    },
    "v4.4": {"dialect": (OK, "a server before v4.5"), "deployments": (OK, "the current one is 2026")},
    "v4.5": {
        "key": (OK, "a key of prod, accepted; it may read everything"),
        "dialect": (OK, "a server of v4.5 or newer"),
        "clock": (OK, "is right"),
        "quota": (OK, "of 750 requests are left"),
        "calls": (OK, "calls a minute, of 150 that are ours"),
        "runs": (OK, "are open"),
        "view": (OK, "agree"),
        "queues": (OK, "8 queues, 1 paused"),
        "schedules": (OK, "6 schedules, 5 active"),
        "deployments": (OK, "8 tasks in it"),
        "waitpoints": (OK, "read; "),
        "trql": (OK, "it looks back at least"),
        "series": (OK, "8 of 514 tasks"),
        "rules": (OK, "can match something"),
    },
    "latest": {"dialect": (OK, "a server of v4.5 or newer")},
}


@pytest.mark.parametrize("profile", HEALTHY)
async def test_a_healthy_server_of_each_kind(tmp_path: Path, profile: str) -> None:
    agree(await told(tmp_path, profile, {}), HEALTHY[profile])


@dataclass(frozen=True)
class Row:
    """A fault, and what is told of it."""

    fault: dict[str, Any]
    expected: Told
    profile: str = "v4.5"

    @property
    def name(self) -> str:
        what = self.fault.get("endpoints", self.fault)
        return f"{self.profile}: " + ", ".join(f"{key}={value}" for key, value in what.items())


def on(endpoint: str, **what: Any) -> dict[str, Any]:
    return {"endpoints": {endpoint: what}}


def unknown(*checks: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(checks, (UNKNOWN, ""))


_ALL = [check.name for check in TARGET_CHECKS]
_NOTHING = unknown(*(name for name in _ALL if name != "api"))

ROWS = (
    # ── the whole API ──
    Row({"api_down": "reset"}, {**_NOTHING, "api": (BROKEN, "closed the connection")}),
    Row({"api_down": "503"}, {**_NOTHING, "api": (BROKEN, "cannot be used: 503")}),
    Row({"api_down": "503"}, {**_NOTHING, "api": (BROKEN, "cannot be used: 503")}, "seed"),
    Row(
        {"always_429": True},
        {**_NOTHING, "api": (BROKEN, "429"), "quota": (BROKEN, "nothing is left"), "clock": (OK, "right")},
    ),
    Row(
        {"always_429": True},
        {**_NOTHING, "api": (BROKEN, "429"), "quota": (BROKEN, "nothing is left"), "clock": (OK, "right")},
        "seed",
    ),
    Row(
        {"revoked": [KEY]},
        {
            **_NOTHING,
            "key": (BROKEN, "a key of prod, and it is refused: 401"),
            "quota": (OK, "are left"),
        },
    ),
    Row(
        {"restricted": [KEY]},
        {
            "key": (OK, "it may not read schedules, waitpoints"),
            "schedules": (WARNING, "missed schedules are not noticed"),
            "waitpoints": (WARNING, "may not read waitpoint tokens"),
        },
    ),
    Row({"clock_skew_s": 20}, {"clock": (WARNING, "20 s behind the server's; that is made up for")}),
    Row({"clock_skew_s": -90}, {"clock": (BROKEN, "1 min 30 s ahead of the server's")}),
    # ── the view plane ──
    Row({"view_status": 500}, {"runs": (BROKEN, "500"), "view": (UNKNOWN, ""), "trql": (BROKEN, "500")}),
    Row({"view_status": 500}, {"runs": (BROKEN, "500"), "view": (UNKNOWN, "")}, "seed"),
    Row({"view_empty": True}, {"runs": (OK, "none yet"), "view": (BROKEN, "the list shows none that is open")}),
    Row({"view_lag_s": 600}, {"view": (WARNING, "the list may be behind")}),
    Row({"query_busy": True}, {"trql": (WARNING, "no slot was free")}),
    Row({"query_busy": True}, {"trql": (WARNING, "no slot was free")}, "v4.4"),
    # ── one endpoint: what its collector loses ──
    Row(on("runs", deny=403), {"runs": (BROKEN, "cannot be read"), "view": (UNKNOWN, "")}),
    Row(on("runs", cut="json"), {"runs": (BROKEN, ""), "view": (UNKNOWN, "")}),
    Row(on("runs", html=True), {"runs": (BROKEN, "HTML instead of JSON"), "view": (UNKNOWN, "")}),
    Row(on("runs", oversize_mb=40), {"runs": (BROKEN, "over"), "view": (UNKNOWN, "")}),
    Row(on("runs", cut="connection"), {"runs": (BROKEN, "broke off"), "view": (UNKNOWN, "")}),
    Row(on("schedules", repeat_cursor=True), {"schedules": (BROKEN, "400")}),
    Row(on("runs", repeat_cursor=True), {"runs": (BROKEN, "the server gave the same cursor twice")}),
    Row(on("runs", null_dates=True), {"runs": (BROKEN, ""), "view": (UNKNOWN, "")}),
    Row(on("queues", deny=403), {"dialect": (OK, "trigger is assumed"), "queues": (WARNING, "depths are missing")}),
    Row(
        on("queues", deny=401),
        {
            "key": (BROKEN, "accepted for runs but refused for queues"),
            "dialect": (UNKNOWN, ""),
            "queues": (WARNING, "this key may not read queues"),
        },
    ),
    Row(
        on("queues", status=500),
        {"api": (WARNING, "the daemon waits"), "dialect": (UNKNOWN, ""), "queues": (BROKEN, "500")},
    ),
    Row(on("schedules", status=500), {"schedules": (BROKEN, "schedules cannot be read: 500")}),
    Row(on("schedules", deny=401), {"schedules": (WARNING, "may not read schedules")}),
    Row(on("deployments", status=500), {"deployments": (BROKEN, "500")}),
    Row(on("current_deployment", status=500), {"deployments": (BROKEN, "current deployment cannot be read")}),
    Row(on("deployment", status=500), {"deployments": (BROKEN, "tasks of the deployment")}),
    Row(on("deployments", deny=403), {"deployments": (WARNING, "may not read deployments")}),
    Row(on("tokens", status=404), {"waitpoints": (BROKEN, "")}),
    Row(on("tokens", deny=403), {"waitpoints": (WARNING, "this key may not read waitpoint tokens")}),
    Row(on("batch", status=500), {"batches": (BROKEN, "500")}),
    Row(on("batch", deny=403), {"batches": (WARNING, "this key may not read batches")}),
    Row(on("query", status=500), {"trql": (BROKEN, "500")}),
    Row(on("query", deny=403), {"trql": (WARNING, "this key may not read TRQL")}),
    Row(on("schedules", status=500), {"schedules": (BROKEN, "500")}, "seed"),
    Row(on("deployments", deny=403), {"deployments": (WARNING, "may not read deployments")}, "seed"),
    Row(on("queues", status=500), {"api": (WARNING, ""), "dialect": (UNKNOWN, ""), "queues": (BROKEN, "500")}, "v4.4"),
    # ── endpoints that collectors ask only about single things ──
    Row(on("run", status=500), {}),
    Row(on("token", status=500), {}),
    # It comes back after a while, and doctor is told so by the client's second try.
    Row(on("runs", status=500, times=1), {}),
)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_a_server_with_a_fault(tmp_path: Path, row: Row) -> None:
    agree(await told(tmp_path, row.profile, row.fault), row.expected)


SLOW = (
    Row(on("queues", latency_s=60), {**_NOTHING, "api": (BROKEN, "no complete answer within 1 s")}),
    Row({"view_delay_s": 60}, {"runs": (BROKEN, "no complete answer"), "view": (UNKNOWN, ""), "trql": (BROKEN, "")}),
)


@pytest.mark.parametrize("row", SLOW, ids=[row.name for row in SLOW])
async def test_a_server_that_takes_too_long(tmp_path: Path, row: Row) -> None:
    # Whatever is not slow must be answered in that time, also by a busy machine.
    agree(await told(tmp_path, "v4.5", row.fault, clock=ScaledClock(), deadline_s=1.0), row.expected)


def test_no_fault_of_the_simulator_is_left_out() -> None:
    rows = (*ROWS, *SLOW)
    tried = {name for row in rows for name in row.fault}
    assert tried == {each.name for each in fields(Faults)}
    on_endpoints = {key for row in rows for what in row.fault.get("endpoints", {}).values() for key in what}
    assert on_endpoints == {each.name for each in fields(EndpointFault)}


async def test_another_dialect_than_the_configured_one(tmp_path: Path) -> None:
    found = await told(tmp_path, "v4.5", {}, dialect="seed")
    assert found["dialect"].verdict is Verdict.BROKEN
    assert found["dialect"].remedy == "remove dialect, or write dialect: trigger"


async def test_intervals_that_cost_more_than_our_share(tmp_path: Path) -> None:
    found = await told(tmp_path, "v4.5", {}, quota=Quota(requests_per_minute=50, share=0.1))
    assert found["calls"].verdict is Verdict.BROKEN
    assert "of 5 that are ours: data comes late" in found["calls"].says
    assert "lengthen intervals.runs" in found["calls"].remedy


async def test_a_batch_that_is_not_there(tmp_path: Path) -> None:
    found = await told(tmp_path, "v4.5", {}, batches=("batch_nope",))
    assert (found["batches"].verdict, found["batches"].remedy[:19]) == (Verdict.WARNING, "remove it from batc")


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_server_that_is_somebody_else(tmp_path: Path) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(status=404, text="<h1>Not here</h1>", content_type="text/html")

    async with serving(page) as url:
        found = await told(tmp_path, "v4.5", {}, api_url=url)
    expected = {**_NOTHING, "api": (BROKEN, "knows neither queues nor runs"), "clock": (UNKNOWN, "")}
    agree({**found, "clock": Finding(Verdict.UNKNOWN, "")}, expected)
    assert found["api"].remedy.startswith("the answer is not Trigger.dev's: see that api_url names the API")


@pytest.mark.parametrize(
    ("status", "remedy"), [(500, "the server fails"), (501, "see that api_url"), (302, "see that api_url")]
)
async def test_what_to_do_about_an_answer_that_is_no_answer(tmp_path: Path, status: int, remedy: str) -> None:
    async def refusal(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "https://login.example/"} if status == 302 else {})

    async with serving(refusal) as url:
        found = await told(tmp_path, "v4.5", {}, api_url=url)
    assert (found["api"].verdict.value, found["runs"].verdict.value) == (BROKEN, UNKNOWN)
    assert remedy in found["api"].remedy


async def test_https_where_plain_http_is_spoken(tmp_path: Path) -> None:
    async def fine(_: web.Request) -> web.Response:
        return web.json_response({})

    async with serving(fine) as url:
        found = await told(tmp_path, "v4.5", {}, api_url=url.replace("http:", "https:"))
    assert found["api"].says.endswith("TLS failed: the server does not speak TLS")
    assert "where http:// is meant" in found["api"].remedy
