"""How the export of a target's spans fares: memory of this process, for metrics and pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from triggerdev_exporter.clock import Instant


@dataclass(slots=True)
class Exports:
    """What the ledger does not count: it counts spans, this counts requests that failed."""

    errors: Counter[str] = field(default_factory=Counter)
    """By reason, one of `answer.REASONS`."""
    trouble: str | None = None
    """Why nothing is taken now, in words; ``None`` when something is."""
    troubled_since: Instant | None = None
    objection: str | None = None
    """Why the collector refused, for good, what it refused last; ``None`` once a request was taken whole."""
    collector: str = ""
    """Where spans go, as people may see it."""
