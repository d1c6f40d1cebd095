"""Which fields the operator's kinds have, by the declarations beside its validators.

Those let unknown fields pass, as a cluster does, which drops them in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

TYPES = Path(__file__).parent / "node_modules/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1"


@cache
def fields(kind: str) -> dict[str, str]:
    """The type of each field of a kind, as it is written."""
    text = (TYPES / f"{kind}.d.ts").read_text("utf-8")
    declared = text[text.index("export declare class") :] if "export declare class" in text else ""
    return dict(re.findall(r'^    "(\w+)"\??: (.*)$', declared, re.MULTILINE))


def unknown(value: Any, kind: str, where: str = "") -> Iterator[str]:
    """The paths of fields that `kind` does not have."""
    known = fields(kind)
    if not isinstance(value, dict) or not known:
        return
    for name, part in value.items():
        if name not in known:
            yield f"{where}.{name}"
        elif of := re.search(r"MonitoringV1(\w+)", known[name]):
            for each in part if isinstance(part, list) else [part]:
                yield from unknown(each, of[1], f"{where}.{name}")
