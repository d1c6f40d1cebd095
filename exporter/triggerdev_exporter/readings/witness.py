"""`LedgerWitness`: what a tired person looks at first: failing runs, their errors, what a queue holds.

Runs come from the ledger's memory. Their errors are asked for in the background when a rule begins to hold, within the
target's share: as the server's own list, or where it has none from the latest runs, one by one. They are kept in memory
only. Whoever asks gets what is known by now.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.signals import NO_EVIDENCE, ErrorCount, Evidence, RunLink, Wanted
from triggerdev_exporter.api.calls import Priority
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import ApiError, StateError
from triggerdev_exporter.ledger.facts import OpenRun
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.recent import Ended
from triggerdev_exporter.readings.error_lists import ErrorLists
from triggerdev_exporter.readings.error_texts import normalised
from triggerdev_exporter.readings.task_sight import knows, sight_of
from triggerdev_exporter.readings.why import FAILURES as FAILING
from triggerdev_exporter.readings.why import UNSURE, WELL, Leaf, explain
from triggerdev_exporter.records import RunError
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

LOOKED_AT = 10
"""Failing runs of one series whose errors are looked at: the latest."""
KEPT_ERRORS = 2_000
AT_A_TIME = 4
"""Series that are looked into at once; more are looked into when they are told again."""

ABOUT_QUEUES = frozenset({"queue_depth", "queue_age", "queue_stalled", "queue_saturated", "queue_paused"})

OWN_QUEUE = "task/"
SAID_BY_ITSELF: dict[str, frozenset[Leaf]] = {
    **dict.fromkeys(("failure_rate", "failure_count", "consecutive_failures", "no_success"), FAILING),
    "no_runs": frozenset({Leaf.NOT_TRIGGERED}),
    "missed_schedule": frozenset({Leaf.LATE_SCHEDULE}),
    "slow_runs": frozenset({Leaf.SLOW}),
    "queue_paused": frozenset({Leaf.PAUSED}),
    "queue_saturated": frozenset({Leaf.QUEUE_LIMIT}),
    "expired_runs": frozenset({Leaf.EXPIRED}),
}
"""By condition, the answers to "why" that its alert is itself."""

CLOUD, DASHBOARD = "https://api.trigger.dev", "https://cloud.trigger.dev"


class LedgerWitness:
    """`signals.Witness` over targets; a function where they may change. `close` it before their sessions."""

    def __init__(self, targets: Sequence[Target] | Callable[[], Sequence[Target]]) -> None:
        self._targets = targets if callable(targets) else lambda: targets
        self._errors: dict[str, RunError | None] = {}
        """By run id; ``None``: it tells none."""
        self._lists = ErrorLists()
        self._under_way: dict[Wanted, asyncio.Task[None]] = {}

    def prepare(self, wanted: Wanted) -> None:
        """Begin to look into what is not known yet. Returns at once."""
        target = self._target(wanted.target)
        if target is None or wanted.texts == "off" or not wanted.errors or wanted in self._under_way:
            return
        ended = _ended(target, wanted, target.server_now())
        missing = [run.id for run in ended if run.id not in self._errors]
        if (missing or (ended and self._lists.may_tell(target, wanted))) and len(self._under_way) < AT_A_TIME:
            task = asyncio.get_running_loop().create_task(self._look_into(target, wanted, missing[:LOOKED_AT]))
            self._under_way[wanted] = task
            task.add_done_callback(lambda _: self._under_way.pop(wanted, None))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until everything that was begun is known."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def errors_in(self, target: Target, runs: Sequence[Ended], at: Instant) -> Counter[RunError]:
        """How often each error was seen in runs of one task, as far as an alert wanted to know."""
        listed = self._lists.of_task(target.name, runs[0].task, at) if runs else Counter()
        return listed or self._retrieved(runs)

    def error_of(self, run_id: str) -> RunError | None:
        """The error of a run, if it was retrieved for an alert."""
        return self._errors.get(run_id)

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence:
        """What is known by now, as of `at` (our time)."""
        target = self._target(wanted.target)
        if target is None:
            return NO_EVIDENCE
        server_at = target.client.meter.server_now(at)
        ended = _ended(target, wanted, server_at)
        links = [
            *(RunLink(name, run_url(target, name), run.status.value) for name, run in _open(target, wanted, server_at)),
            *(RunLink(run.id, run_url(target, run.id), run.status) for run in ended),
        ]
        return Evidence(
            errors=self._counted(ended, wanted, at),
            runs=tuple(links[: wanted.runs]),
            since_version=_first_bad(target, ended),
            notes=(*_notes(target, wanted), *self._why(target, wanted, at)),
        )

    async def _look_into(self, target: Target, wanted: Wanted, run_ids: Sequence[str]) -> None:
        try:
            if self._lists.may_tell(target, wanted) and await self._lists.ask(target, wanted):
                return
            dialect, _ = await target.open()
            for run_id in run_ids:
                if not target.client.allowance(Priority.SETTLE):
                    return
                error = await target.client.fetch(dialect.run_error(run_id), Priority.SETTLE)
                self._errors[run_id] = error
                while len(self._errors) > KEPT_ERRORS:
                    del self._errors[next(iter(self._errors))]
        except (ApiError, StateError) as error:
            # The message goes without; what fails here is the collectors' to tell.
            log.debug("no errors of runs could be had", extra={"target": target.name, "why": str(error)})

    def _why(self, target: Target, wanted: Wanted, at: Instant) -> tuple[str, ...]:
        """What stands in the way of the alert's task, where the alert itself does not say it already."""
        labels = dict(wanted.labels)
        queue = labels.get("queue", "")
        task = labels.get("task") or (queue.removeprefix(OWN_QUEUE) if queue.startswith(OWN_QUEUE) else "")
        if not task or not knows(target, task):
            return ()
        cause = explain(sight_of(target, task, at, self.errors_in)).cause
        told = SAID_BY_ITSELF.get(wanted.condition, frozenset()) | WELL | UNSURE
        return () if cause.leaf in told else (f"why: {cause.says}",)

    def _counted(self, ended: Sequence[Ended], wanted: Wanted, at: Instant) -> tuple[ErrorCount, ...]:
        """Kinds of errors, the most frequent first: of all runs, or of those that were looked at."""
        if wanted.texts == "off":
            return ()
        told = self._lists.told(wanted, at) or self._retrieved(ended[:LOOKED_AT])
        counts: Counter[tuple[str, str]] = Counter()
        for error, count in told.items():
            counts[normalised(error.name), normalised(error.message) if wanted.texts == "message" else ""] += count
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(ErrorCount(name, message, count) for (name, message), count in ordered[: wanted.errors])

    def _retrieved(self, runs: Sequence[Ended]) -> Counter[RunError]:
        return Counter(error for run in runs if (error := self._errors.get(run.id)) is not None)

    def _target(self, name: str) -> Target | None:
        return next((target for target in self._targets() if target.name == name), None)


