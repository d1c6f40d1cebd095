"""What exporting spans costs, against plain `exporter.export` of the same spans; and whether polling feels it.

``make bench`` prints both. First: rows of a state file are sent, acknowledged and let go, and the same spans, made
before, are given to the SDK's own exporter; spans per second of CPU of each, collector not included. Then: a world in
which 10,000 runs end each minute is watched by the daemon, without traces and with them; how far apart polls begin, how
long they take, and how long the event loop stalls. A poll is begun an interval after the one before, and up to a tenth
of it later: so many daemons do not ask in the same second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource as resource_use
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiohttp import web
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from pydantic import SecretStr

from bench.table import Row
from triggerdev_exporter.app import open_targets, running
from triggerdev_exporter.clock import SECOND, Instant, SystemClock
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.model import Alerts, Config, Intervals, Quota, Target, Traces, Web
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.simulator.command import start_simulator
from triggerdev_exporter.simulator.scenario import Scenario, TaskSpec
from triggerdev_exporter.spans.due import Origin, RunDue
from triggerdev_exporter.spans.encode import readable
from triggerdev_exporter.spans.http_door import open_http
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.parcel import MOST_SPANS
from triggerdev_exporter.spans.resource import resource
from triggerdev_exporter.spans.sender import Sender
from triggerdev_exporter.statuses import RunStatus
from triggerdev_exporter.target import Target as Watching

RUNS_A_MINUTE = 10_000
INTERVAL_S = 10
WATCHED_S = 170.0
"""Two rounds of the query, once a minute, and what came of the second. All of `make bench` has ten minutes."""
CHILDREN = 0.3


# -- the other process: a collector that takes everything, and a busy world -------------------------------------------


async def _take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(content_type="application/x-protobuf")


def busy_world(runs_a_minute: int) -> Scenario:
    """So many runs end each minute, a part of them children of others."""
    roots = runs_a_minute / 60 / (1 + CHILDREN)
    fine = {"COMPLETED_SUCCESSFULLY": 98.0, "COMPLETED_WITH_ERRORS": 2.0}
    tasks = [
        TaskSpec(
            f"task-{number}",
            per_second=roots / 10,
            run_ms=1_500,
            outcomes=fine,
            child="below",
            child_chance=CHILDREN,
        )
        for number in range(10)
    ]
    return Scenario("bench", (*tasks, TaskSpec("below", run_ms=700, outcomes=fine)))


async def _be_outside(runs_a_minute: int) -> None:
    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/v1/traces", _take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with start_simulator(busy_world(runs_a_minute), clock=SystemClock(), history_s=20) as simulator:
        told = {"collector": f"http://127.0.0.1:{runner.addresses[0][1]}", "api": simulator.url}
        print(json.dumps(told), flush=True)
        # Whoever started us ends us by closing our stdin.
        await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextlib.contextmanager
def outside(runs_a_minute: int) -> Iterator[dict[str, str]]:
    """The URLs of both, in a process whose CPU is not ours."""
    command = [sys.executable, "-m", "bench.spans", "--outside", str(runs_a_minute)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(20)


# -- spans per second of CPU ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Of so many spans, in seconds of CPU."""

    spans: int
    ours: float
    plain: float

    @property
    def ratio(self) -> float:
        """How many times what plain exporting costs."""
        return self.ours / self.plain

    def __str__(self) -> str:
        return (
            f"  {self.spans:,} spans: {self.spans / self.ours:,.0f} a CPU-second from the state file to the "
            f"acknowledgement, {self.spans / self.plain:,.0f} by plain exporter.export; {self.ratio:.2f} × its cost"
        )


def ended(number: int, now: Instant) -> RunDue:
    """A run as it usually is."""
    created = now - 60_000 + number % 1_000
    return RunDue(
        id=f"run_cm{number:023d}",
        task=f"task-{number % 20}",
        status=RunStatus.COMPLETED if number % 20 else RunStatus.FAILED,
        created_at=created,
        queued_at=created,
        started_at=created + 150,
        dequeued_at=created + 150,
        finished_at=created + 2_000,
        version="20260105.1",
        depth=0,
        kind="STANDARD",
        attempts=1,
        queue=f"task/task-{number % 20}",
        compute_ms=1_850,
        cost_nanousd=120_000,
        origin=Origin(project="proj_bench", environment="prod", environment_type="PRODUCTION"),
    )


