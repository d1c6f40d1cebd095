"""``/api/v1/config``: whether what is in use is what was written last, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from triggerdev_exporter.clock import iso
from triggerdev_exporter.reloading import Reloads
from triggerdev_exporter.web.api_route import ApiRoute
from triggerdev_exporter.web.json_api import answer


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """How the last reload went. No setting is here: some are secrets."""

    loaded_at: str
    """When what is in use was loaded."""
    tried_at: str
    """When it was last tried to load it anew."""
    is_current: bool
    """Whether what is in use is what was read last."""
    mistakes: Sequence[str]
    """Why the last attempt was given up, as `check` tells it; empty when it was not."""


class Reloading(Protocol):
    """Whoever reloads."""

    @property
    def reloads(self) -> Reloads: ...


def routes(served: Reloading) -> list[ApiRoute]:
    """The routes, for the router of the one server."""

    async def config(_: web.Request) -> web.Response:
        told = served.reloads
        view = ConfigView(
            loaded_at=iso(told.at), tried_at=iso(told.tried_at), is_current=told.is_well, mistakes=told.mistakes
        )
        return answer(view)

    return [ApiRoute("GET", "/api/v1/config", config, "How the last reload went.", ConfigView)]
