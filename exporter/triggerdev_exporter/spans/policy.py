"""Which runs become spans, how they look and how long they may wait: the configuration, as the ledger wants it."""

from __future__ import annotations

from dataclasses import dataclass, field

from triggerdev_exporter.clock import HOUR
from triggerdev_exporter.spans.due import Due
from triggerdev_exporter.spans.plan import Shape, plan, tree_of
from triggerdev_exporter.spans.sampling import Sampler
from triggerdev_exporter.spans.span import Span

#: The closed set of the label ``reason`` of `spans_dropped_total`.
DROP_REASONS = ("sampling", "too_old", "queue_full", "rejected", "refused")
#: … and of `spans_amended_total`.
AMENDMENTS = ("parent_unknown", "times_reversed", "trace_full")


@dataclass(frozen=True, slots=True)
class Policy:
    """One target's."""

    shape: Shape = field(default_factory=Shape)
    sampler: Sampler = field(default_factory=Sampler)
    max_age: int = HOUR
    """Milliseconds after its end for which a run is still worth exporting."""
    max_pending: int = 100_000
    """Rows that wait; beyond it the oldest are given up."""
    max_spans_per_trace: int = 10_000
    """Beyond it, runs of a tree get traces of their own."""

    def takes(self, due: Due) -> bool:
        """Whether the trace of `due` is sampled."""
        trace, given = tree_of(due, self.shape.mode)
        return self.sampler.takes(trace, None if given is None else given.is_sampled)

    def plan(self, due: Due) -> tuple[Span, ...]:
        """The spans of `due`, its own first."""
        return plan(due, self.shape)