def config_for(api: str, folder: Path, otlp: Otlp | None) -> Config:
    every = INTERVAL_S * SECOND
    return Config(
        targets=(
            Target(
                name="bench",
                api_url=api,
                secret_key=SecretStr("tr_prod_bench"),
                quota=Quota(requests_per_minute=100_000, share=1.0),
                lookback=0,
                intervals=Intervals(runs=every, queues=every, batches=every),
            ),
        ),
        state=folder / "state.db",
        web=Web(listen=Listen("127.0.0.1", 0)),
        alerts=Alerts(shipped=False),
        traces=Traces(),
        otlp=otlp,
    )


async def cost(runs: int, urls: dict[str, str]) -> Cost:
    """What so many runs cost, each way."""
    otlp, clock = Otlp(endpoint=f"{urls['collector']}/v1/traces"), SystemClock()
    dues = [ended(number, clock.now()) for number in range(runs)]
    with tempfile.TemporaryDirectory() as folder:
        config = config_for(urls["api"], Path(folder), otlp)
        store = open_store(config.state)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(store.close)
            (target,) = await stack.enter_async_context(open_targets(config, clock, store))
            _, journal = await target.open()
            assert target.policy is not None
            for start in range(0, runs, 500):
                await journal.write(lambda draft, start=start: put(draft, dues[start : start + 500]))  # type: ignore[misc]
            door = await stack.enter_async_context(open_http(otlp, clock))
            sender = Sender(target, target.policy, otlp, door, clock, lambda: 0.5)
            began = time.process_time()
            while not await sender.step():
                pass
            ours = time.process_time() - began
            assert journal.ledger.waiting_spans == 0
            about = Resource(resource(dues[0].origin, service_name=None, attributes={}))
            spans = [readable(span, about) for due in dues for span in target.policy.plan(due)]
    return Cost(len(spans), ours, await asyncio.to_thread(plainly, spans, otlp.endpoint))


def put(draft: Draft, dues: list[RunDue]) -> None:
    for due in dues:
        draft.put_span(SpanRow(due, due.finished_at, sealed=True))


def plainly(spans: list[Any], endpoint: str) -> float:
    """Seconds of CPU that the SDK's exporter takes, in batches as large as ours."""
    exporter = OTLPSpanExporter(endpoint=endpoint)
    began = time.process_time()
    for start in range(0, len(spans), MOST_SPANS):
        assert exporter.export(spans[start : start + MOST_SPANS]) is SpanExportResult.SUCCESS
    took = time.process_time() - began
    exporter.shutdown()
    return took


# -- polling ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Watched:
    """What was seen in some time of watching, in seconds: in the second half, unless something else is said."""

    seconds: float
    ticks: int
    longest_gap: float
    """Between the beginnings of two ticks."""
    longest_tick: float
    stall: float
    cpu: float
    finished: float
    left: float
    """Runs that ended since the start and wait no more."""
    exported: float
    """Their spans."""
    most_pending: int
    """Runs that waited at once. Just before a query that is all that ended since the one before."""
    longest_wait: float
    """Since its end, of the run that waited longest."""

    def __str__(self) -> str:
        per_minute = self.finished / self.seconds * 60
        spans = (
            f"; {self.exported:,.0f} spans of {self.left:,.0f} runs exported since the start, those of a run "
            f"{self.longest_wait:.0f} s after its end at most; {self.most_pending:,} runs waited at once"
        )
        return (
            f"{per_minute:,.0f} runs ended a minute; {self.ticks} ticks of {INTERVAL_S} s, "
            f"begun {self.longest_gap:.1f} s apart at most, {self.longest_tick:.2f} s long at most; "
            f"longest stall {self.stall * 1000:.0f} ms; {self.cpu / self.seconds:.0%} of a CPU"
            + (spans if self.exported else "")
        )


