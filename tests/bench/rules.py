"""What a tick of 1,000 rules over 1,000 series costs, as a part of the interval, and the longest stall of the loop.

``make bench`` prints it: a tick in which nothing is wrong; one in which every rule has a few alerts that begin to fire;
the instant at which they are told; one in which they go on. The floor is measured in the same run: looking at each
number of the same answers once.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.table import Row
from triggerdev_alerts.engine import Engine, Step
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.store import open_book_store
from triggerdev_alerts.receivers.addresses import Policy
from triggerdev_alerts.receivers.door import HttpDoor
from triggerdev_alerts.receivers.webhook import Webhook
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import SUCCESSES, Answer, Key, Question, Readings

NOON: Instant = 1_795_435_200_000
INTERVAL_S = 60.0
TICKS = (
    ("quiet", False, 0),
    ("alerts begin", True, 20 * MINUTE),
    ("they are told", True, 20 * MINUTE + 30 * SECOND),
    ("they go on", True, 21 * MINUTE),
)
LOUD = 5
"""Series a rule that meet its condition, in a bad tick."""


class Many:
    """As many series as wanted; `bad` makes the first of them fail. Every rule's question is its own."""

    def __init__(self, series: int) -> None:
        keys: list[Key] = [(f"task-{number:04d}",) for number in range(series)]
        self.good = Readings(dict.fromkeys(keys, 100.0))
        self.quiet = Readings(dict.fromkeys(keys, 1.0))
        self.loud = Readings({**self.quiet.values, **dict.fromkeys(keys[:LOUD], 400.0)})
        self.bad = False

    def targets(self) -> tuple[str, ...]:
        return ("prod",)

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        if question.statuses == SUCCESSES:
            return self.good
        return self.loud if self.bad else self.quiet


def rules_text(rules: int) -> str:
    lines = [
        "version: 1",
        "receivers: {ops: {webhook: {url_env: HOOK}}}",
        "routes: {receiver: ops}",
        "groups:",
        "  - name: bench",
        "    align: exact",
        "    rules:",
    ]
    for number in range(rules):
        # Windows differ, so that no two rules share an answer.
        window = f"{number + 2}m"
        lines.append(
            f"      - {{alert: Rule{number:04d}, for: 0s, when: {{failure_rate: {{window: {window}, above: 50%}}}}}}"
        )
    return "\n".join(lines) + "\n"


Clock = Callable[[], float]
"""Seconds: of the wall, or of this thread's work where a machine is shared."""


async def longest_stall(until: asyncio.Event, clock: Clock) -> float:
    """The longest time, in seconds, for which the loop did not get to this task."""
    worst, last = 0.0, clock()
    while not until.is_set():
        await asyncio.sleep(0)  # noqa: TID251 -- measures how long others keep the loop
        now = clock()
        worst, last = max(worst, now - last), now
    return worst


async def tick(engine: Engine, now: Instant, clock: Clock) -> tuple[Step, float, float]:
    """One step; what it took, and the longest stall."""
    over = asyncio.Event()
    stall = asyncio.ensure_future(longest_stall(over, clock))
    began = clock()
    step = await engine.step(now)
    took = clock() - began
    over.set()
    return step, took, await stall


def walk(readings: tuple[Mapping[Key, float], Mapping[Key, float]], times: int, clock: Clock) -> float:
    """Seconds to look at each number of two answers and compare them, `times` times."""
    failed, good = readings
    began = clock()
    for _ in range(times):
        sum(failed[key] / (failed[key] + well) > 0.5 for key, well in good.items())
    return clock() - began


@dataclass(frozen=True)
class Measured:
    """One tick, in seconds; `floor` is what looking at each number takes."""

    name: str
    took: float
    stall: float
    floor: float
    transitions: int
    messages: int

    def __str__(self) -> str:
        return (
            f"  {self.name + ':':<14} {self.took:6.2f} s = {self.took / INTERVAL_S:6.1%} of the interval (goal < 25%), "
            f"{self.took / self.floor:4.1f} × looking; longest stall {self.stall * 1000:5.1f} ms (goal < 50), "
            f"{self.transitions} transitions, {self.messages} messages"
        )


@asynccontextmanager
async def rules_bench(rules: int, series: int, folder: Path) -> AsyncIterator[tuple[Engine, Many]]:
    """An engine with that many rules over that many series each, and the numbers that it sees."""
    ruleset = read_rules([RuleFile("bench.yml", rules_text(rules))]).ruleset
    store = open_book_store(folder / "alerts.db")
    signals = Many(series)
    yield (
        Engine(
            ruleset,
            signals,
            None,
            Scribe(await store.load(), store),
            {"ops": Webhook("ops", ruleset.receivers["ops"].settings, HttpDoor(Policy()))},
            started_at=NOON,
            pause=lambda: asyncio.sleep(0),  # noqa: TID251 -- what the daemon does between rules
        ),
        signals,
    )
    await store.close()


async def bench(rules: int, series: int, clock: Clock = time.perf_counter) -> list[Measured]:
    """What was measured, a tick each."""
    with tempfile.TemporaryDirectory() as folder:
        async with rules_bench(rules, series, Path(folder)) as (engine, signals):
            floor = walk((signals.quiet.values, signals.good.values), rules, clock)
            measured = []
            for name, bad, after in TICKS:
                signals.bad = bad
                step, took, stall = await tick(engine, NOON + after, clock)
                measured.append(Measured(name, took, stall, floor, len(step.transitions), len(step.notifications)))
    return measured


def rows() -> list[Row]:
    """The rows of a table: the dearest tick."""
    measured = asyncio.run(bench(1_000, 1_000))
    worst = max(measured, key=lambda each: each.took)
    return [
        Row(
            f"a tick of 1,000 rules × 1,000 series ({worst.name})",
            f"{worst.took:.1f} s",
            f"looking at each number once: {worst.floor:.1f} s; a minute's interval",
            f"{worst.took / worst.floor:.1f} ×; {worst.took / INTERVAL_S:.0%}",
            "< 25 %",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--series", type=int, default=1_000)
    wish = parser.parse_args()
    measured = asyncio.run(bench(wish.rules, wish.series))
    print(f"{wish.rules} rules × {wish.series} series; looking at each number once takes {measured[0].floor:.2f} s")
    for each in measured:
        print(each)


if __name__ == "__main__":
    main()
