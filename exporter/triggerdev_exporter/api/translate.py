"""aiohttp's exceptions as ours. Never with their own text: it may name a proxy's password or the request's headers."""

from __future__ import annotations

import os
import ssl

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from triggerdev_exporter.errors import ApiError, HttpFailed, TlsFailed, Truncated, Unreachable, Unreadable

NO_TLS = "the server does not speak TLS"
#: What OpenSSL says when plain HTTP comes back.
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


def translate(endpoint: str, exc: Exception, status: int | None) -> ApiError:
    """What `exc` means; `status` when the answer had already begun."""
    if isinstance(exc, aiohttp.ClientPayloadError) and _has_cause(exc, ContentEncodingError):
        return Unreadable(f"{endpoint}: the body's encoding cannot be undone", status=status)
    if status is not None:
        return Truncated(f"{endpoint}: the answer broke off", status=status)
    if isinstance(exc, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch) or _has_cause(exc, ssl.SSLError):
        return TlsFailed(f"{endpoint}: TLS failed: {_tls_reason(exc)}")
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return Unreachable(f"{endpoint}: the proxy answered {exc.status}")
    if isinstance(exc, aiohttp.ClientConnectorDNSError):
        return Unreachable(f"{endpoint}: the host's name was not found")
    if _has_cause(exc, aiohttp.ServerDisconnectedError):
        return Unreachable(f"{endpoint}: the server closed the connection without an answer")
    if isinstance(exc, aiohttp.ClientConnectionError | OSError):
        return Unreachable(f"{endpoint}: no connection: {_os_reason(exc)}")
    if isinstance(exc, aiohttp.ClientResponseError):
        return HttpFailed(f"{endpoint}: the answer is not HTTP")
    return HttpFailed(f"{endpoint}: the request cannot be sent ({type(exc).__name__})")


class SentOnce(aiohttp.ClientConnectionError):
    """A connection that was lost after it had been made. `once` raises it so that aiohttp lets it through."""


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A middleware that keeps aiohttp from sending a lost GET again on its own: each sending has to be paid for."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise SentOnce from exc


def _causes(exc: BaseException) -> list[BaseException]:
    """`exc` and what led to it."""
    found: list[BaseException] = []
    at: BaseException | None = exc
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or at.__context__
    return found


def _has_cause(exc: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(exc))


def _tls_reason(exc: Exception) -> str:
    # aiohttp's own classes inherit from ssl's without their attributes, so these are asked for with care.
    for cause in _causes(exc):
        for told in ("verify_message", "reason"):
            if isinstance(cause, ssl.SSLError) and isinstance(text := getattr(cause, told, None), str) and text:
                return NO_TLS if text in _PLAIN else text
    return type(exc).__name__


def _os_reason(exc: Exception) -> str:
    for cause in _causes(exc):
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno)
    return type(exc).__name__
