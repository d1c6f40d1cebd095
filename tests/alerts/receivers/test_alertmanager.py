"""Alertmanager's settings, its request body, and what its answers mean. When it is asked is in `pushing/`."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from alert_notices import NOW
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.receivers.alertmanager import Alertmanager, Assertion, Settings, Taken, body
from triggerdev_alerts.receivers.door import DoorError, Reply
from triggerdev_alerts.receivers.port import Fate

LABELS = (("alertname", "Backlog"), ("queue", "e\udc80mails"))
ALERT = Assertion(LABELS, (("summary", "grüß"),), NOW, NOW + 1)


class Answering:
    """A door that answers the same to all."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None, text: str = "") -> None:
        self.reply = Reply(status, headers or {}, text)
        self.urls: list[str] = []

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        self.urls.append(url)
        if not self.reply.status:
            raise DoorError(Fate.AMBIGUOUS, "no answer in time; it may have arrived")
        return self.reply

    async def close(self) -> None:
        return


def read(**written: object) -> Settings:
    return Settings.model_validate({"url": "http://am:9093/", **written}, context=WRITTEN)


def test_the_body_is_what_the_api_wants() -> None:
    text = body([ALERT], "https://exporter.test")
    assert text.isascii()
    assert json.loads(text) == [
        {
            "labels": {"alertname": "Backlog", "queue": "e\udc80mails"},
            "annotations": {"summary": "grüß"},
            "startsAt": "2025-10-09T08:53:20.000Z",
            "endsAt": "2025-10-09T08:53:20.001Z",
            "generatorURL": "https://exporter.test",
        }
    ]
    assert "generatorURL" not in json.loads(body([ALERT], ""))[0]


@pytest.mark.parametrize(
    ("status", "taken", "detail"),
    [
        (200, Taken.ALL, ""),
        (400, Taken.SOME, "HTTP 400: why"),
        (422, Taken.NOT_SO, "HTTP 422: why"),
        (413, Taken.NOT_SO, "HTTP 413: why"),
        (401, Taken.NONE, "HTTP 401: why"),
        (404, Taken.NONE, "HTTP 404: why"),
        (301, Taken.NONE, "HTTP 301: a redirect, which is never followed; set the address it leads to"),
        (500, Taken.NONE, "HTTP 500: why"),
        (0, Taken.NONE, "no answer in time; it may have arrived"),
    ],
)
async def test_what_an_answer_means(status: int, taken: Taken, detail: str) -> None:
    door = Answering(status, text="why" if status != 200 else "")
    answer = await Alertmanager("http://am:9093", read(), door).post([ALERT], NOW)
    assert (answer.taken, answer.detail, answer.retry_at) == (taken, detail, None)
    assert door.urls == ["http://am:9093/api/v2/alerts"]


async def test_a_pause_is_read() -> None:
    door = Answering(429, {"retry-after": "90"})
    answer = await Alertmanager("http://am:9093", read(), door).post([ALERT], NOW)
    assert (answer.taken, answer.retry_at) == (Taken.NONE, NOW + 90_000)


def test_one_address_or_all_of_a_cluster() -> None:
    assert read().url == ("http://am:9093",)
    assert read(url=("http://a:9093", "https://b/alertmanager/")).url == ("http://a:9093", "https://b/alertmanager")
    assert read().resend_delay == 60_000
    assert read(resend_delay="30s").resend_delay == 30_000


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"url": ()}, "at least 1 item"),
        ({"url": "am:9093"}, "begins with https://"),
        ({"url": "http://ann:pw@am:9093"}, "cannot stand in the URL"),
        ({"url": "http://am:9093/api/v2/alerts/"}, "without /api/v2/alerts, it is added"),
        ({"url": "http://am:9093/?x=1"}, "without ? and #"),
        ({"username": "ann"}, "belong together"),
        ({"password_env": "A"}, "belong together"),
        ({"username": "ann", "password_env": "A", "token_env": "B"}, "say the same thing"),
        ({"token_env": "A", "token_file": "b"}, "token_file and token_env say the same thing"),
        ({"token_env": "A", "headers": {"authorization": "x"}}, "keep one of them"),
        ({"headers": {"Content-Type": "x"}}, "is ours to set"),
        ({"resend_delay": "2h"}, "between 1s and 1h"),
        ({"external_url": "pages"}, "external_url begins with https://"),
    ],
)
def test_settings_that_make_no_sense(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**written)
    assert says in str(caught.value)
