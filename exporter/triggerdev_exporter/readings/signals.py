"""`LedgerSignals`: what alert rules ask, answered out of the memory of the running daemon's targets.

How whoever wires the daemon uses it::

    signals = LedgerSignals(targets, ruleset)   # before the first collector is woken
    engine = Engine(ruleset, signals, …)
    signals.use(other_ruleset)                  # at each reload, before the first evaluation

Given the rules before the first page of runs is read, windows are filled by the look-back; a window that is asked for
later is Unknown until it is full. Instants of questions are our clock's; what happened has the server's, and the
difference is made up for here. Nothing waits, nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.signals import Answer, Blind, Question, Unknown
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.slots import Span
from triggerdev_exporter.readings import open_runs, schedules, things
from triggerdev_exporter.readings.blindness import blindness, failing_for
from triggerdev_exporter.readings.course import with_course
from triggerdev_exporter.readings.needs import needs_of
from triggerdev_exporter.readings.open_runs import OpenRuns
from triggerdev_exporter.readings.schedules import Schedules
from triggerdev_exporter.readings.windows import Windows
from triggerdev_exporter.target import Target


@dataclass(slots=True)
class _Memo:
    """What is worked out of one target and used by several questions."""

    target: Target
    started_at: Instant
    windows: Windows = field(default_factory=Windows)
    open_runs: OpenRuns = field(default_factory=OpenRuns)
    schedules: Schedules = field(default_factory=Schedules)
    queues: tuple[object, frozenset[str]] = (None, frozenset())


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to one target."""

    target: Target
    memo: _Memo
    question: Question
    at: Instant
    """Server time."""
    now: Instant
    """Our time."""

    @property
    def ledger(self) -> Ledger:
        ledger = self.target.ledger
        if ledger is None:  # pragma: no cover - it was looked for before
            raise AssertionError
        return ledger

    @property
    def queues(self) -> frozenset[str]:
        """Names of all queues."""
        seen = self.target.sights.queues
        if self.memo.queues[0] is not seen:
            self.memo.queues = (seen, frozenset(queue.name for queue in seen or ()))
        return self.memo.queues[1]

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the queues whose runs the question leaves out."""
        seen = self.target.sights.queues or ()
        return frozenset(queue.name for queue in seen if not self.question.is_of(paused=queue.paused))

    @property
    def open_runs(self) -> OpenRuns:
        return self.memo.open_runs.of(self.ledger)

    @property
    def schedules(self) -> Schedules:
        return self.memo.schedules.of(self.ledger)

    @property
    def blind(self) -> list[Span]:
        return self.target.blind_to_slots()


Compute = Callable[[_Asked], Answer]


def _counted(asked: _Asked) -> Answer:
    return asked.memo.windows.counted(asked.ledger, asked.question, asked.at, asked.queues)


def _percentile(asked: _Asked) -> Answer:
    return asked.memo.windows.percentile(asked.ledger, asked.question, asked.at, asked.queues)


ANSWERS: dict[str, Compute] = {
    "runs_finished": _counted,
    "runs_triggered": _counted,
    "run_cost": lambda a: a.memo.windows.cost(a.ledger, a.question, a.at, a.queues),
    "run_duration": _percentile,
    "run_wait": _percentile,
    "batch_items": lambda a: a.memo.windows.items(a.ledger, a.question, a.at, failed=False),
    "batch_items_failed": lambda a: a.memo.windows.items(a.ledger, a.question, a.at, failed=True),
    "consecutive_failures": lambda a: open_runs.consecutive_failures(a.ledger, a.question),
    "scheduled_tasks": lambda a: schedules.scheduled_tasks(a.ledger, a.question),
    "last_success_age": lambda a: open_runs.last_success_age(a.ledger, a.question, a.at),
    "runs_open_older": lambda a: a.open_runs.older(a.ledger, a.question, a.at, a.queues),
    "runs_slow": lambda a: a.open_runs.slow(a.ledger, a.question, a.at, a.queues),
    "queue_depth": lambda a: things.inside(a.target, a.question, lambda queue: queue.queued),
    "queue_running": lambda a: things.inside(a.target, a.question, lambda queue: queue.running),
    "queue_limit": lambda a: things.queues(a.target, a.question, lambda queue: queue.concurrency_limit),
    "queue_paused": lambda a: things.queues(a.target, a.question, lambda queue: 1 if queue.paused else None),
    "queue_oldest_age": lambda a: a.open_runs.oldest_queued(a.ledger, a.question, a.at, a.queues, a.left_out),
    "batches_open_older": lambda a: things.batches_open_older(a.ledger, a.question, a.at),
    "missed_slots": lambda a: a.schedules.missed(a.ledger, a.question, a.at, a.blind),
    "schedules_missing": lambda a: a.schedules.share_missing(a.ledger, a.at, a.blind),
    "deployment_failed": lambda a: things.deployment_failed(a.ledger),
    "deployments_open_older": lambda a: things.older(
        (one.created_at for one in a.ledger.deployments.values()), a.question, a.at
    ),
    "waitpoints_open_older": lambda a: things.older(
        (one.created_at for one in a.ledger.tokens.values()), a.question, a.at
    ),
    "view_lag": lambda a: things.level(a.target.sights.view_lag_ms),
    "collector_age": lambda a: things.collector_age(a.target, a.question, a.now, a.memo.started_at),
    "collector_interval": lambda a: things.collector_interval(a.target, a.question, a.now),
    "quota_remaining": lambda a: things.quota_remaining(a.target),
    "clock_skew": lambda a: things.clock_skew(a.target),
}
"""Every row of `SIGNALS`; a test tells which is missing."""


class LedgerSignals:
    """`signals.Signals` over targets; a function where they may change."""

    def __init__(
        self, targets: Sequence[Target] | Callable[[], Sequence[Target]], ruleset: RuleSet | None = None
    ) -> None:
        self._targets = targets if callable(targets) else lambda: targets
        self._memos: dict[str, _Memo] = {}
        for target in self._targets():
            self._memo(target)
        if ruleset is not None:
            self.use(ruleset)

    def use(self, ruleset: RuleSet) -> None:
        """From now on these rules ask: keep what their windows need, and no longer what only others needed."""
        needs = with_course(needs_of(ruleset))
        for target in self._targets():
            target.keep(needs)
            self._memo(target).windows.forget()

    def targets(self) -> tuple[str, ...]:
        return tuple(target.name for target in self._targets())

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        """The answer as of `at` (our time), out of what was read by now."""
        watched = next((one for one in self._targets() if one.name == target), None)
        if watched is None:
            return Unknown(Blind.STARTING, f"there is no target {target}")
        now = watched.clock.now()
        asked = _Asked(watched, self._memo(watched), question, watched.client.meter.server_now(at), now)
        blind = blindness(watched, question, now, asked.at)
        return ANSWERS[question.signal](asked) if blind is None else blind

    def stale(self, now: Instant) -> list[str]:
        """Targets of which some collector, that the key may use, does not see now."""
        return [
            target.name
            for target in self._targets()
            if any(
                state.up is None or failing_for(target, name, now) not in (None, Blind.UNSUPPORTED)
                for name, state in target.states.items()
            )
        ]

    def _memo(self, target: Target) -> _Memo:
        memo = self._memos.get(target.name)
        if memo is None or memo.target is not target:
            # One of the same name after a reload has a ledger of its own.
            memo = self._memos[target.name] = _Memo(target, target.clock.now())
        return memo
