"""An empty world with a stopped clock, and a client that holds a key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.simulator.command import Running, start_simulator

START = 1_795_458_600_000


class Client:
    """Asks the simulator, with a good key, and keeps the last answer's headers."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        self.running, self._session = running, session
        self.headers: Any = {}

    async def ask(
        self, path: str, *, method: str = "GET", key: str | None = "tr_prod_x", body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and decoded body (text where it is not JSON)."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        url = URL(self.running.url + path, encoded=True)
        async with self._session.request(method, url, headers=sent, json=body, allow_redirects=False) as answer:
            raw = await answer.read()
            self.headers = answer.headers
            is_json = "json" in answer.headers.get("content-type", "") and method != "HEAD"
            return answer.status, msgspec.json.decode(raw) if is_json else raw.decode()

    async def ids(self, path: str, **headers: str) -> list[str]:
        """The ids of one page."""
        status, body = await self.ask(path, **headers)
        assert status == 200, body
        return [item["id"] for item in (body["data"] if isinstance(body, dict) else body)]

    async def query(self, text: str, **more: Any) -> tuple[int, Any]:
        return await self.ask("/api/v1/query", method="POST", body={"query": text, "period": "1d", **more})


Open = Callable[..., Awaitable[Client]]


@pytest.fixture
async def open_simulator() -> AsyncIterator[Open]:
    """``client = await open_simulator(profile="seed")``: settings as of `start_simulator`, stopped at START."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            settings.setdefault("clock", ScaledClock(speed=0, start=START))
            running = await stack.enter_async_context(start_simulator(**settings))
            return Client(running, await stack.enter_async_context(aiohttp.ClientSession()))

        yield start


@pytest.fixture
async def client(open_simulator: Open) -> Client:
    return await open_simulator()
