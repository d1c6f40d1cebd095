"""Short forms of the endless soak: memory is flat, and a million task ids would not make the page long or invalid."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

from soak.endless import follow
from story import read_page

MIB = 2**20


async def test_memory_follows_what_is_open_and_not_what_was(tmp_path: Path) -> None:
    measured = await follow(60_000, tmp_path)
    # Slack for the allocator; kept runs would be some 60 MiB.
    assert measured.late - measured.early < 8 * MIB


async def test_task_ids_without_end_and_without_manners(tmp_path: Path, require: Callable[[str], str]) -> None:
    measured = await follow(20_000, tmp_path, distinct=True)
    page = read_page(measured.page)
    families = {name for name, _ in page}
    for family in ("runs_triggered_total", "runs_started_total", "runs_finished_total"):
        series = {labels: value for (name, labels), value in page.items() if name == f"triggerdev_{family}"}
        assert sum(series.values()) >= measured.counted, "folded, not lost"
        assert any(("task", "__other__") in labels for labels in series)
        assert all(len(value.encode()) <= 256 for labels in series for _, value in labels)
    assert len(page) < 50_000
    assert "triggerdev_exporter_series_folded_total" in families
    promtool = await asyncio.create_subprocess_exec(require("promtool"), "check", "metrics", stdin=PIPE, stdout=PIPE)
    said, _ = await promtool.communicate(measured.page.encode())
    assert (promtool.returncode, said) == (0, b"")
    assert measured.late - measured.early < 30 * MIB
