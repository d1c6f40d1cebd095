"""A story: a simulated server, our collectors, and one virtual clock. Told step by step, compared at an instant.

Nothing runs by itself: `poll` ticks every collector once, in the order of the daemon's first wake; `let` lets time
pass, polling as the daemon would. The requests are real, over loopback.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from triggerdev_exporter.app import collectors_of, open_targets
from triggerdev_exporter.collect.collector import Report, tick
from triggerdev_exporter.config.model import Config, Intervals, Metrics, Quota, Target, Traces
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.ledger.tally import BOUNDS_MS
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.simulator.command import Running, start_simulator
from triggerdev_exporter.simulator.scenario import Scenario
from triggerdev_exporter.simulator.truth import Buckets, truth
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.target import Target as Watched
from virtual_clock import START, VirtualClock

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""(sample name, labels without ``target``) → value."""

LOOKBACK = 3_600_000
BUCKETS = Buckets(
    wait=[bound / 1000 for bound in BOUNDS_MS["run_wait_seconds"]],
    duration=[bound / 1000 for bound in BOUNDS_MS["run_duration_seconds"]],
    batch=[bound / 1000 for bound in BOUNDS_MS["batch_duration_seconds"]],
)
KEY = "tr_prod_story"


def read_page(text: str) -> Series:
    """Every sample of an exposition text; raises on a page that Prometheus would refuse."""
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = frozenset((key, value) for key, value in sample.labels.items() if key != "target")
            assert (sample.name, labels) not in found, f"twice on the page: {sample.name} {dict(labels)}"
            found[sample.name, labels] = sample.value
    return found


class Daemon:
    """Our half of a story: targets and collectors over one state file, without a scheduler and a port."""

    def __init__(self, targets: tuple[Watched, ...], clock: VirtualClock) -> None:
        self.targets = targets
        self.clock = clock
        self.collectors = {target.name: collectors_of(target) for target in targets}
        self._due: dict[tuple[str, str], int] = {}
        self._kept = Kept()

    @property
    def target(self) -> Watched:
        return self.targets[0]

    async def poll(self, *names: str) -> dict[str, Report]:
        """Tick the collectors of those names, or all, now."""
        reports = {}
        for target in self.targets:
            for collector in self.collectors[target.name]:
                if not names or collector.name in names:
                    reports[collector.name] = await tick(target, collector)
        return reports

    async def poll_due(self) -> None:
        """Tick what its interval says is due."""
        for target in self.targets:
            for collector in self.collectors[target.name]:
                place = (target.name, collector.name)
                if self._due.get(place, 0) <= self.clock.now():
                    self._due[place] = self.clock.now() + target.states[collector.name].interval_ms
                    await tick(target, collector)

    def text(self, format_: Format = Format.TEXT_0) -> str:
        """The page now; what is kept from the pages before must not change it."""
        now = self.clock.now()
        kept, fresh = (
            Page(self.targets, now, loaded_at=now, state_bytes=0, kept=kept).text(format_)
            for kept in (self._kept, None)
        )
        assert kept.plain() == fresh.plain()
        return fresh.plain().decode()

    def page(self) -> Series:
        return read_page(self.text())

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; the name comes without the prefix."""
        return self.page().get((f"triggerdev_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels."""
        wanted = set(labels.items())
        return sum(v for (n, found), v in self.page().items() if n == f"triggerdev_{name}" and wanted <= found)


class Story:
    """A simulator and the means to start daemons that watch it."""

    def __init__(self, simulator: Running, clock: VirtualClock, folder: Path) -> None:
        self.simulator = simulator
        self.clock = clock
        self.world = simulator.world
        self.faults = simulator.faults
        self.folder = folder
        self.birth: int | None = None

    def config(
        self,
        *,
        otlp: Otlp | None = None,
        traces: Traces | None = None,
        metrics: Metrics | None = None,
        **changes: Any,
    ) -> Config:
        """One target named ``prod`` with an own key, all of the quota, and the daemon's default intervals."""
        base: dict[str, Any] = {
            "name": "prod",
            "api_url": self.simulator.url,
            "secret_key": SecretStr(KEY),
            "quota": Quota(requests_per_minute=100_000, share=1.0),
            "lookback": LOOKBACK,
            "intervals": Intervals(),
        }
        return Config(
            targets=(Target(**{**base, **changes}),),
            state=self.folder / "state.db",
            otlp=otlp,
            traces=traces or Traces(),
            metrics=metrics or Metrics(),
        )

    @asynccontextmanager
    async def daemon(self, **changes: Any) -> AsyncIterator[Daemon]:
        """A daemon on this story's state file; leaving it is a clean stop."""
        config = self.config(**changes)
        async with AsyncExitStack() as stack:
            store = open_store(config.state)
            stack.push_async_callback(store.close)
            targets = await stack.enter_async_context(open_targets(config, self.clock, store))
            yield Daemon(targets, self.clock)

    async def let(self, daemon: Daemon, seconds: float, *, step: float = 10.0) -> None:
        """Let time pass in steps, polling what is due."""
        end = self.clock.now() + int(seconds * 1000)
        while self.clock.now() < end:
            self.clock.advance(step)
            await daemon.poll_due()

    def truth(self, daemon: Daemon) -> Series:
        """What the page should say now."""
        ledger = daemon.target.ledger
        assert ledger is not None
        self.world.advance(self.clock.now())
        told = truth(self.world, ledger.birth, self.clock.now(), LOOKBACK, BUCKETS)
        return {(name, frozenset(labels.items())): value for name, samples in told.items() for labels, value in samples}


def difference(
    told: Mapping[Any, float], true: Mapping[Any, float], *prefixes: str, without: tuple[str, ...] = ()
) -> list[str]:
    """Where a page and the truth differ, over the families of `true` that begin with one of `prefixes`.

    A series at 0 and an absent one are the same here: which zeros are shown is another test's question.
    """
    wanted = tuple(f"triggerdev_{prefix}" for prefix in prefixes)
    avoided = tuple(f"triggerdev_{name}" for name in without)
    families = {name for name, _ in true} | {name for name, _ in told}
    compared = {n for n in families if n.startswith(wanted) and not n.startswith(avoided)}
    lines = []
    for place in sorted({*told, *true}, key=str):
        if place[0] not in compared or place[0].endswith("_created"):
            continue
        mine, theirs = told.get(place, 0.0), true.get(place, 0.0)
        if abs(mine - theirs) > 1e-6 * max(1.0, abs(theirs)):
            lines.append(f"{place[0]} {dict(place[1])}: page {mine}, truth {theirs}")
    if lines:
        # pytest folds long lists; what is printed is shown whole.
        sys.stdout.write("\n".join(lines) + "\n")
    return lines


@asynccontextmanager
async def tell(
    folder: Path,
    scenario: Scenario | str = "empty",
    *,
    profile: str = "v4.5",
    seed: int = 1,
    history_s: float = 0.0,
    start: int = START,
    **settings: Any,
) -> AsyncIterator[Story]:
    """Begin a story at `start`, with a world that has lived for `history_s`."""
    clock = VirtualClock(start)
    async with start_simulator(
        scenario, profile=profile, seed=seed, clock=clock, history_s=history_s, **settings
    ) as simulator:
        yield Story(simulator, clock, folder)
