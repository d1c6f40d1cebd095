"""The pages over a whole watcher and alerting in memory: a simulated server, our collectors, the real web server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alert_notices import NOW
from operated_stage import Operated
from outbox_stage import Scripted
from story import Daemon, Story, tell
from triggerdev_alerts.alert import Alert
from triggerdev_alerts.conditions.catalogue import shown
from triggerdev_alerts.evaluation.judge import Judgement, judge
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Evidence, Wanted
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.simulator.scenario import Scenario


class Paged(Operated):
    """`app.Exporter` as its pages see it: a story's targets, and a book that tests write into."""

    def __init__(self, story: Story, daemon: Daemon) -> None:
        super().__init__(Scripted("hook"), Scripted("pager", opens_incidents=True))
        self.story, self.daemon = story, daemon
        self.clock = story.clock
        self.started_at = story.clock.now()
        self.targets = daemon.targets
        self.witness = LedgerWitness(daemon.targets)
        self.signals = LedgerSignals(daemon.targets, self.ruleset)

    def evidence_of(self, rule: Rule, alert: Alert, now: Instant) -> Evidence:
        window = rule.window or 15 * MINUTE
        wanted = Wanted(rule.when.type, alert.target, alert.labels, window, statuses=shown(rule.when))
        return self.witness.evidence(wanted, now)

    def judged(self, rule: Rule, now: Instant) -> dict[str, Judgement]:
        return {"prod": judge(rule, lambda question: self.signals.read(question, "prod", now))}

    async def let(self, seconds: float, *, step: float = 30.0) -> None:
        await self.story.let(self.daemon, seconds, step=step)


@asynccontextmanager
async def paged(folder: Path, scenario: Scenario | str = "empty", **settings: Any) -> AsyncIterator[Paged]:
    """A watcher that has not looked yet."""
    async with tell(folder, scenario, start=NOW, **settings) as story, story.daemon() as daemon:
        stage = Paged(story, daemon)
        try:
            yield stage
        finally:
            await stage.witness.close()
