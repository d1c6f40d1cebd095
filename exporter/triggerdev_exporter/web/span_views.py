"""What the API answers about the spans of a target: whether a collector takes them, and what waits. Pure."""

from __future__ import annotations

import msgspec

from triggerdev_alerts.instants import iso_or_none
from triggerdev_exporter.spans.exports import Exports
from triggerdev_exporter.spans.policy import DROP_REASONS
from triggerdev_exporter.target import Target


class SpansView(msgspec.Struct, frozen=True, kw_only=True):
    collector: str
    """Where they go."""
    state: str
    """``ok``, ``failing`` (nothing is taken), ``refused`` (some were, for good), or ``waiting`` (none was sent yet)."""
    trouble: str | None
    """Why the collector takes nothing now, in words."""
    since: str | None
    """When that began."""
    objection: str | None
    """Why the collector refused what it refused last, for good, if nothing was taken whole since."""
    exported: int
    """Spans that it took."""
    pending: int
    """Runs and batches that wait: for the query that tells of them, or for the collector."""
    dropped: dict[str, int]
    """Reason → spans that are not exported."""
    max_age_ms: int
    """How long after its end a run waits."""


def spans_view(target: Target) -> SpansView | None:
    """``None`` where none are exported, or nothing was counted yet."""
    exports, ledger = target.exports, target.ledger
    if target.policy is None or ledger is None:
        return None
    exported = ledger.counter("spans_exported_total").get((), 0)
    dropped = ledger.counter("spans_dropped_total")
    return SpansView(
        collector=exports.collector,
        state=_state(exports, exported),
        trouble=exports.trouble,
        since=iso_or_none(exports.troubled_since),
        objection=exports.objection,
        exported=exported,
        pending=ledger.waiting_spans,
        dropped={reason: dropped[(reason,)] for reason in DROP_REASONS if dropped.get((reason,))},
        max_age_ms=target.policy.max_age,
    )


def _state(exports: Exports, exported: int) -> str:
    if exports.trouble is not None:
        return "failing"
    if exports.objection is not None:
        return "refused"
    return "ok" if exported else "waiting"
