"""Whom Alertmanager tells: a webhook's other end that keeps what it hears. No expectations here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Person:
    url: str = ""
    messages: list[Mapping[str, Any]] = field(default_factory=list)
    """In order."""

    @property
    def told(self) -> list[tuple[str, str]]:
        """(alert name, status) of each alert of each message."""
        return [(one["labels"]["alertname"], one["status"]) for message in self.messages for one in message["alerts"]]


@asynccontextmanager
async def open_person() -> AsyncIterator[Person]:
    person = Person()

    async def take(request: web.Request) -> web.Response:
        person.messages.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        person.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield person
    finally:
        await runner.cleanup()
