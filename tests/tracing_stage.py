"""A stage for spans: a story whose daemon exports to a receiver, step by step; and what it should have received,
computed from the simulator's world by code that shares nothing with ours."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from otlp_receiver import Received, Receiver
from story import Daemon, Story
from triggerdev_exporter.collect.relatives import Relatives
from triggerdev_exporter.config.model import Traces
from triggerdev_exporter.simulator.entities import Run
from triggerdev_exporter.simulator.world import World
from triggerdev_exporter.spans.grpc_door import open_grpc
from triggerdev_exporter.spans.http_door import open_http
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.sender import Door, Sender


class Exporting:
    """A daemon of a story, its sender and its seeker of relatives. Nothing runs by itself."""

    def __init__(self, story: Story, daemon: Daemon, sender: Sender) -> None:
        self.story = story
        self.daemon = daemon
        self.sender = sender
        self.relatives = Relatives(daemon.target, story.clock)

    async def export(self) -> int:
        """Look for relatives, and send until there is nothing to send; milliseconds until the next look."""
        await self.relatives.step(self.daemon.target.server_now())
        while not (wait := await self.sender.step()):
            pass
        return wait

    async def let(self, seconds: float, *, step: float = 10.0) -> None:
        """Let time pass, polling and exporting."""
        end = self.story.clock.now() + int(seconds * 1000)
        while self.story.clock.now() < end:
            self.story.clock.advance(step)
            await self.daemon.poll_due()
            await self.export()

    def value(self, name: str, **labels: str) -> float | None:
        return self.daemon.value(name, **labels)

    @property
    def pending(self) -> float | None:
        return self.value("spans_pending")


def to(receiver: Receiver, **settings: Any) -> Otlp:
    """The way to `receiver`; over gRPC where the protocol says so."""
    endpoint = receiver.grpc if settings.get("protocol") == "grpc" else receiver.http
    return Otlp(**{"endpoint": endpoint, **settings})


@asynccontextmanager
async def exporting(
    story: Story, otlp: Otlp, *, traces: Traces | None = None, chance: float = 0.5, **changes: Any
) -> AsyncIterator[Exporting]:
    """A daemon on the story's state file; leaving it is a clean stop."""
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(story.daemon(otlp=otlp, traces=traces, **changes))
        door: Door
        if otlp.protocol == "grpc":
            door = await stack.enter_async_context(open_grpc(otlp))
        else:
            door = await stack.enter_async_context(open_http(otlp, story.clock))
        policy = daemon.target.policy
        assert policy is not None
        yield Exporting(story, daemon, Sender(daemon.target, policy, otlp, door, story.clock, lambda: chance))


# -- the truth --------------------------------------------------------------------------------------------------------


def digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).digest()[:length].hex()


class True_(NamedTuple):
    """What a span should be."""

    name: str
    trace: str
    parent: str
    start: int
    end: int


def true_spans(world: World, birth: int, now: int, *, told: bool) -> dict[str, True_]:
    """By span id, of what ended by `now`. `told`: whether anybody tells batches, queues, delays, and when
    runs were queued."""
    found: dict[str, True_] = {}
    for run in world.runs.values():
        end = run.finished_at
        if run.visible_at <= now and end is not None and birth <= end <= now:
            found |= dict(_of(run, end, told))
    for batch in world.batches.values() if told else ():
        if batch.status in ("COMPLETED", "ABORTED") and batch.updated_at >= birth:
            trace = digest(f"trigger.dev/trace/{batch.id}", 16)
            span = digest(f"trigger.dev/span/{batch.id}", 8)
            found[span] = True_("batchTrigger", trace, "", batch.created_at, batch.updated_at)
    return found


def _of(run: Run, end: int, told: bool) -> Iterable[tuple[str, True_]]:
    trace = digest(f"trigger.dev/trace/{run.root_id or run.id}", 16)
    mine = digest(f"trigger.dev/span/{run.id}", 8)
    parent = digest(f"trigger.dev/span/{run.parent_id}", 8) if run.parent_id else ""
    started, delayed = run.started_at, run.delayed_until if told else None
    # Of a scheduled run createdAt is its slot, and it may begin before that.
    created = min(run.created_at, end if started is None else started)
    yield mine, True_(f"run {run.task}", trace, parent, created, end)

    def below(part: str, name: str, start: int, end: int) -> tuple[str, True_]:
        return digest(f"trigger.dev/span/{run.id}/{part}", 8), True_(name, trace, mine, start, end)

    if delayed is not None and delayed > created:
        yield below("delay", "delay", created, min(delayed, end if started is None else started))
    if started is not None:
        queued = max(created, min(delayed or 0, started))
        if told and run.queued_at is not None and queued <= run.queued_at <= started:
            queued = run.queued_at
        yield below("queue", f"queue {run.queue}" if told else "queue", queued, started)
        yield below("execute", f"execute {run.task}", started, end)


ERROR_TYPES = {"CRASHED": "crashed", "SYSTEM_FAILURE": "system_failure", "TIMED_OUT": "timeout", "EXPIRED": "expired"}


def odd_attributes(received: dict[str, Received], world: World, *, told: bool) -> list[str]:
    """Where how a run ended, and on what, is not what the world knows of it."""
    found = []
    for run in world.runs.values():
        span = received.get(digest(f"trigger.dev/span/{run.id}", 8))
        if span is None:
            continue
        error = ERROR_TYPES.get(run.status)
        if run.status == "COMPLETED_WITH_ERRORS":
            error = (run.error or {}).get("name") if told else "_OTHER"
        machine = run.machine if told and run.started_at is not None else None
        mine = (span.attributes.get("error.type"), span.attributes.get("trigger.machine.preset"))
        if mine != (error, machine):
            found.append(f"{run.id} {run.status}: {mine}, truth {(error, machine)}")
    return found


def seen(received: dict[str, Received]) -> dict[str, True_]:
    """What was received, as the truth has it."""
    return {each.id: True_(each.span.name, each.trace, each.parent, each.start, each.end) for each in received.values()}


def differences(received: dict[str, Received], due: dict[str, True_], true: dict[str, True_]) -> list[str]:
    """`due` must have come; more of `true` may have."""
    mine = seen(received)
    return [
        f"{key}: {mine.get(key)}, truth {true.get(key)}"
        for key in {*mine, *due}
        if key not in mine or mine[key] != true.get(key)
    ]
