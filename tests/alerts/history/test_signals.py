"""The reference answers: a small table a signal, worked out by hand."""

from __future__ import annotations

import pytest

from triggerdev_alerts.history.signals import ANSWERS, StorySignals
from triggerdev_alerts.history.story import (
    Level,
    Outage,
    QueueSight,
    Story,
    StoryBatch,
    StoryDeployment,
    StoryRun,
    StorySchedule,
    StoryToken,
    TargetStory,
)
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.signals import (
    ENDINGS,
    FAILURES,
    PAUSED,
    SIGNALS,
    UNPAUSED,
    Answer,
    Blind,
    Question,
    Readings,
    Unknown,
    Where,
)

NOON = 1_767_614_400_000
M, S = MINUTE, SECOND


def run(id: str, **more: object) -> StoryRun:
    """A run of task a that ended COMPLETED at the instant at which it was created."""
    at = more.pop("at", NOON)
    given: dict[str, object] = {
        "task": "a",
        "status": "COMPLETED",
        "created": at,
        "started": at,
        "finished": at,
        "queue": "task/a",
    }
    return StoryRun(id=id, **{**given, **more})


def ask(question: Question, at: int, *, start: int = NOON, look: int | None = None, **told: object) -> Answer:
    signals = StorySignals(Story(start=start, targets=(TargetStory(name="prod", **told),)))
    if look is not None:
        signals.look(look)
    return signals.read(question, "prod", at)


def values(question: Question, at: int, **told: object) -> dict[tuple[str, ...], float]:
    answer = ask(question, at, **told)
    assert isinstance(answer, Readings), answer
    return dict(answer.values)


def test_every_row_has_an_answer() -> None:
    assert ANSWERS.keys() == SIGNALS.keys()


def finished(**more: object) -> Question:
    return Question("runs_finished", **{"by": ("task",), "window": 10 * M, "statuses": ENDINGS, **more})


@pytest.mark.parametrize(
    ("at", "is_in"),
    [(0, False), (1, True), (10 * M, True), (10 * M + 1, False)],
    ids=["at the beginning", "just after", "at the end", "behind"],
)
def test_a_window_has_its_end_and_not_its_beginning(at: int, is_in: bool) -> None:
    assert values(finished(), NOON + 10 * M, runs=(run("r", at=NOON + at),)) == ({("a",): 1} if is_in else {})


def test_a_window_ends_where_a_cell_does() -> None:
    told = {"runs": (run("r", at=NOON + 5 * S),)}
    assert values(finished(), NOON + 9 * S, **told) == {}
    assert values(finished(), NOON + 10 * S, **told) == {("a",): 1}
    assert values(finished(window=2 * HOUR), NOON + 59 * S, **told) == {}


def test_the_window_before_ends_where_this_one_begins() -> None:
    told = {"runs": (run("old", at=NOON - 5 * M), run("new", at=NOON + 5 * M))}
    assert values(finished(ago=10 * M), NOON + 10 * M, **told) == {("a",): 1}


def test_only_the_asked_statuses_are_counted() -> None:
    runs = tuple(run(status, status=status) for status in ENDINGS)
    assert values(finished(statuses=FAILURES), NOON, runs=runs) == {("a",): 4}
    assert values(finished(statuses=("EXPIRED",)), NOON, runs=runs) == {("a",): 1}


NARROWED = (
    run("1", tags=("x", "y"), version="v1"),
    run("2", task="b", queue="emails", version="v2"),
    run("3", is_test=True),
)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"by": ()}, {(): 2}),
        ({"by": ("task",)}, {("a",): 1, ("b",): 1}),
        ({"by": ("queue", "task")}, {("task/a", "a"): 1, ("emails", "b"): 1}),
        ({"by": ("version",)}, {("v1",): 1, ("v2",): 1}),
        ({"by": ("tag",)}, {("x",): 1, ("y",): 1}),
        ({"by": (), "where": Where(task=("b*",))}, {(): 1}),
        ({"by": (), "where": Where(queue=("task/*",))}, {(): 1}),
        ({"by": (), "where": Where(tag=("y",), version=("v1", "v9"))}, {(): 1}),
        ({"by": (), "where": Where(include_test=True)}, {(): 3}),
        ({"by": (), "where": Where(task=("A",))}, {}),
    ],
)
def test_questions_are_split_and_narrowed(more: dict[str, object], expected: dict[tuple[str, ...], float]) -> None:
    assert values(finished(**more), NOON, runs=NARROWED) == expected


