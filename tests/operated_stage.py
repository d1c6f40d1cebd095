"""Alerting as the API operates it, in memory: a book with alerts and letters, scripted receivers, the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace as replace_config
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from alert_notices import NOW, notice
from outbox_stage import Outbox, Scripted
from triggerdev_alerts.alert import Alert, State, fingerprint
from triggerdev_alerts.book import Draft, Kind, Letter, LetterStatus, RuleEntry, Silence
from triggerdev_alerts.evaluation.judge import Judgement
from triggerdev_alerts.notify.matcher_text import parse_matchers
from triggerdev_alerts.notify.silences import add_silence
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import ReceiverConfig, Rule
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import NO_EVIDENCE, Evidence
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.metrics.page import Page
from triggerdev_exporter.reloading import Reloads
from triggerdev_exporter.target import Target
from triggerdev_exporter.web.server import make_app

MINUTE = 60_000
RULES = """\
groups:
  - name: reliability
    rules:
      - {alert: TaskFailureRateHigh, when: {failure_rate: {window: 15m, above: 10%}}, severity: critical}
      - {alert: QueueBacklog, when: {queue_depth: {above: 500}}}
      - {alert: Off, when: {queue_paused: }, enabled: false}
      - {alert: Never, when: {queue_paused: }}
"""


class Operated(Outbox):
    """What `alerting.Alerting` is to the API, and what `app.Exporter` is to the server."""

    def __init__(self, *receivers: Scripted) -> None:
        super().__init__(*receivers)
        loaded = read_rules([RuleFile("rules.yml", RULES)]).ruleset
        configs = {each.name: ReceiverConfig(each.name, each.kind, None) for each in receivers}
        self.ruleset = replace_config(loaded, receivers=configs)
        self.pokes = 0
        self.alerting: Operated | None = self
        self.targets: tuple[Target, ...] = ()
        self.witness = None
        self.reloaded = True
        self.reloads = Reloads(NOW, NOW)
        self.started_at: Instant = NOW

    def poke(self) -> None:
        self.pokes += 1

    def evidence_of(self, rule: Rule, alert: Alert, now: Instant) -> Evidence:
        return NO_EVIDENCE

    def judged(self, rule: Rule, now: Instant) -> dict[str, Judgement]:
        return {}

    def page(self, now: Instant) -> Page:
        return Page((), now, loaded_at=NOW, state_bytes=0)

    async def put(self, rule: str, state: State = State.FIRING, **labels: str) -> Alert:
        """An alert in the book that began two minutes ago, and its rule's entry."""
        severity = "critical" if rule == "TaskFailureRateHigh" else "warning"
        pairs = tuple(sorted({"alertname": rule, "severity": severity, "target": "prod", **labels}.items()))
        is_rate = rule == "TaskFailureRateHigh"
        alert = Alert(
            fingerprint=fingerprint(rule, pairs),
            rule=f"reliability/{rule}",
            labels=pairs,
            key=(labels.get("task", labels.get("queue", "")),),
            target="prod",
            state=state,
            active_at=NOW - 18 * MINUTE,
            fired_at=0 if state is State.PENDING else NOW - 16 * MINUTE,
            value=24 / 57 if is_rate else 812.0,
            threshold=0.1 if is_rate else 500.0,
            sample=57 if is_rate else None,
        )

        def decide(draft: Draft) -> None:
            draft.put(Kind.ALERT, alert.fingerprint, alert)
            draft.put(Kind.RULE, alert.rule, RuleEntry(known_since=NOW, evaluated_at=NOW, ever_matched=True))

        await self.scribe.write(decide)
        return alert

    async def silence(self, text: str, minutes: int = 120) -> Silence:
        return await self.scribe.write(
            lambda draft: add_silence(
                draft,
                parse_matchers(text),
                duration=minutes * MINUTE,
                author="ann",
                comment="a known outage",
                now=self.clock.now(),
            )
        )

    async def dead(self, *names: str, receiver: str = "hook", group: str = "") -> list[Letter]:
        """Letters that were given up, each of a group of its own, the oldest first."""
        letters = []
        for name in names:
            self.clock.advance(1)
            said = await self.say([notice(name)], group=group or f"{receiver}/0{{task={name}}}", receiver=receiver)
            await self._end(said.id, LetterStatus.DEAD)
            letters.append(await self.letter(said.id))
        return letters

    async def letter(self, letter_id: str) -> Letter:
        found: Letter | None = await self.storage.letter(letter_id)
        assert found is not None
        return found

    async def _end(self, letter_id: str, status: LetterStatus) -> None:
        letter, now = await self.letter(letter_id), self.clock.now()
        over = replace(letter, status=status, attempts=3, last_error="HTTP 400: no such thing", done_at=now)
        await self.scribe.write(lambda draft: draft.put_letter(over))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[TestClient[Any, Any]]:
        async with TestClient(TestServer(make_app(self))) as client:
            yield client
