"""The HTTP server: routes, headers, and nothing else. What is shown is decided in `metrics/` and `pages.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from triggerdev_alerts.errors import AlertsError
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.metrics.negotiation import accepts_gzip, choose_format
from triggerdev_exporter.metrics.page import Page
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.reloading import Reloads
from triggerdev_exporter.target import Target
from triggerdev_exporter.web import alerts_api, config_api, tasks_api
from triggerdev_exporter.web.api_route import ApiRoute
from triggerdev_exporter.web.forms import Forms
from triggerdev_exporter.web.gate import Gate
from triggerdev_exporter.web.json_api import LARGEST_BODY, PREFIX, answer, json_errors
from triggerdev_exporter.web.openapi import document
from triggerdev_exporter.web.pages import Pages
from triggerdev_exporter.web.readiness import waiting_for

SECURITY_HEADERS = {
    # Of all that is no page; pages say their own (`pages.py`).
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with it browsers hide the origin of our own forms too, and they would be refused.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Served(Protocol):
    """What the server shows; the composition root is it."""

    @property
    def targets(self) -> Sequence[Target]: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def started_at(self) -> Instant: ...

    @property
    def alerting(self) -> alerts_api.Operated | None: ...

    @property
    def reloaded(self) -> bool: ...

    @property
    def reloads(self) -> Reloads: ...

    @property
    def witness(self) -> LedgerWitness | None: ...

    def page(self, now: Instant) -> Page: ...

    async def reload(self) -> None:
        """Raises `AlertsError` or `ExporterError`, and then all stays as it was."""
        ...


def api_routes(served: Served) -> list[ApiRoute]:
    """All routes of the HTTP API, and of them the one that describes the others."""
    routes = [*alerts_api.routes(served), *tasks_api.routes(served), *config_api.routes(served)]

    async def describe(_: web.Request) -> web.Response:
        return answer(document([*routes, described]))

    described = ApiRoute("GET", f"{PREFIX}v1/openapi.json", describe, "This document: OpenAPI 3.1.", None)
    return [*routes, described]


def make_app(served: Served, gate: Gate | None = None) -> web.Application:
    """The application; it holds no state of its own. Without a `gate` everybody may come in."""
    guard = gate or Gate(served.clock)

    async def metrics(request: web.Request) -> web.Response:
        format_, content_type = choose_format(",".join(request.headers.getall("Accept", [])))
        text = await served.page(served.clock.now()).text_in_turns(format_, served.clock)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if accepts_gzip(",".join(request.headers.getall("Accept-Encoding", []))):
            headers["Content-Encoding"] = "gzip"
            return web.Response(
                body=await asyncio.get_running_loop().run_in_executor(None, text.packed), headers=headers
            )
        return web.Response(body=text.plain(), headers=headers)

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="The exporter runs.\n")

    async def ready(_: web.Request) -> web.Response:
        missing = waiting_for(served.targets, started_at=served.started_at, now=served.clock.now())
        if missing is None:
            return web.Response(text="The exporter is ready.\n")
        return web.Response(text=f"Not ready: {missing}.\n", status=503)

    async def reload(_: web.Request) -> web.Response:
        try:
            await served.reload()
        except (AlertsError, ExporterError) as error:
            return web.Response(text=f"{error}\nThe old configuration stays.\n", status=422)
        return web.Response(text="Reloaded.\n")

    app = web.Application(middlewares=[_headers(guard), guard.middleware, json_errors], client_max_size=LARGEST_BODY)
    pages = Pages(served)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    app.router.add_routes(pages.routes())
    app.router.add_routes(Forms(served, pages).routes())
    app.router.add_post("/-/reload", reload)
    app.router.add_routes([route.to_aiohttp() for route in api_routes(served)])
    return app


def _way_on(error: web.HTTPException) -> str:
    if "Allow" in error.headers:
        return f"this takes {error.headers['Allow'].replace(',', ', ')}"
    return "pages begin at /, metrics are at /metrics, and /api/v1/openapi.json lists the API"


def _headers(guard: Gate) -> Middleware:
    """The outermost: every answer has our headers, or those that the web config sets in their place."""

    @web.middleware
    async def headers(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            # Raised as it is, aiohttp's answer names its version; ours names the way back.
            response = web.Response(text=f"{error.status} {error.reason}: {_way_on(error)}.\n", status=error.status)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        # A page brings a policy of its own; what a person wrote comes before either.
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.update(guard.access.headers)
        # Pages say what goes on, and to whom: nothing on the way keeps a copy.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Server"] = "triggerdev-exporter"
        return response

    return headers
