"""How far the reading of the past has come: in the log, and as a bar on a terminal. It only looks."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from triggerdev_exporter.clock import MINUTE, Clock, Instant
from triggerdev_exporter.ledger.facts import Coverage
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
TELL_EVERY = MINUTE
WORTH_TELLING = MINUTE
"""Less missing time than this is read within a tick or two."""


def missing(coverage: Coverage | None) -> int:
    """Milliseconds of created-at time that are still to be read."""
    return 0 if coverage is None else sum(gap.end - gap.start for gap in coverage.gaps)


@dataclass(slots=True)
class Reading:
    """One look-back or catch-up of one target, from its first sight until nothing is missing."""

    whole: int = 0
    left: int = 0
    told_at: Instant = 0

    def look(self, left: int, at_least: int = 0) -> float | None:
        """Take in how much is left of what was `at_least` so much; the part that is read (0 to 1).

        ``None`` while there is nothing to read.
        """
        if not left:
            self.whole = self.left = 0
            return None
        # New time may be added while the old is read: then there was more to do than we knew.
        self.whole = max(self.whole, left) if left <= self.left or not self.left else self.whole + left - self.left
        self.whole, self.left = max(self.whole, at_least), left
        return 1 - left / self.whole


async def report(targets: Callable[[], Sequence[Target]], clock: Clock) -> None:
    """Tell the log once a minute, and a terminal all the time, how far each target has come. Runs until cancelled."""
    readings: dict[str, Reading] = {}
    bar = _Bar() if sys.stderr.isatty() else None
    try:
        while True:
            for gone in readings.keys() - {target.name for target in targets()}:
                del readings[gone]
                if bar is not None:
                    bar.show(gone, "", None)
            for target in targets():
                ledger = target.ledger
                coverage = None if ledger is None else ledger.coverage
                reading = readings.setdefault(target.name, Reading())
                first = coverage is not None and not coverage.looked_back
                lookback = coverage.walked_at - coverage.tail if coverage is not None and first else 0
                done = reading.look(missing(coverage), lookback)
                if bar is not None:
                    bar.show(target.name, "looking back" if first else "catching up", done)
                _tell(target.name, reading, done, first, clock.now())
            await clock.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        if bar is not None:
            bar.close()
        raise


def _tell(name: str, reading: Reading, done: float | None, first: bool, now: Instant) -> None:
    if done is None:
        if reading.told_at:
            log.info("the past is read", extra={"target": name})
        reading.told_at = 0
    elif reading.left >= WORTH_TELLING and now - reading.told_at >= TELL_EVERY:
        reading.told_at = now
        log.info(
            "looking back" if first else "catching up",
            extra={"target": name, "read": f"{done:.0%}", "history_left": f"{reading.left // MINUTE} min"},
        )


class _Bar:
    """A bar a target, below the log lines, gone when all is read. Imported late: most processes have no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, int] = {}

    def show(self, name: str, what: str, done: float | None) -> None:
        """Move the bar of a target, make it, or take it away."""
        task = self._tasks.get(name)
        if done is None:
            if task is not None:
                self._progress.remove_task(self._tasks.pop(name))  # type: ignore[arg-type]  # rich's NewType of int
                if not self._tasks:
                    self._progress.stop()
            return
        if task is None:
            self._progress.start()
            self._tasks[name] = task = self._progress.add_task(f"{name}: {what}", total=1.0)
        self._progress.update(task, completed=done)  # type: ignore[arg-type]  # rich's NewType of int

    def close(self) -> None:
        self._progress.stop()
