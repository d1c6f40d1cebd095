"""Resident memory of an idle daemon, and of a process with 100 k series and 10 k open runs.

Both are processes of their own, compared with one that only imports the libraries such an exporter has.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.crowd import LINES_A_TASK, Crowd, page_of_news
from bench.table import Row
from end_to_end.processes import stage_in, wait_until
from triggerdev_exporter.clock import SystemClock
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Kept, Page

TESTS = Path(__file__).resolve().parents[1]
BARE = (
    "import aiohttp, aiohttp.web, pydantic, prometheus_client, sqlite3, jinja2\n"
    "print(int(open('/proc/self/statm').read().split()[1]) * 4096)"
)


def peak() -> int:
    """The most bytes that this process ever had; `getrusage` also remembers who started it."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found) * 1024


async def crowded(series: int, open_runs: int) -> int:
    """The most bytes of this process while it shows that many series, plain and packed, ten times over."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(series // LINES_A_TASK, SystemClock(), Path(folder), open_runs=open_runs)
        kept = Kept()
        for _ in range(10):
            now = crowd.target.clock.now()
            crowd.ledger.absorb(page_of_news(crowd.tasks, crowd.random, share=0.01))
            text = Page((crowd.target,), now, loaded_at=now, state_bytes=0, kept=kept).text(Format.TEXT_0)
            text.packed()
        await crowd.close()
    # Not what is left: a page more or less is ten megabytes.
    return peak()


def idle() -> int:
    """Bytes of a daemon that watches an idle project (50 queues, 50 schedules), after ten scrapes."""
    with tempfile.TemporaryDirectory() as folder, stage_in(Path(folder)) as stage:
        daemon = stage.watch(stage.simulate("--scenario", "idle"))
        wait_until(daemon.is_ready, "the daemon is ready", daemon)
        for _ in range(10):
            daemon.text(accept_encoding="identity")
        return int(daemon.page()["process_resident_memory_bytes", frozenset()])


def _child(*command: str) -> int:
    done = subprocess.run([sys.executable, *command], cwd=TESTS, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def rows() -> list[Row]:
    """The rows of memory."""
    bare = _child("-c", BARE)
    sizes = (
        ("memory: idle project, shipped rules", idle(), "≤ 70 MB"),
        ("memory, at most: 100 k series, 10 k open runs", _child("-m", "bench.memory", "100000", "10000"), "≤ 160 MB"),
    )
    return [
        Row(what, f"{size / 1e6:.0f} MB", f"its libraries alone: {bare / 1e6:.0f} MB", f"{size / bare:.1f} ×", goal)
        for what, size, goal in sizes
    ]


if __name__ == "__main__":
    print(asyncio.run(crowded(int(sys.argv[1]), int(sys.argv[2]))))
