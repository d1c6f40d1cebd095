"""The targets that are watched, each on its own: opened, woken, ended, without touching the others.

A target of which only labels changed goes on as it is. One that changed otherwise is ended and opened again under its
name: what it counted is in the state, and what it saw is handed over, so that nothing is missing meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from triggerdev_exporter.clock import Clock
from triggerdev_exporter.collect.collector import Collector
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.schedule import Wakes
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

Open = Callable[[TargetConfig, Config, Target | None], AbstractAsyncContextManager[Target]]
"""(what it is told, the rest, the one before it) → the target, with what it needs open while it is."""
Trace = Callable[[Target, Config], AbstractAsyncContextManager[None]]
"""Exports the spans of a target while it is open."""
Collectors = Callable[[Target], Sequence[Collector]]


@dataclass(slots=True)
class _Member:
    target: Target
    made_of: object
    """What it was made of; another one is made when that changes."""
    opened: AsyncExitStack
    work: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What it does besides being asked; ended first."""
    is_awake: bool = False


class Fleet:
    """All targets. Make it with `open_fleet`."""

    def __init__(self, clock: Clock, *, open_: Open, trace: Trace, collectors: Collectors) -> None:
        self._open = open_
        self._trace = trace
        self._collectors = collectors
        self._members: dict[str, _Member] = {}
        self._config: Config | None = None
        self.wakes = Wakes(clock)

    @property
    def targets(self) -> tuple[Target, ...]:
        """In the order of the configuration."""
        return tuple(member.target for member in self._members.values())

    async def use(self, config: Config) -> None:
        """From now on the targets of `config`. New ones are not asked before `wake`. Raises `StateError`."""
        members = self._members
        ended = {name: one for name, one in members.items() if one.made_of != _made_of(config, name)}
        for member in ended.values():
            await self._end(member)
        self._config, self._members = config, {}
        for one in config.targets:
            before = ended.get(one.name)
            if before is None and one.name in members:
                self._members[one.name] = kept = members[one.name]
                kept.target.config = one
                continue
            self._members[one.name] = await self._opened(one, config, None if before is None else before.target)
        for name in members.keys() - self._members.keys():
            log.info("not watched any more", extra={"target": name})

    async def wake(self) -> None:
        """Begin to ask those that are not asked yet."""
        for member in self._members.values():
            if not member.is_awake and self._config is not None:
                member.is_awake = True
                await member.work.enter_async_context(self._trace(member.target, self._config))
                self.wakes.add(member.target, self._collectors(member.target))

    async def close(self) -> None:
        """End all of them, at the same time."""
        await self.wakes.stop()
        await asyncio.gather(*(member.work.aclose() for member in self._members.values()))
        for member in self._members.values():
            await member.opened.aclose()

    async def _opened(self, one: TargetConfig, config: Config, before: Target | None) -> _Member:
        stack = AsyncExitStack()
        try:
            target = await stack.enter_async_context(self._open(one, config, before))
            await target.load()
        except BaseException:
            await stack.aclose()
            raise
        if before is not None:
            target.inherit(before)
        return _Member(target, _made_of(config, one.name), stack)

    async def _end(self, member: _Member) -> None:
        await self.wakes.remove(member.target)
        await member.work.aclose()
        await member.opened.aclose()


@asynccontextmanager
async def open_fleet(
    config: Config, clock: Clock, *, open_: Open, trace: Trace, collectors: Collectors
) -> AsyncIterator[Fleet]:
    """The targets of `config`, open and not woken yet. Raises `StateError`."""
    fleet = Fleet(clock, open_=open_, trace=trace, collectors=collectors)
    try:
        await fleet.use(config)
        yield fleet
    finally:
        await fleet.close()


def _made_of(config: Config, name: str) -> object:
    """Everything that a target is made of but its labels, which can be changed under it; ``None``: it is not wanted."""
    wanted = next((one for one in config.targets if one.name == name), None)
    if wanted is None:
        return None
    return (wanted.model_copy(update={"labels": {}}), config.metrics, config.traces, config.otlp)