def run_url(target: Target, run_id: str) -> str:
    """Where a person sees a run; empty until the project is known."""
    coverage = None if target.ledger is None else target.ledger.coverage
    if coverage is None or not coverage.project:
        return ""
    origin = DASHBOARD if target.config.api_url == CLOUD else target.config.api_url
    return f"{origin}/projects/v3/{coverage.project}/runs/{run_id}"


def _ended(target: Target, wanted: Wanted, at: Instant) -> list[Ended]:
    """Runs of the series that ended as asked for in the window, the latest first."""
    ledger = target.ledger
    if ledger is None or not wanted.statuses:
        return []
    found = [
        run
        for run in ledger.recent.unsuccessful()
        if run.status in wanted.statuses
        and at - wanted.window < run.finished_at <= at
        and wanted.concerns(
            task=run.task, version=run.version, queue=_queue(ledger, run.task, run.queue), tags=run.tags
        )
    ]
    return sorted(found, key=lambda run: (-run.finished_at, run.id))


def _open(target: Target, wanted: Wanted, at: Instant) -> list[tuple[str, OpenRun]]:
    """Open runs of the series as asked for, those that wait longest first."""
    ledger = target.ledger
    if ledger is None or not wanted.statuses:
        return []
    found = [
        (run_id, run)
        for run_id, run in ledger.runs.items()
        if run.status.value in wanted.statuses
        and (wanted.where.include_test or not run.is_test)
        and (not wanted.older_than or at - run.since > wanted.older_than)
        and wanted.concerns(task=run.task, version=run.version or "", queue=_queue(ledger, run.task, run.queue))
    ]
    return sorted(found, key=lambda item: (item[1].since, item[0]))


def _queue(ledger: Ledger, task: str, told: str | None) -> str | None:
    if told is not None:
        return told
    facts = ledger.tasks.get(task)
    return None if facts is None else facts.queue


def _first_bad(target: Target, failed: Sequence[Ended]) -> str:
    """The version, if all failures are of one that never worked, and an older one of the same tasks succeeded."""
    versions = {run.version for run in failed}
    if target.ledger is None or len(versions) != 1:
        return ""
    (version,) = versions
    sights = [target.ledger.recent.versions(task) for task in {run.task for run in failed}]
    if any(version in known and known[version].succeeded for known in sights):
        return ""
    begins = min((known[version].first_created for known in sights if version in known), default=0)
    older = any(
        other != version and sight.succeeded and sight.first_created < begins
        for known in sights
        for other, sight in known.items()
    )
    return version if older else ""


def _notes(target: Target, wanted: Wanted) -> tuple[str, ...]:
    labels = dict(wanted.labels)
    if wanted.condition in ABOUT_QUEUES:
        queue = next((one for one in target.sights.queues or () if one.name == labels.get("queue")), None)
        if queue is not None:
            limit = "" if queue.concurrency_limit is None else f" of {queue.concurrency_limit}"
            return (f"{queue.queued} wait, {queue.running}{limit} run" + (", paused" if queue.paused else ""),)
    if CONDITIONS[wanted.condition].is_blindness:
        states = target.states.items()
        return tuple(_trouble(name, state.trouble) for name, state in states if state.trouble and state.up is False)
    return ()


def _trouble(collector: str, trouble: str) -> str:
    """``runs: 503 Internal Server Error``: what went wrong names the endpoint itself, after its reason."""
    _, _, detail = trouble.partition(": ")
    return detail if detail.startswith(f"{collector}: ") else f"{collector}: {trouble}"
