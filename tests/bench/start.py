"""From the start of the process to the first page of a target that was polled, against importing its libraries.

The answers of the API are in it: the simulator is on the same machine and takes a few milliseconds each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.memory import BARE
from bench.table import Row, ms
from end_to_end.processes import stage_in, wait_until


def first_scrape() -> float:
    """Seconds until /metrics shows runs."""
    with tempfile.TemporaryDirectory() as folder, stage_in(Path(folder)) as stage:
        simulator = stage.simulate("--scenario", "idle")
        began = time.perf_counter()
        daemon = stage.watch(simulator)
        wait_until(lambda: daemon.value("collector_up", collector="runs"), "runs were polled", daemon, every=0.01)
        return time.perf_counter() - began


def imports() -> float:
    """Seconds that a process takes which only imports the libraries."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", BARE], capture_output=True, check=True)
    return time.perf_counter() - began


def rows(tries: int = 3) -> list[Row]:
    """The row of cold starts: the best of some tries, in turns."""
    pairs = [(first_scrape(), imports()) for _ in range(tries)]
    start, bare = (min(side) for side in zip(*pairs, strict=True))
    return [
        Row(
            "cold start to the first page with runs",
            ms(start),
            f"a process that imports its libraries: {ms(bare)}",
            f"{start / bare:.1f} ×",
            "≤ 1 s beyond the API's time",
        )
    ]
