"""Evaluates a rule over all its targets and writes what follows into a draft. Also what ends alerts from outside.

It decides when what is asked and what is kept; outcomes and states are decided by `judge`, `advance` and `machine`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Change, Reason, Transition
from triggerdev_alerts.book import KEPT_ENDED, Draft, EndedAlert, Kind, RuleEntry
from triggerdev_alerts.evaluation.advance import Advanced, advance, held
from triggerdev_alerts.evaluation.health import entry_after, trouble
from triggerdev_alerts.evaluation.judge import Judgement, judge, targets_of
from triggerdev_alerts.evaluation.labels import Owners, labels_of_series
from triggerdev_alerts.evaluation.machine import Beat, ending
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.rules.model import Group, Rule, RuleSet
from triggerdev_alerts.signals import Answer, Blind, Key, Question, Signals, Unknown

log = logging.getLogger(__name__)

Cache = dict[tuple[Question, str, Instant], Answer]
"""Answers that the rules of one step share."""

COUNTER = "rule_evaluations_total"
"""By target, alertname and outcome."""


def evaluate(
    draft: Draft,
    group: Group,
    rule: Rule,
    signals: Signals,
    *,
    owners: Owners,
    at: Instant,
    elapsed: int,
    cache: Cache,
) -> list[Transition]:
    """Evaluate one rule as of the tick `at`, `elapsed` milliseconds after the time before. Once a draft for each rule.

    It never raises: what goes wrong is the rule's error, holds its alerts and is counted, and others go on.
    """
    if not cache:
        # Once a step is enough, and its first rule finds the cache empty.
        forget(draft, at)
    before = draft.get(Kind.RULE, rule.id, RuleEntry) or RuleEntry(known_since=at)
    alerts = _by_target(draft, rule)
    made: list[Transition] = []
    judgements: dict[str, Judgement] = {}
    problems: list[str] = []
    for target in targets_of(rule, signals.targets()):
        judged, advanced, problem = _evaluate_target(
            rule,
            _Asked(signals, group, target, at, cache),
            alerts.get(target, {}),
            owners=owners,
            elapsed=elapsed,
            seen=before.seen.get(target, ()),
            known_to_fail=bool(before.error),
        )
        judgements[target] = judged
        if problem:
            problems.append(f"{target}: {problem}" if target else problem)
        for outcome, number in advanced.outcomes.items():
            draft.count(COUNTER, (target, rule.name, outcome.value), number)
        _keep(draft, advanced)
        made += advanced.transitions
    after = entry_after(rule, before, judgements, problems, at, elapsed)
    if after.error and after.error != before.error:
        log.warning("a rule cannot be evaluated everywhere", extra=_named(rule) | {"problem": after.error})
    elif before.error and not after.error:
        log.info("a rule can be evaluated again", extra=_named(rule))
    draft.put(Kind.RULE, rule.id, after)
    return made


def retire(draft: Draft, ruleset: RuleSet, targets: Sequence[str], now: Instant) -> list[Transition]:
    """End the alerts that nobody evaluates any more: their rule or target is gone, or the rule leaves the target out.

    `targets` are all that the signals list. Entries of rules that are gone are forgotten.
    """
    rules = {rule.id: rule for rule in ruleset.rules}
    made: list[Transition] = []
    for alert in draft.all(Kind.ALERT, Alert).values():
        reason = _retired(alert, rules.get(alert.rule), targets)
        if reason is not None:
            made.append(_end(draft, alert, reason, now))
    for rule_id in draft.all(Kind.RULE, RuleEntry):
        rule = rules.get(rule_id)
        if rule is None or not rule.enabled:
            draft.drop(Kind.RULE, rule_id)
    return made


def resolve_manually(draft: Draft, fingerprint: str, now: Instant) -> Transition | None:
    """A person ends an alert; ``None`` if there is none. While its condition holds it begins anew."""
    alert = draft.get(Kind.ALERT, fingerprint, Alert)
    return None if alert is None else _end(draft, alert, Reason.MANUAL, now)


def forget(draft: Draft, now: Instant) -> None:
    """Drop ended alerts that need not be told again."""
    for fingerprint, ended in draft.all(Kind.ENDED, EndedAlert).items():
        if ended.at <= now - KEPT_ENDED:
            draft.drop(Kind.ENDED, fingerprint)


def shift(alerts: Iterable[Alert], delta: int) -> list[Alert]:
    """The same alerts after wall time jumped by `delta` milliseconds: every instant moves, so every duration stays."""
    return [
        replace(
            alert,
            active_at=alert.active_at + delta,
            fired_at=alert.fired_at and alert.fired_at + delta,
            last_true=alert.last_true and alert.last_true + delta,
            insufficient_since=alert.insufficient_since and alert.insufficient_since + delta,
            stale_since=alert.stale_since and alert.stale_since + delta,
        )
        for alert in alerts
    ]


def shifted(draft: Draft, delta: int) -> None:
    """Move all instants that evaluation keeps by `delta` milliseconds: of alerts, of those that ended, of rules."""
    for alert in shift(draft.all(Kind.ALERT, Alert).values(), delta):
        draft.put(Kind.ALERT, alert.fingerprint, alert)
    for name, ended in draft.all(Kind.ENDED, EndedAlert).items():
        (last,) = shift((ended.alert,), delta)
        draft.put(Kind.ENDED, name, replace(ended, alert=last, at=ended.at + delta))
    for rule_id, entry in draft.all(Kind.RULE, RuleEntry).items():
        moved = replace(
            entry,
            known_since=entry.known_since + delta,
            evaluated_at=entry.evaluated_at and entry.evaluated_at + delta,
            error_since=entry.error_since and entry.error_since + delta,
        )
        draft.put(Kind.RULE, rule_id, moved)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Where the answers of one target come from."""

    signals: Signals
    group: Group
    target: str
    at: Instant
    cache: Cache

    def read(self, question: Question) -> Answer:
        instant = self.at if question.window is None else self.at - self.group.query_delay
        place = (question, self.target, instant)
        answer = self.cache.get(place)
        if answer is None:
            answer = self.cache[place] = self.signals.read(question, self.target, instant)
        return answer


