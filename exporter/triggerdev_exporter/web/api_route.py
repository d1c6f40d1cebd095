"""A route of the HTTP API as a row of data: router, checks of parameters and the OpenAPI document are made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from triggerdev_exporter.web.json_api import FURTHEST, check_parameters

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What may stand in the query, or must in the path."""

    name: str
    says: str
    choices: Collection[str] = ()
    least: int | None = None
    most: int | None = None
    """With these two it is a number."""
    default: str | int | None = None
    pattern: str = ""

    @property
    def is_number(self) -> bool:
        return self.most is not None


def paging(default: int, most: int) -> tuple[Parameter, Parameter]:
    """What `json_api.paged` reads."""
    return (
        Parameter("limit", "How many at most.", least=1, most=most, default=default),
        Parameter("offset", "How many to leave out.", least=0, most=FURTHEST, default=0),
    )


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method of one address below `json_api.PREFIX`."""

    method: str
    path: str
    handler: Handler
    says: str
    """What it does, in a sentence."""
    answers: type[msgspec.Struct] | None
    """``None``: a document of its own."""
    status: int = 200
    query: tuple[Parameter, ...] = ()
    in_path: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None
    refuses: tuple[int, ...] = ()
    """What it may answer besides, of its own: 404, 409, …"""
    example: Any = None
    """Of the body."""

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    def to_aiohttp(self) -> web.RouteDef:
        known = [parameter.name for parameter in self.query]

        async def checked(request: web.Request) -> web.StreamResponse:
            check_parameters(request, known)
            return await self.handler(request)

        if self.method == "GET":
            # With a name, aiohttp answers HEAD too.
            return web.get(self.path, checked)
        return web.route(self.method, self.path, checked)
