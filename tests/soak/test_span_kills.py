"""Spans under kill -9: whatever a shop did while the daemon was killed again and again is in the collector's hands,
each run once or more, and the same to the byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from elsewhere import elsewhere
from end_to_end.processes import Daemon, wait_until
from otlp_receiver import Receiver, receiving
from soak.kills import Plan, Playground, World, assert_nothing_to_complain
from tracing_stage import differences, true_spans
from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.simulator.command import Running, start_simulator


async def wrong(simulator: Running, receiver: Receiver, birth: int, until: int) -> list[str]:
    """Where what was received differs from the world's truth, of what ended by `until`."""
    world, now = simulator.world, simulator.clock.now()
    world.advance(now)
    due, true = (true_spans(world, birth, at, told=True) for at in (until, now))
    assert len(due) > 300
    return differences(receiver.by_id(), due, true)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_kills_lose_no_span_and_change_none(ground: Playground, protocol: str) -> None:
    plan = Plan(seed=5, kills=10)
    with elsewhere() as there:
        clock = ScaledClock(speed=plan.speed)
        receiver = there.enter(receiving(over_grpc=True))
        simulator = there.enter(
            start_simulator(plan.scenario, profile=plan.profile, seed=plan.seed, clock=clock, history_s=600)
        )
        ground.stage.config(simulator.url)
        endpoint = receiver.http.removesuffix("/v1/traces")
        ground.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.grpc}" if protocol == "grpc" else endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        # Counting begins before the first kill, so that there is enough to lose however slow the machine is.
        first = ground.run()
        wait_until(first.birth, "it counts", first)
        assert first.end() == 0
        world = World(ground, plan)
        for _ in range(plan.kills):
            world.kill_once()
        last = ground.run()
        birth, until = wait_until(last.birth, "it counts", last), clock.now()
        every_span_came(last, lambda: there.do(lambda: wrong(simulator, receiver, birth, until)))
        assert last.value("spans_amended_total", reason="parent_unknown") == 0
        assert last.total("spans_dropped_total") == 0
        assert_nothing_to_complain(last)
        assert last.end() == 0


def every_span_came(daemon: Daemon, differs: Callable[[], list[str]]) -> None:
    lines: list[str] = []

    def is_true() -> bool:
        lines[:] = differs()
        return not lines

    try:
        wait_until(is_true, "every span came", daemon, within=60, every=0.5)
    except AssertionError as error:
        raise AssertionError("the spans are not the truth:\n  " + "\n  ".join(lines[:20])) from error
