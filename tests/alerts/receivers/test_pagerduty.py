"""PagerDuty's events: the limits and fields of its API, and one incident a group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from alert_notices import NOW, notice, told
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_alerts.receivers.door import DoorError, Reply
from triggerdev_alerts.receivers.pagerduty import LARGEST_EVENT, PagerDuty, Settings, dedup_key, event
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate

KEY = "R0UT1NGKEYR0UT1NGKEYR0UT1NGKEY00"


class Pager:
    """A door with PagerDuty behind it."""

    def __init__(self, reply: Reply | DoorError) -> None:
        self.reply = reply
        self.got: list[dict[str, Any]] = []

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        assert url == "https://events.eu.pagerduty.com/v2/enqueue"
        self.got.append(json.loads(body))
        if isinstance(self.reply, DoorError):
            raise self.reply
        return self.reply

    async def close(self) -> None:
        return


async def send(pager: Pager, notification: Notification, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    monkeypatch.setenv("PD_KEY", KEY)
    config = Settings(routing_key_env="PD_KEY", url="https://events.eu.pagerduty.com/v2/enqueue")
    receiver = PagerDuty("pager", config, pager)
    return await receiver.send(Envelope(notification.id, receiver.render(notification), notification, 1, NOW))


async def test_an_incident_is_opened_with_all_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    pager = Pager(Reply(202, {}, '{"status":"success"}'))
    runbook = ("runbook", "https://wiki.example/mail")
    alert = notice(annotations=(("summary", "send-email is failing"), runbook))
    assert (await send(pager, told(alert), monkeypatch)).fate is Fate.DELIVERED
    (body,) = pager.got
    details = body["payload"].pop("custom_details")
    assert "550 mailbox full" in details["message"]
    assert body == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": dedup_key(told(alert)),
        "client": "triggerdev-exporter",
        "links": [
            {"href": "https://wiki.example/mail", "text": "runbook"},
            {"href": "https://cloud.example/run_1", "text": "run_1 FAILED"},
        ],
        "payload": {
            "summary": "[FIRING, critical] TaskFailureRateHigh in prod: send-email is failing",
            "source": "prod",
            "severity": "critical",
            "timestamp": "2025-10-09T08:53:20.000Z",
            "component": "send-email",
            "group": "0:alertname=TaskFailureRateHigh",
            "class": "TaskFailureRateHigh",
        },
    }


def test_all_messages_of_a_group_are_one_incident_and_a_digest_is_its_own() -> None:
    resolved = told(notice(status="resolved"), id="msg_2", seq=2, kind=NoticeKind.RESOLVED, why=Why.ALL_RESOLVED)
    assert json.loads(event(resolved)) == {"event_action": "resolve", "dedup_key": dedup_key(told())}
    digest = told(id="msg_3", kind=NoticeKind.DIGEST, why=Why.DIGEST, groups=("a", "b"))
    assert dedup_key(digest) != dedup_key(told())
    assert len(dedup_key(digest)) <= 255


def test_limits_hold_for_anything() -> None:
    alerts = tuple(
        notice(f"{number}" + "x" * 5_000, annotations=(("summary", "<&\ud800" * 9_000),)) for number in range(100)
    )
    text = event(told(*alerts, group_key="k" * 9_000))
    body = json.loads(text)
    assert len(text) <= LARGEST_EVENT
    assert len(body["payload"]["summary"]) <= 1_024
    assert body["payload"]["severity"] in ("critical", "error", "warning", "info")


@pytest.mark.parametrize(
    ("reply", "fate"),
    [
        (Reply(400, {}, '{"status":"invalid event"}'), Fate.REFUSED),
        (Reply(429, {"retry-after": "7"}, ""), Fate.THROTTLED),
        (Reply(503, {}, ""), Fate.FAILED),
        (DoorError(Fate.AMBIGUOUS, "no answer in time"), Fate.AMBIGUOUS),
    ],
)
async def test_what_answers_lead_to(reply: Reply | DoorError, fate: Fate, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await send(Pager(reply), told(), monkeypatch)).fate is fate


async def test_the_key_is_in_no_stored_body_and_no_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEY not in event(told())
    attempt = await send(Pager(Reply(400, {}, f"bad key {KEY}")), told(), monkeypatch)
    assert attempt.detail == "HTTP 400: bad key <secret>"
