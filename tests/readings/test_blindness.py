"""Why nothing can be said: one story a reason. What is about being blind always speaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from readings_stage import needs_for
from story import KEY, Daemon, Story, tell
from triggerdev_alerts.signals import ENDINGS, SIGNALS, Answer, Blind, Question, Readings, Unknown
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Gap, Kind
from triggerdev_exporter.readings.signals import LedgerSignals

FINISHED = Question("runs_finished", ("task",), window=15 * MINUTE, statuses=ENDINGS)
TRIGGERED = Question("runs_triggered", ("task",), window=15 * MINUTE)
ONE_OF_EACH = {
    name: FINISHED if name == "runs_finished" else Question(name, window=15 * MINUTE if row.windowed else None)
    for name, row in SIGNALS.items()
}
ABOUT_BLINDNESS = {name for name, row in SIGNALS.items() if not row.source}


def read(daemon: Daemon, question: Question, *, ago: int = 30 * SECOND) -> Answer:
    at = daemon.clock.now() - (0 if question.window is None else ago)
    return LedgerSignals(daemon.targets).read(question, "prod", at)


def reasons(daemon: Daemon) -> dict[str, Blind | None]:
    """By signal: why it is unknown, ``None`` where it is not."""
    answers = {name: read(daemon, question) for name, question in ONE_OF_EACH.items()}
    return {name: answer.reason if isinstance(answer, Unknown) else None for name, answer in answers.items()}


def of_sources(found: dict[str, Blind | None]) -> dict[str, set[Blind | None]]:
    """By collector: the reasons that its signals give."""
    told: dict[str, set[Blind | None]] = {}
    for name, reason in found.items():
        told.setdefault(SIGNALS[name].source, set()).add(reason)
    return told


async def test_before_anything_was_read(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop") as story, story.daemon() as daemon:
        daemon.target.keep(needs_for(ONE_OF_EACH.values()))
        told = of_sources(reasons(daemon))
        assert told.pop("") == {None}
        assert set(told) == {"runs", "queues", "batches", "schedules", "deployments", "waitpoints"}
        assert all(found == {Blind.STARTING} for found in told.values())
        assert read(daemon, Question("clock_skew")) == Readings({})
        assert read(daemon, Question("collector_age", ("collector",))) == Readings(
            {(name,): 0.0 for name in daemon.target.states}
        )
        await daemon.poll()
        healthy = of_sources(reasons(daemon))
        # Batches are not found by a look-back.
        assert healthy.pop("batches") == {None, Blind.UNFILLED}
        assert all(found == {None} for found in healthy.values())
        assert read(daemon, Question("clock_skew")) == Readings({(): 0.0})
        assert LedgerSignals(daemon.targets).read(FINISHED, "elsewhere", story.clock.now()) == Unknown(
            Blind.STARTING, "there is no target elsewhere"
        )


BREAKS: dict[str, tuple[Callable[[Story], object], dict[str, Blind]]] = {
    "the view is down": (
        lambda story: setattr(story.faults, "view_status", 500),
        {"runs": Blind.FAILING, "batches": Blind.FAILING},
    ),
    "the view is silently empty": (
        lambda story: setattr(story.faults, "view_empty", True),
        {"runs": Blind.VANISHED, "batches": Blind.VANISHED},
    ),
    "everything is down": (
        lambda story: setattr(story.faults, "api_down", "503"),
        dict.fromkeys(("runs", "queues", "batches", "schedules", "deployments", "waitpoints"), Blind.FAILING),
    ),
    "the key is revoked": (
        lambda story: story.faults.revoked.add(KEY),
        dict.fromkeys(("runs", "queues", "batches", "schedules", "deployments", "waitpoints"), Blind.AUTH),
    ),
    "tokens may not be read": (lambda story: story.faults.on("tokens", deny=403), {"waitpoints": Blind.UNSUPPORTED}),
    "schedules are refused": (lambda story: story.faults.on("schedules", deny=401), {"schedules": Blind.UNSUPPORTED}),
    "an answer breaks off": (lambda story: story.faults.on("queues", cut="json"), {"queues": Blind.FAILING}),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_who_cannot_look_says_why(tmp_path: Path, name: str) -> None:
    breaks, expected = BREAKS[name]
    async with tell(tmp_path, "shop", history_s=600) as story, story.daemon() as daemon:
        daemon.target.keep(needs_for(ONE_OF_EACH.values()))
        await daemon.poll()
        await story.let(daemon, 20 * 60, step=60)
        assert set(reasons(daemon).values()) == {None}
        breaks(story)
        failed_at = daemon.clock.now()
        story.clock.advance(30)
        await daemon.poll()
        told = of_sources(reasons(daemon))
        assert told == {source: {expected.get(source)} for source in told}
        ages = read(daemon, Question("collector_age", ("collector",)))
        assert isinstance(ages, Readings)
        for collector, reason in expected.items():
            if reason is Blind.UNSUPPORTED:
                assert (collector,) not in ages.values
            elif daemon.target.states[collector].up is False:
                assert ages.values[collector,] >= daemon.clock.now() - failed_at
            else:
                assert collector == "batches", "there is none to ask for"
        refused = read(daemon, Question("collector_age", ("collector",), reason="auth"))
        assert isinstance(refused, Readings)
        assert bool(refused.values) == (Blind.AUTH in expected.values())
        story.faults.clear()
        story.clock.advance(HOUR / SECOND + 10)
        await daemon.poll()
        assert set(reasons(daemon).values()) == {None}


async def test_old_news_are_none(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=600) as story, story.daemon() as daemon:
        daemon.target.keep(needs_for(ONE_OF_EACH.values()))
        await daemon.poll()
        story.clock.advance(90)
        assert of_sources(reasons(daemon))["queues"] == {None}
        story.clock.advance(0.001)
        told = of_sources(reasons(daemon))
        assert told["queues"] == told["runs"] == told["batches"] == {Blind.FAILING}
        assert told["deployments"] == {None}, "asked every five minutes"
        assert told[""] == {None}
        age = read(daemon, Question("collector_age", ("collector",)))
        assert isinstance(age, Readings)
        assert age.values["queues",] == 90_001


async def test_a_restart_knows_nothing_before_its_first_look(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=600) as story:
        async with story.daemon() as daemon:
            daemon.target.keep(needs_for([FINISHED]))
            await daemon.poll()
        async with story.daemon() as daemon:
            daemon.target.keep(needs_for([FINISHED]))
            assert of_sources(reasons(daemon))["runs"] == {Blind.STARTING}
            await daemon.poll()
            assert isinstance(read(daemon, FINISHED), Readings)


async def test_a_question_that_comes_later_waits_until_its_window_is_full(tmp_path: Path) -> None:
    longer = Question("runs_finished", ("task",), window=HOUR, statuses=ENDINGS)
    by_version = Question("runs_finished", ("version",), window=15 * MINUTE, statuses=ENDINGS)
    async with tell(tmp_path, "shop", history_s=4000) as story, story.daemon(lookback=30 * MINUTE) as daemon:
        daemon.target.keep(needs_for([FINISHED]))
        await daemon.poll()
        assert isinstance(read(daemon, FINISHED), Readings), "the look-back fills it"
        assert reason_of(daemon, longer) is Blind.UNFILLED, "and reaches no further"
        assert reason_of(daemon, by_version) is Blind.UNFILLED
        daemon.target.keep(needs_for([FINISHED, longer, by_version]))
        await story.let(daemon, 14 * 60, step=30)
        assert reason_of(daemon, by_version) is Blind.UNFILLED
        await story.let(daemon, 2 * 60, step=30)
        assert isinstance(read(daemon, by_version), Readings)
        assert reason_of(daemon, longer) is Blind.UNFILLED
        await story.let(daemon, 15 * 60, step=30)
        assert isinstance(read(daemon, longer), Readings), "look-back and what came since"
        daemon.target.keep(needs_for([FINISHED]))
        await story.let(daemon, 60, step=30)
        assert reason_of(daemon, by_version) is Blind.UNFILLED, "nobody asks for it any more"


def reason_of(daemon: Daemon, question: Question) -> Blind | None:
    answer = read(daemon, question)
    return answer.reason if isinstance(answer, Unknown) else None


@pytest.mark.parametrize(
    ("begin", "end", "read_to", "finished", "triggered"),
    [
        (5, 3, 0, Blind.CATCHING_UP, Blind.CATCHING_UP),
        (50, 40, 0, Blind.CATCHING_UP, None),
        (5, 0, 0, Blind.CATCHING_UP, Blind.CATCHING_UP),
        (0.2, 0, 0, None, None),
        (5, 0, 0.4, None, None),
        (5, 0, 2, Blind.CATCHING_UP, Blind.CATCHING_UP),
        (50, 0, 0, Blind.CATCHING_UP, Blind.CATCHING_UP),
    ],
    ids=[
        "within the window",
        "before it: a run may end long after it was created",
        "up to now",
        "behind the window",
        "what is only read once more",
        "read before up to the middle of the window",
        "all of it",
    ],
)
async def test_time_that_is_not_read_yet(
    tmp_path: Path, begin: float, end: float, read_to: float, finished: Blind | None, triggered: Blind | None
) -> None:
    async with tell(tmp_path, "shop", history_s=600) as story, story.daemon() as daemon:
        daemon.target.keep(needs_for([FINISHED, TRIGGERED]))
        await daemon.poll()
        now = story.clock.now()
        gap = Gap(
            start=now - round(begin * MINUTE),
            end=now - round(end * MINUTE),
            since=now,
            read_to=now - round(read_to * MINUTE) if read_to else 0,
        )

        def open_it(draft: Draft) -> None:
            coverage = draft.get(Kind.COVERAGE, "", Coverage)
            assert coverage is not None
            draft.put(Kind.COVERAGE, "", msgspec.structs.replace(coverage, gaps=(gap,)))

        assert daemon.target.journal is not None
        await daemon.target.journal.write(open_it)
        assert reason_of(daemon, FINISHED) is finished
        assert reason_of(daemon, TRIGGERED) is triggered


async def test_runs_whose_queue_nobody_tells(tmp_path: Path) -> None:
    by_queue = Question("runs_finished", ("queue",), window=15 * MINUTE, statuses=ENDINGS)
    async with tell(tmp_path) as story, story.daemon() as daemon:
        daemon.target.keep(needs_for([by_queue, FINISHED]))
        story.faults.on("query", deny=403)
        story.world.add_queue("emails")
        await daemon.poll()
        await story.let(daemon, 60, step=30)
        story.world.add_run(task="own", status="COMPLETED")
        await story.let(daemon, 60, step=30)
        assert read(daemon, by_queue) == Readings({("task/own",): 1.0}), "its own queue, as far as anybody knows"
        story.world.add_run(task="mail", queue="emails", status="COMPLETED")
        await story.let(daemon, 60, step=30)
        assert reason_of(daemon, by_queue) is Blind.NOT_ENRICHED
        assert read(daemon, FINISHED) == Readings({("own",): 1.0, ("mail",): 1.0})
