"""An Alertmanager that does what its API v2 says, on loopback, and can be told to misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class AlertmanagerDouble:
    """`got` is every request; `alerts` what it knows by labels, the newest word of each."""

    url: str = ""
    got: list[list[dict[str, Any]]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = field(default_factory=dict)
    answers: list[web.Response] = field(default_factory=list)
    """Used up first, and then it is well again."""
    is_valid: Callable[[dict[str, Any]], bool] = lambda alert: True
    fits: Callable[[list[dict[str, Any]]], bool] = lambda alerts: True

    async def post(self, request: web.Request) -> web.Response:
        alerts = json.loads(await request.read())
        self.got.append(alerts)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.answers:
            return self.answers.pop(0)
        if not self.fits(alerts):
            return web.Response(status=413, text="request entity too large")
        valid = [alert for alert in alerts if self.is_valid(alert)]
        for alert in valid:
            self.alerts[tuple(sorted(alert["labels"].items()))] = alert
        if len(valid) < len(alerts):
            return web.json_response("start time must be before end time", status=400)
        return web.Response()

    @property
    def told(self) -> list[list[str]]:
        """Which tasks each request was about."""
        return [[alert["labels"].get("task", "") for alert in alerts] for alerts in self.got]


@asynccontextmanager
async def open_alertmanager() -> AsyncIterator[AlertmanagerDouble]:
    double = AlertmanagerDouble()
    app = web.Application()
    app.router.add_post("/am/api/v2/alerts", double.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        double.url = f"http://127.0.0.1:{runner.addresses[0][1]}/am"
        yield double
    finally:
        await runner.cleanup()
