"""The gate: who may come in, how often, and from where a browser may write. Every request passes it before any route.

What it decides with is `config/access.py`'s, and may be changed while it stands (`Gate.use`). Nothing is logged of what
somebody sent but the address it came from.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from math import ceil
from typing import Any

from aiohttp import web

from triggerdev_exporter.clock import Clock
from triggerdev_exporter.config.access import EVERYBODY, Access
from triggerdev_exporter.web.credentials import Credentials, read_basic
from triggerdev_exporter.web.json_api import PREFIX, Problem, check_site, problem
from triggerdev_exporter.web.limiter import RATES, Buckets, Rate

log = logging.getLogger(__name__)

REALM = 'Basic realm="triggerdev-exporter", charset="UTF-8"'
PROBES = frozenset({"/-/healthy", "/-/ready"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_TOLD_EVERY_S = 60.0


class Gate:
    """One gate a server."""

    def __init__(self, clock: Clock, access: Access = EVERYBODY, opened: Collection[str] = ("probes",)) -> None:
        self._clock = clock
        self._buckets = {kind: Buckets(rate) for kind, rate in RATES.items()}
        self._told_at = -_TOLD_EVERY_S
        self.use(access, opened)

    def use(self, access: Access, opened: Collection[str]) -> None:
        """From now on this holds."""
        self.access = access
        self._open = (PROBES if "probes" in opened else frozenset()) | (
            frozenset({"/metrics"}) if "metrics" in opened else frozenset()
        )
        self._credentials = Credentials(access.users)
        rate = Rate(1000 / access.interval_ms, max(1, access.burst)) if access.interval_ms else None
        self._all = None if rate is None else Buckets(rate)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            await self._admit(request)
        except Problem as error:
            return _refusal(request, error)
        return await handler(request)

    async def _admit(self, request: web.Request) -> None:
        """Raises `Problem` for who may not come in."""
        now = self._clock.monotonic()
        self._check_name(request)
        self._check_rate(request, now)
        if self.access.users and request.path not in self._open:
            await self._check_user(request, now)
        if request.method not in _READS:
            # Here, so that no route can forget it.
            check_site(request)

    def _check_name(self, request: web.Request) -> None:
        allowed = self.access.allowed_sans
        if not allowed:
            return
        certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
        if not allowed & set(names_of(certificate or {})):
            raise Problem(403, "wrong_name", "the client's certificate has none of the names that may come in")

    def _check_rate(self, request: web.Request, now: float) -> None:
        waits = [self._buckets[_kind(request)].take(request.remote or "", now)]
        if self._all is not None:
            waits.append(self._all.take("", now))
        _patience(max(waits))

    async def _check_user(self, request: web.Request, now: float) -> None:
        given = read_basic(request.headers.get("Authorization", ""))
        if given is None:
            raise Problem(401, "unauthorized", "a name and a password are needed (HTTP basic)")
        failures, whose = self._buckets["login"], request.remote or ""
        if not self._credentials.remembers(*given):
            # Taken before the try, or a hundred at once would all be let through.
            _patience(failures.take(whose, now))
            if await self._credentials.check(*given):
                failures.give(whose)
            else:
                self._tell(whose, now)
                raise Problem(401, "unauthorized", "the name or the password is wrong")

    def _tell(self, whose: str, now: float) -> None:
        """Say it once a minute, whoever tries."""
        if now - self._told_at >= _TOLD_EVERY_S:
            self._told_at = now
            log.warning("somebody was refused: wrong name or password", extra={"from": whose})


def _kind(request: web.Request) -> str:
    """Which row of `RATES` a request belongs to."""
    if request.method not in _READS:
        return "write"
    if request.path in PROBES:
        return "probe"
    return "scrape" if request.path == "/metrics" else "read"


class _Patience(Problem):
    def __init__(self, seconds: float) -> None:
        super().__init__(429, "too_many", f"too many requests; ask again in {ceil(seconds)} s")
        self.seconds = ceil(seconds)


def _patience(wait: float) -> None:
    if wait:
        raise _Patience(wait)


def _refusal(request: web.Request, error: Problem) -> web.Response:
    if request.path.startswith(PREFIX):
        response = problem(error.status, error.code, str(error))
    else:
        response = web.Response(text=f"{error.status}: {error}.\n", status=error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = REALM
    if isinstance(error, _Patience):
        response.headers["Retry-After"] = str(error.seconds)
    if error.code == "wrong_name":
        response.force_close()
    return response


def names_of(certificate: Mapping[str, Any]) -> list[str]:
    """The alternative names of a certificate, as `ssl.SSLSocket.getpeercert` tells them."""
    return [str(value) for _, value in certificate.get("subjectAltName", ())]
