"""What is served: status, headers, bodies. The server stands on a port of its own and nothing else runs."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from story import Daemon, read_page, tell
from triggerdev_alerts.errors import AlertsError
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.metrics.page import Page
from triggerdev_exporter.reloading import Reloads
from triggerdev_exporter.target import Target
from triggerdev_exporter.web.server import make_app


class Shown:
    """What `app.Exporter` is to the server, around a story's daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.started_at: Instant = daemon.clock.now()
        self.alerting = None
        self.witness = None
        self.reloaded = True
        self.reloads = Reloads(self.started_at, self.started_at)
        self.mistakes = ""

    async def reload(self) -> None:
        if self.mistakes:
            raise AlertsError(self.mistakes)

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.daemon.targets

    @property
    def clock(self) -> Clock:
        return self.daemon.clock

    def page(self, now: Instant) -> Page:
        return Page(self.targets, now, loaded_at=self.started_at, state_bytes=0)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with tell(tmp_path, "shop", history_s=600) as story, story.daemon() as daemon:
        yield daemon


@pytest.fixture
async def served(daemon: Daemon) -> AsyncIterator[ClientSession]:
    runner = web.AppRunner(make_app(Shown(daemon)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(
        f"http://{host}:{port}", headers={"Accept-Encoding": "identity"}, auto_decompress=False
    ) as session:
        yield session
    await runner.cleanup()


async def test_metrics_before_anything_is_known(served: ClientSession) -> None:
    async with served.get("/metrics") as response:
        page = read_page(await response.text())
    assert response.status == 200
    # no false zeros: of the target, only that it is there and what it is told to do
    about_target = {name for name, labels in page if not name.startswith("triggerdev_exporter_")}
    assert about_target == {
        "triggerdev_target_info",
        "triggerdev_collector_interval_seconds",
        "triggerdev_api_throttled_seconds_total",
    }


async def test_metrics_after_a_poll(served: ClientSession, daemon: Daemon) -> None:
    await daemon.poll()
    asked = sum(daemon.target.client.meter.requests.values())
    async with served.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
        packed = await response.read()
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "Accept" in response.headers["Vary"]
    assert ("triggerdev_up", frozenset()) in read_page(gzip.decompress(packed).decode())
    assert sum(daemon.target.client.meter.requests.values()) == asked, "a scrape never asks the API"


async def test_openmetrics_when_asked_for(served: ClientSession) -> None:
    async with served.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}) as response:
        text = await response.text()
    assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("# EOF\n")


async def test_the_probes(served: ClientSession, daemon: Daemon) -> None:
    async with served.get("/-/healthy") as response:
        assert response.status == 200
    async with served.get("/-/ready") as response:
        assert response.status == 503
        assert "no outcome yet of batches, deployments, queues" in await response.text()
    await daemon.poll()
    async with served.get("/-/ready") as response:
        assert response.status == 200


async def test_the_first_page_says_how_things_are(served: ClientSession, daemon: Daemon) -> None:
    async with served.get("/") as response:
        first = await response.text()
    assert "Still starting" in first
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    await daemon.poll()
    async with served.get("/") as response:
        page = await response.text()
    assert "Still starting" not in page
    assert "tr_prod" not in page, "no key on any page"
    async with served.get("/targets") as response:
        page = await response.text()
    for collector in daemon.target.states:
        assert f'<th scope="row">{collector}</th>' in page


ELSEWHERE = "404 Not Found: pages begin at /, metrics are at /metrics, and /api/v1/openapi.json lists the API.\n"
AMISS = (
    ("GET", "/nope", ELSEWHERE),
    ("POST", "/metrics", "405 Method Not Allowed: this takes GET, HEAD.\n"),
    ("GET", "/-/reload", "405 Method Not Allowed: this takes POST.\n"),
)


@pytest.mark.parametrize(("method", "path", "text"), AMISS)
async def test_what_is_not_there_points_to_what_is(served: ClientSession, method: str, path: str, text: str) -> None:
    async with served.request(method, path) as response:
        assert (response.status, await response.text()) == (int(text[:3]), text)
        assert response.headers["Server"] == "triggerdev-exporter"


async def test_head_is_answered(served: ClientSession) -> None:
    async with served.head("/metrics") as response:
        assert response.status == 200
