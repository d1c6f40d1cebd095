"""Evaluates a rule over all its targets and writes what follows into a draft. Also what ends alerts from outside.

It decides when what is asked and what is kept; outcomes and states are decided by `judge`, `advance` and `machine`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Change, Reason, Transition
from triggerdev_alerts.book import KEPT_ENDED, Draft, EndedAlert, Kind, RuleEntry
from triggerdev_alerts.conditions.catalogue import CONDITIONS, Absent
from triggerdev_alerts.evaluation.advance import Advanced, advance
from triggerdev_alerts.evaluation.judge import Judgement, judge, targets_of
from triggerdev_alerts.evaluation.labels import Owners, labels_of_series
from triggerdev_alerts.evaluation.machine import end
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.rules.model import Group, OnNoData, Rule, RuleSet
from triggerdev_alerts.signals import Answer, Blind, Key, Question, Signals, Unknown

log = logging.getLogger(__name__)

Cache = dict[tuple[Question, str, Instant], Answer]
"""Answers that the rules of one step share."""

TOLD_TARGETS = 3
"""Of how many targets a rule's error tells."""

COUNTER = "rule_evaluations_total"
"""By target, alertname and outcome."""

_OF_THE_SOURCE = frozenset((Blind.STARTING, Blind.FAILING, Blind.AUTH, Blind.CATCHING_UP, Blind.UNFILLED))
"""Reasons that pass, or that the alerts about the source tell already: no trouble of the rule."""


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
    before = draft.get(Kind.RULE, rule.id, RuleEntry) or RuleEntry(known_since=at)
    alerts = _by_target(draft, rule)
    made: list[Transition] = []
    judgements: dict[str, Judgement] = {}
    problems: list[str] = []
    for target in targets_of(rule, signals.targets()):

        def read(question: Question, target: str = target) -> Answer:
            instant = at if question.window is None else at - group.query_delay
            place = (question, target, instant)
            answer = cache.get(place)
            if answer is None:
                answer = cache[place] = signals.read(question, target, instant)
            return answer

        def advanced_by(judged: Judgement, target: str = target) -> Advanced:
            return advance(
                rule,
                judged,
                alerts.get(target, {}),
                target=target,
                labels_of=labels_of_series(rule, target, owners),
                now=at,
                interval=group.interval,
                elapsed=elapsed,
                seen=before.seen.get(target, ()),
            )

        try:
            judged = judge(rule, read)
            advanced = advanced_by(judged)
            problem = advanced.problem or _trouble(rule, judged)
        except Exception as error:
            # One rule that goes wrong must neither stop the others nor resolve anything.
            problem = f"{type(error).__name__} while it was evaluated; this is a mistake in this program"
            if problem not in before.error:
                log.exception("a rule could not be evaluated", extra={"alertname": rule.name, "group": group.name})
            judged = Unknown(Blind.FAILING, problem)
            advanced = advanced_by(judged)
        judgements[target] = judged
        if problem:
            problems.append(f"{target}: {problem}" if target else problem)
        for outcome, number in advanced.outcomes.items():
            draft.count(COUNTER, (target, rule.name, outcome.value), number)
        _keep(draft, advanced)
        made += advanced.transitions
    draft.put(Kind.RULE, rule.id, _entry(rule, before, judgements, problems, at, elapsed))
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
    """A person ends an alert; ``None`` if there is none. If its condition still holds, the next evaluation begins anew."""
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
    step = end(alert, reason)
    transition = Transition(
        at=now, change=Change.RESOLVED if alert.is_firing else Change.DROPPED, reason=step.reason, alert=step.alert
    )
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


def _trouble(rule: Rule, judged: Judgement) -> str:
    """Why the rule itself is in trouble although it is written well: what it asks for is not to be had."""
    if not isinstance(judged, Unknown) or judged.reason in _OF_THE_SOURCE:
        return ""
    if rule.shipped and judged.reason is Blind.UNSUPPORTED:
        # Nobody asked for this rule, and a server or key that does not offer something is nobody's mistake.
        return ""
    return judged.text or judged.reason.value


def _entry(
    rule: Rule,
    before: RuleEntry,
    judgements: Mapping[str, Judgement],
    problems: Sequence[str],
    at: Instant,
    elapsed: int,
) -> RuleEntry:
    answered = [each for each in judgements.values() if not isinstance(each, Unknown)]
    blind = bool(judgements) and not answered
    error = "; ".join(problems[:TOLD_TARGETS])
    if not error and blind:
        # Nothing was learnt, so nothing that was wrong is right now.
        error = before.error
    matched = before.ever_matched or any(_matches(rule, each) for each in answered)
    return RuleEntry(
        # Time in which nothing could be read does not count towards "never matched".
        known_since=before.known_since + (elapsed if blind and not matched else 0),
        evaluated_at=at,
        ever_matched=matched,
        error=error,
        error_since=(before.error_since or at) if error else 0,
        seen=_seen(rule, before.seen, judgements),
    )


def _matches(rule: Rule, judged: Mapping[Key, object]) -> bool:
    """Whether an answer shows that the rule's globs fit something. Where no series means zero, none is needed."""
    where = rule.when.where
    narrowed = where.task or where.queue or where.version or where.tag
    return bool(judged) or not narrowed or CONDITIONS[rule.when.type].absent is Absent.ZERO


def _seen(
    rule: Rule, before: Mapping[str, tuple[Key, ...]], judgements: Mapping[str, Judgement]
) -> dict[str, tuple[Key, ...]]:
    """The series of this evaluation, for a rule that fires when one of them is gone; else nothing is kept."""
    if rule.on_no_data is not OnNoData.FIRING or CONDITIONS[rule.when.type].absent is not Absent.GONE:
        return {}
    return {
        target: before.get(target, ()) if isinstance(judged, Unknown) else tuple(sorted(judged)[: rule.max_series])
        for target, judged in judgements.items()
    }
