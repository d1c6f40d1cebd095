"""What we cost a server, as a table: calls of the runs collector against the bound, and an idle project by the minute.

``PYTHONPATH=tests python -m soak.calls``; part of `make soak`. The clock is virtual, the requests are real.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from budget.test_calls import Bill, tick_within_bound
from story import tell

TICKS = 720
"""Six hours at the default interval of 30 s."""


async def busy() -> tuple[int, float]:
    """Calls of the runs collector in six hours of the shop, and the sum of every tick's bound."""
    paid, bound = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        async with tell(Path(folder), "shop", history_s=1800, quota=None) as story, story.daemon() as daemon:
            await daemon.poll()
            bill = Bill(story)
            for _ in range(TICKS):
                story.clock.advance(30)
                await daemon.poll("queues")
                calls, most = await tick_within_bound(story, daemon, bill)
                paid, bound = paid + calls, bound + most
    return paid, bound


async def idle() -> float:
    """Calls a minute of all collectors over an hour: 50 queues, 50 schedules, no runs."""
    with tempfile.TemporaryDirectory() as folder:
        async with tell(Path(folder), "idle") as story, story.daemon() as daemon:
            await daemon.poll()
            bill = Bill(story)
            bill()
            await story.let(daemon, 3600)
            return sum(bill().values()) / 60


def main() -> int:
    """Print the table; a tick over its bound raises."""
    logging.disable(logging.WARNING)
    paid, bound = asyncio.run(busy())
    rows = [
        (f"calls of the runs collector, {TICKS} ticks in the shop", f"{paid:,}"),
        ("the sum of their bounds", f"{bound:,.0f}"),
        ("calls a minute, idle project (50 queues, 50 schedules)", f"{asyncio.run(idle()):.2f}"),
    ]
    sys.stdout.write("| calls | measured |\n| --- | ---: |\n")
    sys.stdout.writelines(f"| {name} | {value} |\n" for name, value in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
