"""OTLP over HTTP: one POST, one answer. Only I/O: what an answer means is in `answer`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from triggerdev_exporter import __version__
from triggerdev_exporter.api.translate import once, translate
from triggerdev_exporter.clock import SECOND, Clock
from triggerdev_exporter.errors import ExporterError, TlsFailed
from triggerdev_exporter.spans.answer import Answer, Later, read_http
from triggerdev_exporter.spans.otlp import Otlp

USER_AGENT = f"triggerdev-exporter/{__version__}"
_LARGEST_ANSWER = 1 << 16


class HttpDoor:
    """Posts to one collector. Raises nothing but cancellation."""

    def __init__(self, session: aiohttp.ClientSession, otlp: Otlp, clock: Clock, tls: ssl.SSLContext | bool) -> None:
        self._session = session
        self._url = URL(otlp.endpoint, encoded=True)
        self._seconds = otlp.timeout_ms / SECOND
        self._clock = clock
        self._tls = tls
        self._headers = {
            **dict(otlp.headers),
            "Content-Type": "application/x-protobuf",
            "User-Agent": USER_AGENT,
            **({"Content-Encoding": "gzip"} if otlp.gzip else {}),
        }

    async def post(self, body: bytes) -> Answer:
        """Send a request, packed already if that is wanted."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.post(
                    self._url,
                    data=body,
                    headers=self._headers,
                    ssl=self._tls,
                    allow_redirects=False,
                    # The body is packed by us, in a thread.
                    compress=None,
                    middlewares=(once,),
                ) as response,
            ):
                # More is no answer of a collector; its beginning tells that too.
                answer = bytes(await response.content.read(1))
                while answer and len(answer) < _LARGEST_ANSWER:
                    more = await response.content.read(_LARGEST_ANSWER - len(answer))
                    if not more:
                        break
                    answer += more
                return read_http(response.status, response.headers, answer, self._clock.now())
        except TimeoutError:
            return Later("timeout", f"no complete answer within {self._seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            told = translate("the collector", error, None)
            return Later("tls" if isinstance(told, TlsFailed) else "unreachable", str(told))


@asynccontextmanager
async def open_http(otlp: Otlp, clock: Clock) -> AsyncIterator[HttpDoor]:
    """A door with a session of its own. Raises `ExporterError` if its certificates cannot be used."""
    tls = _tls(otlp)
    # A proxy set in the environment is honoured; cookies of one answer mean nothing to the next.
    async with aiohttp.ClientSession(trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield HttpDoor(session, otlp, clock, tls)


def _tls(otlp: Otlp) -> ssl.SSLContext | bool:
    if otlp.certificate is None and otlp.client_certificate is None:
        return True
    try:
        context = ssl.create_default_context(cafile=otlp.certificate)
        if otlp.client_certificate is not None:
            context.load_cert_chain(otlp.client_certificate, otlp.client_key)
    except (OSError, ssl.SSLError) as error:
        raise unusable(error) from None
    return context


def unusable(error: Exception) -> ExporterError:
    """The certificates that ``OTEL_EXPORTER_OTLP_…`` names are of no use."""
    why = getattr(error, "reason", None) or type(error).__name__
    return ExporterError(
        f"the certificates for the OTLP collector cannot be used: {why}. "
        "OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY name files in PEM format."
    )
