"""Thresholds out of a story: for each task and queue one that its usual days leave alone, and what it would have sent.

A threshold is a step of a ladder of round numbers above what was usual. Tasks with the same step share a rule. How that
is printed is `suggest_report.py`'s.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from triggerdev_alerts.documents.units import format_duration, format_money, format_percent
from triggerdev_alerts.history import habits
from triggerdev_alerts.history.habits import Habit, Span
from triggerdev_alerts.history.replay import Replayed, replay_story
from triggerdev_alerts.history.run_signals import percentile
from triggerdev_alerts.history.story import Story, TargetStory
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.rules.model import Route, RuleSet
from triggerdev_alerts.signals import Unit

USUAL, USUAL_RATE = 0.99, 0.95
"""The usual is that percentile of what was measured. Of rates a lower one: two bad hours in a week are no habit."""
SHIPPED_RATE, SHIPPED_WINDOW = 0.2, 15 * MINUTE
"""What `TaskFailureRateHigh` fires on as it is shipped; a test compares."""
COARSE = 30 * MINUTE
"""How often rules with windows above an hour are evaluated: they change slowly, and cost the most."""

_RATES = tuple(step / 100 for step in (5, 10, 15, 20, 25, 30))
_TIMES = (
    *(step * SECOND for step in (10, 20, 30)),
    *(step * MINUTE for step in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(step * HOUR for step in (1, 2, 3, 4, 6, 8, 12, 18, 26, 36, 50)),
    *(step * DAY for step in (3, 4, 7)),
)
_COUNTS = tuple(step * 10**power for power in range(1, 6) for step in (1, 2, 5))
_MONEY = tuple(step * 10**power for power in range(5) for step in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Kind:
    """A row: from which numbers which rule is made."""

    condition: str
    alert: str
    """The name of the rule, without its threshold."""
    key: str
    """The key of the condition that the threshold is."""
    subject: str
    """What it is narrowed by; empty for the whole target."""
    unit: Unit
    what: str
    """What the numbers are, in words; ``{window}`` is filled in."""
    signal: str
    """If the story does not tell it, nothing is suggested."""
    read: Callable[[TargetStory, Span], Iterable[Habit]]
    steps: tuple[float, ...]
    room: Callable[[Habit], float]
    """The least threshold that leaves room above what was usual."""
    keys: tuple[tuple[str, str], ...] = ()
    """Further keys of the condition, as written."""
    runbook: str = ""
    quantile: float = USUAL


def usual(habit: Habit, quantile: float = USUAL) -> float:
    return percentile(habit.values, quantile)


def _room_above_rate(habit: Habit) -> float:
    """Two points more, or half as much again up to five."""
    rate = usual(habit, USUAL_RATE)
    return rate + max(0.02, min(0.05, rate / 2))


KINDS: tuple[Kind, ...] = (
    Kind(
        "failure_rate",
        "TaskFailureRateAbove",
        "above",
        "task",
        Unit.FRACTION,
        "failure rate of {window}",
        "runs_finished",
        habits.failure_rates,
        _RATES,
        _room_above_rate,
        (("min_sample", str(habits.MIN_SAMPLE)),),
        "TaskFailureRateHigh",
        USUAL_RATE,
    ),
    Kind(
        "duration",
        "TaskDurationAbove",
        "above",
        "task",
        Unit.MILLIS,
        "p95 of durations in {window}",
        "run_duration",
        habits.durations,
        _TIMES,
        lambda habit: 1.5 * usual(habit),
        (("quantile", "p95"), ("min_sample", str(habits.MIN_SAMPLE))),
    ),
    Kind(
        "wait",
        "TaskWaitAbove",
        "above",
        "task",
        Unit.MILLIS,
        "p95 of waits in {window}",
        "run_wait",
        habits.waits,
        _TIMES,
        lambda habit: max(1.5 * usual(habit), 30.0 * SECOND),
        (("quantile", "p95"), ("min_sample", str(habits.MIN_SAMPLE))),
    ),
    Kind(
        "no_success",
        "TaskNoSuccessFor",
        "older_than",
        "task",
        Unit.MILLIS,
        "time between successes",
        "last_success_age",
        habits.gaps,
        _TIMES,
        # By the longest: a task that rests at night has few long gaps among many short ones.
        lambda habit: max(1.25 * max(habit.values), 15.0 * MINUTE),
        runbook="TaskNoSuccess",
    ),
    Kind(
        "queue_depth",
        "QueueBacklogAbove",
        "above",
        "queue",
        Unit.COUNT,
        "depth",
        "queue_depth",
        habits.depths,
        _COUNTS,
        lambda habit: 2 * usual(habit),
        runbook="QueueBacklog",
    ),
    Kind(
        "cost",
        "SpendAbove",
        "above",
        "",
        Unit.USD,
        "cost of {window}",
        "run_cost",
        habits.costs,
        _MONEY,
        lambda habit: 1.5 * max(habit.values),
        runbook="SpendHigh",
    ),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one task, queue or target usually does, and the threshold for it."""

    kind: Kind
    target: str
    habit: Habit
    threshold: float | None
    """``None``: it is never well, so that no threshold fits."""

    @property
    def usual(self) -> float:
        return usual(self.habit, self.kind.quantile)

    @property
    def worst(self) -> float:
        return max(self.habit.values)


