"""Families about runs, tasks and versions. All of them read the ledger, and wait for the first look-back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from operator import itemgetter

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.exemplars import Exemplar
from triggerdev_exporter.ledger.facts import TaskFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import OTHER
from triggerdev_exporter.ledger.tags import TAGGED
from triggerdev_exporter.ledger.tally import Histogram
from triggerdev_exporter.metrics.family import Buckets, Family, Kind, Rest, Rows, View
from triggerdev_exporter.statuses import TERMINAL, Outcome

_STATUSES = sorted(status.value for status in TERMINAL)


def counted_tasks(view: View, ledger: Ledger, family: str) -> list[str]:
    """The tasks of a counter family by task: the known ones, and ``__other__`` where something was folded."""
    folded = [OTHER] if OTHER in [labels[0] for labels in ledger.counter(family)] else []
    return [*view.known_tasks, *folded]


def seconds(at: Instant) -> float:
    return at / 1000


def as_buckets(histogram: Histogram, exemplars: tuple[Exemplar | None, ...] = ()) -> Buckets:
    """A ledger's histogram in seconds."""
    return Buckets(_in_seconds(histogram.bounds), tuple(histogram.cells), histogram.sum / 1000, exemplars)


@cache
def _in_seconds(bounds: tuple[int, ...]) -> tuple[float, ...]:
    """One tuple a layout, for thousands of histograms."""
    return tuple(bound / 1000 for bound in bounds)


def counter_rows(family: str, collector: str, *, unit: float = 1) -> Callable[[View], Rows]:
    """The rows of a ledger counter; `unit` is what one stored unit is worth on the page."""

    def read(view: View) -> Rows:
        ledger = view.counts(collector)
        counted = {} if ledger is None else ledger.counter(family)
        return ((labels, value * unit) for labels, value in sorted(counted.items()))

    return read


def histogram_rows(family: str, collector: str) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        ledger = view.counts(collector)
        if ledger is None:
            return ()
        exemplars = ledger.exemplars.of
        return (
            (labels, as_buckets(histogram, exemplars((family, labels))))
            for labels, histogram in sorted(ledger.histogram(family).items(), key=itemgetter(0))
        )

    return read


def _by_task(family: str) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        ledger = view.counts("runs")
        if ledger is None:
            return ()
        count = ledger.counter(family).get
        return [(place, count(place, 0)) for place in [(task,) for task in counted_tasks(view, ledger, family)]]

    return read