def test_a_queue_that_was_not_told_is_unknown_only_to_those_who_ask_for_it() -> None:
    runs = (run("1", queue=None),)
    assert values(finished(), NOON, runs=runs) == {("a",): 1}
    for asked in (finished(by=("queue",)), finished(where=Where(queue=("task/*",)))):
        answer = ask(asked, NOON, runs=runs)
        assert isinstance(answer, Unknown)
        assert answer.reason is Blind.NOT_ENRICHED


def test_a_late_run_belongs_to_its_own_window_once_it_is_seen() -> None:
    late = run("r", at=NOON + 10 * S, visible_at=NOON + 3 * M)
    assert values(finished(), NOON + 2 * M, runs=(late,)) == {}
    assert values(finished(), NOON + 3 * M, runs=(late,)) == {("a",): 1}
    # Windows are asked for half a minute ago, and see what is visible now.
    assert values(finished(window=M), NOON + 150 * S, runs=(late,), look=NOON + 180 * S) == {}
    assert values(finished(window=3 * M), NOON + 150 * S, runs=(late,), look=NOON + 180 * S) == {("a",): 1}


def test_triggered_counts_what_was_created() -> None:
    waiting = run("r", status="QUEUED", started=None, finished=None)
    assert values(Question("runs_triggered", ("task",), window=M), NOON, runs=(waiting,)) == {("a",): 1}


def test_cost_is_a_sum() -> None:
    runs = (run("1", cost=0.1), run("2", cost=0.2), run("3", cost=5.0, finished=None, status="EXECUTING"))
    assert values(Question("run_cost", (), window=M), NOON, runs=runs) == {(): pytest.approx(0.3)}


@pytest.mark.parametrize(("quantile", "expected"), [(0.5, 5), (0.95, 10), (0.91, 10), (0.9, 9), (0.01, 1)])
def test_percentiles_are_exact(quantile: float, expected: int) -> None:
    runs = tuple(run(str(n), created=NOON - 99 * S, started=NOON - n * S) for n in range(1, 11))
    answer = ask(Question("run_duration", ("task",), window=M, quantile=quantile), NOON, runs=runs)
    assert answer == Readings({("a",): expected * S}, {("a",): 10})


def test_durations_are_of_runs_that_started() -> None:
    assert values(Question("run_duration", (), window=M, quantile=0.5), NOON, runs=(run("x", started=None),)) == {}


def test_waits_count_from_when_a_run_could_have_started() -> None:
    question = Question("run_wait", (), window=10 * M, quantile=0.5)
    delayed = run("r", created=NOON - HOUR, due=NOON - 5 * S, started=NOON, finished=None, status="EXECUTING")
    early = run("s", created=NOON, started=NOON - 28 * S)
    assert values(question, NOON, runs=(delayed,)) == {(): 5 * S}
    assert values(question, NOON, runs=(early,)) == {(): 0}


@pytest.mark.parametrize(
    ("endings", "expected"),
    [
        ("", {}),
        ("C", {("a",): 0}),
        ("F", {("a",): 1}),
        ("CFF", {("a",): 2}),
        ("FFC", {("a",): 0}),
        ("CFxF", {("a",): 2}),
        ("x", {}),
    ],
)
def test_consecutive_failures(endings: str, expected: dict[tuple[str, ...], float]) -> None:
    statuses = {"C": "COMPLETED", "F": "CRASHED", "x": "CANCELED"}
    runs = tuple(run(str(n), at=NOON + n * S, status=statuses[letter]) for n, letter in enumerate(endings))
    assert values(Question("consecutive_failures", ("task",)), NOON + M, runs=runs) == expected


def test_the_last_success_has_an_age_and_no_success_has_none() -> None:
    runs = (run("1"), run("2", at=NOON + M), run("3", task="b", status="FAILED"), run("4", task="c", at=NOON + HOUR))
    assert values(Question("last_success_age", ("task",)), NOON + 5 * M, runs=runs) == {("a",): 4 * M}


