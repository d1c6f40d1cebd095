"""Does a label fit? Globs and matchers, for routes, inhibitions and silences. What follows from it is not here."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.rules.model import Matcher


def label_value(name: str, labels: Labels) -> str:
    """The value of one label; an absent label is an empty one."""
    return next((value for known, value in labels if known == name), "")


def matches(matcher: Matcher, labels: Labels) -> bool:
    """Whether one of the globs (``*``, ``?``, ``[ab]``; case counts) fits the label, or none does if it is negative."""
    value = label_value(matcher.label, labels)
    return any(fnmatchcase(value, glob) for glob in matcher.values) is not matcher.negative


def matches_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether every matcher fits; no matchers fit everything."""
    return all(matches(matcher, labels) for matcher in matchers)
