"""The pusher against an Alertmanager's double, on a virtual clock: what is sent when, and what each answer leads to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from alertmanager_double import AlertmanagerDouble, open_alertmanager
from evaluation_stage import NOON
from pushing_stage import alert, end, rules
from triggerdev_alerts.alert import Alert, State
from triggerdev_alerts.book import Book, Changes, Kind, ReceiverEntry
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Instant
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.pushing.assertions import Plan
from triggerdev_alerts.pushing.build import http_door, open_pushers
from triggerdev_alerts.pushing.pusher import BATCH, Pusher, Standing
from triggerdev_alerts.receivers.alertmanager import Alertmanager, Settings
from triggerdev_alerts.rules.model import ReceiverConfig, RuleSet
from virtual_clock import VirtualClock


@pytest.fixture
async def double() -> AsyncIterator[AlertmanagerDouble]:
    async with open_alertmanager() as double:
        yield double


class Disk(MemoryStore):
    full = False

    async def commit(self, changes: Changes) -> None:
        if self.full:
            raise BookError("book.db: the disk is full. Make room")
        await super().commit(changes)


class Stage:
    """A book that a test fills by hand, and a pusher for each URL; time passes only by `until`."""

    def __init__(self, *urls: str, delay: int = MINUTE, interval: int = MINUTE, **settings: Any) -> None:
        written = {"url": urls, "resend_delay": delay, "allow_private": True, **settings}
        self.settings = Settings.model_validate(written)
        self.ruleset = rules(interval)
        self.disk = Disk()
        self.book = Book()
        self.scribe = Scribe(self.book, self.disk)
        self.clock = VirtualClock(NOON)
        self.standing = Standing("am", self.scribe, len(urls))
        plan = Plan(self.ruleset, "am", delay)
        self.members = [Alertmanager(url, self.settings, http_door(self.settings)) for url in self.settings.url]
        self.pushers = [
            Pusher(member, "am", plan, delay, self.scribe, self.standing, self.clock) for member in self.members
        ]

    def fire(self, *alerts: Alert) -> None:
        for one in alerts:
            self.book.set_entry(Kind.ALERT, one.fingerprint, one)
            self.book.set_entry(Kind.ENDED, one.fingerprint, None)

    def end(self, one: Alert) -> None:
        self.book.set_entry(Kind.ALERT, one.fingerprint, None)
        self.book.set_entry(Kind.ENDED, one.fingerprint, end(self.clock.now(), one))

    async def until(self, at: Instant) -> list[float]:
        """Step whenever a pusher wants to, and at the end; at which seconds one did."""
        stepped = []
        while (due := min(pusher.next_due(self.clock.now()) for pusher in self.pushers)) < at:
            self.clock.advance(max(0, due - self.clock.now()) / SECOND)
            for pusher in self.pushers:
                await pusher.step(self.clock.now())
            stepped.append((self.clock.now() - NOON) / SECOND)
        self.clock.advance((at - self.clock.now()) / SECOND)
        return stepped

    @property
    def failing_since(self) -> Instant:
        return self.book.receivers["am"].failing_since if "am" in self.book.receivers else 0

    async def close(self) -> None:
        for member in self.members:
            await member.close()


@pytest.fixture
async def stage(double: AlertmanagerDouble) -> AsyncIterator[Stage]:
    stage = Stage(double.url)
    yield stage
    await stage.close()


def queues(alerts: list[dict[str, Any]]) -> list[str]:
    return [one["labels"]["queue"] for one in alerts]


async def test_what_fires_is_told_at_once_and_again_each_minute(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    await stage.until(NOON + 3 * MINUTE)
    assert [(one["startsAt"], one["endsAt"]) for (one,) in double.got] == [
        ("2023-11-14T12:00:00.000Z", f"2023-11-14T12:0{minute}:00.000Z") for minute in (4, 5, 6)
    ]


async def test_it_is_told_again_at_multiples_of_the_interval(double: AlertmanagerDouble) -> None:
    stage = Stage(double.url, interval=45 * SECOND)
    stage.fire(alert())
    await stage.until(NOON + 5 * MINUTE)
    assert [one["endsAt"][14:19] for (one,) in double.got] == ["04:00", "05:30", "07:00", "08:30"]
    await stage.close()


async def test_every_alert_has_its_own_turn(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert("a"))
    await stage.until(NOON + 20 * SECOND)
    stage.fire(alert("b", fired=NOON + 20 * SECOND), alert("c", state=State.PENDING))
    await stage.until(NOON + 90 * SECOND)
    assert [queues(each) for each in double.got] == [["a"], ["b"], ["a"], ["b"]]


async def test_an_end_is_told_at_once_and_for_fifteen_minutes(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    await stage.until(NOON + 30 * SECOND)
    stage.end(alert())
    await stage.until(NOON + HOUR)
    told = [one["endsAt"][11:19] for (one,) in double.got]
    assert told == ["12:04:00"] + 15 * ["12:00:30"]


async def test_an_alert_that_comes_back_is_told_at_once(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    await stage.until(NOON + 10 * SECOND)
    stage.end(alert())
    await stage.until(NOON + 20 * SECOND)
    stage.fire(alert(fired=NOON + 20 * SECOND))
    await stage.until(NOON + 30 * SECOND)
    assert [one["startsAt"][17:19] for (one,) in double.got] == ["00", "00", "20"]
    # Also when nobody looked in between.
    stage.fire(alert(fired=NOON + 30 * SECOND))
    await stage.until(NOON + 40 * SECOND)
    assert double.got[-1][0]["startsAt"][17:19] == "30"


async def test_an_hour_without_a_source_is_an_hour_of_assertions(stage: Stage, double: AlertmanagerDouble) -> None:
    """The book does not change while nothing can be read: that alone would let Prometheus' alerts run out."""
    stage.fire(alert(stale_since=NOON, stale_reason="failing"))
    now = NOON
    for _ in range(60):
        now += MINUTE
        await stage.until(now)
        assert double.got[-1][0]["endsAt"] > f"2023-11-14T{11 + (now - NOON) // HOUR:02}"
    assert len(double.got) == 60