@pytest.mark.parametrize(
    ("told", "status", "since"),
    [
        ({"status": "EXECUTING", "started": NOON + M, "finished": None}, "EXECUTING", M),
        ({"status": "DEQUEUED", "started": NOON + M, "finished": None}, "DEQUEUED", M),
        ({"status": "WAITING", "started": NOON + M, "finished": None}, "WAITING", 0),
        ({"status": "QUEUED", "started": None, "finished": None}, "QUEUED", 0),
        ({"status": "QUEUED", "started": None, "finished": None, "due": NOON + M}, "QUEUED", M),
        ({"status": "DELAYED", "started": None, "finished": None, "due": NOON + DAY}, "DELAYED", 0),
        ({"status": "PENDING_VERSION", "started": None, "finished": None}, "PENDING_VERSION", 0),
        ({"status": "COMPLETED", "started": NOON + M, "finished": NOON + HOUR}, "EXECUTING", M),
        ({"status": "COMPLETED", "started": NOON + 20 * M, "finished": NOON + HOUR}, "QUEUED", 0),
        ({"status": "EXECUTING", "started": NOON + M, "finished": NOON + HOUR}, "EXECUTING", M),
    ],
)
def test_open_runs_are_as_old_as_the_api_tells(told: dict[str, object], status: str, since: int) -> None:
    at = NOON + 10 * M
    runs = (run("r", **told),)

    def older(than: int, *statuses: str) -> dict[tuple[str, ...], float]:
        return values(Question("runs_open_older", ("task",), statuses=statuses, older_than=than), at, runs=runs)

    age = 10 * M - since
    assert older(age - 1, status) == {("a",): 1}
    assert older(age, status) == {}, "strictly older"
    assert older(0, *(one for one in ("QUEUED", "EXECUTING", "WAITING", "DELAYED") if one != status)) == {}


def test_a_run_that_ended_is_not_open() -> None:
    question = Question("runs_open_older", (), statuses=("EXECUTING",), older_than=0)
    told = {"runs": (run("r", finished=NOON + HOUR),)}
    assert values(question, NOON + HOUR - 1, **told) == {(): 1}
    assert values(question, NOON + HOUR, **told) == {}
    assert values(question, NOON - 1, **told) == {}


def test_slow_runs_are_measured_against_their_own_task() -> None:
    usual = tuple(run(f"u{n}", at=NOON - HOUR, started=NOON - HOUR - 10 * M) for n in range(5))
    mine = run("r", started=NOON, finished=None, status="EXECUTING")
    new = run("n", task="new", started=NOON, finished=None, status="EXECUTING")
    question = Question("runs_slow", ("task",), times=3.0, floor=5 * M)
    told = {"runs": (*usual, mine, new)}
    assert values(question, NOON + 5 * M, **told) == {}
    assert values(question, NOON + 6 * M, **told) == {("new",): 1}
    assert values(question, NOON + 30 * M, **told) == {("new",): 1}
    assert values(question, NOON + 31 * M, **told) == {("a",): 1, ("new",): 1}


def test_queues_are_as_last_seen_until_they_are_gone() -> None:
    sights = (
        QueueSight(queue="q", at=NOON, depth=20, running=3, limit=10),
        QueueSight(queue="q", at=NOON + M, depth=5, paused=True),
        QueueSight(queue="q", at=NOON + 2 * M, gone=True),
        QueueSight(queue="p", at=NOON + M, depth=1),
    )

    def all_of(at: int) -> list[dict[tuple[str, ...], float]]:
        names = ("queue_depth", "queue_running", "queue_limit", "queue_paused")
        return [values(Question(name, ("queue",), Where(queue=("q",))), at, queues=sights) for name in names]

    key = ("q",)
    assert all_of(NOON - 1) == [{}, {}, {}, {}]
    assert all_of(NOON + M - 1) == [{key: 20}, {key: 3}, {key: 10}, {}]
    assert all_of(NOON + M) == [{key: 5}, {key: 0}, {}, {key: 1}]
    assert all_of(NOON + 2 * M) == [{}, {}, {}, {}]
    assert values(Question("queue_depth"), NOON + M, queues=sights) == {(): 6}
    assert values(Question("queue_depth", queues=UNPAUSED), NOON + M, queues=sights) == {(): 1}
    assert values(Question("queue_depth", queues=PAUSED), NOON + M, queues=sights) == {(): 5}
    assert values(Question("queue_running", ("queue",), queues=PAUSED), NOON, queues=sights) == {key: 0}


