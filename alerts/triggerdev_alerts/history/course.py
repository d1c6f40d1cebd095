"""The course of things: the engine driven over a span on a virtual clock, and what came of it.

The same steps as in the daemon, at the instants at which the engine says that something is due. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from triggerdev_alerts.alert import Alert, Transition
from triggerdev_alerts.book import Book
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.rules.model import Route, RuleSet

EVALUATIONS = "rule_evaluations_total"


class Step(Protocol):
    @property
    def transitions(self) -> tuple[Transition, ...]: ...

    @property
    def notifications(self) -> tuple[Notification, ...]: ...


class Steps(Protocol):
    """What is driven: `engine.Engine`, or a stand-in."""

    async def step(self, now: Instant, *, steady: float | None = None) -> Step: ...

    def next_due(self, now: Instant) -> Instant: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stood after everything that was due by an instant."""

    alerts: tuple[Alert, ...]
    outcomes: Mapping[str, Mapping[str, int]]
    """Alert name → outcome → how many evaluations so far."""
    errors: Mapping[str, str]
    """Alert name → what is wrong with the rule."""


@dataclass(frozen=True, slots=True)
class Course:
    """Everything that happened, in the order in which it did."""

    start: Instant
    end: Instant
    transitions: tuple[Transition, ...] = ()
    notifications: tuple[Notification, ...] = ()
    snapshots: Mapping[Instant, Snapshot] = field(default_factory=dict)
    outcomes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of the whole span, as in `Snapshot`."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """At the end."""


async def take(
    engine: Steps,
    book: Book,
    *,
    start: Instant,
    end: Instant,
    stops: Iterable[Instant] = (),
    before: Callable[[Instant], None] = lambda now: None,
) -> Course:
    """Drive `engine` from `start` to `end`, both included. `stops` are the instants of the snapshots.

    `before` is called with the instant of each step, before it: collectors look then.
    """
    steps: list[Step] = []
    snapshots: dict[Instant, Snapshot] = {}
    waiting = sorted(set(stops))
    now = start
    while now <= end:
        before(now)
        steps.append(await engine.step(now))
        due = max(engine.next_due(now), now + 1)
        while waiting and waiting[0] < due:
            snapshots[waiting.pop(0)] = _snapshot(book)
        now = due
    return _course(steps, book, start, end, snapshots)


async def take_at(
    engine: Steps,
    book: Book,
    instants: Sequence[tuple[Instant, float | None]],
    *,
    before: Callable[[Instant], None] = lambda now: None,
) -> Course:
    """Drive `engine` at exactly these instants (wall time, steady time), whatever it says that is due."""
    steps: list[Step] = []
    for now, steady in instants:
        before(now)
        steps.append(await engine.step(now, steady=steady))
    start, end = (instants[0][0], instants[-1][0]) if instants else (0, 0)
    return _course(steps, book, start, end, {})


def _course(
    steps: Sequence[Step], book: Book, start: Instant, end: Instant, snapshots: Mapping[Instant, Snapshot]
) -> Course:
    last = _snapshot(book)
    return Course(
        start,
        end,
        tuple(transition for step in steps for transition in step.transitions),
        tuple(notification for step in steps for notification in step.notifications),
        snapshots,
        last.outcomes,
        last.errors,
    )


def _snapshot(book: Book) -> Snapshot:
    outcomes: dict[str, dict[str, int]] = {}
    for (family, labels), number in book.counts.items():
        if family == EVALUATIONS:
            _, alertname, outcome = labels
            mine = outcomes.setdefault(alertname, {})
            mine[outcome] = mine.get(outcome, 0) + number
    errors = {rule_id.rpartition("/")[2]: entry.error for rule_id, entry in book.rules.items() if entry.error}
    return Snapshot(tuple(book.alerts.values()), outcomes, errors)


def on_time_axis(ruleset: RuleSet, *, named: Iterable[str] = ()) -> RuleSet:
    """`ruleset` as stories and replays want it: evaluated at whole multiples of the interval, as if it ran for long.

    Shipped rules, and rules that are off, take part only if they are `named`.
    """
    wanted = set(named)
    groups = tuple(
        replace(
            group,
            exact=True,
            rules=tuple(
                replace(rule, enabled=True)
                for rule in group.rules
                if rule.name in wanted or (rule.enabled and not rule.shipped)
            ),
        )
        for group in ruleset.groups
    )
    routes = None if ruleset.routes is None else _each_by_itself(ruleset.routes)
    return replace(ruleset, groups=tuple(group for group in groups if group.rules), routes=routes)


def _each_by_itself(route: Route) -> Route:
    return replace(route, startup_summarize=False, children=tuple(_each_by_itself(child) for child in route.children))
