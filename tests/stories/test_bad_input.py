"""Keys that are refused, hosts that are not there, answers that are none: each has a name, and no number suffers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from story import KEY, Daemon, Series, Story, difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.collect.collector import tick

COLLECTORS = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")
COUNTED = ("runs_", "run_", "batch", "schedules", "schedule_missed", "deployment", "waitpoint", "queue_depth")
COUNTED += ("queue_running",)
FOLDED = ("runs_by_version",)
#: Attempts are told by a query over the last ten minutes: an outage that is longer loses some.
LONG = (*FOLDED, "run_attempts")


def a_little_of_everything(story: Story) -> str:
    """One thing of each kind, some of it under way. Answers the batch's id, to be followed."""
    world, now = story.world, story.clock.now()
    world.add_deployment(created_at=now - HOUR, tasks=("mail",), version="20261123.1")
    world.add_deployment(created_at=now - MINUTE, status="BUILDING", id="deployment_new")
    world.add_schedule(task="digest", cron="0 3 * * *", created_at=now - HOUR)
    world.add_token(created_at=now - MINUTE)
    world.add_run(task="mail", status="COMPLETED", created_at=now - MINUTE, finished_at=now - 50 * SECOND)
    world.add_run(task="mail", status="EXECUTING", created_at=now - MINUTE, id="run_long")
    batch = world.add_batch(status="PENDING", created_at=now - MINUTE, items_created=2)
    for _ in range(2):
        world.add_run(task="mail", status="COMPLETED", created_at=now - MINUTE, batch_id=batch)
    return batch


def more_of_it(story: Story, batch: str) -> None:
    """Something that each collector should have told at its next look."""
    world = story.world
    world.change_run("run_long", "FAILED")
    world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now() - SECOND)
    world.change_batch(batch, "COMPLETED")
    world.change_token(next(iter(world.tokens)), "COMPLETED")
    world.change_deployment("deployment_new", "FAILED")
    world.add_deployment(created_at=story.clock.now() - SECOND, version="20261123.2")


def counters(page: Series) -> Series:
    """What only counts the world's events."""
    ours = ("triggerdev_api_", "triggerdev_collector_", "triggerdev_exporter_", "triggerdev_spans_")
    ends = ("_total", "_bucket", "_count", "_sum")
    return {place: value for place, value in page.items() if place[0].endswith(ends) and not place[0].startswith(ours)}


