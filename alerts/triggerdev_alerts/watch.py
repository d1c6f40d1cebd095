"""The watch: wakes the engine when something is due, and tells the log what became of alerts. It decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from triggerdev_alerts.alert import Change, Transition
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.instants import MINUTE, SECOND, Clock
from triggerdev_alerts.message.values import show_pair
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Unit
from triggerdev_alerts.waiting import wait_for

log = logging.getLogger(__name__)

LONGEST_NAP = MINUTE
AFTER_ERROR = 5 * SECOND


class Watch:
    """Steps one engine for as long as the process lives. `spoke` is called when something is to be told."""

    def __init__(self, engine: Engine, clock: Clock, *, spoke: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._clock = clock
        self.spoke = spoke
        self._woken = asyncio.Event()
        self._trouble = ""
        self.ticked = True
        """Whether the last step went through."""

    def poke(self) -> None:
        """Look again: a silence, or the rules, changed."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Step whenever something is due, until `stop` is set. A step under way is finished."""
        while not stop.is_set():
            self._woken.clear()
            await wait_for(self._clock, await self.turn(), self._woken, stop)

    async def turn(self) -> int:
        """One step, now; for how many milliseconds there is nothing to do."""
        try:
            step = await self._engine.step(self._clock.now(), steady=self._clock.monotonic())
        except BookError as error:
            # What was worked out is forgotten: memory is never ahead of disk. The next tick decides anew.
            self._fails(str(error), "alerts cannot be written down: nobody is told anything")
            return AFTER_ERROR
        except Exception as error:
            # A mistake of ours. Whoever watches must not go blind because of it, and must not be silent about it.
            self._fails(
                f"{type(error).__name__}: {error}", "alerts cannot be evaluated: nobody is told anything", error
            )
            return AFTER_ERROR
        self.ticked = True
        if self._trouble:
            log.info("alerts are evaluated and written down again")
            self._trouble = ""
        tell(step.transitions, {rule.id: rule for rule in self._engine.ruleset.rules})
        if step.missed:
            log.warning("evaluation takes too long: ticks were skipped", extra={"skipped": step.missed})
        if step.notifications or step.transitions:
            self.spoke()
        now = self._clock.now()
        return min(max(self._engine.next_due(now) - now, 0), LONGEST_NAP)

    def _fails(self, why: str, said: str, bug: Exception | None = None) -> None:
        self.ticked = False
        if why != self._trouble:
            log.error(said, extra={"why": why}, exc_info=bug)
        self._trouble = why


_SAID = {
    Change.PENDING: (logging.INFO, "an alert is pending"),
    Change.FIRING: (logging.WARNING, "an alert fires"),
    Change.RECOVERING: (logging.INFO, "an alert recovers"),
    Change.RESUMED: (logging.WARNING, "an alert goes on firing"),
    Change.RESOLVED: (logging.INFO, "an alert is resolved"),
    Change.DROPPED: (logging.INFO, "an alert ended before it fired"),
}


_HOLDING = frozenset({Change.PENDING, Change.FIRING, Change.RESUMED})
_OWN_KEYS = ("alertname", "severity", "target")


def tell(transitions: Iterable[Transition], rules: dict[str, Rule]) -> None:
    """A line in the log for each transition: which alert, why, and by which numbers."""
    for one in transitions:
        alert = one.alert
        rule = rules.get(alert.rule)
        unit = Unit.COUNT if rule is None else CONDITIONS[rule.when.type].unit
        value, threshold = show_pair(alert.value, alert.threshold, unit)
        level, said = _SAID[one.change]
        name = "value" if one.change in _HOLDING else "last_value"
        log.log(
            level,
            said,
            extra={
                "alertname": alert.label("alertname"),
                "severity": alert.label("severity"),
                "target": alert.target,
                # Not as keys of the line: a label may have any name, one that logging needs too.
                "labels": ",".join(f"{name}={text}" for name, text in alert.labels if name not in _OWN_KEYS),
                "reason": one.reason.value,
                # An alert that is over keeps the numbers with which it held last. Of what is or is not there are none.
                **({} if unit is Unit.FLAG else {name: value, "limit": threshold}),
                **({} if alert.sample is None else {"sample": alert.sample}),
            },
        )
