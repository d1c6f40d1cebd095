"""Why a rule's last evaluation said what it said, in a line: how near it is, or why nothing can be said. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.evaluation.judge import Judged, Judgement
from triggerdev_alerts.message.compose import told, unit_of
from triggerdev_alerts.message.values import show
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Unknown

_WORST_FIRST = (Outcome.TRUE, Outcome.CLEARING, Outcome.INSUFFICIENT, Outcome.FALSE)


def condition_in_words(rule: Rule) -> str:
    """``failure_rate, window 15m, above 20%``: the condition with what is not its default."""
    values = ((key, rule.when.values.get(key.name)) for key in CONDITIONS[rule.when.type].keys)
    said = [f"{key.name} {_shown(quantities.show(key, value))}" for key, value in values if value != key.default]
    return ", ".join([rule.when.type, *said])


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def reason(rule: Rule, judgements: Mapping[str, Judgement]) -> str:
    """A sentence a target: the series that is nearest to firing, or what keeps it from being judged."""
    return " ".join(_of_target(rule, target, judged) for target, judged in judgements.items())


def _of_target(rule: Rule, target: str, judged: Judgement) -> str:
    name = f"{target}: " if target else ""
    if isinstance(judged, Unknown):
        return f"{name}cannot be judged: {judged.text or judged.reason.value}."
    if not judged:
        return f"{name}nothing to judge."
    key, nearest = min(judged.items(), key=lambda item: _order(rule, *item))
    series = [_named(*pair) for pair in zip(rule.when.by, key, strict=False)]
    if len(judged) > 1:
        series.append(f"the nearest of {len(judged):,}")
    told_of = ", ".join(series)
    return f"{name}{_compared(rule, nearest)}{f' ({told_of})' if told_of else ''}."


def _named(name: str, value: str) -> str:
    return value if name == "task" else f"{name} {value}"


def _order(rule: Rule, key: tuple[str, ...], judged: Judged) -> tuple[int, float, tuple[str, ...]]:
    _, limit = told(rule, judged.value, judged.threshold, judged.sample)
    nearness = judged.value / judged.threshold if judged.threshold else judged.value
    return _WORST_FIRST.index(judged.outcome), nearness if limit.startswith("below") else -nearness, key


def _compared(rule: Rule, judged: Judged) -> str:
    sentence, limit = told(rule, judged.value, judged.threshold, judged.sample)
    limit = f"; limit: {limit.removeprefix('limit ')}" if limit else ""
    if judged.outcome is Outcome.TRUE:
        return f"{sentence}{limit}"
    if not limit:
        # What a condition says is true only while it holds, and without a limit its number says little.
        return "does not hold"
    sample = f" of {judged.sample:,}" if judged.sample is not None else ""
    why = f"; {judged.detail}" if judged.detail else ""
    if judged.outcome is Outcome.FALSE and _is_beyond(judged, limit):
        why = "; another part of the condition does not hold"
    return f"{show(judged.value, unit_of(rule))}{sample}{limit}{why}"


def _is_beyond(judged: Judged, limit: str) -> bool:
    if limit.startswith("; limit: below"):
        return judged.value < judged.threshold
    return judged.value > judged.threshold
