"""Receivers that refuse, hang, throttle, redirect and go away: what they get, and when. Rows D1 to D11, D14 and D15.

There is no receiver of the kind Discord; D8 has the other two that say that they are gone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from acceptance_stage import (
    DEEP,
    ENDS,
    HANG,
    NOTIFIER_FAILING,
    ONLY_HOOK,
    RECEIVERS,
    SECRET,
    Stage,
    play,
    queue,
    routes,
    rule,
    shown,
    story_of,
    t,
    written,
)
from slack_limits import blocks_of
from standard_webhooks import verify
from triggerdev_alerts.book import LetterStatus
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.instants import SECOND


def shut_for_five_minutes(stage: Stage) -> None:
    for hook in (stage.hook, stage.pager):
        stage.at("12:02:00", hook.shut)
        stage.at("12:07:00", hook.open)


async def test_d1_a_receiver_that_refuses_connections(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS) as stage:
        shut_for_five_minutes(stage)
        await stage.until("12:20:00")
        assert stage.sent(stage.hook.url) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303]
        assert [one.outcome for one in stage.asked if one.url == stage.hook.url] == ["failed"] * 10 + ["200"]
        assert stage.hook.told == ["12:07:33 firing"]
        assert stage.slack_told() == ["12:02:30 chat.postMessage"]
        await stage.until("13:00:00")
        assert stage.hook.told == ["12:07:33 firing", "12:22:30 resolved"]


async def test_d2_an_alert_that_lived_within_the_outage(tmp_path: Path) -> None:
    story = story_of(queues=queue(("12:02:00", 20), ("12:03:30", 5)))
    text = written(rule(for_="0s"), routes=routes(children="[{receiver: W, continue: true}, {receiver: P}]"))
    async with play(tmp_path, story, text) as stage:
        shut_for_five_minutes(stage)
        await stage.until("14:00:00")
        assert stage.changes == ["12:02:00 firing", "12:04:00 resolved"]
        assert stage.hook.told == ["12:07:30 resolved"]
        assert stage.hook.got[0].body["missed_firing"] is True
        assert stage.hook.req == 1
        assert stage.pager.req == 0


async def test_d3_a_receiver_that_answers_too_late(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP) as stage:
        stage.hook.answers = [HANG, HANG]
        await stage.until("12:10:00")
        assert len({got.id for got in stage.hook.got}) == 1
        # Fifteen seconds each, then one and two seconds more.
        assert stage.sent(stage.hook.url) == [0, 16, 33]
        assert [one.outcome for one in stage.asked if one.url == stage.hook.url] == ["ambiguous", "ambiguous", "200"]
        assert stage.hook.n == 1
        # The tick of 12:03 fell into the second attempt.
        minutes = [at for at in stage.ticks if at % 60_000 == 0]
        assert [shown(at) for at in minutes] == [f"12:{minute:02}:00" for minute in range(11)]
        assert stage.slack_told() == ["12:02:30 chat.postMessage"]


async def test_d4_three_errors_and_then_it_works(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP, written(routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [500, 500, 500]
        await stage.until("12:10:00")
        assert stage.hook.req == 4
        assert stage.sent(stage.hook.url) == [0, 1, 3, 7]
        assert stage.hook.n == 1


def throttled(retry_after: str) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": retry_after})


async def test_d5_a_receiver_that_wants_a_pause(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP, written(routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [throttled("90")]
        await stage.until("12:20:00")
        assert stage.sent(stage.hook.url) == [0, 90]
        assert (stage.hook.req, stage.hook.n) == (2, 1)


async def test_d5_the_pause_is_the_receivers_and_not_the_groups(tmp_path: Path) -> None:
    story = story_of(queues=(*queue(("12:00:00", 20)), *queue(("12:01:00", 20), name="reports")))
    text = written(routes=routes(children="[{receiver: W, continue: true}, {receiver: S}]", group_by="[queue]"))
    async with play(tmp_path, story, text) as stage:
        stage.hook.answers = [throttled("90")]
        await stage.until("12:20:00")
        # The other group wanted to speak at 12:03:30.
        assert [shown(got.at) for got in stage.hook.got] == ["12:02:30", "12:04:00", "12:04:00"]
        assert stage.hook.n == 2
        assert stage.slack_told() == ["12:02:30 chat.postMessage", "12:03:30 chat.postMessage"]


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        pytest.param(formatdate(t("12:03:15") / SECOND, usegmt=True), 45, id="date"),
        pytest.param("soon", 1, id="garbage"),
        pytest.param("86400", 3_600, id="a day"),
    ],
)
async def test_d6_pauses_in_other_words(
    tmp_path: Path, retry_after: str, waited: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with play(tmp_path, DEEP, written(routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [throttled(retry_after)]
        await stage.until("14:00:00")
        assert stage.sent(stage.hook.url) == [0, waited]
        warned = [record for record in caplog.records if record.message == "the receiver asks for a pause"]
        assert [record.__dict__["seconds"] for record in warned] == [waited]
        assert [record.levelname for record in warned] == ["WARNING"]


WITH_FALLBACK = written(rule(), NOTIFIER_FAILING, routes=ONLY_HOOK, more="fallback: F\n")


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_d7_what_is_refused_for_good(tmp_path: Path, status: int) -> None:
    async with play(tmp_path, DEEP, WITH_FALLBACK) as stage:
        stage.hook.answer = lambda at: status
        await stage.until("12:50:00")
        assert stage.hook.req == 1
        (dead,) = await stage.letters(LetterStatus.DEAD)
        assert (dead.receiver, dead.attempts) == ("W", 1)
        assert stage.other.told == ["12:03:30 firing"]
        (alert,) = stage.other.taken[0].body["alerts"]
        assert (alert["labels"]["alertname"], alert["labels"]["receiver"]) == ("NotifierFailing", "W")


def hook_is_gone(stage: Stage) -> None:
    stage.hook.answer = lambda at: 410


def channel_is_archived(stage: Stage) -> None:
    stage.slack.next = [web.Response(status=410, text="channel_is_archived")]


def no_service(stage: Stage) -> None:
    stage.slack.next = [web.Response(status=404, text="no_service")]


@pytest.mark.parametrize(
    ("receiver", "breaks"),
    [("W", hook_is_gone), ("H", channel_is_archived), ("H", no_service)],
    ids=["410", "channel_is_archived", "no_service"],
)
async def test_d8_a_receiver_that_is_gone(tmp_path: Path, receiver: str, breaks: Callable[[Stage], None]) -> None:
    text = written(rule(), NOTIFIER_FAILING, routes=routes(receiver=receiver, children="[]"), more="fallback: F\n")
    async with play(tmp_path, ENDS, text) as stage:
        breaks(stage)
        url = stage.hook.url if receiver == "W" else stage.slack.hook
        await stage.until("12:50:00")
        assert stage.sent(url) == [0]
        assert stage.book.receivers[receiver].disabled
        assert len(await stage.letters(LetterStatus.DEAD)) == 1
        assert stage.other.told == ["12:03:30 firing"]

        # What was to be said meanwhile waits for the reload.
        stage.hook.answer = lambda at: 200
        await stage.reload(text)
        await stage.until("12:50:10")
        assert len(stage.sent(url)) == 2
        assert stage.asked[-1].outcome == "200"


async def test_d9_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP, written(routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [web.Response(status=301, headers={"Location": stage.other.url})]
        await stage.until("12:30:00")
        assert stage.other.req == 0
        assert stage.hook.req == 1
        assert [letter.status for letter in await stage.letters()] == [LetterStatus.DEAD]


def slack_says(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})


async def test_d10_slack_does_not_like_the_blocks(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP, written(routes=routes(receiver="S", children="[]"))) as stage:
        stage.slack.next = [slack_says("invalid_blocks"), slack_says("invalid_blocks")]
        await stage.until("12:30:00")
        assert stage.slack.methods() == ["chat.postMessage"] * 2
        (first, second) = (fields for _, fields in stage.slack.calls)
        assert blocks_of(first)
        assert not blocks_of(second)
        assert second["text"]
        (letter,) = await stage.letters()
        assert (letter.status, letter.attempts) == (LetterStatus.DEAD, 2)
        assert first["metadata"]["event_payload"]["id"] == letter.id


def three_queues() -> Story:
    first = queue(("12:00:00", 20), ("12:20:30", 5))
    others = (queue(("12:03:00", 20), ("12:20:30", 5), name=name) for name in ("mail", "reports"))
    return story_of(queues=(*first, *(sight for one in others for sight in one)))


TO_SLACK = RECEIVERS.replace('api_url: "$slack"', 'api_url: "$slack", on_update: edit')


@pytest.mark.parametrize("is_lost", [False, True], ids=["there", "message_not_found"])
async def test_d11_one_message_in_slack_is_edited(tmp_path: Path, is_lost: bool) -> None:
    text = written(receivers=TO_SLACK, routes=routes(receiver="S", children="[]"))
    async with play(tmp_path, three_queues(), text) as stage:
        if is_lost:
            stage.at("12:21:00", lambda: stage.slack.messages.clear())
        await stage.until("13:00:00")
        told = ["12:02:30 chat.postMessage", "12:07:30 chat.update", "12:22:30 chat.update"]
        assert stage.slack_told() == told + ["12:22:30 chat.postMessage"] * is_lost
        (title,) = stage.slack.titles()
        assert title.startswith("[RESOLVED 3]")
        assert stage.slack.broken == []


@pytest.mark.parametrize("answer", [504, HANG], ids=["504", "timeout"])
async def test_d14_what_may_have_arrived_comes_before_what_is_newer(tmp_path: Path, answer: int) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:03:30", 5)))
    async with play(tmp_path, story, written(routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [answer] * (1 if answer == HANG else 10)
        if answer == HANG:
            stage.hook.answer = lambda at: 504 if at < t("12:08:00") else 200
        await stage.until("13:00:00")
        kinds = [got.body["type"] for got in stage.hook.got]
        assert kinds == ["alert.firing"] * (len(kinds) - 1) + ["alert.resolved"]
        assert len({got.id for got in stage.hook.got[:-1]}) == 1
        assert len(kinds) > 8
        assert stage.hook.n == 2


async def test_d15_signatures_of_another_hand_agree(tmp_path: Path) -> None:
    kept = tmp_path / "signing-secret"
    kept.write_text(SECRET + "\n", "utf-8")
    receivers = RECEIVERS.replace('secret: "$secret"', 'secret_file: "$folder/signing-secret"')
    async with play(tmp_path, ENDS, written(receivers=receivers, routes=ONLY_HOOK)) as stage:
        stage.hook.answers = [500]
        await stage.until("12:10:00")
        first, again = stage.hook.got
        for got in (first, again):
            verify(got.headers, got.text, SECRET)
        assert (first.id, first.text) == (again.id, again.text)
        assert int(again.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 1
        assert first.headers["webhook-signature"] != again.headers["webhook-signature"]

        # While the secret is changed, both hold.
        newer = "whsec_" + base64.b64encode(b"n" * 24).decode()
        kept.write_text(f"{newer}\n{SECRET}\n", "utf-8")
        await stage.until("13:00:00")
        last = stage.hook.got[-1]
        assert last.body["type"] == "alert.resolved"
        assert len(last.headers["webhook-signature"].split(" ")) == 2
        for secret in (newer, SECRET):
            verify(last.headers, last.text, secret)


def test_d15_the_vector_of_the_standard() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = json.dumps({"test": 2432232314})
    verify(headers, body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
