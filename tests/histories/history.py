"""Histories: what happened to an environment's runs, and how we happened to look at it. Told to any number of daemons.

A history is data: `Life` rows (runs from birth to end, some listed late or early, some in bursts) and steps (time that
passes, polls, restarts, a server that stumbles, lags, goes silent). `tell_history` plays it against the simulator and
leaves everybody healed and polled, at an instant at which page and truth can be compared.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import Phase
from hypothesis import strategies as st

from story import Daemon, Story, tell
from triggerdev_exporter.api.calls import Call, Dialect
from triggerdev_exporter.api.dialects.seed import SeedDialect
from triggerdev_exporter.api.dialects.trigger import TriggerDialect
from triggerdev_exporter.app import open_targets
from triggerdev_exporter.clock import HOUR, SECOND, Clock, Instant
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.records import Page, Run
from triggerdev_exporter.simulator.faults import EndpointFault, Faults
from triggerdev_exporter.simulator.script import NEVER
from virtual_clock import START

SOAK = os.environ.get("SOAK", "").lower() in ("1", "true")
#: No shrinking: an example takes long, and a whole history that fails can be told again and cut by hand.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

#: Of these a server of before v4.5 and the seed tell the same as the newest one.
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "CANCELED", "EXPIRED")
OPEN = ("QUEUED", "EXECUTING", "WAITING", "PENDING_VERSION")
ANCIENT, DELAYED, SLOTTED = "ancient", "delayed", "slotted"


@dataclass(frozen=True)
class Life:
    """`copies` equal runs. Times are seconds: `born` after the beginning, all else after what comes before it."""

    task: str
    born: float
    waits: float | None
    """Until it starts; ``None``: never."""
    lasts: float
    status: str
    late: float = 0.0
    """Until the row is listed; negative for a run that is listed before its createdAt."""
    delayed: float = 0.0
    copies: int = 1
    is_test: bool = False
    version: str | None = None


@dataclass(frozen=True)
class Let:
    """Time passes."""

    seconds: float


@dataclass(frozen=True)
class Poll:
    """A daemon's tick; `everything`: not only queues and runs."""

    who: int = 0
    everything: bool = False


@dataclass(frozen=True)
class Restart:
    who: int = 0


@dataclass(frozen=True)
class Stumble:
    """From now on, the requests to an endpoint fail as `pattern` says; afterwards none does."""

    endpoint: str
    pattern: tuple[bool, ...]


@dataclass(frozen=True)
class Ail:
    """The run view is not itself until the next such step."""

    lag: float = 0.0
    empty: bool = False
    latency: float = 0.0
    """Of each page of runs: time passes, and runs change, between two pages of a walk."""


Step = Let | Poll | Restart | Stumble | Ail


@dataclass(frozen=True)
class Setting:
    """The circumstances that stay as they are."""

    profile: str = "v4.5"
    page: int = 100
    enriched: bool = True
    our_clock: float = 0.0
    """Seconds that our clock is ahead of the server's."""
    date_off: float = 0.0
    """Seconds that the server's ``Date`` is ahead of its database."""


@dataclass(frozen=True)
class History:
    setting: Setting
    lives: tuple[Life, ...]
    steps: tuple[Step, ...]


# ── strategies ────────────────────────────────────────────────────────────────────────────────────────────────────

_moments = (st.integers(-3_500, 7_200) | st.integers(0, 50_000)).map(float)
_short = st.sampled_from((0.0, 0.1, 1.0, 7.0, 29.0, 61.0))
_spans = _short | st.sampled_from((300.0, 1_800.0, 5_400.0, 14_400.0))
#: Up to four hours: the hourly sweep promises five.
_lateness = st.sampled_from((0.0,) * 6 + (1.0, 20.0, 59.0, 75.0, 400.0, 3_700.0, 14_000.0))
_versions = st.sampled_from((None, "20261123.1", "20261123.2", "20261122.11"))

