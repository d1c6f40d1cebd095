"""Alerting as the daemon runs it: over a file, on a clock, to a real webhook; over a reload and a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from triggerdev_alerts.errors import BookError
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, TargetStory
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import Answer, Question
from triggerdev_exporter.alerting import book_path, open_alerting
from triggerdev_exporter.clock import Instant, ScaledClock
from virtual_clock import START

BEGIN = START - START % 60_000
# At 600 times the speed of life the usual four hours are 24 seconds, which a busy machine may take for all of this.
RULES = """\
version: 1
receivers: {{hook: {{webhook: {{url: "{url}", allow_private: true}}}}}}
routes: {{receiver: hook, group_wait: 10s, group_interval: 1m, repeat_interval: 7d, startup: each}}
groups:
  - name: queues
    align: exact
    rules:
      - {{alert: QueueBacklog, when: {{queue_depth: {{above: 10}}}}, for: 1m, keep_firing_for: 0s}}
      - {{alert: {second}, when: {{queue_depth: {{above: 15}}}}, for: 1m, keep_firing_for: 0s}}
"""


class Told(StorySignals):
    """A queue that is full for ever; it notes which rules it was told of."""

    def __init__(self) -> None:
        sight = QueueSight(queue="emails", at=BEGIN, depth=20)
        super().__init__(Story(start=BEGIN, targets=(TargetStory(name="prod", queues=(sight,)),)))
        self.used: list[list[str]] = []
        self.asked_at: set[int] = set()
        self.asked_often = asyncio.Event()

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        self.asked_at.add(at)
        if len(self.asked_at) >= 3:
            self.asked_often.set()
        return super().read(question, target, at)

    def use(self, ruleset: RuleSet) -> None:
        self.used.append([rule.name for rule in ruleset.rules])

    def stale(self, now: Instant) -> list[str]:
        return []


class Hook:
    """A webhook that takes everything."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self._came = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(json.loads(await request.read()))
        self._came.set()
        return web.Response(status=204)

    def said(self) -> set[tuple[str, str, str]]:
        return {
            (body["type"], alert["labels"]["alertname"], alert["reason"])
            for body in self.bodies
            for alert in body["alerts"]
        }

    async def has(self, *wanted: tuple[str, str, str]) -> None:
        """Wait until all of these were said."""
        async with asyncio.timeout(60):
            while not self.said().issuperset(wanted):
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def hook() -> AsyncIterator[Hook]:
    double = Hook()
    app = web.Application()
    app.router.add_post("/", double.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        double.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield double
    finally:
        await runner.cleanup()


def rules(hook: Hook, second: str = "QueueFull") -> RuleSet:
    return read_rules([RuleFile("rules.yml", RULES.format(url=hook.url, second=second))]).ruleset


async def test_what_fires_is_told_and_a_reload_changes_only_what_changed(tmp_path: Path) -> None:
    clock, source, path = ScaledClock(speed=600, start=BEGIN), Told(), tmp_path / "state-alerts.db"
    async with hook() as double:
        async with open_alerting(path, rules(double), source, None, clock) as alerting:
            await double.has(
                ("alert.firing", "QueueBacklog", "condition_met"), ("alert.firing", "QueueFull", "condition_met")
            )
            told = len(double.bodies)
            await alerting.use(rules(double, second="QueueFuller"))
            assert source.used == [["QueueBacklog", "QueueFull"], ["QueueBacklog", "QueueFuller"]]
            await double.has(
                ("alert.resolved", "QueueFull", "rule_removed"), ("alert.firing", "QueueFuller", "condition_met")
            )
            later = [alert["labels"]["alertname"] for body in double.bodies[told:] for alert in body["alerts"]]
            assert "QueueBacklog" not in later
            assert {alert.state.value for alert in alerting.book.alerts.values()} == {"firing"}
            await alerting.courier.settled()
            assert not alerting.book.letters
        # A restart: what was told is not told again, what fires goes on firing.
        before = len(double.bodies)
        source = Told()
        async with open_alerting(path, rules(double, second="QueueFuller"), source, None, clock) as again:
            async with asyncio.timeout(60):
                await source.asked_often.wait()
            assert len(again.book.alerts) == 2
            assert len(double.bodies) == before


async def test_a_file_that_is_no_book_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "state-alerts.db"
    path.write_bytes(b"nothing of ours" * 100)
    async with hook() as double:
        with pytest.raises(BookError, match="Move it away"):
            async with open_alerting(path, rules(double), Told(), None, ScaledClock(start=BEGIN)):
                pass


def test_the_book_lies_beside_the_state() -> None:
    assert book_path(Path("/var/lib/x/state.db")) == Path("/var/lib/x/state-alerts.db")
    assert book_path(Path("state")) == Path("state-alerts")
