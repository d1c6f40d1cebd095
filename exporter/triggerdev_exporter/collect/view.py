"""How far the run view is behind the truth, and whether the two planes of the server disagree. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from triggerdev_exporter.clock import Instant


@dataclass(frozen=True, slots=True)
class View:
    """What is known of the run view's lag. `lag_ms` is ``None`` before the first evidence."""

    lag_ms: int | None = None
    agreed_at: Instant | None = None
    """When both planes last told the same."""
    doubts: int = 0
    """Ticks in a row in which they did not."""


def weigh(
    view: View, *, now: Instant, new_runs: int, lateness_ms: int, live_work: int | None, listed_open: int | None
) -> View:
    """The view after a tick at `now` (server time).

    `new_runs` were listed for the first time, the latest of them `lateness_ms` after we should have seen it.
    `live_work` is what the queues hold, `listed_open` how many open runs the list showed; ``None`` if not asked.
    """
    if live_work and listed_open == 0:
        # One tick may be chance: the queues were read before the list. Two are not.
        doubts = view.doubts + 1
        lag = view.lag_ms
        if doubts >= 2 and view.agreed_at is not None:
            lag = now - view.agreed_at
        return replace(view, doubts=doubts, lag_ms=lag)
    if new_runs:
        return View(lateness_ms, now, 0)
    if listed_open or listed_open is None:
        return replace(view, agreed_at=now, doubts=0, lag_ms=0 if view.doubts and view.lag_ms else view.lag_ms)
    return replace(view, agreed_at=now, doubts=0)