def test_the_oldest_queued_run_gives_its_queue_an_age() -> None:
    runs = tuple(run(str(n), at=NOON + n * M, started=None, finished=None, status="QUEUED") for n in range(3))
    started = run("x", at=NOON - HOUR, started=NOON, finished=None, status="EXECUTING")
    question = Question("queue_oldest_age", ("queue",))
    assert values(question, NOON + 5 * M, runs=(*runs, started)) == {("task/a",): 5 * M}


def test_an_age_without_the_queues_that_are_paused() -> None:
    def waiting(id: str, queue: str | None, since: int) -> StoryRun:
        return run(id, queue=queue, at=NOON + since * M, started=None, finished=None, status="QUEUED")

    question = Question("queue_oldest_age", queues=UNPAUSED)
    runs = (waiting("p", "paused", 0), waiting("q", "open", 3))
    sights = (QueueSight(queue="paused", at=NOON + M, paused=True), QueueSight(queue="open", at=NOON))
    assert values(question, NOON, runs=runs, queues=sights) == {(): 0}
    assert values(question, NOON + 5 * M, runs=runs, queues=sights) == {(): 2 * M}
    untold = (*runs, waiting("u", None, 4))
    assert values(question, NOON, runs=untold, queues=sights) == {(): 0}, "nothing is paused: it does not matter"
    unknown = ask(question, NOON + 5 * M, runs=untold, queues=sights)
    assert isinstance(unknown, Unknown)
    assert unknown.reason is Blind.NOT_ENRICHED


def test_batches() -> None:
    batches = (
        StoryBatch(status="COMPLETED", created=NOON, ended=NOON + 5 * M, items=10, failed=2),
        StoryBatch(status="ABORTED", created=NOON, ended=NOON + 6 * M, items=5, failed=5),
        StoryBatch(status="PENDING", created=NOON),
    )
    assert values(Question("batch_items", window=M), NOON + 5 * M, batches=batches) == {(): 10}
    assert values(Question("batch_items_failed", window=10 * M), NOON + 6 * M, batches=batches) == {(): 7}
    assert values(Question("batch_items", window=M), NOON, batches=batches) == {}
    for at, status, expected in ((4 * M, "PROCESSING", 2), (5 * M, "PROCESSING", 1), (9 * M, "PENDING", 1)):
        question = Question("batches_open_older", statuses=(status,), older_than=2 * M)
        assert values(question, NOON + at, batches=batches) == {(): expected}
    question = Question("batches_open_older", statuses=("PROCESSING", "PENDING"), older_than=2 * M)
    assert values(question, NOON + 2 * M, batches=batches) == {}


def hourly(**more: object) -> StorySchedule:
    return StorySchedule(id="s", task="a", cron="0 * * * *", known_since=NOON, **more)


SLOTS = Question("missed_slots", ("schedule", "task"), grace=5 * M, early=M)


@pytest.mark.parametrize(
    ("minutes", "created", "expected"),
    [
        (64, (), {}),
        (65, (), {("s", "a"): 1}),
        (125, (), {("s", "a"): 2}),
        (65, (60 * M,), {("s", "a"): 0}),
        (65, (59 * M,), {("s", "a"): 0}),
        (65, (59 * M - 1,), {("s", "a"): 1}),
        (65, (65 * M,), {("s", "a"): 0}),
        (66, (65 * M + 1,), {("s", "a"): 1}),
        (125, (60 * M,), {("s", "a"): 1}),
        (125, (120 * M,), {("s", "a"): 0}),
    ],
)
def test_missed_slots(minutes: int, created: tuple[int, ...], expected: dict[tuple[str, ...], float]) -> None:
    runs = tuple(run(str(at), at=NOON + at) for at in created)
    assert values(SLOTS, NOON + minutes * M, runs=runs, schedules=(hourly(),)) == expected


def test_a_run_that_started_before_its_slot_meets_it() -> None:
    early = run("r", at=NOON + HOUR, started=NOON + HOUR - 28 * S)
    assert values(SLOTS, NOON + HOUR + 5 * M, runs=(early,), schedules=(hourly(),)) == {("s", "a"): 0}


