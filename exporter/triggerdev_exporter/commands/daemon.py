"""The running daemon as commands see it: its API over HTTP, answers as structs, everything else as one sentence."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from triggerdev_alerts.message.characters import tame_line
from triggerdev_exporter import __version__
from triggerdev_exporter.clock import Clock, SystemClock
from triggerdev_exporter.commands.entrance import Entrance
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.web.alert_views import ErrorAnswer

TIMEOUT_S = 60.0
"""Longer than any receiver may take in a test."""
CONNECT_S = 5.0
LARGEST_ANSWER = 32 << 20
LONGEST_WAIT_S = 5

T = TypeVar("T")


class Refused(ExporterError):
    """The daemon cannot do that; its own words."""


class BadWish(Refused):
    """What was asked for cannot be, whatever the daemon does."""

    exit_code: ClassVar[int] = 2


class Daemon:
    """One daemon at `url`. Make it with `open_daemon`. Every method raises `ExporterError`."""

    def __init__(self, url: URL, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._session = session
        self._shown = str(url.with_user(None))

    async def get(self, as_type: type[T], *path: str, **parameters: str) -> T:
        return await self._ask("GET", path, as_type, parameters)

    async def post(self, as_type: type[T], *path: str, body: msgspec.Struct | None = None) -> T:
        return await self._ask("POST", path, as_type, {}, body)

    async def delete(self, as_type: type[T], *path: str) -> T:
        return await self._ask("DELETE", path, as_type, {})

    async def _ask(
        self,
        method: str,
        path: Sequence[str],
        as_type: type[T],
        parameters: Mapping[str, str],
        body: msgspec.Struct | None = None,
    ) -> T:
        # Names come from people: whatever is in one stays one part of the path.
        parts = "/".join(quote(part, safe="") for part in ("api", "v1", *path))
        url = URL(f"{str(self._url).rstrip('/')}/{parts}", encoded=True).with_query(parameters)
        data = None if body is None else msgspec.json.encode(body)
        try:
            while True:
                async with self._session.request(method, url, data=data, allow_redirects=False) as response:
                    raw = await _whole(response)
                    wait = response.headers.get("Retry-After", "")
                if response.status != 429 or not wait.isdecimal() or int(wait) > LONGEST_WAIT_S:
                    return self._read(response.status, raw, as_type)
                # Many changes in a row are slowed down, not lost.
                await self._clock.sleep(int(wait))
        except TimeoutError:
            raise ExporterError(f"the daemon at {self._shown} did not answer within {TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ExporterError(
                f'no daemon answers at {self._shown} ({_why(error)}); start one with "triggerdev-exporter run", '
                "or say where it is with --url"
            ) from None

    def _read(self, status: int, raw: bytes, as_type: type[T]) -> T:
        try:
            if 200 <= status < 300:
                return msgspec.json.decode(raw, type=as_type)
            told = msgspec.json.decode(raw, type=ErrorAnswer).error
        except (msgspec.MsgspecError, RecursionError):
            raise ExporterError(
                f"what answers at {self._shown} is no triggerdev-exporter of this version (HTTP {status})"
            ) from None
        if status == 401:
            raise Refused(f"{tame_line(told.message)}: use --user and --password-file")
        raise (BadWish if status == 400 else Refused)(tame_line(told.message))


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        raw += chunk
        if len(raw) > LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError("the answer is too large")
    return bytes(raw)


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted; name its authority with --ca-file"
        case aiohttp.ClientSSLError():
            return "the TLS handshake failed"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.os_error.errno).lower() if error.os_error.errno else "no connection"
        case aiohttp.ClientPayloadError():
            return "its answer cannot be read"
    return "the connection broke"


@asynccontextmanager
async def open_daemon(entrance: Entrance) -> AsyncIterator[Daemon]:
    """The daemon behind `entrance`. A proxy of the environment is not used: the daemon is near."""
    headers = {"Content-Type": "application/json", "User-Agent": f"triggerdev-exporter/{__version__}"}
    if entrance.authorization:
        headers["Authorization"] = entrance.authorization
    connector = aiohttp.TCPConnector(ssl=entrance.context or True)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(
        headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), connector=connector
    ) as session:
        yield Daemon(entrance.url, session, SystemClock())
