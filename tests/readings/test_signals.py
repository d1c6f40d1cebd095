"""`LedgerSignals` by tables: what each signal reads, and why nothing can be said."""

from __future__ import annotations

from triggerdev_alerts.signals import SIGNALS
from triggerdev_exporter.readings.signals import ANSWERS


def test_every_signal_is_answered() -> None:
    assert ANSWERS.keys() == SIGNALS.keys()
