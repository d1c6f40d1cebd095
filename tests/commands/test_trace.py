"""`trace`: ids without a key, the tree of a run with one, and what is said of a run that nobody knows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from click import BadParameter

from story import KEY, Story, tell
from triggerdev_exporter.clock import MINUTE, SECOND
from triggerdev_exporter.commands.trace import print_trace
from triggerdev_exporter.commands.trace_tree import draw, rows
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.records import Family, Run
from triggerdev_exporter.statuses import RunStatus
from virtual_clock import START, VirtualClock

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CONFIG = """\
targets: [{{name: shop, secret_key_file: key, api_url: {url}, quota: {{requests_per_minute: 100000, share: 100%}}}}]
traces: {{context: {context}}}
"""


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRIGGER_SECRET_KEY", "TRIGGER_SECRET_KEY_FILE", "TRIGGERDEV_EXPORTER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


async def traced(story: Story, run_id: str, *, context: str = "derived", **changes: Any) -> None:
    """The command, in a thread of its own: it brings its own event loop."""
    (story.folder / "key").write_text(KEY, "utf-8")
    config = story.folder / "config.yml"
    config.write_text(CONFIG.format(url=story.simulator.url, context=context), "utf-8")
    wish: dict[str, Any] = {"target": "", "most": 100, **changes}
    await asyncio.to_thread(print_trace, run_id, config, clock=story.clock, **wish)


def family(story: Story, **root_fields: Any) -> dict[str, str]:
    """A root that goes on, a child that failed and has a child, and one that waits."""
    world, at = story.world, story.clock.now()
    ids = {"root": world.add_run(task="checkout", status="EXECUTING", started_at=at + 2 * SECOND, **root_fields)}
    ids["card"] = world.add_run(
        task="charge-card",
        status="COMPLETED_WITH_ERRORS",
        created_at=at + 4 * SECOND,
        started_at=at + 5 * SECOND,
        finished_at=at + 9_500,
        parent_id=ids["root"],
    )
    ids["bank"] = world.add_run(
        task="ask-bank",
        status="COMPLETED_SUCCESSFULLY",
        created_at=at + 6 * SECOND,
        started_at=at + 6_050,
        finished_at=at + 9 * SECOND,
        parent_id=ids["card"],
        root_id=ids["root"],
        depth=2,
    )
    ids["mail"] = world.add_run(task="send-mail", status="QUEUED", created_at=at + 12 * SECOND, parent_id=ids["root"])
    story.clock.advance(20)
    world.advance(story.clock.now())
    return ids


@pytest.mark.parametrize("profile", ["v4.5", "seed"])
async def test_the_tree_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story:
        ids = family(story)
        await traced(story, ids["bank"])
        text = capsys.readouterr().out
        for name, run_id in ids.items():
            text = text.replace(run_id, f"<{name}>")
        lines = text.splitlines()
        assert lines[0].endswith("  of its root <root>")
        assert [line.split("  ")[0] for line in lines[4:8]] == [
            "checkout",
            "├ charge-card",
            "│ └ ask-bank",
            "└ send-mail",
        ]
        assert "EXECUTING" in lines[4]
        assert "waited 2.0 s, executing for 18.0 s" in lines[4]
        assert "FAILED     waited 1.0 s, took 4.5 s" in lines[5]
        assert lines[6].endswith("<bank>  ◀")
        assert "waiting for 8.0 s" in lines[7]
        assert lines[9].endswith("from 2026-11-23T18:30:00.000Z")


async def test_a_trace_that_the_metadata_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with tell(tmp_path) as story:
        ids = family(story, metadata={"otel": GIVEN})
        await traced(story, ids["card"], context="metadata:otel")
        assert capsys.readouterr().out.startswith(f"trace  {GIVEN[3:35]}  named by the metadata")


async def test_a_tree_that_is_too_large_is_cut_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with tell(tmp_path) as story:
        ids = family(story)
        await traced(story, ids["bank"], most=2)
        text = capsys.readouterr().out
        assert "ask-bank" in text
        assert "2 more runs are not shown; --most shows more." in text


async def test_a_run_that_nobody_knows(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        with pytest.raises(ExporterError, match="run_x does not exist in shop, or no more"):
            await traced(story, "run_x")
        with pytest.raises(BadParameter, match='there is no target "other"; known are shop'):
            await traced(story, "run_x", target="other")


def test_without_a_key_the_ids_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_trace("run_cm0abc", None, target="", most=1, clock=VirtualClock())
    text = capsys.readouterr().out
    assert text.splitlines()[:2] == ["trace  158c3b7969bc1b264fe639aa8f75bfda", "span   0f96df1a46a5675b"]
    assert "right if the run is a root" in text
    print_trace("batch_cm0abc", None, target="", most=1, clock=VirtualClock())
    text = capsys.readouterr().out
    assert text == "trace  2b9d3c5fb5aa3a00f185452250efafa2\nspan   ed49f79bb3aeaa46\n"


@pytest.mark.parametrize("wrong", ["", "cm0abc", "run_", "run_../x", "tr_prod_abcdefgh"])
def test_what_is_no_id(wrong: str) -> None:
    with pytest.raises(BadParameter):
        print_trace(wrong, None, target="", most=1, clock=VirtualClock())


# -- the drawing ------------------------------------------------------------------------------------------------------


def a_run(run_id: str, status: str = "COMPLETED", **fields: Any) -> Run:
    return Run(id=run_id, task=run_id, status=RunStatus(status), **{"created_at": START, **fields})


def drawn(*runs: Run, asked: str = "", width: int = 100, now: int = START + MINUTE) -> list[str]:
    families = {run.id: Family(run=run, children=tuple(each.id for each in runs[1:])) for run in runs[:1]}
    families |= {run.id: Family(run=run, children=()) for run in runs[1:]}
    return draw(rows(families, runs[0].id), asked, now=now, width=width)


def test_bars_share_one_axis() -> None:
    lines = drawn(
        a_run("a", started_at=START + 10 * SECOND, finished_at=START + 40 * SECOND),
        a_run("b", delayed_until=START + 20 * SECOND, started_at=START + 30 * SECOND, finished_at=START + 40 * SECOND),
        a_run("c", "EXPIRED", finished_at=START + 20 * SECOND),
        width=99,
    )
    # "a" and its children, "├ b" and "└ c"; then the bars, of one width.
    bars = [line[5:] for line in lines[1:4]]
    width = lines[0].index("+40.0 s") + len("+40.0 s") - 5
    assert lines[0][5:17] == "18:30:00.000"
    drawn_bars = [bar[:width] for bar in bars]
    assert [[round(4 * bar.count(sign) / width) for sign in "·░█"] for bar in drawn_bars] == [
        [0, 1, 3],
        [2, 1, 1],
        [0, 2, 0],
    ]
    assert "never started, waited 20.0 s" in lines[3]


def test_an_instant_is_seen_and_a_loop_ends() -> None:
    lines = drawn(a_run("a", started_at=START, finished_at=START))
    assert "█" in lines[1]
    looped = {"a": Family(run=a_run("a"), children=("b",)), "b": Family(run=a_run("b"), children=("a",))}
    assert [row.run.id for row in rows(looped, "a")] == ["a", "b"]


def test_a_narrow_terminal_still_shows_bars() -> None:
    line = drawn(a_run("a" * 90, started_at=START, finished_at=START + 1), width=10)[1]
    assert line.count("█") == 20
    assert line.startswith("a" * 39 + "…  ")
