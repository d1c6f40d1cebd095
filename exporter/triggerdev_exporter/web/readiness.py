"""Whether the exporter is ready to be relied on, and if not, what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.target import Target

PATIENCE = MINUTE
LOOK_BACK_PATIENCE = 5 * MINUTE


def waiting_for(targets: Sequence[Target], *, started_at: Instant, now: Instant) -> str | None:
    """``None`` when ready; else what is missing, in words.

    Ready is: every collector had one outcome (or 60 s have passed) and every first look-back is read (or 5 min have).
    A restart finds the look-back done and never waits for a catch-up.
    """
    age = now - started_at
    if age < PATIENCE:
        for target in targets:
            silent = sorted(name for name, state in target.states.items() if state.up is None)
            if silent:
                return f"target {target.name}: no outcome yet of {', '.join(silent)}"
    if age < LOOK_BACK_PATIENCE:
        for target in targets:
            runs = target.states["runs"]
            covered = None if target.ledger is None else target.ledger.coverage
            # A target that cannot be read is not "still reading": its failure shows in `up`, it holds nobody up.
            if runs.up and (covered is None or not covered.looked_back):
                return f"target {target.name}: the first look-back is being read"
    return None
