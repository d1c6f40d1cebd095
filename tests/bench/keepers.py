"""Who keeps the event loop, and for how long in processor time: on a machine that others use too, time on the wall is
theirs as well. Looks at every callback of every loop while it is on.
"""

from __future__ import annotations

import time
from asyncio import Task, events
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

_OURS = ("/triggerdev_exporter/", "/triggerdev_alerts/", "/bench/")


@dataclass(frozen=True, order=True)
class Turn:
    """For how many seconds somebody kept the loop, of this thread's processor time."""

    seconds: float = 0.0
    who: str = "nobody"


@dataclass
class Keepers:
    """The longest by who it was."""

    longest: dict[str, float]

    def worst(self) -> Turn:
        return max((Turn(seconds, who) for who, seconds in self.longest.items()), default=Turn())


def _ours(handle: events.Handle) -> str:
    """Who goes on with this callback: the functions of ours from the outermost to the innermost."""
    callback = handle._callback  # type: ignore[attr-defined] # the loop has no hook for this
    task = getattr(callback, "__self__", None)
    if not isinstance(task, Task):
        return str(getattr(callback, "__qualname__", callback))
    found = []
    waits: Any = task.get_coro()
    while isinstance(waits, CoroutineType):
        file = waits.cr_code.co_filename
        if any(part in file for part in _OURS) and not file.endswith("/clock.py"):
            found.append(waits.cr_code.co_qualname.rpartition("<locals>.")[2])
        waits = waits.cr_await
    return " > ".join(found) or task.get_name()


@contextmanager
def watched_turns() -> Iterator[Keepers]:
    """Note who keeps the loop for more than a millisecond."""
    keepers = Keepers({})
    run = events.Handle._run  # type: ignore[attr-defined]

    def timed(handle: events.Handle) -> None:
        who = _ours(handle)
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        if took > 0.001:
            keepers.longest[who] = max(took, keepers.longest.get(who, 0.0))

    events.Handle._run = timed  # type: ignore[attr-defined]
    try:
        yield keepers
    finally:
        events.Handle._run = run  # type: ignore[attr-defined]
