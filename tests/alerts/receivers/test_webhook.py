"""The webhook receiver against a real server on loopback: what arrives, what each answer leads to, what is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from alert_notices import NOW, notice, told
from standard_webhooks import verify
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import HttpDoor
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.webhook import Settings, Webhook

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


class Sink:
    """A receiver that answers what it is told and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.status = 200
        self.text = "ok"
        self.headers: dict[str, str] = {}
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.text()))
        return web.Response(status=self.status, text=self.text, headers=self.headers)


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    app = web.Application()
    app.router.add_post("/hook/secret-path", sink.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook/secret-path"
    yield sink
    await runner.cleanup()


def settings(tmp_path: Path, url: str, **more: Any) -> Settings:
    (tmp_path / "url").write_text(url + "\n", "utf-8")
    (tmp_path / "secret").write_text(SECRET + "\n", "utf-8")
    return Settings(url_file=str(tmp_path / "url"), secret_file=str(tmp_path / "secret"), allow_private=True, **more)


async def send(receiver: Webhook, notification: Notification, at: int = NOW, attempt: int = 1) -> Attempt:
    try:
        return await receiver.send(Envelope(notification.id, receiver.render(notification), notification, attempt, at))
    finally:
        await receiver.close()


def make(config: Settings) -> Webhook:
    return Webhook("hook.eu", config, HttpDoor(policy(config.allow_private), timeout_s=1.0))


async def test_the_body_arrives_signed_and_an_attempt_later_has_another_signature(sink: Sink, tmp_path: Path) -> None:
    receiver = make(settings(tmp_path, sink.url))
    assert (await send(receiver, told())).fate is Fate.DELIVERED
    assert (await send(receiver, told(), at=NOW + 60_000, attempt=2)).fate is Fate.DELIVERED
    (first, body), (second, again) = sink.got
    verify(first, body, SECRET)
    verify(second, again, SECRET)
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == "msg_1"
    assert first["webhook-signature"] != second["webhook-signature"]
    assert first["content-type"] == "application/json"
    assert json.loads(body) == {
        "version": "1",
        "id": "msg_1",
        "type": "alert.firing",
        "timestamp": "2025-10-09T08:53:20.000Z",
        "receiver": "hook.eu",
        "status": "firing",
        "why": "first notification",
        "group": {"key": "0:alertname=TaskFailureRateHigh", "labels": {"alertname": "TaskFailureRateHigh"}},
        "truncated": 0,
        "missed_firing": False,
        "test": False,
        "groups": [],
        "alerts": [
            {
                "fingerprint": "db926702f8a10cbb",
                "status": "firing",
                "labels": {
                    "alertname": "TaskFailureRateHigh",
                    "severity": "critical",
                    "target": "prod",
                    "task": "send-email",
                },
                "annotations": {"summary": "send-email is failing"},
                "startsAt": "2025-10-09T08:52:20.000Z",
                "endsAt": None,
                "value": 0.42,
                "threshold": 0.1,
                "unit": "fraction",
                "sample": 57,
                "says": "42% of 57 runs failed in 15m (above 10%)",
                "reason": "condition_met",
                "heldSince": None,
                "evidence": {
                    "errors": [{"name": "SmtpError", "message": "550 mailbox full", "count": 3}],
                    "runs": [{"id": "run_1", "url": "https://cloud.example/run_1", "status": "FAILED"}],
                    "sinceVersion": "20261123.4",
                    "notes": [],
                },
            }
        ],
    }


async def test_while_a_secret_is_changed_both_signatures_are_there(sink: Sink, tmp_path: Path) -> None:
    receiver = make(settings(tmp_path, sink.url))
    other = "whsec_" + base64.b64encode(b"n" * 24).decode()
    (tmp_path / "secret").write_text(f"{other}\n{SECRET}\n", "utf-8")
    await send(receiver, told())
    ((headers, body),) = sink.got
    verify(headers, body, SECRET)
    verify(headers, body, other)
    assert len(headers["webhook-signature"].split(" ")) == 2


async def test_a_hostile_text_arrives_as_it_is(sink: Sink, tmp_path: Path) -> None:
    text = "<!channel> &<b>``` \u202e \ud800 " + "x" * 50_000
    receiver = make(settings(tmp_path, sink.url))
    await send(receiver, told(notice(annotations=(("summary", text),))))
    summary = json.loads(sink.got[0][1])["alerts"][0]["annotations"]["summary"]
    assert summary.startswith("<!channel> &<b>``` \u202e \ud800 xxx")
    assert len(summary) == 4_000


async def test_alertmanagers_format(sink: Sink, tmp_path: Path) -> None:
    receiver = make(settings(tmp_path, sink.url, format="alertmanager", external_url="https://exporter.example"))
    await send(receiver, told(notice("a"), notice("b", "resolved"), truncated=3))
    body = json.loads(sink.got[0][1])
    assert {key: value for key, value in body.items() if key != "alerts"} == {
        "version": "4",
        "groupKey": "0:alertname=TaskFailureRateHigh",
        "truncatedAlerts": 3,
        "status": "firing",
        "receiver": "hook\\.eu",
        "notification_reason": "first notification",
        "groupLabels": {"alertname": "TaskFailureRateHigh"},
        "commonLabels": {"alertname": "TaskFailureRateHigh", "severity": "critical", "target": "prod"},
        "commonAnnotations": {},
        "externalURL": "https://exporter.example",
    }
    firing, resolved = body["alerts"]
    assert (firing["status"], firing["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (resolved["status"], resolved["endsAt"]) == ("resolved", "2025-10-09T08:53:20.000Z")
    assert set(firing) == {
        "status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
    }  # fmt: skip


async def test_a_message_lists_no_more_than_it_may(sink: Sink, tmp_path: Path) -> None:
    receiver = make(settings(tmp_path, sink.url, max_alerts=10))
    await send(receiver, told(*(notice(str(number)) for number in range(100))))
    body = json.loads(sink.got[0][1])
    assert (len(body["alerts"]), body["truncated"]) == (10, 90)


async def test_a_receiver_that_echoes_its_secrets_is_quoted_without_them(sink: Sink, tmp_path: Path) -> None:
    sink.status, sink.text = 403, f"no {sink.url} with {SECRET}"
    attempt = await send(make(settings(tmp_path, sink.url)), told())
    assert attempt == Attempt(Fate.REFUSED, "HTTP 403: no <secret> with <secret>")


async def test_a_secret_that_cannot_be_read_now_is_tried_again(sink: Sink, tmp_path: Path) -> None:
    receiver = make(settings(tmp_path, sink.url))
    (tmp_path / "secret").unlink()
    attempt = await send(receiver, told())
    assert attempt.fate is Fate.FAILED
    assert attempt.detail == f"the file {tmp_path / 'secret'} cannot be read: No such file or directory"
    assert sink.got == []


async def test_loopback_wants_allow_private(sink: Sink, tmp_path: Path) -> None:
    config = settings(tmp_path, sink.url).model_copy(update={"allow_private": False})
    attempt = await send(make(config), told())
    assert attempt.fate is Fate.REFUSED
    assert "set allow_private" in attempt.detail
    assert sink.url not in attempt.detail
    assert sink.got == []


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "one of url_file, url_env and url is required"),
        ({"url_env": "A", "url_file": "b"}, "url_file and url_env say the same thing"),
        ({"url": "ftp://x"}, "begins with https://"),
        ({"url": "https://u:p@x/"}, "cannot stand in the URL"),
        ({"url_env": "A", "secret": "abc"}, 'begins with "whsec_"'),
        ({"url_env": "A", "headers": {"Content-Type": "x"}}, "is ours to set"),
        ({"url_env": "A", "headers": {"X": "a\nb"}}, "not a header that can be sent"),
        ({"url_env": "A", "allow_private": ["10.0.0.0/99"]}, "no list of networks"),
    ],
)
def test_settings_that_make_no_sense(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(written, context=WRITTEN)
    assert says in str(caught.value)
