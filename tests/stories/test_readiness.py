"""When the exporter may be relied on: the rule as a table, over targets in each state."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import tell
from triggerdev_exporter.clock import MINUTE, SECOND
from triggerdev_exporter.web.readiness import waiting_for

SILENT = "no outcome yet"
READING = "look-back"


@pytest.mark.parametrize(
    ("ticked", "runs_up", "looked_back", "age", "answer"),
    [
        pytest.param("", None, False, 0, SILENT, id="just started"),
        pytest.param("some", True, True, 10 * SECOND, SILENT, id="one collector is still out"),
        pytest.param("some", True, True, 60 * SECOND, None, id="a minute is enough for it"),
        pytest.param("all", True, True, 0, None, id="all have told"),
        pytest.param("all", False, False, 0, None, id="a named failure is an outcome"),
        pytest.param("all", True, False, 10 * SECOND, READING, id="the first look-back holds"),
        pytest.param("all", True, False, 299 * SECOND, READING, id="up to five minutes"),
        pytest.param("all", True, False, 300 * SECOND, None, id="and no longer"),
        pytest.param("", None, False, 5 * MINUTE, None, id="nobody waits for ever"),
    ],
)
async def test_ready(
    tmp_path: Path, ticked: str, runs_up: bool | None, looked_back: bool, age: int, answer: str | None
) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        if looked_back:
            await daemon.poll()
        for name, state in daemon.target.states.items():
            state.up = None if not ticked or (ticked == "some" and name == "schedules") else True
        daemon.target.states["runs"].up = runs_up
        began = story.clock.now()
        told = waiting_for(daemon.targets, started_at=began, now=began + age)
        assert (told is None) if answer is None else (told is not None and answer in told)
        assert told is None or "prod" in told


async def test_a_restart_does_not_wait_for_what_it_catches_up(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        async with story.daemon() as daemon:
            await daemon.poll()
        story.clock.advance(86_400)
        for number in range(300):
            story.world.add_run(task="t", status="COMPLETED", created_at=story.clock.now() - number * MINUTE)
        story.faults.on("runs", status=500)
        async with story.daemon() as daemon:
            began = story.clock.now()
            assert waiting_for(daemon.targets, started_at=began, now=began) is not None
            await daemon.poll()
            assert waiting_for(daemon.targets, started_at=began, now=began) is None
