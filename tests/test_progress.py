"""How much of the past is read: sequences of what is left, and what the log says of a catch-up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

from story import tell
from triggerdev_exporter.clock import DAY
from triggerdev_exporter.config.model import Quota
from triggerdev_exporter.ledger.facts import Coverage, Gap
from triggerdev_exporter.progress import Reading, missing, report


@pytest.mark.parametrize(
    ("left", "done"),
    [
        ([0, 0], [None, None]),
        ([100, 50, 25, 0], [0, 0.5, 0.75, None]),
        # new time that is to be read makes the whole longer, never the part already read smaller than it is
        ([100, 50, 100, 50, 0], [0, 0.5, 1 - 100 / 150, 1 - 50 / 150, None]),
        # a second catch-up begins anew
        ([100, 0, 40, 20], [0, None, 0, 0.5]),
    ],
)
def test_the_part_that_is_read(left: list[int], done: list[float | None]) -> None:
    reading = Reading()
    assert [reading.look(one) for one in left] == pytest.approx(done)


def test_a_first_look_back_knows_how_long_it_is() -> None:
    assert Reading().look(25, 100) == 0.75


def test_what_is_missing_is_the_length_of_the_gaps() -> None:
    gaps = (Gap(start=10, end=30, since=0), Gap(start=50, end=55, since=0))
    assert missing(Coverage(tail=0, gaps=gaps)) == 25
    assert missing(None) == 0


async def test_a_long_catch_up_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "triggerdev_exporter.progress")
    async with tell(tmp_path, quota=None) as story:
        async with story.daemon() as daemon:
            await daemon.poll("queues", "runs")
        away = story.clock.now()
        for number in range(12_000):
            at = away + number * DAY // 12_000
            story.world.add_run(task="a", status="COMPLETED", created_at=at, started_at=at, finished_at=at)
        story.clock.advance(DAY / 1000)
        # 15 requests a minute, the past gets what the present leaves
        async with story.daemon(quota=Quota(requests_per_minute=150, share=0.1)) as daemon:
            telling = asyncio.ensure_future(report(lambda: daemon.targets, story.clock))
            while daemon.value("catching_up") != 0 or daemon.total("runs_finished_total") < 12_000:
                story.clock.advance(30)
                await daemon.poll("runs")
            story.clock.advance(30)
            await daemon.poll("runs")
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "catching up"
    assert told[-1] == "the past is read"
    parts = [int(record.__dict__["read"].rstrip("%")) for record in caplog.records if "read" in record.__dict__]
    assert parts == sorted(parts)
    assert len(parts) > 3
