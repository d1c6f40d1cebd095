"""`alerts`, `silence`, `outbox`, `receivers` as they are typed, against a real server on loopback: exact texts."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result
from msgspec.structs import replace

from alert_notices import NOW, notice
from message_samples import SAMPLES
from operated_stage import MINUTE, Operated
from outbox_stage import FAILED, REFUSED, Scripted
from triggerdev_alerts.alert import State
from triggerdev_alerts.book import Kind, LetterStatus
from triggerdev_alerts.message.text import silence_line
from triggerdev_alerts.notify.matching import matches_all
from triggerdev_alerts.notify.withholding import matchers_of
from triggerdev_exporter.cli import cli
from triggerdev_exporter.commands import operations
from triggerdev_exporter.errors import ExporterError

Do = Callable[..., Awaitable[Result]]


@pytest.fixture
def stage() -> Operated:
    return Operated(Scripted("hook"), Scripted("pager", opens_incidents=True))


@pytest.fixture
async def do(stage: Operated) -> AsyncIterator[Do]:
    async with stage.serving() as client:
        url = str(client.make_url("/"))

        async def run(*arguments: str) -> Result:
            return await invoke(*arguments, TRIGGERDEV_EXPORTER_URL=url)

        yield run


async def invoke(*arguments: str, **environ: str | None) -> Result:
    """The command in a thread of its own, since the server lives in this one."""
    named: dict[str, str | None] = {"USER": "ann", **environ}
    return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), env=named)


def said(done: Result, code: int = 0) -> str:
    assert (done.exit_code, done.stderr) == (code, ""), (done.output, done.exception)
    return done.stdout


def error(done: Result) -> str:
    assert isinstance(done.exception, ExporterError), (done.output, done.exception)
    return str(done.exception)


# ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_alerts(stage: Operated, do: Do) -> None:
    await stage.put("QueueBacklog", State.PENDING, queue="emails")
    alert = await stage.put("TaskFailureRateHigh", task="send-email", owner="mail")
    silence = await stage.silence("task=send-email")
    stage.clock.advance(120)
    assert said(await do("alerts", "list")) == (
        "firing   critical  TaskFailureRateHigh\n"
        "  send-email in prod: 42.1% of 57 runs failed in 15m\n"
        "  since 2025-10-09 08:37 UTC (18 min)\n"
        "  owner=mail target=prod task=send-email\n"
        f"  silenced by {silence.id}\n"
        "pending  warning   QueueBacklog\n"
        "  queue emails in prod: 812 runs wait\n"
        "  since 2025-10-09 08:35 UTC (20 min)\n"
        "  queue=emails target=prod\n"
    )
    assert said(await do("alerts", "list", "--state", "recovering")) == "No alert is recovering.\n"
    found = json.loads(said(await do("alerts", "list", "--format", "json", "--state", "firing")))
    assert [each["fingerprint"] for each in found["alerts"]] == [alert.fingerprint]


async def test_no_alerts(do: Do) -> None:
    assert said(await do("alerts", "list")) == "No alert is pending or firing.\n"


async def test_what_is_held_is_said(stage: Operated, do: Do) -> None:
    alert = replace(await stage.put("QueueBacklog", queue="q"), stale_since=NOW - 5 * MINUTE, stale_reason="failing")
    await stage.scribe.write(lambda draft: draft.put(Kind.ALERT, alert.fingerprint, alert))
    assert "  held without news since 2025-10-09 08:48 UTC (5 min)\n" in said(await do("alerts", "list"))


async def test_what_comes_from_outside_moves_no_cursor(stage: Operated, do: Do) -> None:
    await stage.put("QueueBacklog", queue="a\x1b[2Jb\nc")
    assert "\x1b" not in said(await do("alerts", "list"))


# ── silences ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_silence_from_beginning_to_end(stage: Operated, do: Do) -> None:
    await stage.put("QueueBacklog", queue="emails")
    made = said(await do("silence", "add", "alertname=QueueBacklog", "queue=~email*|sms", "--for", "2h"))
    (silence,) = stage.book.silences.values()
    assert made == (
        f'{silence.id}: alertname=QueueBacklog queue=~"email*|sms" is silenced for 2h, until 2025-10-09 10:53 UTC.\n'
        f"It fits one alert that is there now. To end it earlier: triggerdev-exporter silence expire {silence.id}\n"
    )
    stage.clock.advance(3_600)
    assert said(await do("silence", "list")) == (
        f"{silence.id}  active  until 2025-10-09 10:53 UTC (1 h left)  "
        'alertname=QueueBacklog queue=~"email*|sms"\n'
        "  ann: added by the command line\n"
    )
    assert said(await do("silence", "expire", silence.id)) == f"{silence.id} is over.\n"
    assert said(await do("silence", "list")) == "There is no silence.\n"
    assert said(await do("silence", "list", "--expired")).startswith(f"{silence.id}  expired  until 2025-10-09 09:53")
    assert json.loads(said(await do("silence", "list", "--format", "json")))["silences"][0]["state"] == "expired"


async def test_who_and_why(stage: Operated, do: Do) -> None:
    said(await do("silence", "add", "task=x", "--for", "30m", "--author", "kim", "--comment", "we know"))
    (silence,) = stage.book.silences.values()
    assert (silence.author, silence.comment) == ("kim", "we know")


@pytest.mark.parametrize(
    ("matchers", "hint"),
    [
        (("task=snd-email",), ""),
        (("task=send-*",), " For a pattern write =~ instead of =."),
        (("task=~send-*", "team=x"), ""),
        (("task=~send-.*",), " Patterns are globs and no regular expressions: * alone is any text."),
        (('queue=~"(a b|c)"',), " Patterns are globs and no regular expressions: * alone is any text."),
        (("task=x", "alertnam=A"), " Only a rule's own label is called alertnam; did you mean alertname?"),
    ],
)
async def test_a_typing_error_is_seen(do: Do, matchers: tuple[str, ...], hint: str) -> None:
    told = said(await do("silence", "add", *matchers, "--for", "2h"))
    assert f"It fits no alert that is there now.{hint} To end it" in told


async def test_what_alertmanager_writes_is_understood(stage: Operated, do: Do) -> None:
    said(await do("silence", "add", '{alertname="QueueBacklog", queue="a b"}', "--for", "2h"))
    (silence,) = stage.book.silences.values()
    assert silence.matchers == (("alertname", False, ("QueueBacklog",)), ("queue", False, ("a b",)))


@pytest.mark.parametrize("name", [name for name, sample in SAMPLES.items() if silence_line(sample)])
async def test_the_line_in_a_message_silences_what_the_message_is_about(stage: Operated, do: Do, name: str) -> None:
    program, *arguments = shlex.split(silence_line(SAMPLES[name]))
    assert program == "triggerdev-exporter"
    said(await do(*arguments))
    (silence,) = stage.book.silences.values()
    assert silence.ends_at - silence.starts_at == 120 * MINUTE
    group = set(SAMPLES[name].group_labels)
    mine = [alert.labels for alert in SAMPLES[name].alerts if group <= {*alert.labels}]
    assert all(matches_all(matchers_of(silence), labels) for labels in mine)
    for alert in SAMPLES[name].alerts:
        others = tuple((label, "Other" if label == "alertname" else value) for label, value in alert.labels)
        assert not matches_all(matchers_of(silence), others)


async def test_without_a_user_somebody_did_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found: 1000")

    monkeypatch.delenv("USER", raising=False)
    monkeypatch.setattr("getpass.getuser", nobody)
    assert operations.whoever() == "somebody"


async def test_silences_that_cannot_be(do: Do) -> None:
    wrong = await do("silence", "add", "QueueBacklog", "--for", "2h")
    assert wrong.exit_code == 2
    assert 'Invalid value for MATCHERS: "QueueBacklog" is not a matcher' in wrong.stderr
    refused = await do("silence", "add", "task=x", "--for", "2")
    assert error(refused).startswith('"2" is not a duration; write')
    assert isinstance(refused.exception, ExporterError)
    assert refused.exception.exit_code == 2


async def test_of_several_silences_those_that_exist_are_ended(stage: Operated, do: Do) -> None:
    silence = await stage.silence("task=x")
    done = await do("silence", "expire", "sil_x", silence.id, "../alerts")
    assert (done.exit_code, done.stdout) == (1, f"{silence.id} is over.\n")
    assert (
        done.stderr
        == 'there is no silence "sil_x"; see "silence list"\nthere is no silence "../alerts"; see "silence list"\n'
    )


# ── the outbox ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_outbox_is_listed(stage: Operated, do: Do) -> None:
    (dead,) = await stage.dead("lost")
    stage.receivers["pager"].answers = [FAILED]  # type: ignore[attr-defined]
    waiting = await stage.say([notice("waits")], receiver="pager", group="p")
    await stage.courier.step(stage.clock.now())
    title = "[FIRING, critical] TaskFailureRateHigh in prod"
    assert said(await do("outbox", "list")) == (
        f"{waiting.id}  queued  pager  2025-10-09 08:53 UTC  1 attempt   {title}\n"
        "  refused; again in 1 s\n"
        f"{dead.id}  dead    hook   2025-10-09 08:53 UTC  3 attempts  {title}\n"
        "  HTTP 400: no such thing\n"
    )
    assert said(await do("outbox", "list", "--status", "sent")) == "No notification is sent.\n"
    assert said(await do("outbox", "list", "--receiver", "nobody")) == "There is no notification.\n"
    assert "… and older ones; --limit shows more\n" in said(await do("outbox", "list", "--limit", "1"))
    only = json.loads(said(await do("outbox", "list", "--status", "dead", "--format", "json")))
    assert [each["id"] for each in only["notifications"]] == [dead.id]


async def test_one_is_sent_again(stage: Operated, do: Do) -> None:
    (dead,) = await stage.dead("a")
    assert said(await do("outbox", "retry", dead.id)) == f"{dead.id}: waits to be sent again\n"
    await stage.courier.step(stage.clock.now())
    done = await do("outbox", "drop", dead.id)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (f"{dead.id}: {dead.id} is sent, not dead; only what was given up can be changed by hand\n")


async def test_all_are_sent_again_the_oldest_first(stage: Operated, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_PAGE", 2)  # so that five are three pages
    letters = [letter.id for letter in await stage.dead(*"abcde")]
    (other,) = await stage.dead("x", receiver="pager")
    done = said(await do("outbox", "retry", "--all", "--receiver", "hook"))
    assert done.splitlines() == [f"{letter}: waits to be sent again" for letter in letters]
    assert (await stage.letter(other.id)).status is LetterStatus.DEAD
    assert said(await do("outbox", "drop", "--all")) == f"{other.id}: dropped\n"
    assert said(await do("outbox", "drop", "--all")) == "No notification is dead.\n"


async def test_what_was_overtaken_does_not_stop_the_others(stage: Operated, do: Do) -> None:
    first, last = await stage.dead("a", "b")
    await stage.say([notice("a")], group=first.group_key)
    await stage.courier.step(stage.clock.now())
    done = await do("outbox", "retry", "--all")
    assert (done.exit_code, done.stdout) == (1, f"{last.id}: waits to be sent again\n")
    assert done.stderr == (f"{first.id}: a newer message about the same group was delivered since; drop this one\n")


@pytest.mark.parametrize("arguments", [(), ("msg_1", "--all")])
async def test_which_must_be_clear(do: Do, arguments: tuple[str, ...]) -> None:
    done = await do("outbox", "retry", *arguments)
    assert done.exit_code == 2
    assert "name notifications, or all dead ones with --all" in done.stderr


# ── receivers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_receiver_is_tried_out(stage: Operated, do: Do) -> None:
    assert said(await do("receivers", "test", "hook")) == "hook: the receiver took it\n"
    stage.receivers["hook"].answers = [FAILED]  # type: ignore[attr-defined]
    done = await do("receivers", "test", "hook")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "hook: it did not arrive: refused\n")
    assert error(await do("receivers", "test", "x/y")) == 'no receiver is named "x/y"; there are hook, pager'


async def test_receivers(stage: Operated, do: Do) -> None:
    stage.receivers["pager"].answers = [FAILED]  # type: ignore[attr-defined]
    await stage.say([notice("a")], receiver="pager")
    await stage.courier.step(stage.clock.now())
    assert said(await do("receivers", "list")) == (
        "hook   scripted  ok\npager  scripted  failing  since 2025-10-09 08:53 UTC, 1 waiting, refused\n"
    )
    stage.receivers["hook"].answers = [REFUSED]  # type: ignore[attr-defined]
    await stage.say([notice("b")])
    await stage.courier.step(stage.clock.now())
    assert said(await do("receivers", "list")).startswith("hook   scripted  ok       1 given up in the last hour\n")


# ── a daemon that is not there, or is not one ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        ("alerts", "list"),
        ("silence", "list"),
        ("silence", "add", "task=x", "--for", "2h"),
        ("silence", "expire", "sil_x"),
        ("outbox", "list"),
        ("outbox", "retry", "msg_x"),
        ("outbox", "drop", "--all"),
        ("receivers", "list"),
        ("receivers", "test", "hook"),
    ],
    ids=" ".join,
)
async def test_a_daemon_that_is_not_there_is_one_sentence(free_port: int, arguments: tuple[str, ...]) -> None:
    done = await invoke(*arguments, "--url", f"http://127.0.0.1:{free_port}/")
    assert error(done) == (
        f"no daemon answers at http://127.0.0.1:{free_port}/ (connection refused); "
        'start one with "triggerdev-exporter run", or say where it is with --url'
    )
    assert isinstance(done.exception, ExporterError)
    assert done.exception.exit_code == 1


@pytest.mark.parametrize(
    ("status", "body"), [(404, "nothing here"), (200, "<html>"), (200, '{"alerts": 5}'), (302, ""), (500, "[]")]
)
async def test_something_else_that_answers(status: int, body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "/elsewhere"} if status == 302 else {})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        done = await invoke("alerts", "list", "--url", str(server.make_url("/")))
    assert error(done).endswith(f"is no triggerdev-exporter of this version (HTTP {status})")


async def test_a_daemon_behind_a_path(stage: Operated) -> None:
    inner = web.Application()
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"at": "2026-01-01T00:00:00.000Z", "silences": []})

    inner.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(inner) as server:
        done = await invoke("silence", "list", "--url", f"127.0.0.1:{server.port}/triggers/")
    assert (said(done), asked) == ("There is no silence.\n", ["/triggers/api/v1/silences"])


async def test_an_address_that_is_none() -> None:
    done = await invoke("alerts", "list", "--url", "ftp://x")
    assert done.exit_code == 2
    assert "this is no address; write it like http://127.0.0.1:9925" in done.stderr
