"""`/api/v1/…` as a client sees it: shapes, filters, what is written and that it is on disk, every kind of refusal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from alert_notices import NOW, notice
from alertmanager_double import open_alertmanager
from operated_stage import MINUTE, Operated
from outbox_stage import FAILED, GONE, REFUSED, Scripted
from triggerdev_alerts.alert import State
from triggerdev_alerts.book import Changes, LetterStatus
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import iso
from triggerdev_alerts.outbox.dead_letters import retry
from triggerdev_alerts.receivers.alertmanager import Settings
from triggerdev_alerts.receivers.port import Attempt, Fate
from triggerdev_alerts.rules.model import ReceiverConfig
from triggerdev_exporter.web import alert_views as views
from triggerdev_exporter.web.server import api_routes

Client = TestClient[Any, Any]
JSON = {"Content-Type": "application/json"}
CODES = {"bad_request", "cross_site", "not_found", "wrong_method", "conflict", "too_large", "not_json", "unavailable"}
WISH = {"matchers": "alertname=QueueBacklog", "duration": "2h", "author": "ann", "comment": "known"}


@pytest.fixture
def stage() -> Operated:
    return Operated(Scripted("hook"), Scripted("pager", opens_incidents=True))


@pytest.fixture
async def client(stage: Operated) -> AsyncIterator[Client]:
    async with stage.serving() as client:
        yield client


async def ask(client: Client, path: str, status: int = 200) -> Any:
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        return await response.json()


async def write(client: Client, method: str, path: str, body: object = None, status: int = 200, **headers: str) -> Any:
    named = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
    async with client.request(method, path, data=data, headers=named) as response:
        assert response.status == status, await response.text()
        return await response.json()


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_alerts(stage: Operated, client: Client) -> None:
    await stage.put("QueueBacklog", State.PENDING, queue="emails")
    firing = await stage.put("TaskFailureRateHigh", task="send-email")
    silence = await stage.silence("task=send-email")
    found = await ask(client, "/api/v1/alerts")
    assert [alert["state"] for alert in found["alerts"]] == ["firing", "pending"]
    assert found["alerts"][0] == {
        "fingerprint": firing.fingerprint,
        "rule": "reliability/TaskFailureRateHigh",
        "state": "firing",
        "labels": {
            "alertname": "TaskFailureRateHigh", "severity": "critical", "target": "prod", "task": "send-email",
        },
        "annotations": {"summary": "send-email in prod: 42.1% of 57 runs failed in 15m"},
        "since": iso(NOW - 16 * MINUTE),
        "value": 24 / 57,
        "threshold": 0.1,
        "sample": 57,
        "unit": "fraction",
        "says": "42.1% of 57 runs failed in 15m (above 10%)",
        "stale_since": None,
        "silenced_by": [silence.id],
        "evidence": None,
    }  # fmt: skip
    assert found["alerts"][1]["since"] == iso(NOW - 18 * MINUTE), "a pending one: since its condition holds"
    only = await ask(client, "/api/v1/alerts?state=pending")
    assert (only["total"], [alert["labels"]["queue"] for alert in only["alerts"]]) == (1, ["emails"])


async def test_an_alert_without_its_rule_is_shown_too(stage: Operated, client: Client) -> None:
    await stage.put("Gone", task="x")
    (alert,) = (await ask(client, "/api/v1/alerts"))["alerts"]
    assert alert["annotations"]["summary"] == "x in prod: Gone"


async def test_of_many_alerts_some_are_listed_and_all_are_counted(stage: Operated, client: Client) -> None:
    for number in range(120):
        await stage.put("QueueBacklog", queue=f"q{number}")
    found = await ask(client, "/api/v1/alerts?limit=110")
    assert (found["total"], len(found["alerts"])) == (120, 110)


async def test_silences(stage: Operated, client: Client) -> None:
    over = await stage.silence("task=old", minutes=1)
    stage.clock.advance(120)
    active = await stage.silence('task=~"send-*" owner!=x')
    found = await ask(client, "/api/v1/silences")
    page = await ask(client, "/api/v1/silences?limit=1&offset=1")
    assert (page["total"], page["silences"]) == (len(found["silences"]), found["silences"][1:2])
    assert [(silence["id"], silence["state"]) for silence in found["silences"]] == [
        (active.id, "active"), (over.id, "expired"),
    ]  # fmt: skip
    assert found["silences"][0] == {
        "id": active.id,
        "state": "active",
        "matchers": "task=~send-* owner!=x",
        "starts_at": iso(stage.clock.now()),
        "ends_at": iso(stage.clock.now() + 120 * MINUTE),
        "author": "ann",
        "comment": "a known outage",
        "created_at": iso(stage.clock.now()),
    }


async def test_notifications_and_their_filters(stage: Operated, client: Client) -> None:
    (dead,) = await stage.dead("lost")
    await stage.say([notice("waits")], receiver="pager", group="p")
    found = await ask(client, "/api/v1/notifications")
    assert [each["status"] for each in found["notifications"]] == ["queued", "dead"]
    assert found["next_cursor"] is None
    assert found["notifications"][1] == {
        "id": dead.id,
        "status": "dead",
        "receiver": "hook",
        "group": "hook/0{task=lost}",
        "kind": "firing",
        "why": "first notification",
        "title": "[FIRING, critical] TaskFailureRateHigh in prod",
        "alerts": 1,
        "attempts": 3,
        "created_at": iso(dead.created_at),
        "next_at": None,
        "done_at": iso(dead.done_at),
        "error": "HTTP 400: no such thing",
    }
    for query, count in (
        ("status=dead", 1), ("status=sent", 0), ("receiver=pager", 1), ("group=p", 1), ("group=q", 0),
        ("status=queued&receiver=hook", 0),
    ):  # fmt: skip
        assert len((await ask(client, f"/api/v1/notifications?{query}"))["notifications"]) == count, query


async def test_the_trail_is_read_in_pages(stage: Operated, client: Client) -> None:
    letters = [letter.id for letter in await stage.dead(*"abcde")]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await ask(client, f"/api/v1/notifications?limit=2{cursor}")
        seen += [each["id"] for each in page["notifications"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == (letters[::-1], None)


async def test_receivers(stage: Operated, client: Client) -> None:
    found = await ask(client, "/api/v1/receivers")
    well = {
        "kind": "scripted", "state": "ok", "pending": 0, "given_up": 0, "paused_until": None, "failing_since": None,
        "error": None,
    }  # fmt: skip
    assert found["receivers"] == [{"name": "hook", **well}, {"name": "pager", **well}]
    stage.receivers["hook"].answers = [FAILED]  # type: ignore[attr-defined]
    stage.receivers["pager"].answers = [GONE]  # type: ignore[attr-defined]
    await stage.say([notice("a")])
    await stage.say([notice("a")], receiver="pager")
    await stage.courier.step(stage.clock.now())
    hook, pager = (await ask(client, "/api/v1/receivers"))["receivers"]
    assert (hook["state"], hook["pending"], hook["error"]) == ("failing", 1, "refused")
    assert hook["failing_since"] == iso(stage.clock.now())
    assert (pager["state"], pager["given_up"], pager["error"]) == ("disabled", 1, "HTTP 410")


async def test_rules(stage: Operated, client: Client) -> None:
    await stage.put("TaskFailureRateHigh", task="a")
    await stage.put("QueueBacklog", State.PENDING, queue="q")
    found = (await ask(client, "/api/v1/rules"))["rules"]
    assert [(rule["name"], rule["outcome"]) for rule in found] == [
        ("TaskFailureRateHigh", "firing"), ("QueueBacklog", "pending"), ("Never", "waiting"), ("Off", "off"),
    ]  # fmt: skip
    assert found[0] == {
        "name": "TaskFailureRateHigh",
        "group": "reliability",
        "severity": "critical",
        "condition": "failure_rate",
        "shipped": False,
        "outcome": "firing",
        "evaluated_at": iso(NOW),
        "error": None,
        "error_since": None,
        "alerts": {"firing": 1},
        "when": "failure_rate, window 15m, above 10%",
        "reason": None,
    }


def test_every_route_and_every_code_is_in_the_documentation(stage: Operated) -> None:
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    written = set(re.findall(r"`(GET|POST|DELETE) (/api/v1/[.\w/{}]+)", text))
    assert written == {(route.method, route.path) for route in api_routes(stage)}
    assert set(re.findall(r"`([a-z_]+)`", text)) >= CODES


async def test_every_answer_reads_back_as_its_struct(stage: Operated, client: Client) -> None:
    await stage.put("TaskFailureRateHigh", task="a")
    await stage.dead("a")
    await stage.silence("task=a")
    for path, struct in (
        ("alerts", views.AlertList), ("silences", views.SilenceList), ("notifications", views.NotificationList),
        ("receivers", views.ReceiverList), ("rules", views.RuleList),
    ):  # fmt: skip
        async with client.get(f"/api/v1/{path}") as response:
            assert msgspec.json.decode(await response.read(), type=struct, strict=True)


# ── silences are written ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_silence_is_added_on_disk_and_the_engine_is_woken(stage: Operated, client: Client) -> None:
    await stage.put("QueueBacklog", queue="a")
    await stage.put("TaskFailureRateHigh", task="a")
    made = await write(client, "POST", "/api/v1/silences", WISH, 201)
    assert (made["fits"], made["silence"]["matchers"]) == (1, "alertname=QueueBacklog")
    assert made["silence"]["ends_at"] == iso(NOW + 120 * MINUTE)
    assert list((await stage.storage.load()).silences) == [made["silence"]["id"]]
    assert stage.pokes == 1


async def test_a_silence_may_end_at_an_instant_and_start_later(client: Client) -> None:
    wish = {**WISH, "starts_at": iso(NOW + MINUTE), "ends_at": iso(NOW + 11 * MINUTE)}
    made = await write(client, "POST", "/api/v1/silences", {**wish, "duration": ""}, 201)
    assert (made["silence"]["state"], made["silence"]["ends_at"]) == ("pending", iso(NOW + 11 * MINUTE))


async def test_a_silence_is_expired(stage: Operated, client: Client) -> None:
    silence = await stage.silence("task=a")
    for _ in range(2):  # twice is once
        ended = await write(client, "DELETE", f"/api/v1/silences/{silence.id}")
        assert ended["silence"]["state"] == "expired"
    assert (await stage.storage.load()).silences[silence.id].ends_at == NOW
    missing = await write(client, "DELETE", "/api/v1/silences/sil_x", status=404)
    assert missing == {"error": {"code": "not_found", "message": 'there is no silence "sil_x"; see "silence list"'}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"matchers": "QueueBacklog"}, '"QueueBacklog" is not a matcher; write it like task=mail'),
        ({"matchers": ""}, "there is no matcher; write it like alertname=QueueStalled"),
        ({"matchers": 'task=~"^a.*"'}, "is a regular expression; write a glob"),
        ({"matchers": 'task=~"*"'}, "this fits an alert without labels, so nearly all"),
        ({"matchers": "a=" + "b" * 5_000}, "longer than 4096 characters"),
        ({"duration": "2"}, '"2" is not a duration; write it like "30s"'),
        ({"duration": "10s"}, "a silence lasts at least a minute"),
        ({"duration": "9000d"}, "a silence lasts at most 366d"),
        ({"duration": ""}, "say how long it lasts"),
        ({"ends_at": "2027-01-01T00:00:00Z"}, "say how long it lasts"),
        ({"duration": "", "ends_at": "tomorrow"}, 'ends_at: "tomorrow" is no instant; write it like'),
        ({"duration": "", "ends_at": "2027-01-01"}, "is no instant"),
        ({"duration": "", "ends_at": "2001-01-01T00:00:00Z"}, "a silence lasts at least a minute"),
        ({"starts_at": "2001-01-01T00:00:00Z"}, "this silence would be over already"),
        ({"author": " "}, "a silence needs an author"),
        ({"comment": "\u202e"}, "a silence needs a comment"),
        ({"comment": 5}, "Expected `str`, got `int` - at `$.comment`"),
        ({"created_by": "x"}, "unknown field `created_by`"),
    ],
)
async def test_silences_that_cannot_be(stage: Operated, client: Client, change: dict[str, Any], said: str) -> None:
    refused = await write(client, "POST", "/api/v1/silences", {**WISH, **change}, 400)
    assert refused["error"]["code"] == "bad_request"
    assert said in refused["error"]["message"]
    assert (stage.pokes, stage.book.silences) == (0, {})


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"matchers": "\\ud800"}', b"[" * 50_000, b'{"matchers": ' + b"[" * 50_000],
    ids=range(8),
)  # fmt: skip
async def test_bodies_that_are_no_silence(client: Client, body: bytes) -> None:
    refused = await write(client, "POST", "/api/v1/silences", body, 400)
    assert refused["error"]["message"].startswith("the body cannot be used: ")


# ── dead letters ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_dead_letter_is_sent_again(stage: Operated, client: Client) -> None:
    (letter,) = await stage.dead("a")
    again = await write(client, "POST", f"/api/v1/notifications/{letter.id}/retry")
    assert (again["notification"]["id"], again["notification"]["status"]) == (letter.id, "queued")
    assert stage.pokes == 1
    await stage.courier.step(stage.clock.now())
    assert (await stage.letter(letter.id)).status is LetterStatus.SENT


async def test_a_dead_letter_is_put_away(stage: Operated, client: Client) -> None:
    (letter,) = await stage.dead("a")
    await write(client, "POST", f"/api/v1/notifications/{letter.id}/drop")
    refused = await write(client, "POST", f"/api/v1/notifications/{letter.id}/retry", status=409)
    assert refused["error"] == {
        "code": "conflict",
        "message": f"{letter.id} is superseded, not dead; only what was given up can be changed by hand",
    }


@pytest.mark.parametrize("do", ["retry", "drop"])
async def test_what_is_not_there_or_not_dead(stage: Operated, client: Client, do: str) -> None:
    missing = await write(client, "POST", f"/api/v1/notifications/msg_x/{do}", status=404)
    assert missing["error"]["message"] == 'there is no notification "msg_x"; see "outbox list"'
    waiting = await stage.say([notice("a")])
    await write(client, "POST", f"/api/v1/notifications/{waiting.id}/{do}", status=409)


async def test_of_two_hands_at_once_one_wins(stage: Operated, client: Client) -> None:
    (letter,) = await stage.dead("a")
    statuses = await asyncio.gather(
        *(client.post(f"/api/v1/notifications/{letter.id}/{do}", headers=JSON) for do in ("retry", "retry", "drop"))
    )
    assert sorted(response.status for response in statuses) == [200, 409, 409]
    await stage.courier.step(stage.clock.now())
    assert len(stage.receivers["hook"].got) == 1  # type: ignore[attr-defined]


async def test_a_letter_that_is_under_way_again_is_not_touched(stage: Operated) -> None:
    (letter,) = await stage.dead("a")
    first, second = (retry(stage.scribe, stage.receivers, letter.id, stage.clock.now()) for _ in range(2))
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Letter", "Unfit"]


# ── tests of receivers ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_receiver_is_tried_out(stage: Operated, client: Client) -> None:
    done = await write(client, "POST", "/api/v1/receivers/hook/test")
    assert done == {"receiver": "hook", "delivered": True, "fate": "delivered", "message": "the receiver took it"}
    (envelope,) = stage.receivers["hook"].got  # type: ignore[attr-defined]
    assert envelope.notification.is_test
    assert await stage.storage.letters() == [], "it is sent now, past the outbox"


async def test_an_incident_that_a_test_opens_is_closed(stage: Operated, client: Client) -> None:
    await write(client, "POST", "/api/v1/receivers/pager/test")
    sent = [envelope.notification for envelope in stage.receivers["pager"].got]  # type: ignore[attr-defined]
    assert [(each.kind, each.is_test) for each in sent] == [("firing", True), ("resolved", True)]
    assert len({each.group_key for each in sent}) == 1
    assert len({each.id for each in sent}) == 2


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (FAILED, "it did not arrive: refused"),
        (Attempt(Fate.AMBIGUOUS, "no answer in time"), "it may have arrived: no answer in time"),
        (Attempt(Fate.THROTTLED, "HTTP 429"), "the receiver asks for a pause: HTTP 429"),
        (REFUSED, "the receiver refused it: HTTP 400"),
        (GONE, "the receiver does not exist any more: HTTP 410"),
    ],
)
async def test_a_test_that_does_not_arrive(stage: Operated, client: Client, attempt: Attempt, said: str) -> None:
    stage.receivers["pager"].answers = [attempt]  # type: ignore[attr-defined]
    done = await write(client, "POST", "/api/v1/receivers/pager/test")
    assert (done["delivered"], done["message"]) == (False, said)
    assert len(stage.receivers["pager"].got) == 1  # type: ignore[attr-defined]
    assert stage.book.receivers == {}, "a test says nothing about what the receiver was sent before"


async def test_a_form_that_is_refused_is_tried_in_the_other(stage: Operated, client: Client) -> None:
    stage.receivers["hook"].answers = [Attempt(Fate.REFUSED, "invalid_blocks", body="plain")]  # type: ignore[attr-defined]
    assert (await write(client, "POST", "/api/v1/receivers/hook/test"))["delivered"]
    assert stage.receivers["hook"].got[-1].body == "plain"  # type: ignore[attr-defined]


async def test_a_receiver_that_breaks(stage: Operated, client: Client) -> None:
    def broken(_: object) -> Attempt:
        raise RuntimeError("https://secret.example/T000/B000")

    stage.receivers["hook"].answer = broken  # type: ignore[attr-defined]
    done = await write(client, "POST", "/api/v1/receivers/hook/test")
    assert done["message"] == "it may have arrived: the receiver broke (RuntimeError); the log says where"


async def test_an_alertmanager_is_told_of_an_alert_that_ends_by_itself(stage: Operated, client: Client) -> None:
    async with open_alertmanager() as double:
        settings = Settings.model_validate({"url": double.url, "allow_private": True})
        config = ReceiverConfig("am", "alertmanager", settings)
        stage.ruleset = replace(stage.ruleset, receivers={**stage.ruleset.receivers, "am": config})
        assert (await write(client, "POST", "/api/v1/receivers/am/test"))["delivered"]
        ((alert,),) = double.got
        double.answers = [web.Response(status=503, text="not ready")]
        failed = await write(client, "POST", "/api/v1/receivers/am/test")
    assert alert["labels"]["alertname"] == "ReceiverTest"
    assert alert["annotations"]["summary"] == "This is a test: nothing is wrong."
    assert alert["endsAt"] == iso(NOW + MINUTE)
    host = double.url.removeprefix("http://").removesuffix("/am")
    assert (failed["delivered"], failed["message"]) == (False, f"it did not arrive: {host}: HTTP 503: not ready")
    named = {each["name"]: each["kind"] for each in (await ask(client, "/api/v1/receivers"))["receivers"]}
    assert named == {"hook": "scripted", "pager": "scripted", "am": "alertmanager"}


async def test_one_test_at_a_time(stage: Operated, client: Client) -> None:
    answered = asyncio.Event()
    stage.receivers["hook"].wait = lambda _: answered.wait()  # type: ignore[attr-defined]
    first = asyncio.create_task(write(client, "POST", "/api/v1/receivers/hook/test"))
    while not stage.receivers["hook"].got:  # type: ignore[attr-defined]
        await stage.clock.sleep(0)
    second = await write(client, "POST", "/api/v1/receivers/hook/test", status=409)
    assert second["error"]["message"] == "a test of hook is under way; wait until it has ended"
    answered.set()
    assert (await first)["delivered"]


async def test_a_receiver_that_is_not_there(client: Client) -> None:
    refused = await write(client, "POST", "/api/v1/receivers/hok/test", status=404)
    assert refused["error"]["message"] == 'no receiver is named "hok"; did you mean "hook"?'


# ── who may write, and what is refused ────────────────────────────────────────────────────────────────────────────────

WRITES = [
    ("POST", "/api/v1/silences"),
    ("DELETE", "/api/v1/silences/sil_x"),
    ("POST", "/api/v1/notifications/msg_x/retry"),
    ("POST", "/api/v1/notifications/msg_x/drop"),
    ("POST", "/api/v1/receivers/hook/test"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
async def test_pages_of_other_sites_change_nothing(
    stage: Operated, client: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    refused = await write(client, method, path, WISH, 403, **headers)
    assert refused["error"]["code"] == "cross_site"
    assert (stage.pokes, stage.receivers["hook"].got) == (0, [])  # type: ignore[attr-defined]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"])
async def test_what_a_form_can_send_is_refused(
    stage: Operated, client: Client, method: str, path: str, kind: str
) -> None:
    refused = await write(client, method, path, WISH, 415, Content_Type=kind)
    assert refused["error"]["message"] == "send this with the header Content-Type: application/json"
    assert stage.pokes == 0


async def test_our_own_page_and_the_command_line_may_write(client: Client) -> None:
    own = f"http://127.0.0.1:{client.port}"
    await write(client, "POST", "/api/v1/silences", WISH, 201, Sec_Fetch_Site="same-origin", Origin=own)
    await write(client, "POST", "/api/v1/silences", WISH, 201, Origin=own.replace("http:", "https:"))
    await write(client, "POST", "/api/v1/silences", WISH, 201, Content_Type="application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("alerts?state=on", '"on" is no state; use one of pending, firing, recovering'),
        ("alerts?stat=firing", 'there is no parameter "stat"; did you mean "state"?'),
        ("alerts?limit=0", '"0" is no limit; write a number from 1 to 1000'),
        ("alerts?limit=%D9%A3", "is no limit"),
        ("receivers?x=1", 'there is no parameter "x"; there is none here'),
        ("notifications?status=lost", '"lost" is no status; use one of queued, sending, sent, dead, superseded'),
        ("notifications?limit=1001", '"1001" is no limit'),
        ("notifications?cursor=x", '"x" is no cursor; send next_cursor back as it came'),
        ("notifications?status=dead&status=sent", "status is there twice; send it once"),
    ],
)
async def test_parameters_that_mean_nothing(client: Client, path: str, said: str) -> None:
    refused = await ask(client, f"/api/v1/{path}", 400)
    assert refused["error"]["code"] == "bad_request"
    assert said in refused["error"]["message"]


async def test_errors_of_the_server_are_json_here_too(client: Client) -> None:
    missing = await ask(client, "/api/v1/nothing", 404)
    assert missing["error"]["message"].startswith('there is nothing at "/api/v1/nothing"')
    async with client.delete("/api/v1/alerts", headers=JSON) as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
        assert (await response.json())["error"]["message"] == "DELETE is not for this address; use GET,HEAD"
    large = await write(client, "POST", "/api/v1/silences", {**WISH, "comment": "x" * 70_000}, 413)
    assert large == {"error": {"code": "too_large", "message": "the body is larger than 64 KiB; send less"}}


async def test_before_alerting_runs(stage: Operated, client: Client) -> None:
    stage.alerting = None
    waits = await ask(client, "/api/v1/alerts", 503)
    assert waits["error"] == {
        "code": "unavailable",
        "message": "alerting is not running yet; ask again in a moment",
    }


async def test_a_disk_that_is_full_changes_nothing(stage: Operated, client: Client) -> None:
    async def commit(_: Changes) -> None:
        raise BookError("book.db: the disk is full; nothing was lost")

    stage.storage.commit = commit
    refused = await write(client, "POST", "/api/v1/silences", WISH, 503)
    assert refused["error"]["message"] == "book.db: the disk is full; nothing was lost"
    assert (stage.book.silences, stage.pokes) == ({}, 0)


async def test_what_breaks_here_is_told_without_a_traceback(stage: Operated, client: Client) -> None:
    async def letters(**_: object) -> list[object]:
        raise RuntimeError("secret")

    stage.storage.letters = letters
    broken = await ask(client, "/api/v1/notifications", 500)
    assert broken["error"] == {"code": "broken", "message": "something broke here; the log of the daemon says what"}