def _finished(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is None:
        return
    family = "runs_finished_total"
    count = ledger.counter(family).get
    for task in counted_tasks(view, ledger, family):
        for status in _STATUSES:
            place = (task, status)
            yield place, count(place, 0)


def _tagged(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is not None:
        counted = ledger.counter(TAGGED)
        # A tag that nobody names any more is left on disk, in case somebody does again.
        known = sorted({(tag, value) for tag, value, _ in counted if tag in ledger.limits.tags})
        for tag, value in known:
            for outcome in Outcome:
                yield (tag, value, outcome.value), counted.get((tag, value, outcome.value), 0)


def _open(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is not None:
        table, known = view.open_by_status, ledger.tasks
        for task, facts in view.tasks:
            for status in facts.open_statuses:
                place = (task, status)
                # A status is its text: the same key.
                found = table.get(place)
                yield place, 0 if found is None else found[0]
        for (task, status), (count, _) in sorted(table.items()):
            if task not in known:
                # A task without series of its own: `fold` adds it to the others.
                yield (OTHER, status), count


def _oldest_open(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is not None:
        known = ledger.tasks
        for (task, status), (_, since) in sorted(view.open_by_status.items()):
            yield (task if task in known else OTHER, status), seconds(since)


def _task_facts(pick: Callable[[TaskFacts], float | None]) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        ledger = view.counts("runs")
        if ledger is not None:
            for task, facts in view.tasks:
                value = pick(facts)
                if value is not None:
                    yield (task,), value

    return read


def _task_info(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is not None:
        current = view.target.sights.deployment
        known, deployed = ledger.tasks, view.target.sights.deployed_tasks
        for task in view.known_tasks:
            facts = known.get(task)
            version = facts.version if facts is not None and facts.version else None
            if version is None and current is not None and task in deployed:
                version = current.version
            yield (task, "", version or ""), 1


def _instant(at: Instant | None) -> float | None:
    return None if at is None else seconds(at)


def _families() -> Iterator[Family]:
    counter, gauge, histogram = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
    yield Family(
        "runs_triggered_total",
        counter,
        ("task",),
        "Runs created since counting began (createdAt).",
        _by_task("runs_triggered_total"),
    )
    yield Family(
        "runs_started_total",
        counter,
        ("task",),
        "Runs dequeued for the first time since counting began (startedAt).",
        _by_task("runs_started_total"),
    )
    yield Family(
        "runs_finished_total",
        counter,
        ("task", "status"),
        "Runs that reached a final status since counting began (finishedAt), each once.",
        _finished,
    )
    yield Family(
        "runs_test_finished_total",
        counter,
        ("task",),
        "Test runs (isTest) that reached a final status; they are kept out of all other families.",
        counter_rows("runs_test_finished_total", "runs"),
    )
    yield Family(
        "runs_by_version_finished_total",
        counter,
        ("version", "outcome"),
        "Runs that reached a final status, by deployed version: the three newest, and __older__ for the rest.",
        counter_rows("runs_by_version_finished_total", "runs"),
    )
    yield Family(
        TAGGED,
        counter,
        ("tag", "value", "outcome"),
        "Runs that reached a final status, by each tag of metrics.tags: its value, __none__ for runs without it, "
        "__other__ beyond max_values.",
        _tagged,
    )
    yield Family(
        "runs_open",
        gauge,
        ("task", "status"),
        "Runs that have not ended, as last polled; 0 once a task was seen with that status.",
        _open,
        "runs",
        Rest.SUMMED,
        lambda limits: limits.series["runs_open"],
    )
    yield Family(
        "runs_oldest_open_timestamp_seconds",
        gauge,
        ("task", "status"),
        "Since when the oldest open run is in its status: startedAt for DEQUEUED and EXECUTING, the end of the delay "
        "for QUEUED, createdAt else. Absent when there is none.",
        _oldest_open,
        "runs",
        Rest.OLDEST,
        lambda limits: limits.series["runs_oldest_open_timestamp_seconds"],
    )
    yield Family(
        "run_wait_seconds",
        histogram,
        ("task",),
        "Time from createdAt (or the end of the delay) to startedAt, of runs that ended and had started.",
        histogram_rows("run_wait_seconds", "runs"),
    )
    yield Family(
        "run_duration_seconds",
        histogram,
        ("task", "outcome"),
        "Time from startedAt to finishedAt, waits included, of runs that ended and had started.",
        histogram_rows("run_duration_seconds", "runs"),
    )
    yield Family(
        "run_compute_seconds_total",
        counter,
        ("task",),
        "Compute time of ended runs (durationMs), waits excluded. Absent where the API does not tell.",
        counter_rows("run_compute_seconds_total", "runs", unit=1e-3),
    )
    yield Family(
        "run_cost_usd_total",
        counter,
        ("task",),
        "Compute and base cost of ended runs (costInCents + baseCostInCents). Absent where the API does not tell.",
        counter_rows("run_cost_usd_total", "runs", unit=1e-9),
    )
    yield Family(
        "run_attempts_total",
        counter,
        ("task",),
        "Attempts that ended runs took; known up to a minute after the end, from a query. Absent without one.",
        counter_rows("run_attempts_total", "runs"),
    )
    yield Family(
        "run_last_finished_timestamp_seconds",
        gauge,
        ("task",),
        "When the last run ended (finishedAt), the look-back included.",
        _task_facts(lambda facts: _instant(facts.last_finished)),
        "runs",
    )
    yield Family(
        "run_last_success_timestamp_seconds",
        gauge,
        ("task",),
        "When the last successful run ended (finishedAt), the look-back included.",
        _task_facts(lambda facts: _instant(facts.last_success)),
        "runs",
    )
    yield Family(
        "run_consecutive_failures",
        gauge,
        ("task",),
        "Failed runs that ended after the last successful one, the look-back included.",
        _task_facts(
            lambda facts: None if facts.last_finished is None else facts.consecutive_failures,
        ),
        "runs",
    )
    yield Family(
        "task_info",
        gauge,
        ("task", "owner", "version"),
        "1 for each task that had a run or is in the current deployment, with the version last seen running it.",
        _task_info,
        "runs",
    )


RUN_FAMILIES: tuple[Family, ...] = tuple(_families())
