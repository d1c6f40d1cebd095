"""A real Alertmanager holds an alert through an outage of the source that is longer than its own patience.

Everything is real but the API: the engine, the watch and the pusher on the machine's clock, and Alertmanager. What
takes an hour with the defaults (told each minute, believed for four) takes ten seconds here (each second, for four).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from end_to_end.person import open_person
from end_to_end.processes import Program, Stage, ask, wait_until
from evaluation_stage import BLIND, Told
from triggerdev_alerts.book import Book
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.instants import SECOND, iso
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.pushing.build import open_pushers
from triggerdev_alerts.receivers.build import open_receivers
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.watch import Watch
from triggerdev_exporter.clock import SystemClock

OUTAGE_S = 10.0
BELIEVED_S = 4.0

CONFIG = """\
global: {{resolve_timeout: 1s}}
route: {{receiver: person, group_by: [alertname], group_wait: 10ms, group_interval: 100ms, repeat_interval: 1h}}
receivers: [{{name: person, webhook_configs: [{{url: "{person}", send_resolved: true}}]}}]
"""

RULES = """\
version: 1
receivers: {{am: {{alertmanager: {{url: "{url}", resend_delay: 1s, allow_private: true}}}}}}
routes: {{receiver: am, group_wait: 0s}}
groups:
  - name: queues
    align: exact
    rules:
      - alert: QueueBacklog
        when: {{queue_depth: {{above: 10}}}}
        for: 0s
        keep_firing_for: 0s
        annotations: {{summary: "{{{{ queue }}}} is <full>"}}
"""


class RealAlertmanager:
    def __init__(self, program: Program, url: str) -> None:
        self.program = program
        self.url = url
        self.api = f"{url}/api/v2/alerts"

    def alert(self, name: str) -> Mapping[str, Any] | None:
        """As it stands there now; ``None`` for one that is resolved, or was never heard of."""
        found = [one for one in ask(self.api).json if one["labels"]["alertname"] == name]
        assert len(found) <= 1, found
        return found[0] if found else None


def start_alertmanager(stage: Stage, binary: str, port: int, folder: Path, person: str) -> RealAlertmanager:
    config = folder / "alertmanager.yml"
    config.write_text(CONFIG.format(person=person), "utf-8")
    program = stage.start(
        Program,
        "alertmanager",
        [
            binary,
            f"--config.file={config}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ],
    )
    started = RealAlertmanager(program, f"http://127.0.0.1:{port}")
    wait_until(lambda: ask(f"{started.url}/-/ready").status == 200, "Alertmanager is ready", program)
    return started


def rules(url: str) -> RuleSet:
    """Evaluated each second, which nobody may write."""
    read = read_rules([RuleFile("rules.yml", RULES.format(url=url))]).ruleset
    return replace(read, groups=tuple(replace(group, interval=SECOND) for group in read.groups))


@asynccontextmanager
async def alerting(ruleset: RuleSet, signals: Told) -> AsyncIterator[Book]:
    """What the daemon runs."""
    clock, scribe, stop = SystemClock(), Scribe(Book(), MemoryStore()), asyncio.Event()
    async with AsyncExitStack() as stack:
        receivers = await stack.enter_async_context(open_receivers(ruleset))
        pushers = await stack.enter_async_context(open_pushers(ruleset, scribe, clock))
        engine = Engine(ruleset, signals, None, scribe, receivers, started_at=clock.now())
        watching = asyncio.create_task(Watch(engine, clock, spoke=pushers.poke).run(stop))
        try:
            yield scribe.book
        finally:
            stop.set()
            await watching


async def soon(condition: Callable[[], object], what: str, *programs: Program) -> None:
    """`wait_until`, while the loop goes on."""
    await asyncio.to_thread(wait_until, condition, what, *programs)


async def test_the_alert_stays_active_throughout_an_outage_and_ends_once(
    stage: Stage, require: Callable[[str], str], free_port: int, tmp_path: Path
) -> None:
    clock = SystemClock()
    deep, shallow = {("emails",): 20.0}, {("emails",): 3.0}
    signals = Told(prod={"queue_depth": deep})
    async with open_person() as person:
        binary = require("prometheus-alertmanager")
        real = await asyncio.to_thread(start_alertmanager, stage, binary, free_port, tmp_path, person.url)
        async with alerting(rules(real.url), signals) as book:
            await soon(lambda: real.alert("QueueBacklog"), "the alert arrives", real.program)
            (known,) = book.alerts.values()
            arrived = real.alert("QueueBacklog")
            assert arrived is not None
            assert arrived["startsAt"] == iso(known.fired_at)
            assert arrived["labels"] == dict(known.labels)
            assert arrived["annotations"] == {"summary": "emails is <full>", "says": "20 runs wait (above 10)"}
            await soon(lambda: ("QueueBacklog", "firing") in person.told, "Alertmanager tells it", real.program)

            # From now on nothing can be read. Beside ours, an alert as a client leaves it that stops sending then.
            signals.answers["prod"] = {"queue_depth": BLIND, "queue_paused": BLIND}
            now = clock.now()
            left = {"labels": {"alertname": "Left"}, "endsAt": iso(now + round(BELIEVED_S * SECOND))}
            assert await asyncio.to_thread(ask, real.api, method="POST", body=[left], content_type="application/json")
            over, looks = clock.monotonic() + OUTAGE_S, 0

            def outlasts_the_outage() -> bool:
                nonlocal looks
                looks += 1
                there = real.alert("QueueBacklog")
                assert there is not None, f"resolved at look {looks}, {over - clock.monotonic():.1f} s before the end"
                assert there["status"]["state"] == "active"
                return clock.monotonic() >= over

            await soon(outlasts_the_outage, "the outage is over", real.program)
            assert looks > 20
            assert real.alert("Left") is None, "Alertmanager would have waited longer than the outage: nothing is shown"
            assert ("Left", "resolved") in person.told
            assert ("QueueBacklog", "resolved") not in person.told
            (held,) = book.alerts.values()
            assert held.stale_since
            assert "held without news" in (real.alert("QueueBacklog") or {})["annotations"]["says"]

            signals.answers["prod"] = {"queue_depth": shallow}
            await soon(lambda: real.alert("QueueBacklog") is None, "the alert ends", real.program)
            await soon(lambda: ("QueueBacklog", "resolved") in person.told, "Alertmanager tells it", real.program)
    assert [status for name, status in person.told if name == "QueueBacklog"] == ["firing", "resolved"]


async def test_it_takes_the_valid_ones_of_a_request(
    stage: Stage, require: Callable[[str], str], free_port: int, tmp_path: Path
) -> None:
    """What `Taken.SOME` is built on."""
    binary = require("prometheus-alertmanager")
    real = await asyncio.to_thread(start_alertmanager, stage, binary, free_port, tmp_path, "http://127.0.0.1:9/")
    now = SystemClock().now()
    backwards = {"labels": {"alertname": "Bad"}, "startsAt": iso(now + 9 * SECOND), "endsAt": iso(now + 8 * SECOND)}
    good = {"labels": {"alertname": "Good"}, "endsAt": iso(now + 60 * SECOND)}
    answer = await asyncio.to_thread(
        ask, real.api, method="POST", body=[backwards, good], content_type="application/json"
    )
    assert answer.status == 400
    await soon(lambda: real.alert("Good"), "the valid one is taken", real.program)
    assert real.alert("Bad") is None