def errors(daemon: Daemon) -> dict[str, set[str]]:
    """By collector, the reasons that were counted."""
    found: dict[str, set[str]] = {}
    for (name, labels), value in daemon.page().items():
        if name == "triggerdev_collector_errors_total" and value:
            told = dict(labels)
            found.setdefault(told["collector"], set()).add(told["reason"])
    return found


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said at warning or above, by us."""
    return [r.getMessage() for r in caplog.records if r.name.startswith("triggerdev") and r.levelname != "INFO"]


async def settle_down(story: Story, daemon: Daemon) -> None:
    """Enough ticks for everything that is visible to have been read, enrichment included."""
    await daemon.poll()
    story.clock.advance(61)
    await daemon.poll()


# ── the key ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_revoked_key_is_said_once_asked_less_and_taken_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tell(tmp_path) as story:
        batch = a_little_of_everything(story)
        async with story.daemon(batches=(batch,)) as daemon:
            await settle_down(story, daemon)
            told = counters(daemon.page())
            more_of_it(story, batch)
            story.faults.revoked.add(KEY)
            caplog.clear()
            asked = len(story.simulator.requests)
            await story.let(daemon, 600)

            assert daemon.value("up") == 0
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {0}
            assert {reason for reasons in errors(daemon).values() for reason in reasons} == {"auth"}
            assert counters(daemon.page()) == told
            assert daemon.value("runs_open", task="mail", status="EXECUTING") is None, "too old to show"
            # Looked at after 0.5, 1.5, 3.5 and 7.5 minutes, twice each: the request and the proof.
            assert len(story.simulator.requests) - asked <= 12
            assert len(complaints(caplog)) == 1
            assert KEY not in caplog.text

            story.faults.clear()
            await story.let(daemon, 301)
            assert daemon.value("up") == 1
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {1}
            await settle_down(story, daemon)
            assert difference(daemon.page(), story.truth(daemon), *COUNTED, without=LONG) == []


async def test_a_wrong_key_at_the_start_shows_a_page_and_counts_from_its_acceptance(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.revoked.add(KEY)
        # The daemon wakes all six at once.
        await asyncio.gather(*(tick(daemon.target, one) for one in daemon.collectors["prod"]))
        assert daemon.value("up") == 0
        assert daemon.value("counting_since_timestamp_seconds") is None
        assert not [name for name, _ in daemon.page() if name.startswith("triggerdev_run")]
        assert len(complaints(caplog)) == 1

        story.faults.clear()
        story.clock.advance(31)
        reports = await daemon.poll()
        assert {report.outcome for report in reports.values()} == {"ok"}, "six refusals are one, so the pause is short"
        assert daemon.value("up") == 1
        assert daemon.value("counting_since_timestamp_seconds") == pytest.approx(story.clock.now() / 1000, abs=1)


@pytest.mark.parametrize("refusal", [401, 403])
async def test_a_key_that_may_not_read_schedules_loses_only_them(
    tmp_path: Path, refusal: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with tell(tmp_path) as story:
        batch = a_little_of_everything(story)
        story.faults.on("schedules", deny=refusal)
        async with story.daemon(batches=(batch,)) as daemon:
            await daemon.poll()
            assert daemon.value("collector_supported", collector="schedules") == 0
            assert daemon.value("collector_up", collector="schedules") == 0
            assert daemon.value("up") == 1, "the key is fine"
            assert errors(daemon) == {"schedules": {"auth" if refusal == 401 else "forbidden"}}
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS if name != "schedules"} == {1}
            assert not [name for name, _ in daemon.page() if name.startswith("triggerdev_schedule")]

            await story.let(daemon, 3550, step=50)
            assert story.simulator.simulator.counts["schedules"] == 1, "not asked again within the hour"
            assert [line for line in complaints(caplog) if "not available" in line] == [
                "not available, looking again in an hour"
            ]
            story.faults.clear()
            await story.let(daemon, 400, step=50)
            assert daemon.value("collector_supported", collector="schedules") == 1
            assert daemon.value("schedules", task="digest", type="DECLARATIVE", active="true") == 1
            await settle_down(story, daemon)
            assert difference(daemon.page(), story.truth(daemon), *COUNTED, without=FOLDED) == []


async def test_what_was_counted_stays_when_the_right_to_read_it_is_taken(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        token = story.world.add_token()
        await daemon.poll()
        story.world.change_token(token, "COMPLETED")
        story.clock.advance(300)
        await daemon.poll()
        story.faults.on("tokens", deny=403)
        story.clock.advance(1000)
        await daemon.poll()
        assert daemon.value("collector_supported", collector="waitpoints") == 0
        assert daemon.value("waitpoint_tokens_open") is None
        assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") == 1
        assert daemon.value("waitpoint_tokens_finished_total", status="TIMED_OUT") == 0


async def test_a_restricted_key_still_tells_of_runs_and_queues(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        a_little_of_everything(story)
        story.faults.restricted.add(KEY)
        async with story.daemon() as daemon:
            await daemon.poll()
            supported = {name: daemon.value("collector_supported", collector=name) for name in COLLECTORS}
            assert supported == dict.fromkeys(COLLECTORS, 1.0) | {"schedules": 0, "waitpoints": 0}
            assert daemon.value("waitpoint_tokens_open") is None
            assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") is None
            assert daemon.value("up") == 1
            assert difference(daemon.page(), story.truth(daemon), "runs_", "queue_depth", "queue_running") == []


async def test_without_the_right_to_read_queues_the_real_dialect_is_assumed(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        a_little_of_everything(story)
        story.faults.on("queues", deny=403)
        async with story.daemon() as daemon:
            await daemon.poll()
            assert daemon.total("target_info", dialect="trigger") == 1
            assert daemon.value("collector_supported", collector="queues") == 0
            assert daemon.value("queue_depth", queue="task/mail") is None
            story.world.change_run("run_long", "FAILED")
            story.clock.advance(120)
            await daemon.poll()
            assert daemon.value("runs_finished_total", task="mail", status="FAILED") == 1
            assert difference(daemon.page(), story.truth(daemon), "runs_") == []


# ── the answers ───────────────────────────────────────────────────────────────────────────────────────────────────

ALL = {"runs": "runs", "queues": "queues", "batch": "batches", "schedules": "schedules", "deployments": "deployments"}
ALL |= {"tokens": "waitpoints"}
LISTS = {"runs", "queues", "schedules", "deployments", "tokens"}


@pytest.mark.parametrize(
    ("broken", "fault", "reason"),
    [
        pytest.param(set(ALL), {"html": True}, "http", id="a page of HTML with 200"),
        pytest.param(set(ALL), {"cut": "json"}, "decode", id="half a document"),
        pytest.param(set(ALL), {"cut": "connection"}, "truncated", id="a connection that ends too early"),
        pytest.param({"runs"}, {"oversize_mb": 40}, "oversize", id="a body without end"),
        pytest.param({"runs", "deployments", "tokens"}, {"repeat_cursor": True}, "cursor", id="the same cursor again"),
        pytest.param({"runs", "deployments", "tokens"}, {"null_dates": True}, "decode", id="an item without dates"),
        pytest.param(set(ALL), {"status": 500}, "http", id="500"),
        pytest.param(set(ALL), {"status": 400}, "http", id="400"),
        pytest.param(set(ALL), {"status": 302}, "http", id="a redirect"),
    ],
)
async def test_a_bad_answer_is_named_and_changes_no_number(
    tmp_path: Path, broken: set[str], fault: dict[str, Any], reason: str
) -> None:
    async with tell(tmp_path) as story:
        batch = a_little_of_everything(story)
        async with story.daemon(batches=(batch,)) as daemon:
            await settle_down(story, daemon)
            told = counters(daemon.page())
            open_before = daemon.value("runs_open", task="mail", status="EXECUTING")
            more_of_it(story, batch)
            for endpoint in broken:
                story.faults.on(endpoint, **fault)
            story.clock.advance(30)
            await daemon.poll()

            wanted = {ALL[endpoint] for endpoint in broken}
            assert errors(daemon) == {collector: {reason} for collector in wanted}
            assert {name for name in COLLECTORS if daemon.value("collector_up", collector=name) == 0} == wanted
            assert daemon.value("up") == 1, "the API was reached and the key accepted"
            if broken == set(ALL):
                assert counters(daemon.page()) == told
            assert daemon.value("runs_open", task="mail", status="EXECUTING") == open_before, "kept for 3 intervals"

            story.faults.clear()
            story.clock.advance(30)
            await settle_down(story, daemon)
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {1}
            assert difference(daemon.page(), story.truth(daemon), *COUNTED, without=FOLDED) == []


async def test_a_cursor_that_repeats_in_a_long_list_loses_no_run(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        story.clock.advance(300)
        now = story.clock.now()
        for number in range(250):
            story.world.add_run(task="mail", status="COMPLETED", created_at=now - number * SECOND)
        story.faults.on("runs", repeat_cursor=True)
        await daemon.poll("runs")
        assert errors(daemon) == {"runs": {"cursor"}}
        story.faults.clear()
        story.clock.advance(200)
        story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now() - SECOND)
        await daemon.poll("runs")
        assert daemon.value("runs_triggered_total", task="mail") == 251
        assert daemon.total("runs_finished_total", task="mail") == 251


@pytest.mark.parametrize(("down", "reason"), [("reset", "unreachable"), ("503", "http")])
async def test_an_api_that_is_down_for_an_hour_changes_no_number(tmp_path: Path, down: str, reason: str) -> None:
    async with tell(tmp_path) as story:
        batch = a_little_of_everything(story)
        async with story.daemon(batches=(batch,)) as daemon:
            await settle_down(story, daemon)
            told = counters(daemon.page())
            story.faults.api_down = down
            more_of_it(story, batch)
            await story.let(daemon, 3600, step=30)
            assert daemon.value("up") == (0 if down == "reset" else 1)
            assert errors(daemon) == {name: {reason} for name in COLLECTORS}
            assert counters(daemon.page()) == told
            gauges = ("runs_open", "queue_depth", "schedules", "deployments_open", "waitpoint_tokens_open")
            assert [n for n, _ in daemon.page() if n.removeprefix("triggerdev_") in gauges] == [], "unknown, not zero"
            story.faults.clear()
            await story.let(daemon, 360, step=30)
            await settle_down(story, daemon)
            assert difference(daemon.page(), story.truth(daemon), *COUNTED, without=LONG) == []


async def test_a_server_that_only_says_429_is_left_in_peace(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batch = a_little_of_everything(story)
        async with story.daemon(batches=(batch,)) as daemon:
            await settle_down(story, daemon)
            told = counters(daemon.page())
            more_of_it(story, batch)
            story.faults.always_429 = True
            begun, asked = story.clock.now(), len(story.simulator.requests)
            await story.let(daemon, 300)
            minutes = (story.clock.now() - begun) / MINUTE
            assert (len(story.simulator.requests) - asked) / minutes < 12
            limited = errors(daemon)
            assert set(limited) <= set(COLLECTORS)
            assert {reason for reasons in limited.values() for reason in reasons} == {"rate_limited"}
            # The endpoint of the current deployment knows no limit, but the list before it does.
            assert counters(daemon.page()) == told
            assert daemon.value("up") == 1
            story.faults.clear()
            story.clock.advance(60)
            await settle_down(story, daemon)
            assert difference(daemon.page(), story.truth(daemon), *COUNTED, without=LONG) == []


async def test_a_host_that_is_not_there(tmp_path: Path, free_port: int) -> None:
    async with tell(tmp_path) as story, story.daemon(api_url=f"http://127.0.0.1:{free_port}") as daemon:
        await daemon.poll()
        assert daemon.value("up") == 0
        assert errors(daemon) == {name: {"unreachable"} for name in COLLECTORS}
        assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {0}
        assert daemon.value("counting_since_timestamp_seconds") is None