def test_slots_follow_the_zone_over_the_change_of_clocks() -> None:
    # 2026-03-29: Berlin goes from 02:00 to 03:00; a nightly 03:30 is at 01:30Z from that day on.
    saturday = 1_774_699_200_000  # 2026-03-28T12:00Z
    schedule = StorySchedule(id="s", task="a", cron="30 3 * * *", timezone="Europe/Berlin", known_since=saturday)
    met = run("r", at=saturday + 13 * HOUR + 30 * M)
    assert values(SLOTS, saturday + DAY, runs=(met,), schedules=(schedule,)) == {("s", "a"): 0}


def test_schedules_of_one_task_share_the_runs_of_a_slot() -> None:
    both = (hourly(), StorySchedule(id="z", task="a", cron="0 * * * *", known_since=NOON, type="IMPERATIVE"))
    one = (run("1", at=NOON + HOUR),)
    two = (*one, run("2", at=NOON + HOUR))
    at = NOON + HOUR + 5 * M
    assert values(SLOTS, at, runs=one, schedules=both) == {("s", "a"): 0, ("z", "a"): 1}
    assert values(SLOTS, at, runs=two, schedules=both) == {("s", "a"): 0, ("z", "a"): 0}
    by_task = Question("missed_slots", ("task",), grace=5 * M, early=M)
    assert values(by_task, at, runs=one, schedules=both) == {("a",): 1}


def test_no_verdict_about_a_time_that_could_not_be_read() -> None:
    told = {
        "schedules": (hourly(),),
        "outages": (Outage(start=NOON + 58 * M, end=NOON + 60 * M, collectors=("runs",)),),
    }
    assert values(SLOTS, NOON + 66 * M, **told) == {}
    assert values(SLOTS, NOON + 125 * M, **told) == {("s", "a"): 1}
    # What was met was met, whoever could see it at the time.
    met = (run("r", at=NOON + HOUR),)
    assert values(SLOTS, NOON + 66 * M, runs=met, **told) == {("s", "a"): 0}


def test_a_schedule_that_was_switched_off_is_not_judged() -> None:
    assert values(SLOTS, NOON + 2 * HOUR, schedules=(hourly(until=NOON + 90 * M),)) == {}
    assert values(Question("scheduled_tasks", ("task",)), NOON + 89 * M, schedules=(hourly(until=NOON + 90 * M),)) == {
        ("a",): 1
    }
    assert values(Question("scheduled_tasks", ("task",)), NOON + 90 * M, schedules=(hourly(until=NOON + 90 * M),)) == {}


def test_all_schedules_are_missing_only_if_there_are_two() -> None:
    question = Question("schedules_missing")
    other = StorySchedule(id="t", task="b", slots=(NOON + HOUR,), known_since=NOON)
    at = NOON + HOUR + 5 * M
    assert values(question, at, schedules=(hourly(),)) == {}
    assert values(question, at, schedules=(hourly(), other)) == {(): 1}
    assert values(question, at, schedules=(hourly(), other), runs=(run("r", at=NOON + HOUR),)) == {(): 0.5}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [("", {}), ("D", {(): 0}), ("F", {(): 1}), ("T", {(): 1}), ("FD", {(): 0}), ("DF", {(): 1}), ("FC", {(): 1})],
)
def test_the_newest_deployment_that_says_something(statuses: str, expected: dict[tuple[str, ...], float]) -> None:
    names = {"D": "DEPLOYED", "F": "FAILED", "T": "TIMED_OUT", "C": "CANCELED"}
    deployments = tuple(
        StoryDeployment(status=names[letter], created=NOON + n * M, ended=NOON + n * M + S)
        for n, letter in enumerate(statuses)
    )
    open_one = StoryDeployment(status="BUILDING", created=NOON + 9 * M)
    assert values(Question("deployment_failed"), NOON + HOUR, deployments=(*deployments, open_one)) == expected


def test_open_deployments_and_tokens() -> None:
    deployments = (StoryDeployment(status="BUILDING", created=NOON),)
    tokens = (StoryToken(created=NOON), StoryToken(created=NOON, completed=NOON + 20 * M))
    stuck = Question("deployments_open_older", older_than=15 * M)
    stale = Question("waitpoints_open_older", older_than=15 * M)
    assert values(stuck, NOON + 15 * M, deployments=deployments) == {}
    assert values(stuck, NOON + 16 * M, deployments=deployments) == {(): 1}
    assert values(stale, NOON + 16 * M, tokens=tokens) == {(): 2}
    assert values(stale, NOON + 20 * M, tokens=tokens) == {(): 1}


