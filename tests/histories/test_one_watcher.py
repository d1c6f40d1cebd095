"""Whatever happened, and however we looked at it: in the end the page tells the truth about all runs."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from histories.history import ANCIENT, DELAYED, PHASES, SOAK, History, histories, tell_history
from story import Series, difference

#: What the seed tells, too: it shows DEQUEUED as EXECUTING and knows neither costs nor delays.
SEED = (
    "runs_triggered",
    "runs_started",
    "runs_finished",
    "runs_test",
    "runs_by_version",
    "run_wait",
    "run_duration",
    "run_last",
    "run_consecutive",
)


def told_by(series: Series, profile: str) -> Series:
    """Without what the API does not tell, or tells of a smaller part of the past than the truth looks at."""

    def hidden(name: str, task: str) -> bool:
        if name.startswith(("triggerdev_run_last", "triggerdev_run_consecutive")) and task == ANCIENT:
            return True
        return profile == "seed" and task == DELAYED and name.startswith("triggerdev_run_wait")

    return {place: value for place, value in series.items() if not hidden(place[0], dict(place[1]).get("task", ""))}


async def check(history: History) -> None:
    profile = history.setting.profile
    with tempfile.TemporaryDirectory() as folder:
        async with tell_history(Path(folder), history) as (story, (daemon,)):
            families = SEED if profile == "seed" else ("runs_", "run_")
            page, truth = told_by(daemon.page(), profile), told_by(story.truth(daemon), profile)
            assert difference(page, truth, *families, without=("run_attempts",)) == []
            assert {
                run.id for run in story.world.runs.values() if not run.is_final and run.visible_at <= story.clock.now()
            } == set(daemon.target.ledger.runs)


@pytest.mark.timeout(0 if SOAK else 120)
@settings(max_examples=3_000 if SOAK else 150, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(histories)
def test_in_the_end_the_page_tells_the_truth(history: History) -> None:
    asyncio.run(check(history))
