"""States: when an alert is pending, fires and ends, and what a webhook is told of it. Rows S1 to S13."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance_stage import ENDS, play, queue, routes, rule, runs, story_of, t, written
from triggerdev_alerts.evaluation.labels import bounded
from triggerdev_alerts.history.story import QueueSight, Story
from triggerdev_alerts.instants import iso

RATE = "{failure_rate: {window: 15m, above: 10%, min_sample: 20}}"


async def test_s1_fires_after_two_minutes_and_is_resolved(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS) as stage:
        await stage.until("14:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing", "12:21:00 resolved"]
        assert stage.hook.told == ["12:02:30 firing", "12:22:30 resolved"]
        assert stage.hook.n == stage.hook.req == 2
        first, second = (got.body["alerts"][0] for got in stage.hook.taken)
        assert first["startsAt"] == second["startsAt"] == iso(t("12:02:00"))
        assert second["endsAt"] == iso(t("12:21:00"))


async def test_s2_deep_at_two_evaluations_only(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20), ("12:01:30", 5)))) as stage:
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 dropped"]
        assert stage.hook.n == 0


async def test_s3_without_for_it_fires_at_once(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS, written(rule(for_="0s"))) as stage:
        await stage.until("12:10:00")
        assert stage.changes == ["12:00:00 firing"]
        assert stage.hook.told == ["12:00:30 firing"]


@pytest.mark.parametrize(
    ("group_wait", "told"), [("30s", ["12:02:30 firing", "12:07:30 resolved"]), ("90s", [])], ids=["30s", "90s"]
)
async def test_s4_cleared_around_the_first_flush(tmp_path: Path, group_wait: str, told: list[str]) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:02:20", 5)))
    async with play(tmp_path, story, written(routes=routes(group_wait=group_wait))) as stage:
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing", "12:03:00 resolved"]
        assert stage.hook.told == told
        assert stage.hook.n == len(told)


async def test_s5_at_the_threshold_is_not_above_it(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 10)))) as stage:
        await stage.until("13:00:00")
        assert stage.changes == []
        assert stage.hook.n == 0


@pytest.mark.parametrize(("fine", "outcome", "n"), [(0, "insufficient", 0), (17, "true", 1)], ids=["3 of 3", "3 of 20"])
async def test_s6_a_rate_of_too_few_runs_says_nothing(tmp_path: Path, fine: int, outcome: str, n: int) -> None:
    story = story_of(runs=runs("send-email", "12:00:00", failed=3, fine=fine))
    async with play(tmp_path, story, written(rule(when=RATE, for_="0s")), start="12:00:30") as stage:
        await stage.until("12:10:00")
        assert set(stage.outcomes("Backlog")) == {outcome}
        assert stage.hook.n == n


def minutely(*rates: tuple[str, str, int]) -> Story:
    """From one instant to another, a hundred runs a minute, so many of which fail."""
    told = []
    for begin, end, failed in rates:
        for at in range(t(begin), t(end), 60_000):
            told += runs("send-email", iso(at), failed=failed, fine=100 - failed)
    return story_of(runs=tuple(told))


async def test_s7_within_the_band_an_incident_goes_on(tmp_path: Path) -> None:
    story = minutely(
        ("11:50:00", "12:10:00", 12),
        ("12:10:00", "12:20:00", 7),
        ("12:20:00", "12:30:00", 12),
        ("12:30:00", "13:00:00", 4),
    )
    when = "{failure_rate: {window: 2m, above: 10%, clear_below: 5%}}"
    async with play(tmp_path, story, written(rule(when=when))) as stage:
        await stage.until("12:55:00")
        assert [change.partition(" ")[2] for change in stage.changes] == ["pending", "firing", "resolved"]
        assert stage.outcomes("Backlog")["clearing"] >= 9
        assert stage.hook.n == 2


async def test_s8_a_condition_that_comes_back_within_keep_firing_for(tmp_path: Path) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:09:30", 5), ("12:12:30", 20)))
    async with play(tmp_path, story, written(rule(keep_firing_for="5m"))) as stage:
        await stage.until("13:00:00")
        assert stage.changes == [
            "12:00:00 pending",
            "12:02:00 firing",
            "12:10:00 recovering",
            "12:13:00 resumed",
        ]
        assert stage.hook.told == ["12:02:30 firing"]


async def test_s9_a_rate_without_runs_is_held_for_a_window(tmp_path: Path) -> None:
    story = minutely(("11:50:00", "12:10:00", 50))
    when = "{failure_rate: {window: 10m, above: 10%, min_sample: 20}}"
    async with play(tmp_path, story, written(rule(when=when))) as stage:
        await stage.until("13:00:00")
        # The last run ends at 12:09, and the window 30 s before an evaluation: it is empty from 12:20 on.
        assert stage.changes == [
            "12:00:00 pending",
            "12:02:00 firing",
            "12:30:00 resolved insufficient_sample",
        ]
        assert stage.hook.told == ["12:02:30 firing", "12:32:30 resolved insufficient_sample"]


async def test_s10_a_queue_that_is_gone(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20), ("12:09:30", -1)))) as stage:
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing", "12:11:00 resolved entity_gone"]
        assert stage.hook.told == ["12:02:30 firing", "12:12:30 resolved entity_gone"]


async def test_s11_a_rule_that_is_removed(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20)))) as stage:
        await stage.until("12:05:10")
        await stage.reload(written(rule(alert="Other", when="{queue_depth: {above: 999}}")))
        await stage.until("13:00:00")
        assert stage.changes[2:] == ["12:05:10 resolved rule_removed"]
        assert stage.hook.told == ["12:02:30 firing", "12:07:30 resolved rule_removed"]
        assert stage.hook.n == 2


async def test_s12_an_alert_that_flaps(tmp_path: Path) -> None:
    beats = [(f"12:{minute:02}:00", 20 if minute % 2 == 0 else 5) for minute in range(30)]
    flapping = "{changes: 6, window: 1h, stable: 15m}"
    text = written(rule(for_="0s", flapping=flapping))
    async with play(tmp_path, story_of(queues=queue(*beats)), text) as stage:
        await stage.until("14:00:00")
        assert stage.hook.told == ["12:00:30 firing", "12:05:30 flapping", "12:45:30 resolved"]
        assert stage.hook.n == 3


# What is cut or cleaned for a label ends in a hash; somebody may really call a queue like that.
ODD = "mail\x01"
ITS_LABEL = dict(bounded({"queue": ODD}))["queue"]
TWINS = (*queue(("12:10:00", 20), name=ODD), *queue(("12:10:00", 20), name=ITS_LABEL))


async def test_s13_two_series_with_the_same_labels(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=TWINS)) as stage:
        await stage.until("13:00:00")
        error = stage.book.rules["queues/Backlog"].error
        assert f"queue='{ITS_LABEL}'" in error
        assert "queue='mail\\x01'" in error
        assert stage.changes == []
        assert stage.hook.n == 0


async def test_s13_what_fires_already_is_held_meanwhile(tmp_path: Path) -> None:
    other: tuple[QueueSight, ...] = queue(("12:00:00", 20), ("12:09:30", 5))
    async with play(tmp_path, story_of(queues=(*TWINS, *other))) as stage:
        await stage.until("12:09:00")
        assert stage.hook.told == ["12:02:30 firing"]
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing"]
        (held,) = stage.book.alerts.values()
        assert held.stale_since == t("12:10:00")
        assert stage.hook.n == 1
