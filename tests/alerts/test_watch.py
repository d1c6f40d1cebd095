"""The watch: it steps when something is due, tells the log why an alert is where it is, and survives what breaks."""

from __future__ import annotations

import asyncio
import logging

import pytest

from triggerdev_alerts.book import Book, Changes
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.history.course import on_time_axis
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, TargetStory
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.watch import AFTER_ERROR, Watch
from virtual_clock import START, VirtualClock

RULES = """\
version: 1
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops}
groups:
  - name: queues
    rules:
      - alert: QueueBacklog
        when: {queue_depth: {above: 10}}
        for: 1m
        keep_firing_for: 0s
        labels: {module: mail}
"""
BEGIN = START - START % 60_000
STORY = Story(
    start=BEGIN,
    targets=(
        TargetStory(
            name="prod",
            queues=(
                QueueSight(queue="emails", at=BEGIN, depth=20),
                QueueSight(queue="emails", at=BEGIN + 180_000, depth=5),
            ),
        ),
    ),
)


class Disk(MemoryStore):
    """A store whose disk is full for some commits."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    async def commit(self, changes: Changes) -> None:
        if self.full:
            raise BookError("book.db: the disk is full. Make room")
        await super().commit(changes)


class Signals(StorySignals):
    broken = False

    def targets(self) -> tuple[str, ...]:
        if self.broken:
            raise ZeroDivisionError("ours")
        return super().targets()


class Stage:
    """A watch over a real engine, on a clock that moves only when told."""

    def __init__(self) -> None:
        self.clock = VirtualClock(BEGIN)
        self.disk = Disk()
        self.signals = Signals(STORY)
        self.spoken = 0
        self.heard = asyncio.Event()
        """Set when the end of the alert was told."""
        ruleset = on_time_axis(read_rules([RuleFile("rules.yml", RULES)]).ruleset)
        scribe = Scribe(Book(), self.disk)
        self.watch = Watch(
            Engine(ruleset, self.signals, None, scribe, {}, started_at=BEGIN), self.clock, spoke=self._spoke
        )

    def _spoke(self) -> None:
        self.spoken += 1
        if self.spoken == 5:
            self.heard.set()

    async def until(self, offset: int) -> None:
        """Step as the watch wants to, up to `offset` milliseconds after the beginning."""
        while True:
            wait = await self.watch.turn()
            if self.clock.now() + wait > BEGIN + offset:
                return
            self.clock.advance(max(wait, 1) / 1000)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_the_log_tells_each_transition_with_its_reason(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "triggerdev_alerts")
    await stage.until(600_000)
    told = [
        (
            record.levelname,
            record.message,
            record.__dict__["reason"],
            record.__dict__.get("value"),
            record.__dict__.get("last_value"),
            record.__dict__["limit"],
        )
        for record in caplog.records
    ]
    assert told == [
        ("INFO", "an alert is pending", "condition_met", "20", None, "10"),
        ("WARNING", "an alert fires", "condition_met", "20", None, "10"),
        ("INFO", "an alert is resolved", "condition_cleared", None, "20", "10"),
    ]
    first = caplog.records[0].__dict__
    assert (first["alertname"], first["severity"], first["target"]) == ("QueueBacklog", "warning", "prod")
    # A label may be called like something that logging itself needs.
    assert first["labels"] == "module=mail,queue=emails"
    assert stage.spoken == 5, "three transitions, two messages"


async def test_a_full_disk_is_told_once_and_what_is_due_is_done_later(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.disk.full = True
    assert await stage.watch.turn() == AFTER_ERROR
    stage.clock.advance(60)
    assert await stage.watch.turn() == AFTER_ERROR
    assert not stage.watch.ticked
    assert [record.message for record in caplog.records] == ["alerts cannot be written down: nobody is told anything"]
    stage.disk.full = False
    stage.clock.advance(60)
    caplog.set_level(logging.INFO, "triggerdev_alerts")
    await stage.watch.turn()
    assert stage.watch.ticked
    assert [record.message for record in caplog.records][1:] == [
        "alerts are evaluated and written down again",
        "an alert is pending",
    ]


async def test_a_mistake_of_ours_is_loud_and_ends_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.signals.broken = True
    assert await stage.watch.turn() == AFTER_ERROR
    assert caplog.records[0].exc_info
    assert caplog.records[0].__dict__["why"] == "ZeroDivisionError: ours"
    stage.signals.broken = False
    stage.clock.advance(60)
    await stage.watch.turn()
    assert stage.watch.ticked


async def test_it_runs_until_it_is_told_to_stop_and_hears_a_poke(stage: Stage) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(stage.watch.run(stop))
    await stage.heard.wait()
    stage.watch.poke()
    stop.set()
    await running
    assert stage.clock.now() >= BEGIN + 180_000