_ordinary = st.builds(
    Life,
    task=st.sampled_from(("send-email", "charge-card")),
    born=_moments,
    waits=_short,
    lasts=_spans,
    status=st.sampled_from(TERMINAL[:5] + ("COMPLETED",) * 4 + ("EXECUTING", "WAITING")),
    late=_lateness,
    copies=st.sampled_from((1, 1, 1, 2, 5, 12)),
    is_test=st.sampled_from((False, False, False, True)),
    version=_versions,
)
_unstarted = st.builds(
    Life,
    task=st.sampled_from(("send-email", "charge-card")),
    born=_moments,
    waits=st.none(),
    lasts=_spans,
    status=st.sampled_from(("CANCELED", "EXPIRED", "QUEUED", "PENDING_VERSION")),
    late=_lateness,
    copies=st.sampled_from((1, 1, 3)),
)
_delayed = st.builds(
    Life, task=st.just(DELAYED), born=_moments, waits=_short, lasts=_spans, status=st.just("COMPLETED"),
    late=st.sampled_from((0.0, 5.0, 90.0)), delayed=st.sampled_from((2.0, 90.0, 4_000.0)),
)  # fmt: skip
#: Scheduled runs: createdAt is the slot, a whole minute, and they are listed and may start up to 30 s before it.
_slotted = st.builds(
    Life,
    task=st.just(SLOTTED),
    born=st.integers(-50, 110).map(lambda minute: minute * 60.0),
    waits=st.sampled_from((-20.0, 0.0, 3.0)),
    lasts=_short,
    status=st.sampled_from(("COMPLETED", "FAILED")),
    late=st.sampled_from((-30.0, -27.3, -3.0, 0.0, 90.0)),
)
#: Older than the look-back, and still open when we begin.
_ancient = st.builds(
    Life,
    task=st.just(ANCIENT),
    born=st.sampled_from((-4_000.0, -86_000.0, -2_000_000.0)),
    waits=st.just(1.0),
    lasts=st.sampled_from((3_000.0, 6_000.0)),
    status=st.sampled_from(("COMPLETED", "CRASHED", "EXECUTING")),
)
lives = st.lists(_ordinary | _ordinary | _unstarted | _delayed | _slotted | _ancient, max_size=24).map(tuple)

_lets = st.sampled_from((0.0, 5.0, 30.0, 30.0, 60.0, 61.0, 600.0, 3_600.0, 40_000.0)).map(Let)
_patterns = st.lists(st.booleans(), min_size=3, max_size=14).map(tuple)
_fails_once = st.integers(0, 5).map(lambda well: (False,) * well + (True,) * 3)
_stumbles = st.builds(
    Stumble, endpoint=st.sampled_from(("runs", "runs", "run", "queues")), pattern=_patterns | _fails_once
)
_ails = st.builds(
    Ail,
    lag=st.sampled_from((0.0, 0.0, 3.0, 70.0, 1_500.0)),
    empty=st.sampled_from((False, False, False, True)),
    latency=st.sampled_from((0.0, 0.0, 0.6, 8.0)),
)


def steps(watchers: int = 1) -> st.SearchStrategy[tuple[Step, ...]]:
    who = st.integers(0, watchers - 1)
    polls = st.builds(Poll, who=who, everything=st.sampled_from((False, False, False, True)))
    restarts = st.builds(Restart, who=who)
    one = _lets | _lets | polls | polls | polls | restarts | _stumbles | _ails
    return st.lists(one, max_size=30).map(tuple)


settings_of = st.builds(
    Setting,
    profile=st.sampled_from(("v4.5", "v4.5", "v4.4", "seed", "latest")),
    page=st.sampled_from((1, 2, 3, 7, 100)),
    enriched=st.booleans(),
    our_clock=st.sampled_from((0.0, 0.0, 0.8, -420.0, 900.0)),
    date_off=st.sampled_from((0.0, 0.0, 0.0, 2.0, -70.0)),
)
histories = st.builds(History, settings_of, lives, steps())


# ── the teller ────────────────────────────────────────────────────────────────────────────────────────────────────


class SmallPages:
    """A dialect that asks for fewer runs a page; all else is as it was."""

    def __init__(self, dialect: Dialect, size: int) -> None:
        self._dialect = dialect
        self._size = str(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._dialect, name)

    def runs(self, *, created_from: Instant, only_open: bool = False, cursor: str | None = None) -> Call[Page[Run]]:
        call = self._dialect.runs(created_from=created_from, only_open=only_open, cursor=cursor)
        params = tuple((name, self._size if name == "page[size]" else value) for name, value in call.params)
        return replace(call, params=params)


@dataclass
class StumblingFaults(Faults):
    """Faults with a plan: which of the next requests to an endpoint fail."""

    plans: dict[str, deque[bool]] = field(default_factory=dict)

    def take(self, endpoint: str) -> EndpointFault | None:
        plan = self.plans.get(endpoint)
        if plan and plan.popleft():
            return EndpointFault(status=500)
        return super().take(endpoint)


