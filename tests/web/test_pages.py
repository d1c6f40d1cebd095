"""The pages over HTTP: status, headers, what is said when little is known, who may post, and ten thousand tasks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from pages_stage import Paged, paged
from triggerdev_exporter.ledger.facts import Kind, TaskFacts
from triggerdev_exporter.web.pages import PAGE_SECURITY, SILENCES_A_PAGE

Client = TestClient[Any, Any]
WEB = Path(__file__).parents[2] / "exporter" / "triggerdev_exporter" / "web"
PATHS = ("/", "/alerts", "/tasks", "/tasks/mail", "/rules", "/targets", "/notifications", "/silences")
BROUGHT = {file.name: file.read_bytes() for file in sorted((WEB / "static").iterdir())}
SILENCE = {"matchers": "task=mail", "duration": "2h"}
OURS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Paged]:
    async with paged(tmp_path) as stage:
        stage.story.world.add_run(task="mail", status="COMPLETED")
        await stage.daemon.poll()
        yield stage


@pytest.fixture
async def client(stage: Paged) -> AsyncIterator[Client]:
    async with stage.serving() as client:
        yield client


async def read(client: Client, path: str, status: int = 200) -> str:
    async with client.get(path) as response:
        text = await response.text()
        assert response.status == status, text
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"] == PAGE_SECURITY
        assert response.headers["Cache-Control"] == "no-store"
        return text


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_is_there_before_and_after_anything_is_known(tmp_path: Path, path: str) -> None:
    async with paged(tmp_path) as stage, stage.serving() as client:
        await read(client, path, 404 if path == "/tasks/mail" else 200)
        stage.story.world.add_run(task="mail", status="COMPLETED")
        await stage.daemon.poll()
        text = await read(client, path)
        assert "tr_prod" not in text, "no key on any page"
        assert "<style" not in text
        assert " style=" not in text


async def test_pages_wait_for_alerting(stage: Paged, client: Client) -> None:
    stage.alerting = None
    assert "Alerting is not running yet" in await read(client, "/")
    assert "Load this page again" in await read(client, "/alerts", 503)
    assert "mail" in await read(client, "/tasks/mail")


async def test_what_is_not_there(client: Client) -> None:
    assert "did you mean &#34;mail&#34;?" in await read(client, "/tasks/mial", 404)
    assert "No runbook" in await read(client, "/runbooks/Nothing", 404)
    assert "No runbook" in await read(client, "/runbooks/..%2F..%2Frules%2Fruns", 404)
    assert "is no page" in await read(client, "/alerts?page=0", 400)
    assert "is no state" in await read(client, "/alerts?state=odd", 400)


async def test_blind_is_never_healthy(stage: Paged, client: Client) -> None:
    assert '<div class="banner well"><p class="big">No alert fires' in await read(client, "/")
    stage.story.faults.api_down = "503"
    await stage.let(120)
    page = await read(client, "/")
    assert "prod cannot be read" in page
    assert "says little" in page
    assert 'class="banner well"' not in page
    assert "not everything can be read: prod" in await read(client, "/alerts")
    assert "cannot see" in await read(client, "/tasks/mail")


# ── forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Origin": "https://evil.test"},
        {**OURS, "Content-Type": "text/plain"},
        {**OURS, "Content-Type": "multipart/form-data; boundary=x"},
    ],
    ids=str,
)
async def test_a_form_of_nobody_changes_nothing(stage: Paged, client: Client, headers: dict[str, str]) -> None:
    posted = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    for path in ("/silences", "/silences/x/expire", "/notifications/x/retry"):
        async with client.post(path, data="matchers=task%3Dmail&duration=2h", headers=posted) as response:
            assert response.status in (403, 415)
    assert not stage.book.silences


@pytest.mark.parametrize(
    ("back", "to"),
    [
        ("/alerts", "/alerts"),
        ("", "/silences"),
        ("//evil.test", "/silences"),
        ("https://evil.test/alerts", "/silences"),
    ],
)
async def test_a_form_leads_back_to_a_page_of_ours(stage: Paged, client: Client, back: str, to: str) -> None:
    async with client.post(
        "/silences", data={**SILENCE, "back": back}, headers=OURS, allow_redirects=False
    ) as response:
        assert response.status == 303
    (silence,) = stage.book.silences.values()
    assert response.headers["Location"] == f"{to}?silence={silence.id}"
    assert (silence.author, silence.comment) == ("somebody on the page", "added on the page")


async def test_what_is_gone_is_said(client: Client) -> None:
    for path in ("/silences/nothing/expire", "/notifications/nothing/retry"):
        async with client.post(path, data={}, headers=OURS) as response:
            assert response.status == 404
            assert "There is no such thing" in await response.text()


async def test_a_letter_that_is_not_dead_is_left_alone(stage: Paged, client: Client) -> None:
    said = await stage.say("a")
    async with client.post(f"/notifications/{said.id}/drop", data={}, headers=OURS) as response:
        assert response.status == 409
    assert (await stage.letter(said.id)).status.value == "queued"


# ── many ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_many_silences_are_turned_over(stage: Paged, client: Client) -> None:
    for number in range(SILENCES_A_PAGE + 1):
        await stage.silence(f"task=number-{number:02d}", minutes=60 + number)
    async with client.get("/silences") as response:
        first = await response.text()
    async with client.get("/silences?page=2") as response:
        second = await response.text()
    last = f"task=number-{SILENCES_A_PAGE}"
    assert (last in first, last in second) == (False, True), "the one that lasts longest comes last"
    assert "page 1 of 2" in first


async def test_ten_thousand_tasks_stay_usable(stage: Paged, client: Client) -> None:
    ledger = stage.daemon.target.ledger
    assert ledger is not None
    now = stage.clock.now()
    for number in range(10_000):
        failures = (now,) * 5 if number == 7_777 else ()
        ledger.set_fact(Kind.TASK, f"task-{number:05}", TaskFacts(last_finished=now, last_success=1, failures=failures))
    stage.clock.slept.clear()
    page = await read(client, "/tasks")
    assert len(page) < 150_000
    assert page.count('<th scope="row">') == 50
    assert page.index("task-07777") < page.index("task-00000"), "what has a trouble comes first"
    assert "10,001 tasks" in page
    assert "page 1 of 201" in page
    assert len(stage.clock.slept) >= 20, "others get a turn meanwhile"
    last = await read(client, "/tasks?sort=name&page=201")
    assert "task-09999" in last
    found = await read(client, "/tasks?search=TASK-0123&sort=name")
    assert "10 tasks" in found
    assert "task-07777" in await read(client, "/")


@pytest.mark.parametrize("name", BROUGHT)
async def test_what_pages_bring_along_is_kept_by_browsers_and_asked_about(client: Client, name: str) -> None:
    async with client.get(f"/static/{name}?0.1.0") as response:
        assert await response.read() == BROUGHT[name]
        assert response.content_type in {"text/css", "text/javascript", "image/svg+xml"}
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-cache"
        etag = response.headers["ETag"]
    for asked, status in ((etag, 304), (f'"other", {etag}', 304), ("*", 304), ('"other"', 200)):
        async with client.get(f"/static/{name}", headers={"If-None-Match": asked}) as response:
            assert (response.status, response.headers["ETag"]) == (status, etag)
            assert len(await response.read()) == (0 if status == 304 else len(BROUGHT[name]))
    async with client.get("/static/../pages.py") as response:
        assert response.status == 404


def test_nothing_comes_from_elsewhere() -> None:
    for path in [*(WEB / "templates").iterdir(), *(WEB / "static").iterdir()]:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|url\(|@import", text), path
        assert not re.search(r"\son\w+=|javascript:|\|\s*safe", text), path
