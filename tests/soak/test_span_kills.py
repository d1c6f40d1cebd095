"""Spans under kill -9: whatever a shop did while the daemon was killed again and again is in the collector's hands,
each run once or more, and the same to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest

from end_to_end.processes import Daemon, wait_until
from otlp_receiver import Receiver, receiving
from soak.kills import Plan, Playground, World, assert_nothing_to_complain
from tracing_stage import differences, true_spans
from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.simulator.command import Running, start_simulator

T = TypeVar("T")


class Outside:
    """A simulator and a collector, in a thread of their own: the test waits for processes, they must not."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.simulator: Running
        self.receiver: Receiver

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Let `work` be done in their thread."""

        async def awaited() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(60)


@contextlib.contextmanager
def outside(plan: Plan, *, over_grpc: bool) -> Iterator[Outside]:
    there = Outside()
    thread = threading.Thread(target=there.loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def begin() -> None:
        there.receiver = await stack.enter_async_context(receiving(over_grpc=over_grpc))
        there.simulator = await stack.enter_async_context(
            start_simulator(
                plan.scenario,
                profile=plan.profile,
                seed=plan.seed,
                clock=ScaledClock(speed=plan.speed),
                history_s=600,
            )
        )

    try:
        there.do(begin)
        yield there
    finally:
        there.do(stack.aclose)
        there.loop.call_soon_threadsafe(there.loop.stop)
        thread.join(10)
        there.loop.close()


def wrong(there: Outside, daemon: Daemon, until: int) -> list[str]:
    """Where what was received differs from the world's truth, of what ended by `until`."""
    birth = daemon.birth()

    async def compare() -> list[str]:
        world, now = there.simulator.world, there.simulator.clock.now()
        world.advance(now)
        due, true = (true_spans(world, birth, at, told=True) for at in (until, now))
        assert len(due) > 300
        return differences(there.receiver.by_id(), due, true)

    return there.do(compare)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_kills_lose_no_span_and_change_none(ground: Playground, protocol: str) -> None:
    plan = Plan(seed=5, kills=10)
    with outside(plan, over_grpc=True) as there:
        ground.stage.config(there.simulator.url)
        endpoint = there.receiver.http.removesuffix("/v1/traces")
        ground.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{there.receiver.grpc}" if protocol == "grpc" else endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        world = World(ground, plan)
        for _ in range(plan.kills):
            world.kill_once()
        last = ground.run()
        wait_until(last.birth, "it counts", last)
        until = there.simulator.clock.now()
        wait_until(lambda: not wrong(there, last, until), "every span came", last, within=60, every=0.5)
        assert last.value("spans_amended_total", reason="parent_unknown") == 0
        assert last.total("spans_dropped_total") == 0
        assert_nothing_to_complain(last)
        assert last.end() == 0
