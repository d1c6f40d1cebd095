"""`LedgerWitness`: what a tired person looks at first: failing runs, their errors, what a queue holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from triggerdev_alerts.signals import NO_EVIDENCE, Evidence, Wanted
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.target import Target


class LedgerWitness:
    """`signals.Witness` over targets; a function where they may change."""

    def __init__(self, targets: Sequence[Target] | Callable[[], Sequence[Target]]) -> None:
        self._targets = targets if callable(targets) else lambda: targets

    def prepare(self, wanted: Wanted) -> None:
        """Nothing is fetched yet."""

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence:
        return NO_EVIDENCE