async def test_an_outage_of_alertmanager_is_survived(
    stage: Stage, double: AlertmanagerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="triggerdev_alerts")
    stage.fire(alert())
    double.answers = [web.Response(status=500, text="boom") for _ in range(8)]
    stepped = await stage.until(NOON + 5 * MINUTE)
    # Doubling, and never longer than the resend delay.
    assert stepped == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert [record.message for record in caplog.records] == [
        "Alertmanager takes no alerts",
        "Alertmanager takes alerts again",
    ]
    assert caplog.records[0].__dict__["why"] == "HTTP 500: boom"


async def test_a_receiver_that_takes_nothing_is_failing_in_the_book(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    double.answers = [web.Response(status=500), web.Response(status=401)]
    await stage.until(NOON + 2 * SECOND)
    assert stage.failing_since == NOON
    await stage.until(NOON + 4 * SECOND)
    assert stage.failing_since == 0


async def test_a_member_that_is_down_keeps_nothing_from_the_other(double: AlertmanagerDouble) -> None:
    async with open_alertmanager() as other:
        stage = Stage(double.url, other.url)
        stage.fire(alert())
        double.answers = [web.Response(status=503) for _ in range(100)]
        await stage.until(NOON + 3 * MINUTE)
        assert [len(each) for each in other.got] == [1, 1, 1]
        assert stage.failing_since == 0, "one of them is enough"
        other.answers = [web.Response(status=503) for _ in range(100)]
        await stage.until(NOON + 5 * MINUTE)
        assert stage.failing_since == NOON + 3 * MINUTE
        double.answers.clear()
        await stage.until(NOON + 7 * MINUTE)
        assert (len(double.alerts), stage.failing_since) == (1, 0)
        await stage.close()


async def test_an_invalid_alert_costs_the_others_nothing(
    stage: Stage, double: AlertmanagerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    stage.fire(alert("a"), alert("bad"), alert("c"))
    double.is_valid = lambda one: one["labels"]["queue"] != "bad"
    await stage.until(NOON + 2 * MINUTE)
    assert [queues(each) for each in double.got] == 2 * [["a", "bad", "c"]]
    assert queues(list(double.alerts.values())) == ["a", "c"]
    assert [record.message for record in caplog.records] == ["Alertmanager refuses some alerts"]
    assert stage.failing_since == 0


async def test_many_go_in_parts(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(*(alert(f"q{n}") for n in range(2 * BATCH + 7)))
    await stage.until(NOON + SECOND)
    assert [len(each) for each in double.got] == [BATCH, BATCH, 7]


async def test_what_is_too_large_is_halved_until_it_fits(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(*(alert(f"q{n}") for n in range(5)))
    double.fits = lambda alerts: len(alerts) <= 2 and "q3" not in queues(alerts)
    await stage.until(NOON + SECOND)
    assert queues(list(double.alerts.values())) == ["q0", "q1", "q2", "q4"]
    # The one that never fits does not hold up what comes after it.
    before = len(double.got)
    await stage.until(NOON + 30 * SECOND)
    assert len(double.got) == before


async def test_half_of_it_taken_is_not_sent_twice(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(*(alert(f"q{n:03}") for n in range(BATCH + 1)))
    double.answers = [web.Response(), web.Response(status=502)]
    await stage.until(NOON + 10 * SECOND)
    assert [len(each) for each in double.got] == [BATCH, 1, 1]


async def test_a_pause_that_is_asked_for_is_kept(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    double.answers = [web.Response(status=429, headers={"Retry-After": "90"})]
    assert await stage.until(NOON + 2 * MINUTE) == [0, 90]


async def test_a_clock_that_is_set_back_silences_nobody(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    double.answers = [web.Response(status=500)]
    await stage.until(NOON + SECOND)
    stage.clock.advance(-24 * 3600)
    await stage.until(stage.clock.now() + SECOND)
    assert len(double.got) == 2


async def test_a_disk_that_is_full_stops_no_assertion(stage: Stage, double: AlertmanagerDouble) -> None:
    stage.fire(alert())
    stage.disk.full = True
    double.answers = [web.Response(status=500)]
    await stage.until(NOON + 3 * MINUTE)
    assert len(double.alerts) == 1


async def test_a_mistake_of_ours_ends_nothing(
    stage: Stage, double: AlertmanagerDouble, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [True]

    def evidence_of(*_: object) -> Any:
        if broken:
            raise ZeroDivisionError("https://secret")
        return None

    plan = Plan(stage.ruleset, "am", MINUTE)
    stage.pushers = [
        Pusher(stage.members[0], "am", plan, MINUTE, stage.scribe, stage.standing, stage.clock, evidence_of=evidence_of)
    ]
    stage.fire(alert())
    assert await stage.until(NOON + 2 * SECOND) == [0, 1]
    assert "a pusher broke" in caplog.text
    assert "https://secret" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, None),
        ({"username": "ann", "password_env": "AM_PASSWORD"}, "Basic YW5uOm9wZW4tc2VzYW1l"),
        ({"token_env": "AM_PASSWORD", "headers": {"X-Scope-OrgID": "shop"}}, "Bearer open-sesame"),
    ],
)
async def test_who_logs_in(
    double: AlertmanagerDouble, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], header: str | None
) -> None:
    monkeypatch.setenv("AM_PASSWORD", "open-sesame")
    stage = Stage(double.url, **settings)
    stage.fire(alert())
    await stage.until(NOON + SECOND)
    assert double.headers[0].get("authorization") == header
    assert double.headers[0].get("x-scope-orgid") == settings.get("headers", {}).get("X-Scope-OrgID")
    assert double.headers[0]["content-type"] == "application/json"
    await stage.close()


async def test_a_secret_that_is_missing_or_echoed_is_not_told(
    double: AlertmanagerDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(double.url, token_env="AM_TOKEN")
    stage.fire(alert())
    monkeypatch.delenv("AM_TOKEN", raising=False)
    await stage.until(NOON + SECOND)
    assert stage.book.receivers["am"].last_error == "the variable AM_TOKEN is not set"
    monkeypatch.setenv("AM_TOKEN", "open-sesame")
    double.answers = [web.Response(status=403, text="open-sesame is no token of ours")]
    await stage.until(NOON + 2 * SECOND)
    assert stage.book.receivers["am"].last_error == "HTTP 403: <secret> is no token of ours"
    await stage.close()


async def test_they_run_and_end_together(double: AlertmanagerDouble) -> None:
    book = Book()
    book.set_entry(Kind.ALERT, alert().fingerprint, alert())
    settings = Settings.model_validate({"url": double.url, "allow_private": True})
    ruleset = RuleSet(
        groups=rules().groups, routes=rules().routes, receivers={"am": ReceiverConfig("am", "alertmanager", settings)}
    )
    clock = VirtualClock(NOON)
    book.set_entry(Kind.RECEIVER, "old-name", ReceiverEntry(failing_since=NOON))
    async with open_pushers(ruleset, Scribe(book, MemoryStore()), clock) as pushers:
        assert len(pushers) == 1
        assert book.receivers["old-name"].failing_since == 0
        while len(double.got) < 3:
            pushers.poke()
            await clock.sleep(0.1)
    assert [queues(each) for each in double.got[:3]] == 3 * [["emails"]]