@pytest.mark.parametrize(
    ("signal", "field"), [("view_lag", "view_lag"), ("quota_remaining", "quota"), ("clock_skew", "skew")]
)
def test_levels_hold_until_the_next(signal: str, field: str) -> None:
    levels = (Level(NOON, 5.0), Level(NOON + M, None), Level(NOON + 2 * M, 7.0))
    seen = [values(Question(signal), NOON + at, **{field: levels}) for at in (-1, 0, M, 2 * M)]
    assert seen == [{}, {(): 5}, {}, {(): 7}]


def outage(**more: object) -> Outage:
    return Outage(**{"start": NOON + 10 * M, "end": NOON + 70 * M, **more})


@pytest.mark.parametrize(("minutes", "age"), [(9, 0), (10, 1), (12, 3), (69, 60), (70, 0)])
def test_the_age_of_a_collector_counts_from_its_last_good_look(minutes: int, age: int) -> None:
    question = Question("collector_age", ("collector",))
    seen = values(question, NOON + minutes * M, outages=(outage(collectors=("runs",)),))
    assert seen == {(name,): (age * M if name == "runs" else 0) for name in (*_NAMES,)}


_NAMES = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")


def test_only_collectors_that_fail_for_that_reason() -> None:
    told = {"outages": (outage(collectors=("runs",), reason=Blind.AUTH), outage(collectors=("queues",)))}
    at = NOON + 12 * M
    assert values(Question("collector_age", ("collector",), reason="auth"), at, **told) == {("runs",): 3 * M}
    assert values(Question("collector_age", (), reason="any"), at, **told) == {(): 3 * M}


def test_what_is_not_offered_has_no_age_and_no_interval() -> None:
    told = {"outages": (outage(start=NOON, end=None, collectors=("waitpoints",), reason=Blind.UNSUPPORTED),)}
    names = {(name,) for name in _NAMES if name != "waitpoints"}
    assert values(Question("collector_age", ("collector",)), NOON + DAY, **told).keys() == names
    assert values(Question("collector_interval", ("collector",)), NOON + DAY, **told) == dict.fromkeys(names, M)


def test_a_source_that_never_answered_is_as_old_as_the_story() -> None:
    assert values(Question("collector_age"), NOON + M, outages=(outage(start=NOON - DAY),)) == {(): 2 * M}


@pytest.mark.parametrize("row", SIGNALS.values(), ids=lambda row: row.name)
def test_an_outage_blinds_what_it_concerns_and_nothing_else(row: object) -> None:
    question = Question(row.name, window=10 * M if row.windowed else None, statuses=("FAILED",), quantile=0.5)
    for collector in _NAMES:
        told = {"outages": (outage(collectors=(collector,), reason=Blind.AUTH),)}
        during = ask(question, NOON + 10 * M, **told)
        if collector == row.source:
            assert during == Unknown(Blind.AUTH)
        else:
            assert isinstance(during, Readings)
        assert isinstance(ask(question, NOON + 70 * M, **told), Readings)


def test_a_window_is_blind_as_the_look_is_and_not_as_its_end() -> None:
    told = {"outages": (outage(),)}
    assert isinstance(ask(finished(), NOON + 9 * M + 30 * S, look=NOON + 10 * M, **told), Unknown)
    assert isinstance(ask(finished(), NOON + 69 * M + 30 * S, look=NOON + 70 * M, **told), Readings)


def test_a_window_that_begins_before_anything_is_known_is_unfilled() -> None:
    assert ask(finished(), NOON + 9 * M, known_since=NOON).reason is Blind.UNFILLED
    assert values(finished(), NOON + 10 * M, known_since=NOON) == {}
    assert ask(finished(ago=10 * M), NOON + 19 * M, known_since=NOON).reason is Blind.UNFILLED


def test_what_a_story_does_not_tell_is_unknown() -> None:
    answer = ask(Question("queue_depth"), NOON, untold=(("queue_depth", "queues were not recorded"),))
    assert answer == Unknown(Blind.NOT_RECORDED, "queues were not recorded")
    stuck = Question("runs_open_older", statuses=("DEQUEUED", "QUEUED"))
    assert ask(stuck, NOON, untold_statuses=("DEQUEUED",)).text == "nothing tells when a run was DEQUEUED"
    assert StorySignals(Story(start=NOON)).read(stuck, "prod", NOON).reason is Blind.STARTING
