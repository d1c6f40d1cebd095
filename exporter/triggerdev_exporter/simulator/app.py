"""The simulator as an HTTP application: the API of Trigger.dev, and the one that tests hold it by."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from triggerdev_exporter.clock import Clock
from triggerdev_exporter.simulator import control
from triggerdev_exporter.simulator.profiles import PROFILES, Profile
from triggerdev_exporter.simulator.server import Simulator
from triggerdev_exporter.simulator.world import World


def make_app(
    world: World, clock: Clock, profile: Profile | str = "v4.5", *, simulator: Simulator | None = None, **settings: Any
) -> web.Application:
    """The application; `settings` are those of `Simulator`."""
    row = PROFILES[profile] if isinstance(profile, str) else profile
    served = simulator or Simulator(world, clock, row, **settings)
    app = web.Application(client_max_size=1 << 20)
    control.add_routes(app, served)
    app.router.add_route("*", "/{path:.*}", served.handle)
    return app
