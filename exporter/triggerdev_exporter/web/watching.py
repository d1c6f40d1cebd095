"""What pages and API tell of what is watched, gathered from the memory of the running targets. It changes nothing.

There may be ten thousand tasks and the loop has other work, so whoever looks at many pauses between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from triggerdev_alerts.alert import Alert, State
from triggerdev_alerts.documents.mistakes import found, suggestion
from triggerdev_exporter import __version__
from triggerdev_exporter.clock import Clock, Instant, iso
from triggerdev_exporter.ledger.facts import OpenRun
from triggerdev_exporter.readings.course import span_of
from triggerdev_exporter.readings.ranking import Ranked, ordered, rank
from triggerdev_exporter.readings.task_sight import ErrorsOf, known_tasks, knows, open_by_task, sight_of
from triggerdev_exporter.readings.why import explain
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.target import Target
from triggerdev_exporter.web import alert_views
from triggerdev_exporter.web.alerts_api import Operated, list_alerts
from triggerdev_exporter.web.json_api import Problem
from triggerdev_exporter.web.overview import (
    LISTED,
    NEXT,
    AlertCounts,
    Overview,
    full_queues,
    missed_schedules,
    next_schedules,
)
from triggerdev_exporter.web.readiness import waiting_for
from triggerdev_exporter.web.target_views import TargetList, target_view
from triggerdev_exporter.web.task_views import (
    ErrorOf,
    TaskAnswer,
    TaskList,
    TaskRow,
    WhyList,
    task_row,
    task_view,
    why_list,
)

AT_A_TIME, ROWS_AT_A_TIME = 100, 5
"""How many tasks are ranked, or told, before others get a turn."""

Runs = dict[str, list[tuple[str, OpenRun]]]


class Watching(Protocol):
    """Whoever holds the targets."""

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def started_at(self) -> Instant: ...

    @property
    def alerting(self) -> Operated | None: ...

    @property
    def witness(self) -> LedgerWitness | None:
        """Who keeps the errors of runs; ``None`` while alerting is not running."""
        ...

    @property
    def reloaded(self) -> bool:
        """Whether the last attempt to read the rules succeeded."""
        ...


def target_list(served: Watching) -> TargetList:
    now = served.clock.now()
    return TargetList(at=iso(now), targets=[target_view(target, now) for target in served.targets])


def why_answers(served: Watching, task: str, target: str | None) -> WhyList:
    """Raises `Problem`."""
    errors_of = _errors_of(served)
    now = served.clock.now()
    sights = (sight_of(one, task, now, errors_of) for one in _knowing(served, task, target))
    return why_list(sights, now, _alerts_about(served, task, now))


def task_answer(served: Watching, task: str, target: str | None) -> TaskAnswer:
    """Raises `Problem`."""
    errors_of = _errors_of(served)
    error_of: ErrorOf = (lambda _: None) if served.witness is None else served.witness.error_of
    now = served.clock.now()
    alerts = _alerts_about(served, task, now)
    views = [
        task_view(one, sight_of(one, task, now, errors_of), error_of, alerts) for one in _knowing(served, task, target)
    ]
    return TaskAnswer(at=iso(now), tasks=views)


def _alerts_about(served: Watching, task: str, now: Instant) -> list[alert_views.AlertView]:
    """Firing ones first; none while alerting is not running."""
    if served.alerting is None:
        return []
    book = served.alerting.scribe.book
    rules = {rule.id: rule for rule in served.alerting.ruleset.rules}
    silences = alert_views.active_silences(book.silences.values(), now)
    mine = [alert for alert in book.alerts.values() if ("task", task) in alert.labels]
    return [
        alert_views.alert_view(rules.get(alert.rule), alert, silences, now)
        for alert in alert_views.sorted_alerts(mine, None)
    ]


async def task_list(
    served: Watching, *, sort: str, search: str, target: str | None, offset: int, limit: int
) -> TaskList:
    """Tasks whose name contains `search`."""
    now = served.clock.now()
    asked = [one for one in served.targets if target in (None, one.name)]
    ranked = [one async for one in _ranked(served, asked, search.casefold(), now)]
    ranking = await asyncio.to_thread(ordered, ranked, sort)
    rows = await _rows(served, ranking[offset : offset + limit], now)
    return TaskList(at=iso(now), total=len(ranking), tasks=rows)


async def overview(served: Watching) -> Overview:
    """The first page."""
    now, alerting = served.clock.now(), served.alerting
    ranking = [one async for one in _ranked(served, served.targets, "", now)]
    troubled = [one for one in (await asyncio.to_thread(ordered, ranking, "trouble"))[:LISTED] if one.trouble]
    busy = [one for one in (await asyncio.to_thread(ordered, ranking, "busy"))[:NEXT] if one.ended]
    missed = missed_schedules(served.targets)
    await served.clock.sleep(0)
    upcoming = next_schedules(served.targets, now)
    await served.clock.sleep(0)
    return Overview(
        at=iso(now),
        version=__version__,
        not_ready=waiting_for(served.targets, started_at=served.started_at, now=now),
        rules_reloaded=served.reloaded,
        alerts=None if alerting is None else await asyncio.to_thread(_counts, *_alerts(alerting, now)),
        firing=[] if alerting is None else (await list_alerts(alerting, now, State.FIRING, LISTED)).alerts,
        receivers=[] if alerting is None else _troubled_receivers(alerting, now),
        notifications=[]
        if alerting is None
        else [alert_views.notification_view(one) for one in await alerting.scribe.storage.letters(limit=NEXT)],
        targets=target_list(served).targets,
        tasks_known=len(ranking),
        troubled=await _rows(served, troubled, now),
        busy=await _rows(served, busy, now),
        queues=full_queues(served.targets),
        missed=missed,
        next=upcoming,
    )


def _alerts(alerting: Operated, now: Instant) -> tuple[list[Alert], alert_views.ActiveSilences]:
    book = alerting.scribe.book
    return list(book.alerts.values()), alert_views.active_silences(book.silences.values(), now)


def _counts(alerts: Collection[Alert], silences: alert_views.ActiveSilences) -> AlertCounts:
    firing = [alert for alert in alerts if alert.state is not State.PENDING]
    return AlertCounts(
        firing=len(firing),
        pending=len(alerts) - len(firing),
        silenced=sum(1 for alert in firing if alert_views.silencing(silences, alert)),
    )


def _troubled_receivers(alerting: Operated, now: Instant) -> list[alert_views.ReceiverView]:
    kinds = {name: config.kind for name, config in alerting.ruleset.receivers.items()}
    found = alert_views.receiver_list(kinds, alerting.scribe.book, now).receivers
    return [one for one in found if one.state != "ok"]


def _errors_of(served: Watching) -> ErrorsOf:
    return (lambda *_: {}) if served.witness is None else served.witness.errors_in


async def _ranked(served: Watching, targets: Sequence[Target], search: str, now: Instant) -> AsyncIterator[Ranked]:
    for target in targets:
        ledger, at = target.ledger, target.client.meter.server_now(now)
        tasks = [task for task in known_tasks(target) if search in task.casefold()]
        if ledger is None:
            for task in tasks:
                yield Ranked(target.name, task, 0, 0, 0, 0)
            continue
        span, runs = span_of(ledger, at), open_by_task(ledger)
        for start in range(0, len(tasks), AT_A_TIME):
            for one in rank(ledger, target.name, tasks[start : start + AT_A_TIME], runs, span, at):
                yield one
            await served.clock.sleep(0)


async def _rows(served: Watching, ranked: Sequence[Ranked], now: Instant) -> list[TaskRow]:
    targets = {target.name: target for target in served.targets}
    runs: dict[str, Runs] = {}
    rows = []
    for place, one in enumerate(ranked):
        target = targets[one.target]
        if one.target not in runs:
            runs[one.target] = {} if target.ledger is None else open_by_task(target.ledger)
        sight = sight_of(target, one.task, now, _errors_of(served), runs[one.target].get(one.task, []))
        rows.append(task_row(sight, explain(sight)))
        if place % ROWS_AT_A_TIME == ROWS_AT_A_TIME - 1:
            await served.clock.sleep(0)
    return rows


def _knowing(served: Watching, task: str, name: str | None) -> list[Target]:
    """The targets that know the task; of these only the one that is named, if one is. Raises `Problem`."""
    names = [target.name for target in served.targets]
    if name is not None and name not in names:
        raise Problem(400, "bad_request", f"{found(name)} is no target; use one of {', '.join(names)}")
    asked = [target for target in served.targets if name in (None, target.name)]
    knowing = [target for target in asked if knows(target, task)]
    if not knowing:
        raise Problem(404, "not_found", _nobody_knows(task, asked))
    return knowing


def _nobody_knows(task: str, targets: Sequence[Target]) -> str:
    known = sorted(set().union(*(known_tasks(target) for target in targets)))
    if not known:
        return f"no task {found(task)} is known, nor any other: runs were not read yet, or there are none"
    return f"no task {found(task)} is known{suggestion(task, known)}"
