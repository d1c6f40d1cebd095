"""The way out, against real sockets on loopback: what may have arrived, and where nothing may go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import LARGEST_REPLY, DoorError, HttpDoor
from triggerdev_alerts.receivers.port import Fate

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    door = HttpDoor(policy(True), timeout_s=0.5)
    yield door
    await door.close()


async def fate_of(door: HttpDoor, url: str) -> DoorError:
    with pytest.raises(DoorError) as caught:
        await door.post(url, "{}", {})
    assert url not in str(caught.value)
    return caught.value


async def test_the_answer_comes_back_whole(serve: Serve, door: HttpDoor) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=201, text=await request.text(), headers={"X-Seen": request.headers["X-Sent"]})

    reply = await door.post(await serve(echo), "grüß", {"X-Sent": "1"})
    assert (reply.status, reply.text, reply.headers["x-seen"]) == (201, "grüß", "1")


async def test_a_redirect_is_an_answer_and_not_a_way(serve: Serve, door: HttpDoor) -> None:
    seen: list[str] = []

    async def inner(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    target = await serve(inner)

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(target)

    assert (await door.post(await serve(away), "{}", {})).status == 301
    assert seen == []


async def test_an_answer_in_several_packets_comes_back_whole(serve: Serve, door: HttpDoor) -> None:
    async def in_parts(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b'{"ok":', b"true,", b'"ts":"1.2"}'):
            await response.write(part)
            # Each is read before the next one is sent.
            await asyncio.get_running_loop().run_in_executor(None, bytes)
        return response

    assert (await door.post(await serve(in_parts), "{}", {})).text == '{"ok":true,"ts":"1.2"}'


async def test_a_huge_answer_is_cut(serve: Serve, door: HttpDoor) -> None:
    async def huge(_: web.Request) -> web.Response:
        return web.Response(text="x" * 1_000_000)

    assert len((await door.post(await serve(huge), "{}", {})).text) == LARGEST_REPLY


async def test_a_refused_connection_certainly_brought_nothing(door: HttpDoor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = await fate_of(door, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert (error.fate, str(error)) == (Fate.FAILED, "no connection: connection refused")


async def test_no_answer_in_time_may_have_arrived(door: HttpDoor) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = await fate_of(door, f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert error.fate is Fate.AMBIGUOUS


async def test_a_broken_connection_may_have_arrived(serve: Serve, door: HttpDoor) -> None:
    async def broken(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert (await fate_of(door, await serve(broken))).fate is Fate.AMBIGUOUS


async def test_a_name_that_is_none_brought_nothing(door: HttpDoor) -> None:
    assert (await fate_of(door, "http://no-such-host.invalid/")).fate is Fate.FAILED


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"])
async def test_no_spelling_of_loopback_is_let_through(serve: Serve, host: str) -> None:
    seen: list[str] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    port = (await serve(note)).rsplit(":", 1)[1]
    public = HttpDoor(policy(False), timeout_s=0.5)
    try:
        error = await fate_of(public, f"http://{host}:{port}/")
    finally:
        await public.close()
    assert error.fate is Fate.REFUSED
    assert seen == []


async def test_a_name_is_judged_by_what_it_stands_for(serve: Serve) -> None:
    async def note(_: web.Request) -> web.Response:
        return web.Response()

    port = (await serve(note)).rsplit(":", 1)[1]
    # With an allowed network the name itself is no obstacle: the resolved address is.
    public = HttpDoor(policy(["203.0.113.0/24"]), timeout_s=0.5)
    try:
        error = await fate_of(public, f"http://localhost:{port}/")
    finally:
        await public.close()
    assert error.fate is Fate.REFUSED
    assert "allow_private" in error.detail