class OurClock:
    """The server's clock as a machine shows it that goes `ahead` milliseconds wrong."""

    speed = 1.0

    def __init__(self, clock: Clock, ahead: int) -> None:
        self._clock = clock
        self._ahead = ahead

    def now(self) -> Instant:
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class Watcher:
    """A daemon with a state file of its own, which can be stopped and started."""

    def __init__(self, story: Story, number: int, setting: Setting) -> None:
        self._config = story.config().model_copy(update={"state": story.folder / f"state-{number}.db"})
        self._clock = OurClock(story.clock, int(setting.our_clock * SECOND))
        self._setting = setting
        self._stack = AsyncExitStack()
        self.daemon: Daemon

    async def start(self) -> None:
        store = open_store(self._config.state)
        self._stack.push_async_callback(store.close)
        targets = await self._stack.enter_async_context(open_targets(self._config, self._clock, store))
        dialect = SeedDialect() if self._setting.profile == "seed" else TriggerDialect()
        targets[0].dialect = SmallPages(dialect, self._page())  # type: ignore[assignment]  # a Dialect by delegation
        self.daemon = Daemon(targets, self._clock)  # type: ignore[arg-type]  # any Clock will do

    def _page(self) -> int:
        # The seed refuses pages of fewer than ten.
        return max(10, self._setting.page) if self._setting.profile == "seed" else self._setting.page

    async def stop(self) -> None:
        await self._stack.aclose()

    async def poll(self, *, everything: bool = False) -> None:
        await self.daemon.poll(*(() if everything else ("queues", "runs")))


def enact(story: Story, lives: tuple[Life, ...]) -> None:
    """Script the runs into the world."""
    for number, life in enumerate(lives):
        # Ends differ by a few milliseconds: which of two equal ones was the last is nobody's business.
        born = START + round(life.born * SECOND)
        due = born + round(life.delayed * SECOND)
        started = None if life.waits is None else due + round(life.waits * SECOND)
        finished = (due if started is None else started) + round(life.lasts * SECOND) // 100 * 100 + number
        for copy in range(life.copies):
            story.world.add_run(
                task=life.task,
                status=life.status,
                created_at=born,
                started_at=NEVER if started is None else started,
                finished_at=max(finished, born) if life.task != SLOTTED else finished,
                delayed_until=due if life.delayed else None,
                visible_at=born + round(life.late * SECOND),
                # Rows are made when they are triggered, whenever they are listed: ids follow createdAt.
                id=f"run_c{born:014d}{number:03d}{copy:02d}",
                is_test=life.is_test,
                version=life.version,
                kind="SCHEDULED" if life.task == SLOTTED else "STANDARD",
                compute_ms=round(life.lasts * 900),
                cost_nanousd=number * 1_000,
            )


def ail(faults: Faults, step: Ail) -> None:
    faults.view_lag_s, faults.view_empty = step.lag, step.empty
    faults.endpoints.pop("runs", None)
    if step.latency:
        faults.on("runs", latency_s=step.latency)


@asynccontextmanager
async def tell_history(folder: Path, history: History, watchers: int = 1) -> AsyncIterator[tuple[Story, list[Daemon]]]:
    """Play a history and heal: everybody has polled all that is visible at the instant of yielding."""
    faults = StumblingFaults()
    setting = history.setting
    faults.clock_skew_s = setting.date_off
    async with tell(folder, profile=setting.profile, faults=faults, quota=None) as story, AsyncExitStack() as stack:
        enact(story, history.lives)
        everyone = [Watcher(story, number, setting) for number in range(watchers)]
        for one in everyone:
            await one.start()
            stack.push_async_callback(one.stop)
            await one.poll()
        if not setting.enriched:
            faults.on("query", deny=403)
        for step in history.steps:
            await take_step(story, faults, everyone, step)
        faults.plans.clear()
        ail(faults, Ail())
        for one in everyone:
            await one.poll()
        # The sweep is due again, and whatever was put off.
        story.clock.advance(HOUR / SECOND + 100)
        for _ in range(2):
            for one in everyone:
                await one.poll()
        story.world.advance(story.clock.now())
        yield story, [one.daemon for one in everyone]


async def take_step(story: Story, faults: StumblingFaults, everyone: list[Watcher], step: Step) -> None:
    match step:
        case Let(seconds):
            story.clock.advance(seconds)
        case Poll(who, everything):
            await everyone[who].poll(everything=everything)
        case Restart(who):
            await everyone[who].stop()
            await everyone[who].start()
        case Stumble(endpoint, pattern):
            faults.plans[endpoint] = deque(pattern)
        case Ail():
            ail(faults, step)