@dataclass(frozen=True, slots=True)
class Suggested:
    """One rule, and whom it is for."""

    name: str
    kind: Kind
    window: int
    threshold: float
    findings: tuple[Finding, ...]
    target: str = ""
    """Empty: every target."""
    is_base: bool = False
    """Holds for all tasks, in place of the shipped rule."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many messages a rule would have sent, by whom it is for."""

    rule: Suggested
    messages: dict[tuple[str, str], int]
    """(target, subject) → number; one that is missing sent none."""

    def about(self, finding: Finding) -> int:
        return self.messages.get((finding.target, finding.habit.subject), 0)

    @property
    def total(self) -> int:
        return sum(self.messages.values())


def findings(story: Story, span: Span) -> list[Finding]:
    """Everything that can be said, in the order of the rows."""
    return [
        Finding(kind, target.name, habit, _step(kind, habit))
        for kind in KINDS
        for target in story.targets
        if kind.signal not in dict(target.untold)
        for habit in kind.read(target, span)
        # A name that nobody can see cannot be written into a file either.
        if habit.subject.isprintable()
    ]


def chosen(found: Sequence[Finding], only: Collection[str], without: Collection[str]) -> list[Finding]:
    """Those about tasks that a glob of `only` fits, if there is any, and none of `without`; own queues go with them.

    What is about no task at all is left where only some tasks are asked for.
    """

    def is_wanted(finding: Finding) -> bool:
        subject = finding.habit.subject
        task = subject.removeprefix("task/") if finding.kind.subject == "queue" else subject
        is_task = finding.kind.subject == "task" or task != subject
        if not is_task:
            return not only
        return (not only or _fits(only, task)) and not _fits(without, task)

    return [finding for finding in found if is_wanted(finding)]


def _fits(globs: Collection[str], task: str) -> bool:
    return any(fnmatchcase(task, glob) for glob in globs)


def _step(kind: Kind, habit: Habit) -> float | None:
    return next((step for step in kind.steps if step >= kind.room(habit)), None)


def suggested(found: Sequence[Finding]) -> list[Suggested]:
    """The rules that follow. Failure rates as high as the shipped rule's are left to it, or to a higher one for all."""
    one_target = len({finding.target for finding in found}) < 2
    grouped: dict[tuple[str, int, float, str], list[Finding]] = defaultdict(list)
    for finding in found:
        if finding.threshold is not None:
            target = "" if one_target else finding.target
            grouped[finding.kind.alert, finding.habit.window, finding.threshold, target].append(finding)
    base = max((threshold for (_, _, threshold, _), these in grouped.items() if _is_judged(these[0])), default=0.0)
    rules = [
        Suggested(_name(these[0], target), these[0].kind, window, threshold, tuple(these), target)
        for (_, window, threshold, target), these in sorted(grouped.items(), key=lambda one: _order(one[1][0]))
        if not (_is_judged(these[0]) and threshold >= max(base, SHIPPED_RATE))
    ]
    if base > SHIPPED_RATE:
        loosest = [one for one in found if _is_judged(one) and one.threshold == base]
        rules.insert(0, Suggested("TaskFailureRateHigh", KINDS[0], SHIPPED_WINDOW, base, tuple(loosest), is_base=True))
    return _told_apart(rules)


