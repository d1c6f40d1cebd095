"""The final labels of a series: what an alert is known by. Pure.

Values, thresholds, versions found and run ids are never labels: a label that changes would make another alert.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Key

MOST_LABELS = 30
LONGEST_NAME = 64
LONGEST_VALUE = 256
"""Bytes of UTF-8."""

Owners = Sequence[tuple[str, str]]
"""(glob of task ids, owner); the first that matches."""

_TASK_QUEUE = "task/"
_MARK_DIGITS = 16


def labels_of_series(rule: Rule, target: str, owners: Owners) -> Callable[[Key], Labels]:
    """What gives the labels of the series of `rule` in `target`, by key."""
    own = {name: value for name, value in rule.labels.items() if value}

    def labels_of(key: Key) -> Labels:
        dimensions = dict(zip(rule.when.by, key, strict=True))
        named = {"alertname": rule.name, "severity": rule.severity, "target": target, **dimensions}
        if "owner" not in own and (owner := owner_of(dimensions, owners)):
            named["owner"] = owner
        # Those that tell series apart come first: if there are too many, the rule's own give way.
        for name in sorted(own.keys() - named.keys()):
            named[name] = own[name]
        return bounded(named)

    return labels_of


def owner_of(dimensions: dict[str, str], owners: Owners) -> str:
    """Who owns the task of a series, or the task whose own queue it is; empty where nobody does."""
    task = dimensions.get("task", "")
    queue = dimensions.get("queue", "")
    if not task and queue.startswith(_TASK_QUEUE):
        task = queue.removeprefix(_TASK_QUEUE)
    if not task:
        return ""
    return next((owner for glob, owner in owners if fnmatchcase(task, glob)), "")


def bounded(named: dict[str, str]) -> Labels:
    """At most 30 labels of bounded size, sorted, without empty ones; of too many, the first ones stay."""
    kept: dict[str, str] = {}
    for name, value in named.items():
        if len(kept) == MOST_LABELS:
            break
        if value and (visible := _value(value)):
            kept[_name(name)] = visible
    return tuple(sorted(kept.items()))


def _value(value: str) -> str:
    """`value` without control characters, in 256 bytes. What was changed ends in a hash, so that two stay two."""
    if value.isascii() and value.isprintable() and len(value) <= LONGEST_VALUE:
        return value
    shown = "".join(character for character in value if unicodedata.category(character) not in ("Cc", "Cf", "Cs"))
    if shown == value and len(value.encode()) <= LONGEST_VALUE:
        return value
    mark = "~" + _hash(value, _MARK_DIGITS)
    return shown.encode()[: LONGEST_VALUE - len(mark)].decode(errors="ignore") + mark


def _name(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}_{_hash(name, 8)}"


def _hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
