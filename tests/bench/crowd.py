"""A target with as many tasks as wanted, put straight into memory: what a page, a tick or a rule has to get through."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import aiohttp
from pydantic import SecretStr

from triggerdev_exporter.api.budget import Budget
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.meter import ApiMeter
from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.ledger.facts import Coverage, Kind, OpenRun, TaskFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import limits
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.store import Store, open_store
from triggerdev_exporter.ledger.tally import BOUNDS_MS, Histogram
from triggerdev_exporter.records import Queue
from triggerdev_exporter.statuses import RunStatus
from triggerdev_exporter.target import Target

LINES_A_TASK = 66
"""Lines of the page that a task takes here: every counter, four open statuses, and three histograms."""
_ENDS = ("CANCELED", "COMPLETED", "CRASHED", "EXPIRED", "FAILED", "SYSTEM_FAILURE", "TIMED_OUT")
_OPEN = (RunStatus.DEQUEUED, RunStatus.DELAYED, RunStatus.EXECUTING, RunStatus.QUEUED)


def task_name(number: int) -> str:
    return f"task-{number:05d}-send-email"


def _news_of(numbers: range, random: Random) -> News:
    """As many ended runs of each of those tasks as a page may bring."""
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    timings = {}
    for number in numbers:
        task = task_name(number)
        ended = random.randrange(1, 500)
        for family in ("runs_triggered_total", "runs_started_total", "run_attempts_total"):
            counts[family, (task,)] += ended
        counts["run_compute_seconds_total", (task,)] += ended * 1_234
        counts["run_cost_usd_total", (task,)] += ended * 12_345_678
        for status in _ENDS:
            counts["runs_finished_total", (task, status)] += random.randrange(100)
        for family, labels in (
            ("run_wait_seconds", (task,)),
            ("run_duration_seconds", (task, "success")),
            ("run_duration_seconds", (task, "failure")),
        ):
            histogram = Histogram(BOUNDS_MS[family])
            for _ in range(10):
                histogram.observe(random.randrange(1, 100_000))
            timings[family, labels] = histogram
    return News(counts=counts, timings=timings)


def page_of_news(tasks: int, random: Random, *, share: float) -> News:
    """What changes between two scrapes when that share of the tasks had a run."""
    first = random.randrange(max(1, tasks - int(tasks * share)))
    return _news_of(range(first, first + max(1, int(tasks * share))), random)


def crowded_ledger(tasks: int, open_runs: int, now: Instant, random: Random) -> Ledger:
    """A ledger in which every task had runs, and `open_runs` runs are spread over them."""
    ledger = Ledger(now - 86_400_000)
    ledger.set_fact(Kind.COVERAGE, "", Coverage(tail=0, looked_back=True))
    ledger.absorb(_news_of(range(tasks), random))
    statuses = tuple(sorted(status.value for status in _OPEN))
    for number in range(tasks):
        facts = TaskFacts(last_finished=now, last_success=now - number, version="20261125.1", open_statuses=statuses)
        ledger.set_fact(Kind.TASK, task_name(number), facts)
    for number in range(open_runs):
        run = OpenRun(
            task=task_name(number % tasks), status=_OPEN[number // tasks % len(_OPEN)], created_at=now - number
        )
        ledger.set_fact(Kind.RUN, f"run_{number:025d}", run)
    return ledger


class Crowd:
    """The target, with what has to be closed again."""

    def __init__(self, tasks: int, clock: Clock, folder: Path, *, open_runs: int | None = None) -> None:
        self.tasks = tasks
        self.random = Random(1)
        self._session = aiohttp.ClientSession()
        self._store: Store = open_store(folder / "state.db")
        config = TargetConfig(name="prod", secret_key=SecretStr("tr_prod_bench"), api_url="http://127.0.0.1:9")
        client = Client(
            self._session,
            config.api_url,
            Secret(config.secret_key.get_secret_value()),
            clock,
            Budget(config.quota.requests_per_minute, config.quota.share),
            ApiMeter(),
            branch=None,
            random=self.random,
        )
        most = limits(max(50_000, 2 * tasks * LINES_A_TASK))
        self.target = Target(config, name="prod", client=client, clock=clock, store=self._store, limits=most)
        ledger = crowded_ledger(tasks, tasks if open_runs is None else open_runs, clock.now(), self.random)
        self.target._keep(ledger)
        self.ledger = ledger
        for state in self.target.states.values():
            state.last_success, state.up, state.supported = clock.now(), True, True
        self.target.sights.queues = tuple(
            Queue(
                name=f"task/{task_name(number)}",
                type="task",
                task=task_name(number),
                queued=number % 7,
                running=number % 3,
                paused=False,
                concurrency_limit=None,
            )
            for number in range(tasks)
        )

    async def close(self) -> None:
        await self._session.close()
        await self._store.close()
