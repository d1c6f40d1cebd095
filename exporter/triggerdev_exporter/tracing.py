"""Traces in the daemon: opens the door to the collector, and runs a sender and a seeker of relatives for each target.

What OpenTelemetry's SDK costs in memory is paid only here, and only where spans are exported.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from triggerdev_exporter.clock import Clock
from triggerdev_exporter.collect.relatives import Relatives
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.config.model import Traces
from triggerdev_exporter.readings.witness import CLOUD, DASHBOARD
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.plan import Shape
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.spans.sampling import Sampler
from triggerdev_exporter.target import Target

if TYPE_CHECKING:
    from triggerdev_exporter.spans.sender import Door

log = logging.getLogger(__name__)

PARTING_S = 2.0
"""How long a request that is under way may take after a stop. Whatever was not taken is sent after the next start."""


def policy_of(traces: Traces, otlp: Otlp | None, target: TargetConfig) -> Policy | None:
    """What becomes of the spans of `target`; ``None``: it has none."""
    if otlp is None:
        return None
    shape = Shape(
        children=traces.children,
        mode=traces.mode,
        tags=traces.tags,
        dashboard=DASHBOARD if target.api_url == CLOUD else target.api_url,
        limits=otlp.limits,
    )
    return Policy(
        shape=shape,
        sampler=otlp.sampler or Sampler(ratio=traces.sample),
        max_age=traces.max_age,
        max_pending=traces.max_pending,
        max_spans_per_trace=traces.max_spans_per_trace,
    )


@asynccontextmanager
async def open_door(otlp: Otlp, clock: Clock) -> AsyncIterator[Door]:
    """The way to the collector. Raises `ExporterError` if certificates cannot be used."""
    if otlp.protocol == "grpc":
        from triggerdev_exporter.spans.grpc_door import open_grpc

        async with open_grpc(otlp) as over_grpc:
            yield over_grpc
    else:
        from triggerdev_exporter.spans.http_door import open_http

        async with open_http(otlp, clock) as over_http:
            yield over_http


@asynccontextmanager
async def open_tracing(targets: Sequence[Target], otlp: Otlp | None, clock: Clock) -> AsyncIterator[None]:
    """Export the spans of `targets` while this is open. Raises `ExporterError` if certificates cannot be used."""
    if otlp is None:
        yield
        return
    from triggerdev_exporter.spans.sender import Sender

    async with AsyncExitStack() as stack:
        door = await stack.enter_async_context(open_door(otlp, clock))
        stop = asyncio.Event()
        tasks = []
        for target in targets:
            if target.policy is None:  # pragma: no cover - with a collector every target has one
                continue
            chance = Random().random  # noqa: S311 - jitter, not cryptography
            sender = Sender(target, target.policy, otlp, door, clock, chance)
            tasks += [asyncio.create_task(sender.run(stop)), asyncio.create_task(Relatives(target, clock).run(stop))]
        stack.push_async_callback(_end, tasks, stop)
        log.info("exporting spans", extra={"collector": otlp.shown, "protocol": otlp.protocol})
        yield


async def _end(tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    stop.set()
    if tasks:
        await asyncio.wait(tasks, timeout=PARTING_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