async def watch(urls: dict[str, str], seconds: float, *, traces: bool) -> Watched:
    """Run the daemon for a while."""
    otlp = Otlp(endpoint=f"{urls['collector']}/v1/traces") if traces else None
    with tempfile.TemporaryDirectory() as folder:
        async with running(config_for(urls["api"], Path(folder), otlp), SystemClock()) as exporter:
            (target,) = exporter.targets
            state = target.states["runs"]
            begins: list[int] = []
            longest_tick = stall = longest_wait = 0.0
            most_pending = 0
            await asyncio.sleep(seconds / 2)  # noqa: TID251 -- the daemon does its work meanwhile
            assert target.journal is not None
            (finished, _), cpu = counts(target), time.process_time()
            began = last = looked = time.monotonic()  # noqa: TID251 -- measures
            while last - began < seconds / 2:
                await asyncio.sleep(0.005)  # noqa: TID251 -- measures how long others keep the loop
                now = time.monotonic()  # noqa: TID251 -- measures
                stall, last = max(stall, now - last - 0.005), now
                if state.asked_at is not None and state.asked_at not in begins:
                    begins.append(state.asked_at)
                longest_tick = max(longest_tick, state.duration_s or 0.0)
                if now - looked > 1:
                    looked, most_pending = now, max(most_pending, target.journal.ledger.waiting_spans)
                    for row in (await target.journal.oldest_spans(1)).values():
                        longest_wait = max(longest_wait, (target.server_now() - row.due.finished_at) / SECOND)
                    last = time.monotonic()  # noqa: TID251 -- that was us
            in_all, exported = counts(target)
            return Watched(
                last - began,
                len(begins),
                max((later - earlier for earlier, later in pairwise(begins)), default=0) / SECOND,
                longest_tick,
                stall,
                time.process_time() - cpu,
                in_all - finished,
                in_all - target.journal.ledger.waiting_spans,
                exported,
                most_pending,
                longest_wait,
            )


def others_cpu() -> float:
    """Seconds of CPU that processes took which we started, once they ended."""
    usage = resource_use.getrusage(resource_use.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def counts(target: Watching) -> tuple[float, float]:
    """Runs that ended, and spans that were taken."""
    assert target.ledger is not None
    finished = sum(target.ledger.counter("runs_finished_total").values())
    return finished, target.ledger.counter("spans_exported_total").get((), 0)


def rows() -> list[Row]:
    """What `make bench` tells of spans."""
    with outside(0) as urls:
        found = asyncio.run(cost(10_000, urls))
    seen = []
    began, before = time.monotonic(), others_cpu()  # noqa: TID251 -- measures
    for traces in (False, True):
        with outside(RUNS_A_MINUTE) as urls:
            seen.append(asyncio.run(watch(urls, WATCHED_S, traces=traces)))
    without, with_ = seen
    # Most of a poll is waiting for the simulated server, which has the same cores.
    others = (others_cpu() - before) / (time.monotonic() - began)  # noqa: TID251 -- measures
    return [
        Row(
            "spans a CPU-second, from the state file to the acknowledgement",
            f"{found.spans / found.ours:,.0f}",
            f"plain `exporter.export` of the same spans: {found.spans / found.plain:,.0f}",
            f"{found.ratio:.2f} × its cost",
            "≤ 2 ×",
        ),
        Row(
            f"longest time between two polls every {INTERVAL_S} s (and up to 1 s of jitter), {RUNS_A_MINUTE:,} runs a "
            "minute exported",
            f"{with_.longest_gap:.1f} s",
            f"without traces: {without.longest_gap:.1f} s",
            f"{with_.longest_gap / without.longest_gap:.2f} ×",
            "≤ 11 s: the interval does not slip",
        ),
        Row(
            "CPU of watching and exporting them",
            f"{with_.cpu / with_.seconds:.0%} of a CPU",
            f"without traces: {without.cpu / without.seconds:.0%}; the simulated server's: {others:.0%}",
            f"{(with_.cpu / with_.seconds) / (without.cpu / without.seconds):.2f} ×",
            "",
        ),
        Row(
            f"spans exported meanwhile, of {with_.finished / with_.seconds * 60:,.0f} runs that ended a minute",
            f"{with_.exported:,.0f}",
            f"a run waited {with_.longest_wait:.0f} s at most: the query is asked once a minute, for 10,000 runs",
            f"{with_.exported / with_.left:.1f} a run",
            "3 a run, none lost",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="of which the cost is measured")
    parser.add_argument("--seconds", type=float, default=240.0, help="how long each daemon is watched")
    parser.add_argument("--outside", type=int, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.outside is not None:
        asyncio.run(_be_outside(wish.outside))
        return
    with outside(0) as urls:
        print(asyncio.run(cost(wish.runs, urls)))
    for name, traces in (("without traces", False), ("with traces", True)):
        with outside(RUNS_A_MINUTE) as urls:
            print(f"  {name}: {asyncio.run(watch(urls, wish.seconds, traces=traces))}")


if __name__ == "__main__":
    main()
