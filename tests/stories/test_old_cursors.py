"""A server before v4.5.0, whose cursors skip runs that were made after a schedule's early run: we skip none."""

from __future__ import annotations

from pathlib import Path

from readings_stage import compare, needs_for
from stories.test_truth import FOLDED, RUNS
from story import difference, tell
from triggerdev_alerts.signals import Question
from triggerdev_exporter.clock import HOUR

#: With these dice a page ends at an early run: the server's own cursors skip some.
SEED = 2


async def test_the_look_back_reads_every_run(tmp_path: Path) -> None:
    question = Question("runs_triggered", ("task",), window=HOUR)
    async with (
        tell(tmp_path, "shop", profile="v4.4", seed=SEED, history_s=3700) as story,
        story.daemon(lookback=HOUR) as daemon,
    ):
        daemon.target.keep(needs_for([question]))
        await daemon.poll()
        now = story.clock.now()
        assert compare(daemon.target, story.world, [question], [now]) == []


async def test_what_was_missed_in_an_outage_is_counted_once(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", profile="v4.4", seed=SEED, history_s=60) as story, story.daemon() as daemon:
        await story.let(daemon, 60)
        story.clock.advance(3600)
        await story.let(daemon, 90)
        story.clock.advance(61)
        await daemon.poll()
        await daemon.poll()
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=(*FOLDED, "run_attempts")) == []
