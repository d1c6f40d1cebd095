"""Why a rule's last evaluation said what it said, in a line: how near it is, or why nothing can be said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.evaluation.judge import Judged, Judgement
from triggerdev_alerts.message.values import show_pair
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


def reason(rule: Rule, judgements: Mapping[str, Judgement], unit: str) -> str:
    """A sentence a target: the series that is nearest to firing, or what keeps it from being judged."""
    return " ".join(_of_target(rule, target, judged, unit) for target, judged in judgements.items())


def _of_target(rule: Rule, target: str, judged: Judgement, unit: str) -> str:
    name = f"{target}: " if target else ""
    if isinstance(judged, Unknown):
        return f"{name}cannot be judged: {judged.text or judged.reason.value}."
    if not judged:
        return f"{name}nothing to judge now."
    key, worst = min(judged.items(), key=_order)
    series = ", ".join(_named(rule, key))
    many = f" of {len(judged):,}" if len(judged) > 1 else ""
    return f"{name}{_compared(worst, unit)}{f' ({series}, the highest{many})' if series else ''}."


def _named(rule: Rule, key: tuple[str, ...]) -> Iterator[str]:
    for name, value in zip(rule.when.by, key, strict=False):
        yield value if name == "task" else f"{name} {value}"


def _order(item: tuple[tuple[str, ...], Judged]) -> tuple[int, float, tuple[str, ...]]:
    key, judged = item
    nearness = judged.value / judged.threshold if judged.threshold else judged.value
    return _WORST_FIRST.index(judged.outcome), -nearness, key


def _compared(judged: Judged, unit: str) -> str:
    value, threshold = show_pair(judged.value, judged.threshold, unit)
    sample = f" of {judged.sample:,}" if judged.sample is not None else ""
    return f"{value}{sample} against {threshold}" + (f": {judged.detail}" if judged.detail else "")
