"""The courier with real receivers over loopback: handles and ids that outlive the process, pauses that servers want."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alert_notices import NOW
from outbox_stage import SECOND, Outbox
from slack_double import CHANNEL, TOKEN, running
from triggerdev_alerts.book import Letter
from triggerdev_alerts.notification import Why
from triggerdev_alerts.outbox.store import open_book_store
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import HttpDoor
from triggerdev_alerts.receivers.port import Envelope
from triggerdev_alerts.receivers.slack import Settings as SlackSettings
from triggerdev_alerts.receivers.slack import Slack
from triggerdev_alerts.receivers.webhook import Settings, Webhook


def slack_at(api: str) -> Slack:
    settings = SlackSettings(bot_token=TOKEN, channel=CHANNEL, api_url=api, allow_private=True)
    return Slack("slack", settings, HttpDoor(policy(True), timeout_s=5.0))


async def test_an_incident_is_one_message_in_slack_over_restarts_and_a_kill_before_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "state-alerts.db"
    async with running() as double:
        box: Any = Outbox(slack_at(double.api), storage=open_book_store(path))

        async def new_process() -> None:
            await box.receivers["slack"].close()
            await box.storage.close()
            box.receivers = {"slack": slack_at(double.api)}
            box.storage = open_book_store(path)
            await box.restart()

        await box.say("a", receiver="slack")
        # Killed when Slack had it and nobody had written that down: it is found there, and not posted again.
        ((letter, receiver, _),) = await box.scribe.write(lambda draft: box.courier._begin(draft, NOW))
        posted = await receiver.send(_envelope(letter))
        await new_process()
        await box.at(30)
        assert double.methods() == ["chat.postMessage", "conversations.history"]
        assert box.book.receivers["slack"].handles == {"g": posted.handle}

        await box.say("a b", receiver="slack")
        await box.at(60)
        await new_process()
        await box.say("-a -b", receiver="slack")
        await box.at(90)
        assert double.methods()[2:] == ["chat.update", "chat.update"]
        assert len(double.messages) == 1
        assert double.titles()[0].startswith("[RESOLVED 2]")
        assert double.broken == []
        await box.say("a", receiver="slack", why=Why.FIRST)
        await box.at(120)
        assert len(double.messages) == 2
        await box.receivers["slack"].close()
        await box.storage.close()


def _envelope(letter: Letter) -> Envelope:
    return Envelope(letter.id, letter.body, letter.notification, letter.attempts, NOW)


class Server:
    """Answers what is in `answers`, then 200; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.asked: list[tuple[dict[str, str], str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(({name.lower(): value for name, value in request.headers.items()}, await request.text()))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers, text="said")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/", server.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield server
    await runner.cleanup()


@pytest.fixture
async def box(server: Server, tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "url").write_text(server.url)
    settings = Settings(url_file=str(tmp_path / "url"), secret="whsec_" + "a2tr" * 11, allow_private=True)
    hook = Webhook("hook", settings, HttpDoor(policy(True), timeout_s=5.0))
    yield Outbox(hook)
    await hook.close()


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ({"Retry-After": "90"}, 90),
        ({"Retry-After": formatdate(NOW / SECOND + 45, usegmt=True)}, 45),
        ({"Retry-After": "soon"}, 1),
        ({}, 1),
        ({"Retry-After": "86400"}, 3_600),
    ],
)
async def test_pauses_as_servers_write_them(
    server: Server, box: Any, written: dict[str, str], again: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [(429, written)]
    await box.say("a")
    await box.at(7_200)
    first, second = (int(headers["webhook-timestamp"]) for headers, _ in server.asked)
    assert second - first == again
    assert [record.message for record in caplog.records] == ["the receiver asks for a pause"]


async def test_a_repeated_attempt_has_its_own_time_and_signature_and_the_same_id_and_body(
    server: Server, box: Any
) -> None:
    server.answers = [(500, {}), (504, {})]
    await box.say("a")
    await box.at(60)
    assert len(server.asked) == 3
    assert len({(headers["webhook-id"], body) for headers, body in server.asked}) == 1
    assert len({headers["webhook-signature"] for headers, _ in server.asked}) == 3


@pytest.mark.parametrize(("status", "disabled"), [(400, False), (401, False), (301, False), (410, True)])
async def test_what_is_never_taken_is_asked_once(server: Server, box: Any, status: int, disabled: bool) -> None:
    server.answers = [(status, {"Location": "http://127.0.0.1:1/internal"})]
    await box.say("a")
    await box.at(86_400)
    assert len(server.asked) == 1
    assert await box.statuses() == ["dead"]
    assert bool(box.book.receivers["hook"].disabled) is disabled
    assert server.url not in (await box.letters())[0].last_error
