"""Two days of a shop as Prometheus would have scraped them: one on which all is well, and one on which much is not.

The whole watcher plays on a virtual clock: simulator, collectors, ledger, rules, receivers. Each scrape is written with
its time, in the form that `promtool tsdb create-blocks-from openmetrics` takes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from outbox_stage import DELIVERED, EXACT, FAILED, REFUSED, Scripted
from story import Daemon, Series, Story, tell
from triggerdev_alerts.book import Book
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.outbox.courier import Courier
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.receivers.port import Attempt, Envelope
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.app import open_targets
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.config.model import Intervals, Metrics
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.simulator.scenario import QueueSpec, Scenario, TaskSpec, shop
from triggerdev_exporter.spans.answer import Answer, Later, Taken
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.sender import Sender
from virtual_clock import START, VirtualClock

SCRAPE_S = 60
HOURS = 2
MOST_SERIES = 1000
"""The least that may be written. Room for ten tasks, and for no eleventh."""
BEGIN = START
END = BEGIN + HOURS * HOUR
WHERE = 'instance="exporter:9925",job="triggerdev"'
BESIDE = 'instance="exporter-2:9925",job="triggerdev"'
"""Another exporter, which watches another environment of the same shop."""

_OWN_RULES = """\
version: 1
owners: {charge-card: payments, send-email: growth, "*": platform}
receivers:
  slack: {webhook: {url: "https://hooks.example.com/slack"}}
  pager: {webhook: {url: "https://hooks.example.com/pager"}}
routes:
  receiver: slack
  startup: each
  children:
    - {match: {severity: critical}, receiver: pager, continue: true}
    - {receiver: slack}
