"""What a configuration may break down further: tags as labels, buckets of one's own. Through both dialects."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import tell
from triggerdev_exporter.clock import MINUTE, SECOND
from triggerdev_exporter.config.model import Metrics, Tag
from triggerdev_exporter.statuses import OUTCOMES

FAMILY = "runs_by_tag_finished_total"
DURATION = "run_duration_seconds"


@pytest.mark.parametrize("profile", ["v4.5", "seed"])
async def test_finished_runs_by_tag(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, "shop", profile=profile) as story:
        tags = {"team": Tag(max_values=3), "urgent": Tag()}
        async with story.daemon(metrics=Metrics(tags=tags)) as daemon:
            await daemon.poll()
            await story.let(daemon, 300)
            story.world.add_run(task="send-email", status="FAILED", tags=("urgent", "team:zzz"))
            story.world.add_run(task="send-email", status="FAILED", tags=("team:yyy",))
            await story.let(daemon, 60)
            page = daemon.page()
            named = {dict(labels)["value"] for name, labels in page if name.endswith("by_tag_finished_total")}
            assert {"growth", "true", "__none__", "__other__"} <= named
            for tag in tags:
                for status, outcome in OUTCOMES.items():
                    same = [one for one in OUTCOMES if OUTCOMES[one] is outcome]
                    finished = sum(daemon.total("runs_finished_total", status=one.value) for one in same)
                    assert daemon.total(FAMILY, tag=tag, outcome=outcome.value) == finished, (tag, status)
            assert daemon.total(FAMILY, tag="urgent", value="true") == 1
        # Nobody names it any more; who names it again finds what was counted.
        async with story.daemon(metrics=Metrics(tags={"urgent": Tag()})) as daemon:
            await daemon.poll()
            assert daemon.total(FAMILY, tag="team") == 0
            assert daemon.total(FAMILY, tag="urgent") == daemon.total("runs_finished_total")


async def test_buckets_of_ones_own(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop") as story:
        async with story.daemon() as daemon:
            await daemon.poll()
            await story.let(daemon, 300)
            within = daemon.total(f"{DURATION}_bucket", le="60.0")
            total = daemon.total(f"{DURATION}_count")
            assert total > 10
        metrics = Metrics(buckets={DURATION: (SECOND, MINUTE)})
        async with story.daemon(metrics=metrics) as daemon:
            assert daemon.total(f"{DURATION}_bucket", le="60.0") == within
            assert daemon.total(f"{DURATION}_count") == total
            bounds = {dict(labels)["le"] for name, labels in daemon.page() if name == f"triggerdev_{DURATION}_bucket"}
            assert bounds == {"1.0", "60.0", "+Inf"}
