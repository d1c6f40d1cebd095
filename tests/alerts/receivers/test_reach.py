"""Whether receivers are reached: a real connection on loopback, TLS and all, and nothing said over it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web

from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.reach import _SPOTS, Spot, Unreached, reach, spots, unreadable
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile

RULES = """\
receivers:
  hook: {webhook: {url: "https://hooks.example/T0/secret", secret_env: NO_SUCH_SECRET}}
  slack: {slack: {bot_token_env: NO_SUCH_TOKEN, channel: C0123456789}}
  pager: {pagerduty: {routing_key_env: NO_SUCH_KEY}}
  mail: {email: {server: "smtp.example.com:465", from: a@example.com, to: b@example.com, tls: tls}}
  am: {alertmanager: {url: ["http://am-0:9093", "http://am-1:9093"]}}
routes: {receiver: hook}
"""


@asynccontextmanager
async def listening(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """A port, and the requests that came to it."""
    said: list[str] = []

    async def hear(request: web.Request) -> web.Response:
        said.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hear)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1], said
    finally:
        await runner.cleanup()


def test_every_kind_has_a_place_to_connect_to() -> None:
    assert set(_SPOTS) == set(KINDS)
    receivers = read_rules([RuleFile("rules.yml", RULES)]).ruleset.receivers
    found = {name: [str(spot) for spot in spots(one.kind, one.settings)] for name, one in receivers.items()}
    assert found == {
        "hook": ["hooks.example:443"],
        "slack": ["slack.com:443"],
        "pager": ["events.pagerduty.com:443"],
        "mail": ["smtp.example.com:465"],
        "am": ["am-0:9093", "am-1:9093"],
    }
    assert {name: unreadable(one.settings) for name, one in receivers.items()} == {
        "hook": ["the variable NO_SUCH_SECRET is not set"],
        "slack": ["the variable NO_SUCH_TOKEN is not set"],
        "pager": ["the variable NO_SUCH_KEY is not set"],
        "mail": [],
        "am": [],
    }


async def test_a_receiver_that_is_there_hears_nothing() -> None:
    async with listening() as (port, said):
        await reach(Spot("127.0.0.1", port, tls=False), allow_private=True)
    assert said == []


async def test_a_private_address_is_refused_unless_it_is_meant() -> None:
    for host in ("127.0.0.1", "localhost", "10.0.0.1"):
        with pytest.raises(Unreached, match="allow_private"):
            await reach(Spot(host, 9, tls=False), allow_private=False)


async def test_a_port_that_is_closed_and_a_name_that_is_none(free_port: int) -> None:
    with pytest.raises(Unreached, match="connection refused"):
        await reach(Spot("127.0.0.1", free_port, tls=False), allow_private=True)
    with pytest.raises(Unreached, match=r"cannot be resolved|no connection within"):
        await reach(Spot("no-such-host.invalid", 443, tls=True), allow_private=False)


async def test_certificates_are_looked_at() -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    async with listening(server) as (port, _):
        await reach(Spot("localhost", port, tls=True), allow_private=["127.0.0.0/8"], trust=client)
        with pytest.raises(Unreached, match="its certificate is not trusted"):
            await reach(Spot("localhost", port, tls=True), allow_private=True)
    async with listening() as (port, _):
        with pytest.raises(Unreached, match=r"TLS|broke"):
            await reach(Spot("127.0.0.1", port, tls=True), allow_private=True, trust=client)


async def test_one_who_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triggerdev_alerts.receivers.reach.PATIENCE_S", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        spot = Spot("127.0.0.1", silent.getsockname()[1], tls=True)
        with pytest.raises(Unreached, match="no connection within"):
            await reach(spot, allow_private=True)