"""
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")

Act = Callable[[Story], None]


@dataclass(frozen=True)
class Day:
    """A world, what happens in it at which minute, and how the receiver `slack` answers."""

    name: str
    scenario: Scenario
    events: Mapping[int, Act] = field(default_factory=dict)
    answer: Callable[[Envelope], Attempt] = lambda envelope: DELIVERED
    otlp: Otlp | None = None
    """The collector of spans, if there is one. It cannot be reached at first."""
    blind_at: Instant | None = None
    """A moment at which the API could not be read for minutes, and nothing of it is known any more."""
    is_alone: bool = True
    """Whether ours is the only exporter that is scraped. The one beside it sees the same in another environment."""


def _thinned(scenario: Scenario, rates: Mapping[str, float], **changes: Any) -> Scenario:
    """The same world with fewer runs: a day is played in seconds."""
    tasks = tuple(replace(task, per_second=rates.get(task.name, task.per_second), **changes) for task in scenario.tasks)
    return replace(scenario, tasks=tasks)


def good_day() -> Day:
    """The shop without storms and without a jam, and with its paused queue resumed."""
    rates = {"send-email": 0.12, "charge-card": 0.05, "encode-video": 0.006}
    base = _thinned(shop(), rates, storm_every_ms=None, stuck=0.0, next_version=0.0)
    return Day(
        "good", replace(base, queues=tuple(replace(queue, paused=False) for queue in base.queues)), is_alone=False
    )


def bad_day() -> Day:
    """Everything that a dashboard should show goes wrong once, and much of it is wrong at the end."""
    base = _thinned(shop(storm_every_ms=40 * MINUTE, storm_ms=20 * MINUTE), {"send-email": 0.12, "charge-card": 0.05})
    jammed = TaskSpec("import-orders", per_second=0.05, run_ms=60 * SECOND)
    return Day(
        "bad",
        replace(base, queues=(*base.queues, QueueSpec("task/import-orders", limit=2)), tasks=(*base.tasks, jammed)),
        events={
            12: lambda story: _deploy(story, "FAILED"),
            15: _break_schedules,
            25: lambda story: setattr(story.faults, "api_down", "503"),
            33: lambda story: setattr(story.faults, "api_down", ""),
            40: lambda story: story.faults.on("tokens", deny=403),
            41: lambda story: setattr(story.faults, "always_429", True),
            43: lambda story: setattr(story.faults, "always_429", False),
            48: lambda story: setattr(story.faults, "view_lag_s", 250.0),
            62: lambda story: setattr(story.faults, "view_lag_s", 0.0),
            65: _old_work,
            90: lambda story: _one_off(story, "first", "second"),
            100: lambda story: _one_off(story, "one-too-many"),
            110: lambda story: story.faults.on("schedules", status=500, times=1),
        },
        answer=_moody,
        otlp=Otlp(),
        blind_at=BEGIN + 32 * MINUTE,
    )


def _deploy(story: Story, status: str) -> None:
    story.world.add_deployment(status=status, ended_at=story.clock.now())
    story.world.add_deployment(status="BUILDING")


def _break_schedules(story: Story) -> None:
    for schedule in list(story.world.schedules.values()):
        if schedule.task in ("refresh-prices", "nightly-digest"):
            story.world.set_schedule(schedule.id, broken=True)


def _old_work(story: Story) -> None:
    """Runs that get stuck in each way there is, a batch that is not taken in, and a paused queue."""
    world = story.world
    for _ in range(4):
        world.add_run(task="build-report", status="DEQUEUED")
        world.add_run(task="build-report", status="PENDING_VERSION")
        world.add_run(task="build-report", status="DELAYED", delayed_until=story.clock.now() + 5 * HOUR)
    world.add_batch(status="PROCESSING", items_created=3, task="send-email")
    world.pause_queue("video")


def _one_off(story: Story, *names: str) -> None:
    for name in names:
        story.world.add_run(task=f"one-off-{name}", status="COMPLETED_SUCCESSFULLY")


def _moody(envelope: Envelope) -> Attempt:
    """Refuses what it gets in the second half hour, and cannot be reached from the fourth on."""
    half_hour = (envelope.at - BEGIN) // (HOUR // 2)
    return (DELIVERED, REFUSED, DELIVERED, FAILED)[min(half_hour, 3)]


@dataclass(frozen=True)
class Told:
    """What is known of a day: its scrapes, and what was true at its end."""

    text: Path
    truth: Series
    firing: int

    def total(self, name: str, **only: set[str]) -> float:
        """The sum over the series of a family that have one of these values each."""
        return sum(
            value
            for (found, labels), value in self.truth.items()
            if found == f"triggerdev_{name}"
            and all(dict(labels).get(label) in values for label, values in only.items())
        )

    def each(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """The values of a family by label set."""
        return {labels: value for (found, labels), value in self.truth.items() if found == f"triggerdev_{name}"}


async def told(day: Day, folder: Path) -> Told:
    """Play a day, and write its scrapes into `folder`."""
    path = folder / f"{day.name}.om"
    with path.open("w", encoding="utf-8") as out:
        truth, firing = await live(day, folder, out)
    return Told(path, truth, firing)


class _Alerting:
    """Rules, engine and courier over a day's ledger, in memory."""

    def __init__(self, day: Day, daemon: Daemon) -> None:
        ruleset = read_rules([*shipped_rules(), RuleFile("own.yml", _OWN_RULES)]).ruleset
        receivers = {"slack": Scripted("slack", answer=day.answer), "pager": Scripted("pager")}
        self.scribe = Scribe(Book(), MemoryStore())
        self._engine = Engine(
            ruleset,
            LedgerSignals(daemon.targets, ruleset),
            None,
            self.scribe,
            receivers,
            started_at=daemon.clock.now(),
        )
        self._courier = Courier(self.scribe, receivers, daemon.clock, lambda: 0.5, EXACT)

    async def step(self, now: Instant) -> None:
        await self._engine.step(now)
        await self._courier.step(now)


