"""How the export of a target's spans fares: memory of this process, for metrics and pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Exports:
    """What the ledger does not count: it counts spans, this counts requests that failed."""

    errors: Counter[str] = field(default_factory=Counter)
    """By reason, one of `answer.REASONS`."""
    trouble: str | None = None
    """What is wrong now, in words; ``None`` when nothing is."""
