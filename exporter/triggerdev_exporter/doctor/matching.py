"""Rules that can never be true on a target: they ask for names that are not there, or for what cannot be read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.documents.mistakes import found, nearest
from triggerdev_alerts.rules.model import Rule, RuleSet
from triggerdev_alerts.signals import SIGNALS


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target. ``None``: not all names are known, so nothing is said about them."""

    tasks: Collection[str] | None = None
    queues: Collection[str] | None = None
    unreadable: Collection[str] = ()
    """Collectors that this key or server has not."""


@dataclass(frozen=True, slots=True)
class Vain:
    """A rule that can never be true there, and why."""

    rule: Rule
    why: str


def vain_rules(ruleset: RuleSet, target: str, known: Known) -> list[Vain]:
    """In the order of the rules."""
    reasons = ((rule, _why(rule, known)) for rule in ruleset.rules if rule.enabled and _concerns(rule, target))
    return [Vain(rule, why) for rule, why in reasons if why]


def aimless_rules(ruleset: RuleSet, targets: Collection[str]) -> list[Vain]:
    """Rules that name none of the targets."""
    return [
        Vain(rule, f"no target is like {found(rule.when.targets[0])}{_near(rule, targets)}")
        for rule in ruleset.rules
        if rule.enabled and rule.when.targets and not any(_concerns(rule, target) for target in targets)
    ]


def _near(rule: Rule, targets: Collection[str]) -> str:
    near = nearest(rule.when.targets[0], targets)
    return f'; did you mean "{near}"?' if near else ""


def _concerns(rule: Rule, target: str) -> bool:
    return not rule.when.targets or any(fnmatchcase(target, glob) for glob in rule.when.targets)


def _why(rule: Rule, known: Known) -> str:
    row = CONDITIONS[rule.when.type]
    if row.is_self or row.is_blindness:
        return ""
    where = rule.when.where
    return (
        _unmatched("task", where.task, known.tasks)
        or _unmatched("queue", where.queue, known.queues)
        or next(iter(_unread(rule, known)), "")
    )


def _unmatched(noun: str, globs: tuple[str, ...], names: Collection[str] | None) -> str:
    if not globs or names is None or any(fnmatchcase(name, glob) for name in names for glob in globs):
        return ""
    near = nearest(globs[0], names)
    hint = f'; did you mean "{near}"?' if near else ""
    return f"there is no {noun} like {', '.join(found(glob) for glob in globs)}{hint}"


def _unread(rule: Rule, known: Known) -> Iterable[str]:
    for ask in CONDITIONS[rule.when.type].asks(rule.when):
        source = SIGNALS[ask.question.signal].source
        if not ask.optional and source in known.unreadable:
            yield f"{source} cannot be read there"
