"""Ten million runs through the real client, ledger and store, to see that memory follows open runs and not history.

The server is a process of its own that makes up its pages from run numbers, so that it costs little and remembers
nothing. Run it alone (``python tests/soak/endless.py 10000000``, or ``1000000 --distinct`` for as many task ids) or
through `make soak`; `make test` runs a short form.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
from aiohttp import web
from pydantic import SecretStr

from triggerdev_exporter.app import collectors_of, open_targets
from triggerdev_exporter.clock import MINUTE, SECOND, iso
from triggerdev_exporter.collect.collector import Collector, tick
from triggerdev_exporter.config.model import Config, Quota, Target
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import Page
from triggerdev_exporter.target import Target as Watched

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]  # it is run as a script, too
from virtual_clock import VirtualClock  # noqa: E402 - after the path to it

START = 1_800_000_000_000
APART = 120
"""Milliseconds between two runs: 2,500 in five minutes, ten million in two weeks, so that old ids are forgotten too."""
LIFE = 2 * SECOND
STEP = 5 * MINUTE
TASKS = 50


@dataclass(frozen=True)
class Measured:
    """Resident memory of the watching process, in bytes, at some numbers of runs."""

    runs: int
    counted: int
    early: int
    late: int
    seconds: float
    state_bytes: int
    page: str
    """The last page of /metrics."""

    @property
    def growth(self) -> float:
        return self.late / self.early - 1


# -- the server -------------------------------------------------------------------------------------------------------


def hostile_name(number: int) -> str:
    """JSON text of a task id like no other: long, with quotes, line breaks, control characters, half a surrogate."""
    odd = ("plain", 'quo\\"te', "back\\\\slash", "line\\nbreak", "\\u0000\\u001b[31m", "\\ud800half", "x" * 10_000)
    return f"{odd[number % len(odd)] if number % 100 < 7 else 'plain'}-{number}"


def _item(number: int, now: int, distinct: bool) -> str:
    created = START + number * APART
    ended = created + LIFE <= now
    task = hostile_name(number) if distinct else f"task-{number % TASKS}"
    dates = f'"createdAt":"{iso(created)}","updatedAt":"{iso(created)}","startedAt":"{iso(created + 500)}"'
    if ended:
        dates += f',"finishedAt":"{iso(created + LIFE)}"'
    return (
        f'{{"id":"run_{number:024d}","status":"{"COMPLETED" if ended else "EXECUTING"}",{dates},'
        f'"taskIdentifier":"{task}","version":"2027.{number // 1_000_000}","isTest":false,"tags":[],'
        '"env":{"id":"env","name":"prod"},"costInCents":0.0012,"baseCostInCents":0.0025,"durationMs":1500,"depth":0,'
        '"taskKind":"STANDARD","isQueued":false}'
    )


def _date(now: int) -> dict[str, str]:
    return {"Date": format_datetime(datetime.fromtimestamp(now // 1000, UTC), usegmt=True)}


async def _serve(pipe: Connection, distinct: bool) -> None:
    now = START

    async def runs(request: web.Request) -> web.Response:
        newest = (now - START) // APART
        lowest = max(0, -(-(int(request.query["filter[createdAt][from]"]) - START) // APART))
        if "filter[status]" in request.query:
            lowest = max(lowest, (now - LIFE - START) // APART + 1)
        top = int(request.query["page[after]"]) - 1 if "page[after]" in request.query else newest
        bottom = max(lowest, top - 99)
        items = ",".join(_item(number, now, distinct) for number in range(top, bottom - 1, -1))
        pagination = f'{{"next":"{bottom}"}}' if bottom > lowest else "{}"
        body = f'{{"data":[{items}],"pagination":{pagination}}}'
        return web.Response(text=body, content_type="application/json", headers=_date(now))

    async def run(request: web.Request) -> web.Response:
        number = int(request.match_info["run"].removeprefix("run_"))
        return web.Response(text=_item(number, now, distinct), content_type="application/json", headers=_date(now))

    async def queues(_: web.Request) -> web.Response:
        empty = {"data": [], "pagination": {"currentPage": 1, "totalPages": 0, "count": 0}}
        return web.json_response(empty, headers=_date(now))

    async def clock(request: web.Request) -> web.Response:
        nonlocal now
        now = int(request.query["now"])
        return web.Response()

    app = web.Application()
    app.router.add_get("/api/v1/runs", runs)
    app.router.add_get("/api/v3/runs/{run}", run)
    app.router.add_get("/api/v1/queues", queues)
    app.router.add_get("/clock", clock)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.get_running_loop().run_in_executor(None, pipe.poll, None)


def _server(pipe: Connection, distinct: bool) -> None:
    asyncio.run(_serve(pipe, distinct))


@contextmanager
def served(*, distinct: bool = False) -> Iterator[str]:
    """The server's URL, while it runs."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_server, args=(theirs, distinct), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}"
    finally:
        process.terminate()
        process.join(5)


