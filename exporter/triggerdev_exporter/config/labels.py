"""Static labels: which names and values a target may add to its series."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from triggerdev_alerts.documents.mistakes import Unfit, found, mask

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_LONGEST_VALUE = 256

#: Names that our series, Prometheus or a scrape config give a meaning; a static label would hide or break it.
TAKEN = frozenset(
    """
    active alertname api_url code collector cron dialect endpoint environment environment_type family instance job le
    outcome owner quantile queue reason receiver result runtime schedule severity state status tag target task timezone
    type value version
    """.split()
)


def check_label_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Unfit("label", f"{found(name)} is not a label name; use letters, digits and _, and no digit first")
    if name.startswith("__"):
        raise Unfit("label", f"{found(name)} is not a label name for you; Prometheus keeps those with __ to itself")
    if name in TAKEN:
        raise Unfit("label", f"the label {found(name)} is taken; give yours another name")
    return name


def check_label_value(value: str) -> str:
    if len(value.encode("utf-8", "replace")) > _LONGEST_VALUE:
        raise Unfit("label", f"a label value has at most {_LONGEST_VALUE} bytes")
    if mask(value) != value:
        raise Unfit("secret", "this is a key, and a label is shown to everyone")
    return value


def filled(labels: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Each with the names of all, in one order: the series of a family must agree on their label names."""
    each = list(labels)
    names = sorted({name for one in each for name in one})
    return [{name: one.get(name, "") for name in names} for one in each]
