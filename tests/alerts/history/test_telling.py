"""From words to records: what each key of ``given`` means on the time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.history.story import COLLECTORS, Story, TargetStory
from triggerdev_alerts.history.telling import end_of, tell
from triggerdev_alerts.history.written import START, WrittenTest
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND
from triggerdev_alerts.signals import Blind

NOTHING = ({"at": "0s", "alert": "A", "state": "inactive"},)


def written(given: Mapping[str, Any] | None = None, **more: Any) -> WrittenTest:
    return WrittenTest.model_validate({"name": "x", "given": given or {}, "expect": NOTHING, **more}, context=WRITTEN)


def story(**given: Any) -> Story:
    return tell(written(given))


def target(**given: Any) -> TargetStory:
    (only,) = story(**given).targets
    return only


def offsets(*instants: int | None) -> list[int | None]:
    return [None if instant is None else instant - START for instant in instants]


def test_the_shortest_run_happens_all_at_once() -> None:
    (run,) = target(runs=({"task": "a", "status": "FAILED", "at": "3m"},)).runs
    assert offsets(run.created, run.started, run.finished) == [3 * MINUTE] * 3
    assert (run.id, run.task, run.status, run.queue, run.is_test) == ("run_00001", "a", "FAILED", "task/a", False)


def test_a_whole_run() -> None:
    words = {
        "task": "a",
        "at": "1m",
        "delay": "1h",
        "wait": "5s",
        "duration": "40s",
        "late": "3m",
        "queue": "emails",
        "version": "v1",
        "tags": "team:a",
        "cost": "0.02 USD",
        "error": "TypeError: x is null: y",
        "test": True,
    }
    (run,) = target(runs=(words,)).runs
    due = MINUTE + HOUR
    assert offsets(run.created, run.due, run.started, run.finished, run.visible_at) == [
        MINUTE,
        due,
        due + 5 * SECOND,
        due + 45 * SECOND,
        4 * MINUTE,
    ]
    assert (run.queue, run.version, run.tags, run.cost, run.is_test) == ("emails", "v1", ("team:a",), 0.02, True)
    assert run.error == ("TypeError", "x is null: y")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"count": 3}, [0, 0, 0]),
        ({"count": 3, "every": "30s"}, [0, 30, 60]),
        ({"every": "30s", "until": "90s"}, [0, 30, 60]),
        ({"every": "30s", "until": "91s"}, [0, 30, 60, 90]),
        ({"at": "-1m", "every": "30s", "until": "0s", "count": 2}, [-60, -60, -30, -30]),
    ],
)
def test_series(words: dict[str, Any], expected: list[int]) -> None:
    runs = target(runs=({"task": "a", **words},)).runs
    assert [(run.created - START) / 1000 for run in runs] == expected
    assert len({run.id for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("words", "started", "finished"),
    [
        ({"status": "EXECUTING", "wait": "5s"}, 5_000, None),
        ({"status": "EXECUTING", "ends_at": "50m"}, 0, 50 * MINUTE),
        ({"status": "QUEUED"}, None, None),
        ({"status": "EXPIRED", "wait": "10m"}, None, 10 * MINUTE),
        ({"status": "COMPLETED", "at": "1m", "wait": "-28s"}, 32_000, 32_000),
    ],
)
def test_lives(words: dict[str, Any], started: int | None, finished: int | None) -> None:
    (run,) = target(runs=({"task": "a", **words},)).runs
    assert offsets(run.started, run.finished) == [started, finished]


def test_queues_build_on_what_was_before() -> None:
    sights = target(
        queues=(
            {"queue": "q", "depth": {"20m": 5, "0m": 20}, "running": 2, "limit": 10},
            {"queue": "q", "at": "10m", "paused": True},
            {"queue": "q", "at": "30m", "gone": True},
        )
    ).queues
    assert [(s.at - START, s.depth, s.running, s.limit, s.paused, s.gone) for s in sights] == [
        (0, 20, 2, 10, False, False),
        (10 * MINUTE, 20, 2, 10, True, False),
        (20 * MINUTE, 5, 2, 10, True, False),
        (30 * MINUTE, 5, 2, 10, True, True),
    ]


def test_everything_else() -> None:
    told = target(
        schedules=({"schedule": "s", "task": "a", "slots": "1h", "until": "2h", "type": "IMPERATIVE"},),
        batches=({"at": "1m", "duration": "5m", "items": 10, "failed": 2}, {"status": "PROCESSING"}),
        deployments=({"status": "FAILED", "duration": "3m", "version": "v"}, {"status": "BUILDING"}),
        waitpoints=({"at": "1m", "count": 2}, {"completed_at": "2h"}),
        view_lag=({"lag": "6m"},),
        quota=({"remaining": "5%"}, {"at": "1m"}),
        clock_skew=({"skew": "40s"},),
        outages=({"from": "10m", "until": "70m", "collector": "runs", "reason": "auth"}, {"reason": "empty"}),
    )
    (schedule,) = told.schedules
    assert (schedule.slots, schedule.known_since, schedule.until) == ((START + HOUR,), START, START + 2 * HOUR)
    assert [(b.status, b.ended, b.items, b.failed) for b in told.batches] == [
        ("COMPLETED", START + 6 * MINUTE, 10, 2),
        ("PROCESSING", None, 1, 0),
    ]
    assert [(d.status, d.ended, d.version) for d in told.deployments] == [
        ("FAILED", START + 3 * MINUTE, "v"),
        ("BUILDING", None, ""),
    ]
    assert [offsets(t.created, t.completed) for t in told.tokens] == [[MINUTE, None]] * 2 + [[0, 2 * HOUR]]
    assert [level.value for level in (*told.view_lag, *told.quota, *told.skew)] == [6 * MINUTE, 0.05, None, 40_000]
    assert [(o.collectors, o.reason, o.end) for o in told.outages] == [
        (("runs",), Blind.AUTH, START + 70 * MINUTE),
        (COLLECTORS, Blind.VANISHED, None),
    ]


def test_each_target_has_its_own_story() -> None:
    test = written({"runs": ({"task": "a"}, {"task": "b", "target": "stg"})}, target="shop", poll="30s", fresh=True)
    told = tell(test)
    assert [(one.name, [run.task for run in one.runs]) for one in told.targets] == [("shop", ["a"]), ("stg", ["b"])]
    assert told.poll == 30 * SECOND
    assert {one.known_since for one in told.targets} == {START}


@pytest.mark.parametrize(
    ("given", "more", "end"),
    [
        ({}, {}, 0),
        ({}, {"lasts": "1h"}, HOUR),
        ({"runs": ({"task": "a", "at": "1m", "wait": "5s", "duration": "40s"},)}, {}, MINUTE + 45 * SECOND),
        ({"queues": ({"queue": "q", "at": "1m", "depth": {"0m": 1, "20m": 2}},)}, {}, 21 * MINUTE),
        ({"outages": ({"from": "1m", "until": "70m"},)}, {}, 70 * MINUTE),
        ({"runs": ({"task": "a", "at": "-1h"},)}, {}, 0),
        ({}, {"expect": ({"at": "9m", "alert": "A", "state": "firing"},)}, 9 * MINUTE),
    ],
)
def test_a_test_lasts_to_the_last_instant_that_is_written(
    given: dict[str, Any], more: dict[str, Any], end: int
) -> None:
    assert end_of(written(given, **more)) == START + end
