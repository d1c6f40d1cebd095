"""For how long others wait at most: 100 k series scraped each second, a busy project followed at full budget, and 1,000
rules evaluated, all in one event loop. Compared with the same loop in which only one of the three happens.

Judged by processor time: the wall also tells of whoever else uses the machine. `python -m bench.loop` says who it was.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.crowd import LINES_A_TASK, Crowd, page_of_news
from bench.keepers import Turn, watched_turns
from bench.rules import NOON, rules_bench
from bench.table import Row, ms
from soak.endless import START, STEP, served, watched
from triggerdev_exporter.clock import SECOND, SystemClock
from triggerdev_exporter.collect.collector import tick
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.stalls import Stalls, calm_the_collector, watch
from virtual_clock import VirtualClock

LASTS = 15.0
"""Seconds that each of them is watched for."""

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Stall:
    """The longest time for which others waited: of processor time, by whom; and on the wall."""

    kept: Turn
    wall: float

    def __str__(self) -> str:
        return f"{ms(self.kept.seconds)} of CPU ({self.kept.who}), {ms(self.wall)} on the wall"


async def _longest(works: list[Work], lasts: float = LASTS) -> Stall:
    """The longest stall while those are repeated, side by side."""
    loop, stalls = asyncio.get_running_loop(), Stalls()
    until = loop.time() + lasts

    async def again(work: Work) -> None:
        while True:
            await work()
            if loop.time() >= until:
                return

    gc.collect()
    with watched_turns() as keepers:
        watching = asyncio.ensure_future(watch(stalls))
        await asyncio.gather(*(again(work) for work in works))
        watching.cancel()
    return Stall(keepers.worst(), stalls.longest(loop.time()) or 0.0)


async def bench(series: int = 100_000, rules: int = 1_000, lasts: float = LASTS) -> dict[str, Stall]:
    """The longest stalls, by what went on."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clock, loop, pause = VirtualClock(START), asyncio.get_running_loop(), SystemClock().sleep
        crowd = Crowd(series // LINES_A_TASK, SystemClock(), folder)
        stack.push_async_callback(crowd.close)
        url = stack.enter_context(served())
        target, collectors, move = await stack.enter_async_context(watched(url, folder / "runs", clock))
        engine, _ = await stack.enter_async_context(rules_bench(rules, 1_000, folder))
        kept = Kept()
        instant = NOON

        async def scrape() -> None:
            crowd.ledger.absorb(page_of_news(crowd.tasks, crowd.random, share=0.01))
            await pause(0)
            now = crowd.target.clock.now()
            page = Page((crowd.target,), now, loaded_at=now, state_bytes=0, kept=kept)
            text = await page.text_in_turns(Format.TEXT_0, SystemClock())
            await loop.run_in_executor(None, text.packed)
            await pause(1.0)

        async def poll() -> None:
            await move(STEP / SECOND)
            report = await tick(target, collectors["runs"])
            assert report.outcome == "ok", report

        async def evaluate() -> None:
            nonlocal instant
            instant += 60_000
            await engine.step(instant)

        return {
            "first page": await _longest([scrape], 0),
            "scraping": await _longest([scrape], lasts),
            "polling": await _longest([poll], lasts),
            "evaluating": await _longest([evaluate], lasts),
            "all three": await _longest([scrape, poll, evaluate], lasts),
        }


def rows() -> list[Row]:
    """The row of stalls."""
    logging.disable(logging.WARNING)
    found = asyncio.run(bench())
    worst = found.pop("all three")
    alone = ", ".join(f"{name} {ms(stall.kept.seconds)}" for name, stall in found.items())
    return [
        Row(
            "longest stall, of CPU: 100 k series, 1,000 rules, full budget",
            ms(worst.kept.seconds),
            f"alone: {alone}; on the wall of a shared machine {ms(worst.wall)}",
            f"{worst.kept.seconds / max(stall.kept.seconds for stall in found.values()):.1f} ×",
            "≤ 50 ms",
        )
    ]


def main() -> None:
    """Print who kept the loop, case by case."""
    logging.disable(logging.WARNING)
    calm_the_collector()
    for name, stall in asyncio.run(bench()).items():
        print(f"{name + ':':<12} {stall}")


if __name__ == "__main__":
    main()
