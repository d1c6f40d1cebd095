"""The only way out: one request, to an address that is checked when it is connected to, without redirects.

What goes wrong is translated here: a receiver sees a `Reply`, or a `DoorError` that says whether the message may have
arrived. No text from here holds a URL: URLs of receivers are credentials.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from triggerdev_alerts.receivers.addresses import Policy, problem_of_url
from triggerdev_alerts.receivers.port import Fate

TIMEOUT_S = 15.0
CONNECT_S = 5.0
LARGEST_REPLY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered. Header names are in lower case; the body is cut at 64 KiB."""

    status: int
    headers: Mapping[str, str]
    text: str


class DoorError(Exception):
    """There is no answer. `fate` says whether the message may have arrived, `detail` why, without the address."""

    def __init__(self, fate: Fate, detail: str) -> None:
        super().__init__(detail)
        self.fate = fate
        self.detail = detail


class Door(Protocol):
    """What receivers send through."""

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        """Send `body` once. Raises `DoorError`."""
        ...

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Fetch it once. Raises `DoorError`."""
        ...

    async def close(self) -> None: ...


class _RefusedError(OSError):
    """The address that a name stands for is not allowed."""


class _CheckingResolver(AbstractResolver):
    """Asks the system, and lets no address through that the policy refuses: what is checked is what is used."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        allowed = []
        refusal = None
        for result in found:
            why = self._policy.refusal(result["host"])
            if why is None:
                allowed.append(result)
            else:
                refusal = why
        if not allowed and refusal is not None:
            raise _RefusedError(refusal)
        return allowed

    async def close(self) -> None:
        await self._system.close()


class HttpDoor:
    """A session of its own a receiver: a slow one takes nobody else's connections. Opened at the first use."""

    def __init__(self, policy: Policy, *, timeout_s: float = TIMEOUT_S) -> None:
        self._policy = policy
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s))
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        """See `Door.post`."""
        return await self._request("POST", url, body.encode(), headers)

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """See `Door.get`."""
        return await self._request("GET", url, None, headers)

    async def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        # A proxy from the environment would bypass the check of the address: none is used.
        problem = problem_of_url(url)
        host = "" if problem else urlsplit(url).hostname or ""
        problem = problem or self._policy.refusal_of_name(host) or self._refusal_of_literal(host)
        if problem is not None:
            raise DoorError(Fate.REFUSED, problem)
        try:
            async with self._open().request(
                method, url, data=body, headers=dict(headers), allow_redirects=False
            ) as response:
                raw = await _beginning(response.content)
                return Reply(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    raw.decode("utf-8", "replace"),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _translated(error) from None

    def _refusal_of_literal(self, host: str) -> str | None:
        # What looks like an address never meets the resolver, 2130706433 and 0177.0.0.1 included: it must be one.
        return self._policy.refusal(host) if ":" in host or host.replace(".", "").isdigit() else None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_CheckingResolver(self._policy), limit=8, use_dns_cache=False),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    """The body, however many packets it comes in, but no more than can be of use, whatever length was announced."""
    raw = b""
    while len(raw) < LARGEST_REPLY:
        chunk = await content.read(LARGEST_REPLY - len(raw))
        if not chunk:
            break
        raw += chunk
    return raw


def said_of(error: BaseException) -> str:
    """``connection refused``, without the address that asyncio puts into its own words."""
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else type(error).__name__


def _translated(error: BaseException) -> DoorError:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, _RefusedError):
        return DoorError(Fate.REFUSED, str(cause))
    match error:
        case aiohttp.InvalidURL() | ValueError():
            return DoorError(Fate.REFUSED, "this is not a URL")
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientSSLError():
            return DoorError(Fate.FAILED, "the TLS handshake failed: the certificate is not trusted, or it is no TLS")
        case aiohttp.ClientConnectorDNSError():
            return DoorError(Fate.FAILED, "the name of the receiver's host cannot be resolved")
        case aiohttp.ConnectionTimeoutError():
            return DoorError(Fate.FAILED, "no connection in time")
        case aiohttp.ClientConnectorError():
            return DoorError(Fate.FAILED, f"no connection: {said_of(cause)}")
        case asyncio.TimeoutError():
            return DoorError(Fate.AMBIGUOUS, "no answer in time; it may have arrived")
    return DoorError(Fate.AMBIGUOUS, "the connection broke before the answer; it may have arrived")
