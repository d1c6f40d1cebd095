from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import aiohttp
import pytest

from api.scripted_server import KEY, ScriptedServer
from triggerdev_exporter.api.budget import Budget
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.meter import ApiMeter
from triggerdev_exporter.api.secret import Secret
from virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def make_client(server: ScriptedServer, session: aiohttp.ClientSession, clock: VirtualClock) -> Callable[..., Client]:
    """A client of the scripted server; what is not given is as an operator would have it."""

    def make(url: str | None = None, *, budget: Budget | None = None, **kwargs: Any) -> Client:
        return Client(
            kwargs.pop("session", session),
            url or server.url,
            kwargs.pop("key", Secret(KEY)),
            clock,
            budget or Budget(1500, 0.1),
            ApiMeter(),
            random=Random(7),
            **kwargs,
        )

    return make