class _Collector:
    """Takes spans, but for some time in the beginning."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    async def post(self, body: bytes) -> Answer:
        if self._clock.now() < BEGIN + 20 * MINUTE:
            return Later("unreachable", "nobody is there")
        return Taken()


class _Tracing:
    """The sender of spans, where there is a collector."""

    def __init__(self, otlp: Otlp | None, daemon: Daemon) -> None:
        policy = daemon.target.policy
        self._sender = None
        if otlp is not None and policy is not None:
            door = _Collector(daemon.clock)
            self._sender = Sender(daemon.target, policy, otlp, door, daemon.clock, lambda: 0.5)

    async def step(self) -> None:
        while self._sender is not None and not await self._sender.step():
            pass


def scraped(page: str, at: Instant, where: str = WHERE) -> Iterator[str]:
    """The samples of a page with their time and the labels that Prometheus adds, and what it says itself."""
    yield from stamped(page, at, where)
    yield f"up{{{where}}} 1 {at / 1000:.3f}\n"
    yield f"scrape_duration_seconds{{{where}}} 0.04 {at / 1000:.3f}\n"


def stamped(page: str, at: Instant, where: str) -> Iterator[str]:
    for line in page.splitlines():
        bare = line.partition(" # ")[0]
        match = None if line.startswith("#") else _SAMPLE.fullmatch(bare)
        if match is None or match[1].endswith("_created"):
            continue
        labels = f"{match[2]},{where}" if match[2] else where
        yield f"{match[1]}{{{labels}}} {match[3]} {at / 1000:.3f}\n"


def _own_registry() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


async def live(day: Day, folder: Path, out: IO[str]) -> tuple[Series, int]:
    """Play the day, write its scrapes, and answer what is true at its end: the simulator's truth, and what fires."""
    registry = _own_registry()
    async with _begin(day, folder) as (story, daemon, alerting, tracing):
        kept = Kept()
        for scrape in range(HOURS * 3600 // SCRAPE_S + 1):
            at = BEGIN + scrape * SCRAPE_S * SECOND
            story.clock.advance(max(0.0, (at - story.clock.now()) / SECOND))
            day.events.get(scrape * SCRAPE_S // 60, _nothing)(story)
            await daemon.poll_due()
            await alerting.step(story.clock.now())
            await tracing.step()
            page = Page(
                daemon.targets,
                story.clock.now(),
                kept=kept,
                loaded_at=BEGIN,
                state_bytes=4096 * (100 + scrape),
                stall=0.004,
                book=alerting.scribe.book,
                registries=(registry,),
            )
            text = page.write(Format.TEXT_0).decode()
            out.writelines(scraped(text, at))
            if not day.is_alone:
                out.writelines(scraped(text.replace('target="prod"', 'target="staging"'), at, BESIDE))
        out.write("# EOF\n")
        return story.truth(daemon), sum(alert.is_firing for alert in alerting.scribe.book.alerts.values())


def _nothing(story: Story) -> None:
    """Nothing happens."""


@asynccontextmanager
async def _begin(day: Day, folder: Path) -> AsyncIterator[tuple[Story, Daemon, _Alerting, _Tracing]]:
    # A little less than a scrape: the requests of a tick may move the clock.
    polled = Intervals(**dict.fromkeys(("runs", "queues", "batches"), (SCRAPE_S - 5) * SECOND))
    # It starts one tick early, so that the first scrape finds the look-back read.
    async with AsyncExitStack() as stack:
        story = await stack.enter_async_context(tell(folder, day.scenario, history_s=1800, start=BEGIN - MINUTE))
        config = story.config(otlp=day.otlp, labels={"project": "shop"}, intervals=polled).model_copy(
            update={"metrics": Metrics(max_series=MOST_SERIES)}
        )
        store = open_store(config.state)
        stack.push_async_callback(store.close)
        daemon = Daemon(await stack.enter_async_context(open_targets(config, story.clock, store)), story.clock)
        alerting = _Alerting(day, daemon)
        await daemon.poll_due()
        yield story, daemon, alerting, _Tracing(day.otlp, daemon)
