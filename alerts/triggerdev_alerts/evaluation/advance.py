"""From the outcomes of one rule in one target to what changes in its alerts. Pure; a single alert is `machine.py`'s.

Here is what concerns them together: which series belongs to which alert, which are gone, equal labels, the limit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Change, Labels, Outcome, Reason, State, Transition, fingerprint
from triggerdev_alerts.conditions.catalogue import CONDITIONS, Absent
from triggerdev_alerts.evaluation.judge import Judged
from triggerdev_alerts.evaluation.machine import Beat, Step, begin, ending, hold, move
from triggerdev_alerts.instants import DAY, Instant
from triggerdev_alerts.rules.model import OnNoData, Rule
from triggerdev_alerts.signals import Blind, Key, Unknown

ABSENT = {
    Absent.ZERO: Outcome.FALSE,
    Absent.INSUFFICIENT: Outcome.INSUFFICIENT,
    Absent.GONE: Outcome.NO_DATA,
}
"""What is said of a series that is not in the readings."""
MANY = 3
"""So many alerts do not lose what they are about in one moment, while nothing else is left either."""
BELIEVED_AFTER = DAY


class Advanced(NamedTuple):
    """What one evaluation changes."""

    alerts: dict[str, Alert | None]
    """By fingerprint, only those that change; ``None`` for one that ended."""
    transitions: tuple[Transition, ...]
    outcomes: Counter[Outcome]
    """One a series; of nothing read, one that says what that means."""
    problem: str
    """What is wrong with the rule, for whoever wrote it; empty when nothing is."""


def advance(
    rule: Rule,
    judged: Mapping[Key, Judged] | Unknown,
    alerts: Mapping[str, Alert],
    *,
    target: str,
    labels_of: Callable[[Key], Labels],
    now: Instant,
    interval: int,
    elapsed: int,
    seen: Collection[Key] = (),
) -> Advanced:
    """What `judged` does to `alerts`, those of this rule and target by fingerprint.

    `elapsed` is how long ago, in milliseconds, the rule was evaluated before; 0 for the first time. `seen` are the
    series of that evaluation: they matter only for a rule that fires when one of them is gone.
    """
    beat = Beat(now, interval, elapsed)
    if isinstance(judged, Unknown):
        return held(alerts, judged.reason.value, beat)
    outcomes = Counter([each.outcome for each in judged.values()])
    holding = [key for key, each in judged.items() if each.outcome is Outcome.TRUE] if Outcome.TRUE in outcomes else []
    if not judged and (problem := _vanished(rule, alerts, beat)):
        return held(alerts, Blind.VANISHED.value, beat, problem)
    if not (holding or alerts) and rule.on_no_data is not OnNoData.FIRING:
        return Advanced({}, (), outcomes or Counter({absent_outcome(rule): 1}), "")
    return _Evaluation(rule, judged, target, labels_of, beat, outcomes).run(alerts, holding, seen)


def absent_outcome(rule: Rule) -> Outcome:
    """What is said of a series of `rule` that is not in the readings."""
    return ABSENT[CONDITIONS[rule.when.type].absent]


def _vanished(rule: Rule, alerts: Mapping[str, Alert], beat: Beat) -> str:
    """Why the alerts do not end although nothing at all was read: an API that is broken looks like that.

    Who has really deleted everything is believed after a day.
    """
    if rule.on_no_data is not OnNoData.KEEP_STATE or absent_outcome(rule) is not Outcome.NO_DATA:
        return ""
    ending = [alert for alert in alerts.values() if alert.is_firing and alert.missing + 1 >= rule.missing_after]
    if len(ending) < MANY or all(0 < alert.stale_since <= beat.now - BELIEVED_AFTER for alert in ending):
        return ""
    return f"all that {len(ending)} alerts are about is gone at once, which is not believed; they are held"


def held(alerts: Mapping[str, Alert], why: str, beat: Beat, problem: str = "") -> Advanced:
    """Nothing is decided: all alerts stay, and say `why` (a `Blind`, or words)."""
    kept = {name: hold(alert, why, beat) for name, alert in alerts.items()}
    changed: dict[str, Alert | None] = {name: alert for name, alert in kept.items() if alert != alerts[name]}
    return Advanced(changed, (), Counter({Outcome.ERROR: max(1, len(alerts))}), problem)


class _Evaluation:
    """One evaluation at work. What it decides is collected here and nowhere else."""

    def __init__(
        self,
        rule: Rule,
        judged: Mapping[Key, Judged],
        target: str,
        labels_of: Callable[[Key], Labels],
        beat: Beat,
        outcomes: Counter[Outcome],
    ) -> None:
        self.rule = rule
        self.judged = judged
        self.target = target
        self.labels_of = labels_of
        self.beat = beat
        self.outcomes = outcomes
        self.changed: dict[str, Alert | None] = {}
        self.transitions: list[Transition] = []
        self.alive = 0

    def run(self, alerts: Mapping[str, Alert], holding: list[Key], seen: Collection[Key]) -> Advanced:
        series: dict[Key, Labels] = {}
        identity: dict[str, Labels | None] = {}
        for name, alert in alerts.items():
            identity[name] = labels = self._labels_now(alert)
            if labels is not None and alert.key in self.judged:
                series[alert.key] = labels
        for key in holding:
            if key not in series:
                series[key] = self.labels_of(key)
        by_labels: dict[Labels, Key] = {}
        for key, labels in series.items():
            other = by_labels.setdefault(labels, key)
            if other != key:
                problem = _twice(self.rule, other, key, labels)
                return held(alerts, problem, self.beat, problem)
        self._go_on(alerts, identity, by_labels)
        taken = {labels for labels in identity.values() if labels is not None}
        starting = [(key, series[key]) for key in holding if series[key] not in taken]
        starting += self._gone(seen, taken)
        problem = self._start(sorted(starting))
        if not self.outcomes:
            self.outcomes[absent_outcome(self.rule)] += 1
        return Advanced(self.changed, tuple(self.transitions), self.outcomes, problem)

    def _labels_now(self, alert: Alert) -> Labels | None:
        """The labels that the alert has by the rule as it is now; ``None`` if its series is none of the rule's."""
        by = self.rule.when.by
        if len(alert.key) != len(by):
            return None
        labels = self.labels_of(alert.key)
        if labels == alert.labels:
            return labels
        now, then = dict(labels), dict(alert.labels)
        return labels if all(now.get(name) == then.get(name) for name in by) else None

    def _go_on(
        self, alerts: Mapping[str, Alert], identity: Mapping[str, Labels | None], by_labels: Mapping[Labels, Key]
    ) -> None:
        """Every alert that there is, in a stable order."""
        for name, alert in sorted(alerts.items(), key=lambda item: (item[1].key, item[0])):
            labels = identity[name]
            if labels is None:
                # The rule now splits by something else. Nobody will ever evaluate this one again.
                self._take(alert, Step(alert, ending(alert), Reason.RULE_REMOVED))
                continue
            key = by_labels.get(labels, alert.key)
            judged = self.judged.get(key)
            if judged is None:
                outcome = absent_outcome(self.rule)
                self.outcomes[outcome] += 1
            else:
                outcome = judged.outcome
            step = move(self.rule, alert if key == alert.key else replace(alert, key=key), outcome, judged, self.beat)
            if labels == alert.labels or step.ended:
                self._take(alert, step)
            else:
                self._rename(alert, step, labels)

    def _take(self, before: Alert, step: Step) -> None:
        if step.ended:
            self.changed[before.fingerprint] = None
        else:
            self.alive += 1
            if step.alert != before:
                self.changed[step.alert.fingerprint] = step.alert
        self._tell(step)

    def _tell(self, step: Step) -> None:
        if step.change is not None:
            self.transitions.append(
                Transition(at=self.beat.now, change=step.change, reason=step.reason, alert=step.alert)
            )

    def _rename(self, before: Alert, step: Step, labels: Labels) -> None:
        """The rule's labels or owners were edited: the incident goes on under its new name, and the old name ends."""
        self._take(before, Step(before, ending(before), Reason.RULE_REMOVED))
        after = replace(step.alert, labels=labels, fingerprint=fingerprint(self.rule.id, labels))
        self._take(before, Step(after, Change.FIRING if after.is_firing else Change.PENDING))
        if after.state is State.RECOVERING:
            self._tell(Step(after, Change.RECOVERING, Reason.CONDITION_CLEARED))

    def _gone(self, seen: Collection[Key], taken: Collection[Labels]) -> list[tuple[Key, Labels]]:
        """Series whose absence fires although they have no alert: those that were there before, and the target's own.

        Of a dimension only what was seen can be missed.
        """
        if self.rule.on_no_data is not OnNoData.FIRING or absent_outcome(self.rule) is not Outcome.NO_DATA:
            return []
        expected = seen if self.rule.when.by else [()]
        gone = [(key, self.labels_of(key)) for key in expected if key not in self.judged]
        found = [(key, labels) for key, labels in gone if labels not in taken]
        if found:
            self.outcomes[Outcome.NO_DATA] += len(found)
        return found

    def _start(self, starting: list[tuple[Key, Labels]]) -> str:
        """New alerts, as far as the limit allows. What there is already is never ended for it."""
        room = max(0, self.rule.max_series - self.alive)
        for key, labels in starting[:room]:
            step = begin(self.rule, labels, key, self.target, self.judged.get(key), self.beat.now)
            self.changed[step.alert.fingerprint] = step.alert
            self._tell(step)
        left = len(starting[room:])
        if not left:
            return ""
        return (
            f"{left} more series than its limit of {self.rule.max_series} meet the condition and get no alert; "
            "narrow the rule, split it by less, or raise max_series"
        )


def _twice(rule: Rule, one: Key, other: Key, labels: Labels) -> str:
    names = " and ".join(sorted(_shown(rule, key) for key in (one, other)))
    shared = ", ".join(f'{name}="{value}"' for name, value in labels)
    return f"two series have the same labels: {names} are both {{{shared}}}; nothing is decided until they differ"


def _shown(rule: Rule, key: Key) -> str:
    return " ".join(f"{name}={value!a}" for name, value in zip(rule.when.by, key, strict=True)) or "the whole target"
