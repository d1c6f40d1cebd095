"""How a rule fares: whether it ever read anything, and what is wrong with it. Pure.

What a rule says about itself in the end (`rule_failing`, `rule_never_matched`) is read from the entries made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triggerdev_alerts.book import RuleEntry
from triggerdev_alerts.conditions.catalogue import CONDITIONS, Absent
from triggerdev_alerts.evaluation.judge import Judgement
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.rules.model import OnNoData, Rule
from triggerdev_alerts.signals import Blind, Key, Unknown

TOLD_TARGETS = 3
"""Of how many targets a rule's error tells."""

_OF_THE_SOURCE = frozenset((Blind.STARTING, Blind.FAILING, Blind.AUTH, Blind.CATCHING_UP, Blind.UNFILLED))
"""Reasons that pass, or that the alerts about the source tell already: no trouble of the rule."""


def trouble(rule: Rule, judged: Judgement) -> str:
    """Why the rule itself is in trouble although it is written well: what it asks for is not to be had."""
    if not isinstance(judged, Unknown) or judged.reason in _OF_THE_SOURCE:
        return ""
    if rule.shipped and judged.reason is Blind.UNSUPPORTED:
        # Nobody asked for this rule, and a server or key that does not offer something is nobody's mistake.
        return ""
    return judged.text or judged.reason.value


def entry_after(
    rule: Rule,
    before: RuleEntry,
    judgements: Mapping[str, Judgement],
    problems: Sequence[str],
    at: Instant,
    elapsed: int,
) -> RuleEntry:
    """The rule's entry after an evaluation that said `judgements` by target and met `problems`."""
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
