"""The catalogue: every family there is, in the order of the page, and the tables made from it."""

from __future__ import annotations

import json

from triggerdev_exporter.metrics.alert_families import ALERT_FAMILIES
from triggerdev_exporter.metrics.family import Family
from triggerdev_exporter.metrics.live_families import LIVE_FAMILIES
from triggerdev_exporter.metrics.own_families import OWN_FAMILIES
from triggerdev_exporter.metrics.process_families import PROCESS_FAMILIES, ProcessFamily
from triggerdev_exporter.metrics.run_families import RUN_FAMILIES

BODY: tuple[Family, ...] = RUN_FAMILIES + LIVE_FAMILIES
"""What Trigger.dev does; it changes only when something new was seen."""
FAMILIES: tuple[Family, ...] = BODY + OWN_FAMILIES
ALL: tuple[Family | ProcessFamily, ...] = FAMILIES + ALERT_FAMILIES + PROCESS_FAMILIES


def own_labels(family: Family | ProcessFamily) -> tuple[str, ...]:
    """All labels of a family but the target's static ones."""
    return ("target", *family.labels) if isinstance(family, Family) else family.labels


def markdown() -> str:
    """The catalogue as a Markdown table; docs/metrics.md holds a copy that a test compares."""
    lines = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    for family in ALL:
        labels = ", ".join(f"`{label}`" for label in own_labels(family)) or "–"
        lines.append(f"| `{family.full_name}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n"


def as_json() -> str:
    """The catalogue as JSON: name, type, labels, help, and the collector a gauge goes stale with."""
    rows = [
        {
            "name": family.full_name,
            "type": family.kind.value,
            "labels": list(own_labels(family)),
            "help": family.help,
            "collector": family.source if isinstance(family, Family) else None,
        }
        for family in ALL
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
