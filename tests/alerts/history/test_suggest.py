"""`rules suggest` from a story to text: the numbers are those that a rule would have read, and the file is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from triggerdev_alerts.history import habits, suggest
from triggerdev_alerts.history.habits import MIN_SAMPLE, QUANTILE, WINDOWS, Span
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, StoryRun, TargetStory
from triggerdev_alerts.history.suggest import Counted, chosen, counted, findings, left_alone, suggested
from triggerdev_alerts.history.suggest_report import as_json, as_yaml
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import FAILURES, SUCCESSES, Question, Readings, Where

GOLDEN = Path(__file__).parent / "golden"
START = 1_767_614_400_000
SPAN = Span(START, START + 36 * HOUR)


def steady(
    task: str, *, every: int, failing: int = 0, takes: int = SECOND, waits: int = 0, cost: float = 0.0
) -> Iterator[StoryRun]:
    """One run each `every`; each `failing`-th fails."""
    for number, at in enumerate(range(SPAN.start, SPAN.end, every)):
        failed = bool(failing) and number % failing == 0
        yield StoryRun(
            id=f"{task}-{number}",
            task=task,
            status="FAILED" if failed else "COMPLETED",
            created=at,
            started=at + waits,
            finished=at + waits + takes,
            queue=f"task/{task}",
            cost=cost,
        )


def storm(task: str, at: int, count: int) -> Iterator[StoryRun]:
    for number in range(count):
        yield StoryRun(id=f"{task}-storm-{number}", task=task, status="FAILED", created=at, started=at, finished=at)


def story_of(*runs: Iterable[StoryRun], **more: object) -> Story:
    told = tuple(run for each in runs for run in each)
    return Story(start=START, targets=(TargetStory(name="prod", runs=told, known_since=START, **more),))  # type: ignore[arg-type]


def read(text: str) -> LoadedRules:
    return read_rules((*shipped_rules(), RuleFile("suggested.yml", text)))


async def judged(story: Story) -> tuple[list[Counted], str]:
    """What would have been sent, and the file."""
    found = findings(story, SPAN)
    rules = suggested(found)
    numbers = await counted(rules, read(as_yaml(rules, about="", span=SPAN)).ruleset, story, SPAN, every=15 * MINUTE)
    hopeless = [one for one in found if one.threshold is None]
    text = as_yaml(
        rules,
        numbers,
        about="prod: many runs",
        span=SPAN,
        alone=left_alone(found, rules),
        hopeless=hopeless,
        caveats=("A caveat.",),
    )
    return numbers, text


MIXED = (
    tuple(steady("quiet", every=40 * SECOND, failing=50)),
    tuple(storm("quiet", START + 30 * HOUR, 40)),
    tuple(steady("noisy", every=40 * SECOND, failing=5, takes=4 * SECOND)),
    tuple(steady("broken", every=40 * SECOND, failing=2)),
    tuple(steady("rare", every=10 * MINUTE, takes=2 * MINUTE, waits=5 * SECOND, cost=0.01)),
    tuple(steady("nightly", every=DAY)),
)


@pytest.fixture(scope="module")
def mixed() -> tuple[list[Counted], str]:
    return asyncio.run(judged(story_of(*MIXED)))


def test_the_whole_file(mixed: tuple[list[Counted], str]) -> None:
    numbers, text = mixed
    assert text == (GOLDEN / "rules_suggest.yml").read_text("utf-8")
    assert read(text).warnings == ()
    (quiet,) = (one for one in numbers if one.rule.name == "TaskFailureRateAbove10Percent")
    assert quiet.messages == {("prod", "quiet"): 2}, "it fired once, and ended"


def test_the_same_for_machines(mixed: tuple[list[Counted], str]) -> None:
    told = json.loads(as_json(mixed[0], about="prod", span=SPAN))
    (quiet,) = (one for one in told["rules"] if one["alert"] == "TaskFailureRateAbove10Percent")
    (task,) = quiet.pop("for")
    assert quiet == {
        "alert": "TaskFailureRateAbove10Percent",
        "condition": "failure_rate",
        "window": 15 * MINUTE,
        "above": 0.1,
        "target": None,
        "messages": 2,
    }
    assert (task["task"], task["messages"], task["threshold"]) == ("quiet", 2, 0.1)
    assert (told["from"], told["to"]) == ("2026-01-05T12:00:00.000Z", "2026-01-07T00:00:00.000Z")


def test_what_is_usual_is_what_a_rule_would_have_read() -> None:
    random = Random(7)
    runs = []
    for number in range(1_500):
        created = START + random.randrange(DAY // 2)
        started = created + random.randrange(MINUTE)
        finished = started + random.randrange(5 * MINUTE)
        status = random.choices((*SUCCESSES, *FAILURES, "CANCELED"), (60, 20, 1, 1, 1, 5))[0]
        runs.append(
            StoryRun(id=str(number), task="a", status=status, created=created, started=started, finished=finished)
        )
    story, span = story_of(iter(runs)), Span(START, START + DAY // 2)
    signals = StorySignals(story)

    def ask(signal: str, window: int, at: int, **more: object) -> Readings:
        answer = signals.read(Question(signal, ("task",), Where(task=("a",)), window, **more), "prod", at)  # type: ignore[arg-type]
        assert isinstance(answer, Readings)
        return answer

    (rate,), (took,), (waited,) = (
        tuple(each(story.targets[0], span)) for each in (habits.failure_rates, habits.durations, habits.waits)
    )
    assert rate.window == took.window == WINDOWS[0]
    rates, times, waits = [], [], []
    for at in span.looks(rate.window):
        failed, fine = (
            ask("runs_finished", rate.window, at, statuses=which).values.get(("a",), 0.0)
            for which in (FAILURES, SUCCESSES)
        )
        if failed + fine >= MIN_SAMPLE:
            rates.append(failed / (failed + fine))
        for signal, numbers in (("run_duration", times), ("run_wait", waits)):
            answer = ask(signal, rate.window, at, quantile=QUANTILE)
            if answer.samples.get(("a",), 0) >= MIN_SAMPLE:
                numbers.append(answer.values["a",])
    assert (list(rate.values), list(took.values), list(waited.values)) == (rates, times, waits)


def test_the_shipped_threshold_is_the_one_that_is_compared_with() -> None:
    rules = {rule.name: rule for rule in read_rules(shipped_rules()).ruleset.rules}
    shipped = rules["TaskFailureRateHigh"].when.values
    assert (shipped["above"], shipped["window"], shipped["min_sample"]) == (
        suggest.SHIPPED_RATE,
        suggest.SHIPPED_WINDOW,
        MIN_SAMPLE,
    )
    assert {kind.runbook for kind in suggest.KINDS} - {""} <= rules.keys()


def test_a_task_that_is_always_above_it_raises_it_for_all() -> None:
    story = story_of(steady("a", every=20 * SECOND, failing=5), steady("b", every=20 * SECOND, failing=8))
    found = [one for one in findings(story, SPAN) if one.kind is suggest.KINDS[0]]
    base, own = suggested(found)
    assert (base.name, base.threshold, base.is_base) == ("TaskFailureRateHigh", 0.25, True)
    assert (own.name, own.threshold) == ("TaskFailureRateAbove20Percent", 0.2)
    text = as_yaml([base, own], about="", span=SPAN)
    rules = {rule.name: rule for rule in read(text).ruleset.rules}
    assert not rules["TaskFailureRateHigh"].shipped
    assert rules["TaskFailureRateHigh"].when.where.task == ()
    assert rules["TaskFailureRateAbove20Percent"].when.where.task == ("b",)


def test_a_task_that_the_shipped_rule_fits_gets_none_of_its_own() -> None:
    found = [
        one
        for one in findings(story_of(steady("a", every=20 * SECOND, failing=8)), SPAN)
        if one.kind is suggest.KINDS[0]
    ]
    assert [one.threshold for one in found] == [0.2]
    assert suggested(found) == []
    assert left_alone(found, []) == found


@pytest.mark.parametrize("every", [3 * HOUR, 30 * HOUR])
def test_of_few_runs_no_rate_is_usual(every: int) -> None:
    found = findings(story_of(steady("a", every=every, failing=2)), SPAN)
    assert {one.kind.condition for one in found} <= {"no_success"}


def test_queues_and_money_where_the_story_tells_them() -> None:
    sights = tuple(
        QueueSight(queue="task/a", at=at, depth=at // MINUTE % 30) for at in range(SPAN.start, SPAN.end, MINUTE)
    )
    story = story_of(steady("a", every=MINUTE, cost=0.01), queues=sights)
    rules = {rule.kind.condition: rule for rule in suggested(findings(story, SPAN))}
    assert (rules["queue_depth"].name, rules["queue_depth"].threshold) == ("QueueBacklogAbove50", 50)
    assert (rules["cost"].name, rules["cost"].threshold) == ("SpendAbove50USD", 50)
    silent = replace(story.targets[0], untold=(("queue_depth", "?"), ("run_cost", "?")))
    told = {one.kind.condition for one in findings(replace(story, targets=(silent,)), SPAN)}
    assert told & {"queue_depth", "cost"} == set()


def test_several_targets_are_told_apart() -> None:
    runs = tuple(steady("a", every=20 * SECOND))
    targets = tuple(TargetStory(name=name, runs=runs, known_since=START) for name in ("shop-prod", "shop_prod", "*"))
    story = Story(start=START, targets=targets)
    rules = suggested(findings(story, SPAN))
    assert len({rule.name for rule in rules}) == len(rules)
    loaded = read(as_yaml(rules, about="", span=SPAN))
    assert loaded.warnings == ()
    assert {rule.when.targets for rule in loaded.ruleset.rules if not rule.shipped} == {
        ("shop-prod",),
        ("shop_prod",),
        ("[*]",),
    }


@pytest.mark.parametrize("task", ['a"b', "a\\b", "[x]", "null", "- a", "#c", "a: b, c", "é {}", "*", "12", " ", "a]b"])
def test_whatever_a_task_is_called_the_file_can_be_read(task: str) -> None:
    runs = tuple(steady(task, every=20 * SECOND))
    text = as_yaml(suggested(findings(story_of(iter(runs)), SPAN)), about="", span=SPAN)
    (rate,) = (rule for rule in read(text).ruleset.rules if rule.name == "TaskFailureRateAbove5Percent")
    story = story_of(iter(runs[:1]))
    answer = StorySignals(story).read(Question("consecutive_failures", ("task",), rate.when.where), "prod", START + DAY)
    assert isinstance(answer, Readings)
    assert answer.values == {(task,): 0.0}


def test_what_nobody_can_see_is_left_out() -> None:
    assert findings(story_of(steady("a\nb", every=20 * SECOND)), SPAN) == []


@pytest.mark.parametrize(
    ("only", "without", "subjects"),
    [
        ((), (), {"mail", "mail-digest", "video", "task/mail", "crm", ""}),
        (("mail*",), (), {"mail", "mail-digest", "task/mail"}),
        ((), ("mail*",), {"video", "crm", ""}),
        (("mail*", "video"), ("mail",), {"mail-digest", "video"}),
        (("nothing",), (), set()),
    ],
)
def test_tasks_are_asked_for_or_left_out(only: tuple[str, ...], without: tuple[str, ...], subjects: set[str]) -> None:
    told = story_of(
        *(steady(task, every=10 * MINUTE, cost=0.01) for task in ("mail", "mail-digest", "video")),
        queues=tuple(
            QueueSight(queue=name, at=at, depth=50)
            for name in ("task/mail", "crm")
            for at in range(SPAN.start, SPAN.end, HOUR)
        ),
    )
    assert {one.habit.subject for one in chosen(findings(told, SPAN), only, without)} == subjects
