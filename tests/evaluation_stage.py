"""One rule in one target on a virtual clock: outcomes go in, transitions come out. For the tests of evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from triggerdev_alerts.alert import Alert, Labels, Outcome, Reason, Transition
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import REQUIRED, Condition
from triggerdev_alerts.evaluation.advance import Advanced, advance
from triggerdev_alerts.evaluation.judge import Judged
from triggerdev_alerts.evaluation.labels import labels_of_series
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Instant
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Answer, Blind, Key, Question, Readings, Unknown

NOON: Instant = 1_700_000_000_000 - 1_700_000_000_000 % (24 * HOUR) + 12 * HOUR
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR}

LETTERS = {
    "T": Outcome.TRUE,
    "F": Outcome.FALSE,
    "C": Outcome.CLEARING,
    "I": Outcome.INSUFFICIENT,
    "N": Outcome.NO_DATA,
    "E": Outcome.ERROR,
}


SHORT = {Reason.ENTITY_GONE: "gone", Reason.INSUFFICIENT_SAMPLE: "few"}


def millis(text: str) -> int:
    """``90s``, ``2m``, ``1h`` → milliseconds."""
    return int(text[:-1]) * UNITS[text[-1]]


def condition(type_: str, by: tuple[str, ...] | None = None, **values: Any) -> Condition:
    """A complete condition: the defaults of its row, and what is given."""
    row = CONDITIONS[type_]
    defaults = {key.name: key.default for key in row.keys if key.default is not REQUIRED}
    more = {name: values.pop(name) for name in ("where", "targets") if name in values}
    assert values.keys() <= {key.name for key in row.keys}
    return Condition(type_, row.by if by is None else by, values=defaults | values, **more)


def depth_rule(**more: Any) -> Rule:
    """A queue with more than 10 waiting runs, for two minutes."""
    settings: dict[str, Any] = {"for_": 2 * MINUTE, "hold_insufficient_for": 5 * MINUTE} | more
    when = settings.pop("when", None) or condition("queue_depth", above=10)
    return Rule(name="Backlog", group="queues", when=when, **settings)


def judged(outcome: Outcome, value: float = 20.0) -> Judged:
    return Judged(outcome, value, 10.0, None, "")


BLIND = Unknown(Blind.FAILING, "503")


def _shown(transition: Transition) -> str:
    if transition.reason in (Reason.CONDITION_MET, Reason.CONDITION_CLEARED):
        return transition.change.value
    return f"{transition.change}:{SHORT.get(transition.reason, transition.reason)}"


@dataclass
class Stage:
    """`tell` evaluates once; `alerts` are what is remembered."""

    rule: Rule
    interval: int = MINUTE
    target: str = "prod"
    owners: tuple[tuple[str, str], ...] = ()
    now: Instant = NOON
    alerts: dict[str, Alert] = field(default_factory=dict)
    seen: tuple[Key, ...] = ()
    started: bool = False
    log: list[Transition] = field(default_factory=list)

    def labels_of(self, key: Key) -> Labels:
        return labels_of_series(self.rule, self.target, self.owners)(key)

    def evaluate(self, found: dict[Key, Judged] | Unknown, after: int | None = None) -> Advanced:
        elapsed = (self.interval if after is None else after) if self.started else 0
        self.started = True
        self.now += elapsed
        advanced = advance(
            self.rule,
            found,
            self.alerts,
            target=self.target,
            labels_of=self.labels_of,
            now=self.now,
            interval=self.interval,
            elapsed=elapsed,
            seen=self.seen,
        )
        for name, alert in advanced.alerts.items():
            assert alert is None or alert != self.alerts.get(name), "only what changes is told"
            if alert is None:
                del self.alerts[name]
            else:
                self.alerts[name] = alert
        if not isinstance(found, Unknown):
            self.seen = tuple(found)
        self.log += advanced.transitions
        return advanced

    def tell(self, outcome: Outcome, after: int | None = None, key: Key = ("emails",)) -> Advanced:
        """One series with that outcome: without data it is not in the readings, with an error there are none."""
        if outcome is Outcome.ERROR:
            return self.evaluate(BLIND, after)
        return self.evaluate({} if outcome is Outcome.NO_DATA else {key: judged(outcome)}, after)

    def play(self, text: str) -> list[str]:
        """``T F+90s E``: letters of outcomes, each an interval (or what follows the plus) after the one before.

        Answers what changed at each, like ``firing`` or ``resolved:gone``; ``.`` where nothing did. A reason
        is left out where it is the condition.
        """
        told: list[str] = []
        for word in text.split():
            letter, _, after = word.partition("+")
            advanced = self.tell(LETTERS[letter], millis(after) if after else None)
            told.append(self.shown(advanced))
        return told

    @staticmethod
    def shown(advanced: Advanced) -> str:
        """What changed, in words."""
        return "+".join(_shown(each) for each in advanced.transitions) or "."

    @property
    def state(self) -> str:
        return next((alert.state.value for alert in self.alerts.values()), "-")

    @property
    def alert(self) -> Alert:
        (only,) = self.alerts.values()
        return only


class Told:
    """Signals that answer what a test tells them, by target and signal; an empty answer to everything else."""

    def __init__(self, **answers: dict[str, Answer | dict[Key, float]]) -> None:
        self.answers = answers
        self.asked: list[tuple[Question, str, Instant]] = []
        self.broken: set[str] = set()

    def targets(self) -> tuple[str, ...]:
        return tuple(self.answers)

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        self.asked.append((question, target, at))
        if target in self.broken:
            raise ZeroDivisionError
        answer = self.answers.get(target, {}).get(question.signal, {})
        return Readings(answer) if isinstance(answer, dict) else answer