# -- the watcher ------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096


async def _without_sweeps(target: Watched) -> None:
    """Put the next sweep off for ever: it reads each run six times more, and adds nothing here but hours."""
    assert target.journal is not None

    def decide(draft: Draft) -> None:
        draft.put(Kind.COVERAGE, "", msgspec.structs.replace(draft.coverage(), swept_at=2**60))

    await target.journal.write(decide)


@asynccontextmanager
async def watched(
    url: str, folder: Path, clock: VirtualClock
) -> AsyncIterator[tuple[Watched, dict[str, Collector], Callable[[float], Awaitable[None]]]]:
    """A target that watches the server from now on, its collectors, and what moves time by some seconds for both."""
    target_config = Target(
        name="endless",
        api_url=url,
        secret_key=SecretStr("tr_prod_endless"),
        quota=Quota(requests_per_minute=1_000_000, share=1.0),
        dialect="trigger",
    )
    config = Config(targets=(target_config,), state=folder / "state.db")
    store = open_store(config.state)
    async with open_targets(config, clock, store) as (target,):
        session = target.client._session

        async def move(seconds: float) -> None:
            clock.advance(seconds)
            async with session.get(f"{url}/clock", params={"now": str(clock.now())}):
                pass

        collectors = {collector.name: collector for collector in collectors_of(target)}
        await tick(target, collectors["runs"])
        await _without_sweeps(target)
        yield target, collectors, move
    await store.close()


async def follow(total: int, folder: Path, *, distinct: bool = False, progress: bool = False) -> Measured:
    """Follow `total` runs; memory is read after a tenth of them and at the end. `distinct`: each of its own task."""
    clock = VirtualClock(START)
    started = asyncio.get_running_loop().time()
    early = seen = 0
    with served(distinct=distinct) as url:
        async with watched(url, folder, clock) as (target, collectors, move):
            while seen < total:
                report = await tick(target, collectors["runs"])
                assert report.outcome == "ok", report
                await move(STEP / SECOND)
                seen += STEP // APART
                if not early and seen >= total // 10:
                    early = resident()
                if progress and seen % 500_000 < STEP // APART:
                    sys.stdout.write(f"{seen:>11,} runs   {resident() / 2**20:6.1f} MiB\n")
                    sys.stdout.flush()
            await move(60)
            await tick(target, collectors["runs"])
            ledger = target.ledger
            assert ledger is not None
            counted = sum(ledger.counter("runs_finished_total").values())
            late = resident()
            page = Page((target,), clock.now(), loaded_at=0, state_bytes=0).write(Format.TEXT_0)
            size = (folder / "state.db").stat().st_size
    there = (clock.now() - LIFE - START) // APART + 1
    assert counted == there, f"counted {counted} of {there}"
    return Measured(seen, counted, early, late, asyncio.get_running_loop().time() - started, size, page.decode())


def main() -> int:
    """Print the measurement; 1 if memory grew by more than 5 %."""
    logging.disable(logging.WARNING)
    distinct = "--distinct" in sys.argv
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    total = numbers[0] if numbers else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(follow(total, Path(folder), distinct=distinct, progress=True))
    sys.stdout.write(
        f"{measured.counted:,} runs counted in {measured.seconds:.0f} s; resident memory "
        f"{measured.early / 2**20:.1f} MiB after a tenth, {measured.late / 2**20:.1f} MiB at the end "
        f"({measured.growth:+.1%}); state {measured.state_bytes / 2**20:.0f} MiB\n"
    )
    return 0 if measured.growth <= 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
