"""What following a run costs, fetch to commit, against the bare floor: fetch, decode and fold of the same pages.

Both read the same runs from the same server, which is a process of its own. The floor keeps no state: nothing survives
it, and a run that shows up twice would be counted twice.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import msgspec

from bench.table import Row
from soak.endless import APART, START, STEP, served, watched
from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.collect.collector import Collector, tick
from triggerdev_exporter.ledger.tally import BOUNDS_MS
from virtual_clock import VirtualClock

STEP_RUNS = STEP // APART
BOUNDS = BOUNDS_MS["run_duration_seconds"]


class _Run(msgspec.Struct, rename="camel"):
    id: str
    status: str
    task_identifier: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class _Pagination(msgspec.Struct):
    next: str | None = None


class _Page(msgspec.Struct):
    data: list[_Run]
    pagination: _Pagination


@dataclass(frozen=True)
class Measured:
    """CPU seconds of this process."""

    runs: int
    floor: float
    ours: float
    requests_floor: int
    requests_ours: int

    @property
    def ratio(self) -> float:
        return self.ours / self.floor

    def __str__(self) -> str:
        us = 1e6 / self.runs
        return (
            f"  {self.runs:,} runs: floor {self.floor * us:5.1f} µs a run ({self.requests_floor:,} requests), "
            f"followed {self.ours * us:5.1f} µs ({self.requests_ours:,} requests): {self.ratio:.1f} × (goal: at most 3)"
        )


async def _floor(session: aiohttp.ClientSession, url: str, since: int) -> tuple[int, int]:
    """Read all runs since then once; returns runs and requests."""
    decode = msgspec.json.Decoder(_Page).decode
    finished: Counter[tuple[str, str]] = Counter()
    cells: dict[str, list[int]] = {}
    runs = requests = 0
    query = {"filter[createdAt][from]": str(since), "page[size]": "100"}
    while True:
        async with session.get(f"{url}/api/v1/runs", params=query, headers={"Authorization": "Bearer tr"}) as response:
            page = decode(await response.read())
        requests += 1
        for run in page.data:
            runs += 1
            if run.finished_at is not None and run.started_at is not None:
                finished[run.task_identifier, run.status] += 1
                took = (run.finished_at - run.started_at).total_seconds() * 1000
                mine = cells.setdefault(run.task_identifier, [0] * (len(BOUNDS) + 1))
                mine[bisect_left(BOUNDS, took)] += 1
        if page.pagination.next is None:
            return runs, requests
        query["page[after]"] = page.pagination.next


async def bench(total: int) -> Measured:
    """Both, step by step in turns, so that a noisy machine is noisy for both."""
    clock = VirtualClock(START)
    ours = floor = 0.0
    runs = requests = 0
    with tempfile.TemporaryDirectory() as folder, served() as url:
        async with watched(url, Path(folder), clock) as (target, collectors, move), aiohttp.ClientSession() as session:
            collector: Collector = collectors["runs"]
            for _ in range(max(1, total // STEP_RUNS)):
                before = clock.now()
                await move(STEP / SECOND)
                began = time.process_time()
                report = await tick(target, collector)
                ours += time.process_time() - began
                assert report.outcome == "ok", report
                began = time.process_time()
                # The newest run is of this very instant.
                found, asked = await _floor(session, url, before + 1)
                floor += time.process_time() - began
                runs, requests = runs + found, requests + asked
            assert target.ledger is not None
            counted = sum(target.ledger.counter("runs_triggered_total").values())
            assert runs == max(1, total // STEP_RUNS) * STEP_RUNS <= counted
            requests_ours = sum(target.client.meter.requests.values())
    return Measured(runs, floor, ours, requests, requests_ours)


def rows() -> list[Row]:
    """The row of a table."""
    logging.disable(logging.WARNING)
    each = asyncio.run(bench(100_000))
    us = 1e6 / each.runs
    return [
        Row(
            "CPU for a followed run, fetch to commit",
            f"{each.ours * us:.0f} µs",
            f"fetch, decode and fold without state: {each.floor * us:.1f} µs",
            f"{each.ratio:.0f} ×",
            "≤ 3 ×",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    wish = parser.parse_args()
    logging.disable(logging.WARNING)
    print("CPU for a followed run, against fetch + decode + fold of the same pages without state")
    print(asyncio.run(bench(wish.runs)))


if __name__ == "__main__":
    main()
