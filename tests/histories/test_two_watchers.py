"""The metamorphic form: who looked when, was restarted when and met which failure makes no difference to any number."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histories.history import PHASES, SOAK, History, lives, settings_of, steps, tell_history
from story import Daemon, Series

COUNTED = ("triggerdev_runs_", "triggerdev_run_")
ENDINGS = ("_total", "_bucket", "_sum", "_count")


def counted(daemon: Daemon) -> Series:
    """Every counter and histogram cell of runs; attempts depend on a query that looks back ten minutes only."""
    return {
        place: value
        for place, value in daemon.page().items()
        if place[0].startswith(COUNTED) and place[0].endswith(ENDINGS) and "attempts" not in place[0]
    }


async def check(history: History) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with tell_history(Path(folder), history, watchers=2) as (_, (one, other)):
            assert one.target.ledger is not None
            assert other.target.ledger is not None
            assert one.target.ledger.birth == other.target.ledger.birth
            assert counted(one) == counted(other)
            assert one.target.ledger.runs.keys() == other.target.ledger.runs.keys()


@pytest.mark.timeout(0 if SOAK else 120)
@settings(
    max_examples=2_000 if SOAK else 80,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
@given(st.builds(History, settings_of, lives, steps(watchers=2)))
def test_two_daemons_that_looked_differently_counted_the_same(history: History) -> None:
    asyncio.run(check(history))
