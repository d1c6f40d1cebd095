"""Starting a simulator: in this process for tests and the demo, or alone for the command line.

Only this module opens sockets. The command line itself is in `cli`; it calls `run_simulator`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from triggerdev_exporter.clock import SECOND, Clock, ScaledClock
from triggerdev_exporter.simulator.app import make_app
from triggerdev_exporter.simulator.faults import Faults
from triggerdev_exporter.simulator.profiles import PROFILES, Profile
from triggerdev_exporter.simulator.scenario import SCENARIOS, Scenario
from triggerdev_exporter.simulator.server import Simulator
from triggerdev_exporter.simulator.world import World


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """What the command line says."""

    host: str = "127.0.0.1"
    port: int = 0
    profile: str = "v4.5"
    scenario: str = "shop"
    seed: int = 1
    speed: float = 1.0
    history_s: float = 7200.0
    """How long the world has been living when the first request comes."""
    omit_nulls: bool = False
    announce: Callable[[str], None] = print
    """Gets the text of `banner` once the port is open."""


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that answers at `url`."""

    url: str
    simulator: Simulator

    @property
    def world(self) -> World:
        return self.simulator.world

    @property
    def clock(self) -> Clock:
        return self.simulator.clock

    @property
    def scaled(self) -> ScaledClock:
        """The clock, where it can be set."""
        if not isinstance(self.simulator.clock, ScaledClock):
            raise TypeError("this simulator runs on another clock")
        return self.simulator.clock

    @property
    def faults(self) -> Faults:
        return self.simulator.faults

    @property
    def requests(self) -> Any:
        """The requests so far, oldest first."""
        return self.simulator.requests


@asynccontextmanager
async def start_simulator(
    scenario: Scenario | str = "empty",
    *,
    profile: Profile | str = "v4.5",
    seed: int = 1,
    clock: Clock | None = None,
    history_s: float = 0.0,
    world: World | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run a simulator in this process. `settings` are those of `server.Simulator`.

    Without `clock` it runs on a `ScaledClock` at speed 1; without `world` one of `scenario` is made, which has lived
    for `history_s` seconds.
    """
    ticking = clock or ScaledClock()
    if world is None:
        made = SCENARIOS[scenario]() if isinstance(scenario, str) else scenario
        world = World(made, seed, ticking.now() - round(history_s * SECOND))
        world.advance(ticking.now())
    row = PROFILES[profile] if isinstance(profile, str) else profile
    simulator = Simulator(world, ticking, row, **settings)
    runner = web.AppRunner(make_app(world, ticking, row, simulator=simulator), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield Running(f"http://{bound[0]}:{bound[1]}", simulator)
    finally:
        await runner.cleanup()


def banner(url: str, profile: str, scenario: str) -> str:
    """What to print once it runs."""
    return (
        f"Simulated Trigger.dev ({profile}, scenario {scenario}) at {url}\n"
        f"  TRIGGER_API_URL={url} TRIGGER_SECRET_KEY=tr_prod_anything\n"
        f"  truth: GET {url}/_sim/truth   clock: POST {url}/_sim/clock   faults: POST {url}/_sim/faults"
    )


async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    profile: str = "v4.5",
    scenario: str = "shop",
    seed: int = 1,
    speed: float = 1.0,
    history_s: float = 7200.0,
    omit_nulls: bool = False,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve until cancelled."""
    running = start_simulator(
        scenario,
        profile=profile,
        seed=seed,
        clock=ScaledClock(speed=speed),
        history_s=history_s,
        host=host,
        port=port,
        omit_nulls=omit_nulls,
    )
    async with running as simulator:
        announce(banner(simulator.url, profile, scenario))
        await asyncio.get_running_loop().create_future()


async def run_simulator(options: SimulatorOptions) -> None:
    """`serve` with the options of the command line."""
    await serve(
        host=options.host,
        port=options.port,
        profile=options.profile,
        scenario=options.scenario,
        seed=options.seed,
        speed=options.speed,
        history_s=options.history_s,
        omit_nulls=options.omit_nulls,
        announce=options.announce,
    )
