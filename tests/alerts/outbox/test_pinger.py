"""The dead man's switch: it hears of us while alerting works, and of nothing else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from triggerdev_alerts.book import Book, ClockEntry, Kind, ReceiverEntry
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_alerts.outbox.deadman import OLDEST_LETTER, Proof, should_ping
from triggerdev_alerts.outbox.pinger import Pinger, open_pinger
from triggerdev_alerts.receivers import alertmanager, webhook
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import HttpDoor
from triggerdev_alerts.rules.model import Ping, ReceiverConfig, RuleSet
from virtual_clock import START, VirtualClock

NAME = "SWITCH_URL"


@dataclass
class Switch:
    url: str = ""
    got: list[str] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(request.method)
        return self.answers.pop(0) if self.answers else web.Response(text="OK")


@pytest.fixture
async def switch(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Switch]:
    switch = Switch()
    app = web.Application()
    app.router.add_route("*", "/very-secret", switch.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    switch.url = f"http://127.0.0.1:{runner.addresses[0][1]}/very-secret"
    monkeypatch.setenv(NAME, switch.url)
    yield switch
    await runner.cleanup()


class Stage:
    def __init__(self, *, allow_private: bool = True, interval: int = MINUTE) -> None:
        self.settings = webhook.Settings.model_validate({"url_env": NAME, "allow_private": allow_private})
        self.clock = VirtualClock(START)
        self.door = HttpDoor(policy(self.settings.allow_private), timeout_s=5)
        self.proof = Proof(True)
        self.pinger = Pinger(self.settings.url_source, interval, self.door, self.clock, self.prove)

    def prove(self, now: Instant) -> Proof:
        if self.proof.reason == "bug":
            raise ZeroDivisionError("https://x.test/very-secret")
        return self.proof

    async def until(self, seconds: float) -> list[float]:
        """Step when it wants to, before that second; at which seconds it did."""
        stepped = []
        while (due := max(self.pinger.next_due(self.clock.now()), self.clock.now())) < START + seconds * SECOND:
            self.clock.advance((due - self.clock.now()) / SECOND)
            await self.pinger.step(self.clock.now())
            stepped.append((self.clock.now() - START) / SECOND)
        self.clock.advance((START + seconds * SECOND - self.clock.now()) / SECOND)
        return stepped


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.door.close()


async def test_it_is_fetched_each_minute(stage: Stage, switch: Switch) -> None:
    assert await stage.until(180) == [0, 60, 120]
    assert switch.got == ["GET", "GET", "GET"]
    assert stage.pinger.pinged_at == START + 2 * MINUTE


async def test_it_hears_nothing_while_something_is_wrong_and_at_once_when_it_is_not(
    stage: Stage, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "triggerdev_alerts")
    stage.proof = Proof(False, "no fresh data of prod")
    await stage.until(25)
    assert switch.got == []
    stage.proof = Proof(True)
    assert await stage.until(120) == [30, 90]
    assert [(record.message, record.__dict__.get("why")) for record in caplog.records] == [
        ("the dead man's switch is not pinged", "no fresh data of prod"),
        ("the dead man's switch is pinged again", None),
    ]


async def test_a_failed_ping_is_tried_again_soon_and_told_once(
    stage: Stage, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    switch.answers = [web.Response(status=500, text="very-secret? down"), web.Response(status=404)]
    assert await stage.until(100) == [0, 10, 20, 80]
    assert [record.__dict__["why"] for record in caplog.records] == ["HTTP 500: very-secret? down"]
    assert stage.pinger.pinged_at == START + 80 * SECOND


async def test_a_redirect_is_no_ping(stage: Stage, switch: Switch) -> None:
    switch.answers = [web.Response(status=302, headers={"Location": "/elsewhere"})]
    await stage.until(5)
    assert stage.pinger.pinged_at == 0


async def test_a_pause_is_kept(stage: Stage, switch: Switch) -> None:
    switch.answers = [web.Response(status=429, headers={"Retry-After": "40"})]
    assert await stage.until(50) == [0, 40]


async def test_a_clock_that_is_set_back_stops_nothing(stage: Stage, switch: Switch) -> None:
    await stage.until(1)
    stage.clock.advance(-24 * 3600)
    await stage.pinger.step(stage.clock.now())
    assert len(switch.got) == 2


async def test_nothing_of_it_is_raised_and_no_secret_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    await stage.until(1)
    for value, proof in (("http://127.0.0.1:1/very-secret", Proof(True)), ("x", Proof(False, "bug"))):
        monkeypatch.setenv(NAME, value)
        stage.proof = proof
        await stage.until((stage.clock.now() - START) / SECOND + 11)
    assert [record.__dict__["why"] for record in caplog.records] == [f"the variable {NAME} is not set"]
    assert "very-secret" not in caplog.text


async def test_loopback_wants_allow_private(switch: Switch) -> None:
    stage = Stage(allow_private=False)
    await stage.until(1)
    assert switch.got == []
    await stage.door.close()


async def test_it_runs_by_the_rules(switch: Switch) -> None:
    clock, book = VirtualClock(START), Book()
    book.set_entry(Kind.CLOCK, "", ClockEntry(stepped_at=START + MINUTE, started=True))
    settings = webhook.Settings.model_validate({"url_env": NAME, "allow_private": True})
    healthy = {"stale": lambda now: (), "ticked": lambda: True}
    async with open_pinger(RuleSet(), book, clock, **healthy) as none:
        assert none is None
    async with open_pinger(RuleSet(ping=Ping(settings)), book, clock, **healthy):
        while len(switch.got) < 2:
            await clock.sleep(0.01)


def test_an_alertmanager_that_takes_nothing_is_no_proof() -> None:
    book = Book()
    book.set_entry(Kind.CLOCK, "", ClockEntry(stepped_at=START, started=True))
    for name in ("am", "gone-from-the-rules"):
        book.set_entry(Kind.RECEIVER, name, ReceiverEntry(failing_since=START - OLDEST_LETTER))
    assert should_ping(book, (), START, ticked=True).pings
    assert should_ping(book, (), START - 1, ticked=True, holders=["am"]).pings
    assert should_ping(book, (), START, ticked=True, holders=["am"]) == Proof(False, "am has taken nothing for 900 s")


async def test_the_rules_say_who_holds_state(switch: Switch) -> None:
    clock, book = VirtualClock(START), Book()
    book.set_entry(Kind.CLOCK, "", ClockEntry(stepped_at=START, started=True))
    book.set_entry(Kind.RECEIVER, "am", ReceiverEntry(failing_since=START - OLDEST_LETTER))
    settings = webhook.Settings.model_validate({"url_env": NAME, "allow_private": True})
    holder = alertmanager.Settings.model_validate({"url": "http://am:9093"})
    ruleset = RuleSet(ping=Ping(settings), receivers={"am": ReceiverConfig("am", "alertmanager", holder)})
    async with open_pinger(ruleset, book, clock, stale=lambda now: (), ticked=lambda: True) as pinger:
        assert pinger is not None
        await clock.sleep(1)
        await clock.sleep(1)
    assert switch.got == []