def _evaluate_target(
    rule: Rule,
    asked: _Asked,
    alerts: Mapping[str, Alert],
    *,
    owners: Owners,
    elapsed: int,
    seen: Collection[Key],
    known_to_fail: bool,
) -> tuple[Judgement, Advanced, str]:
    """What is judged of one target, what that changes, and what is wrong with the rule if anything is."""
    interval = asked.group.interval
    try:
        judged = judge(rule, asked.read)
        advanced = advance(
            rule,
            judged,
            alerts,
            target=asked.target,
            labels_of=labels_of_series(rule, asked.target, owners),
            now=asked.at,
            interval=interval,
            elapsed=elapsed,
            seen=seen,
        )
    except Exception as error:
        # One rule that goes wrong must neither stop the others nor resolve anything.
        problem = f"{type(error).__name__} while it was evaluated; this is a mistake in this program"
        if not known_to_fail:
            log.exception("a rule could not be evaluated", extra=_named(rule) | {"target": asked.target})
        return Unknown(Blind.FAILING), held(alerts, problem, Beat(asked.at, interval, elapsed)), problem
    return judged, advanced, advanced.problem or trouble(rule, judged)


def _named(rule: Rule) -> dict[str, str]:
    return {"alertname": rule.name, "group": rule.group}


def _by_target(draft: Draft, rule: Rule) -> dict[str, dict[str, Alert]]:
    found: dict[str, dict[str, Alert]] = {}
    for name in draft.alerts_of(rule.id):
        # By the draft: this step may already have ended it, or moved its instants.
        alert = draft.get(Kind.ALERT, name, Alert)
        if alert is not None:
            found.setdefault(alert.target, {})[name] = alert
    return found


def _keep(draft: Draft, advanced: Advanced) -> None:
    for name, alert in advanced.alerts.items():
        if alert is None:
            draft.drop(Kind.ALERT, name)
        else:
            draft.put(Kind.ALERT, name, alert)
    for transition in advanced.transitions:
        _remember_end(draft, transition)


def _remember_end(draft: Draft, transition: Transition) -> None:
    name = transition.alert.fingerprint
    if transition.change is Change.RESOLVED:
        ended = EndedAlert(alert=transition.alert, at=transition.at, reason=transition.reason)
        draft.put(Kind.ENDED, name, ended)
    elif transition.change is Change.FIRING:
        # It is told as firing from now on; its earlier end must not be repeated behind that.
        draft.drop(Kind.ENDED, name)


def _end(draft: Draft, alert: Alert, reason: Reason, now: Instant) -> Transition:
    transition = Transition(at=now, change=ending(alert), reason=reason, alert=alert)
    draft.drop(Kind.ALERT, alert.fingerprint)
    _remember_end(draft, transition)
    return transition


def _retired(alert: Alert, rule: Rule | None, targets: Sequence[str]) -> Reason | None:
    if rule is None:
        return Reason.RULE_REMOVED
    if not rule.enabled:
        return Reason.RULE_DISABLED
    if alert.target in targets_of(rule, targets):
        return None
    return Reason.RULE_REMOVED if alert.target in targets else Reason.ENTITY_GONE