def _told_apart(rules: Iterable[Suggested]) -> list[Suggested]:
    """No two rules share a name, also where the names of two targets differ in signs only."""
    taken: dict[str, int] = defaultdict(int)
    named = []
    for rule in rules:
        taken[rule.name] += 1
        number = taken[rule.name]
        named.append(rule if number == 1 else replace(rule, name=f"{rule.name}_{number}"))
    return named


def _order(finding: Finding) -> tuple[int, int, float, str]:
    return KINDS.index(finding.kind), finding.habit.window, finding.threshold or 0, finding.target


def _is_judged(finding: Finding) -> bool:
    """Whether the shipped rule judges it too: by failures, in its window."""
    return finding.kind is KINDS[0] and finding.habit.window == SHIPPED_WINDOW and finding.threshold is not None


def left_alone(found: Sequence[Finding], rules: Sequence[Suggested]) -> list[Finding]:
    """Those that have a threshold and no rule here: the shipped one fits them."""
    covered = {id(finding) for rule in rules for finding in rule.findings}
    return [finding for finding in found if finding.threshold is not None and id(finding) not in covered]


def _name(finding: Finding, target: str) -> str:
    amount = re.sub(r"\W", "", written(finding.kind.unit, finding.threshold or 0).replace("%", "Percent"))
    window = finding.habit.window
    within = f"In{format_duration(window)}" if finding.kind.subject and window not in (0, SHIPPED_WINDOW) else ""
    return f"{finding.kind.alert}{amount}{within}" + (f"_{re.sub(r'[^a-zA-Z0-9]', '_', target)}" if target else "")


def written(unit: Unit, number: float) -> str:
    """The number as rules write it."""
    match unit:
        case Unit.FRACTION:
            return format_percent(number)
        case Unit.MILLIS:
            return format_duration(round(number))
        case Unit.USD:
            return format_money(number)
    return str(round(number))


async def counted(
    rules: Sequence[Suggested], ruleset: RuleSet, story: Story, span: Span, *, every: int
) -> list[Counted]:
    """How many messages `rules` would have sent; `ruleset` is what they are when they are read."""
    long = {rule.name for rule in rules if rule.window > HOUR}
    # Apart, since the longest window of a replay decides how much each of its steps looks through.
    replays = [
        await replay_story(_only(ruleset, names, interval), story, start=span.start, end=span.end)
        for names, interval in (({rule.name for rule in rules} - long, every), (long, max(every, COARSE)))
        if names
    ]
    return [Counted(rule, _messages(rule, replays)) for rule in rules]


def _only(ruleset: RuleSet, names: set[str], interval: int) -> RuleSet:
    """Those rules alone, each alert a message of its own to somebody."""
    groups = (
        replace(group, interval=interval, rules=tuple(rule for rule in group.rules if rule.name in names))
        for group in ruleset.groups
    )
    route = Route(receiver="you", path="0", group_by=("alertname", "target", "task", "queue"))
    return replace(ruleset, groups=tuple(groups), routes=route, inhibitions=())


def _messages(rule: Suggested, replays: Iterable[Replayed]) -> dict[tuple[str, str], int]:
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    for place in _places(rule, replays):
        numbers[place] += 1
    return dict(numbers)


def _places(rule: Suggested, replays: Iterable[Replayed]) -> Iterator[tuple[str, str]]:
    for replayed in replays:
        for message in replayed.messages_about(rule.name):
            yield from {(one.label("target"), one.label(rule.kind.subject)) for one in message.alerts}
