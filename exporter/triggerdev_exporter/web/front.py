"""The open port. What is spoken there, TLS or not and with which certificate, may change while it stays open."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from triggerdev_exporter.config.addresses import Listen

BACKLOG = 128
PARTING_S = 1.0


class Front:
    """One address. Make it with `open_front`."""

    def __init__(self, runner: web.AppRunner, sockets: list[socket.socket]) -> None:
        self._runner = runner
        self._sockets = sockets
        self._sites: list[web.SockSite] = []
        self.is_tls = False

    @property
    def port(self) -> int:
        return int(self._sockets[0].getsockname()[1])

    async def use(self, context: ssl.SSLContext | None) -> None:
        """Speak like this to whoever comes from now on. Who is there already is served to the end."""
        old, self._sites = self._sites, []
        for one in self._sockets:
            # A copy each time: a site closes its socket when it goes, and the port must not.
            site = web.SockSite(self._runner, one.dup(), ssl_context=context, backlog=BACKLOG)
            await site.start()
            self._sites.append(site)
        self.is_tls = context is not None
        for site in old:
            await site.stop()


@asynccontextmanager
async def open_front(app: web.Application, listen: Listen) -> AsyncIterator[Front]:
    """The port, bound and not served yet. Raises `OSError`."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=PARTING_S)
    await runner.setup()
    sockets: list[socket.socket] = []
    try:
        sockets += _bound(listen)
        yield Front(runner, sockets)
    finally:
        await runner.cleanup()
        for one in sockets:
            one.close()


def _bound(listen: Listen) -> list[socket.socket]:
    """A socket for each address that the host's name has."""
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    port = listen.port
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], port, *address[2:]))
            one.listen(BACKLOG)
            # All on the one that the system chose for the first.
            port = one.getsockname()[1]
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets
