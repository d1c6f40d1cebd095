"""The one who sends requests: turn, headers, deadline, cap, retries. The decisions are in `budget` and `verdict`.

Everything that can go wrong leaves here as an `errors.ApiError`, never with the key or a body in its text and never
with a foreign exception behind it: aiohttp's hold the request's headers. Cancellation passes through.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from triggerdev_exporter import __version__
from triggerdev_exporter.api.budget import Budget, Why
from triggerdev_exporter.api.calls import Call, Priority
from triggerdev_exporter.api.meter import ApiMeter
from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.api.translate import once, translate
from triggerdev_exporter.api.verdict import (
    Answer,
    http_date,
    judge,
    number,
    redact_url,
    retry,
)
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.errors import (
    ApiError,
    ConfigError,
    Oversized,
    RateLimited,
    TimedOut,
    Unreachable,
    Unreadable,
)

__all__ = ["API_VERSION", "Client", "redact_url"]

T = TypeVar("T")
log = logging.getLogger(__name__)

API_VERSION = "2025-07-16"
"""Without it the server shows DEQUEUED as EXECUTING and WAITING as FROZEN."""

ATTEMPTS = 3
PATIENCE_S = 30.0
"""Longest single wait that a 429 may ask for; longer ones are the collector's next tick."""

LONGEST_TURN_S = 90.0
"""Longest wait for our own share."""

_LARGE = 256 * 1024
"""Bytes. Larger answers are decoded in a thread: a query's 10,000 rows would keep the event loop for 50 ms."""

#: Deployments have a bucket of their own (v4.5.11+): what they report says nothing about the one that we share.
_OTHER_BUCKET = frozenset({"deployments", "deployment", "current_deployment"})


class Client:
    """Asks one target, as one key. Give it a session that nobody else redirects, raises or retries on."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        key: Secret,
        clock: Clock,
        budget: Budget,
        meter: ApiMeter,
        *,
        branch: str | None = None,
        random: Random,
        deadline_s: float = 30.0,
        max_body: int = 32 * 1024 * 1024,
    ) -> None:
        self._session = session
        self._base_url = _checked(base_url)
        self._key = key
        self._clock = clock
        self._budget = budget
        self._meter = meter
        self._branch = branch
        self._random = random
        self._deadline_s = deadline_s
        self._max_body = max_body

    @property
    def meter(self) -> ApiMeter:
        """What was seen so far."""
        return self._meter

    def allowance(self, priority: Priority) -> bool:
        """Could a request of `priority` go right now?"""
        return self._budget.delay(priority, self._ticks()) == 0

    async def fetch(self, call: Call[T], priority: Priority = Priority.LIVE) -> T:
        """The records that `call` asks for, or an `ApiError` after the retries that politeness allows."""
        attempt = 1
        while True:
            await self._take_turn(call.endpoint, priority)
            outcome = await self._exchange(call)
            if isinstance(outcome, Answer):
                error = judge(call.endpoint, self._base_url, outcome, self._key)
                if error is None:
                    if len(outcome.body) > _LARGE:
                        return await asyncio.to_thread(self._decode, call, outcome.body)
                    return self._decode(call, outcome.body)
                await self._pause(error, outcome, attempt, priority)
            else:
                await self._pause(outcome, None, attempt, priority)
            attempt += 1

    async def _take_turn(self, endpoint: str, priority: Priority) -> None:
        """Wait for our share, then spend it. The check and the spending are one step of the event loop."""
        waited = 0.0
        while True:
            now = self._ticks()
            decision = self._budget.decide(priority, now)
            if decision.why is Why.GO:
                self._budget.spend(now)
                return
            hopeless = decision.why is Why.BLOCKED and decision.delay > PATIENCE_S
            if priority is Priority.CATCH_UP or hopeless or waited + decision.delay > LONGEST_TURN_S:
                raise RateLimited(f"{endpoint}: held back ({decision.why.value}), {decision.delay:.1f} s to go")
            await self._clock.sleep(decision.delay)
            self._meter.throttled(decision.delay)
            waited += decision.delay

    async def _pause(self, error: ApiError, answer: Answer | None, attempt: int, priority: Priority) -> None:
        """Wait before the next attempt, or raise `error` where there is none."""
        wait = retry(error, answer, attempt, self._meter.server_now(self._clock.now()), self._random)
        if wait.quiet:
            now = self._ticks()
            self._budget.block_until(now + int(wait.seconds * 1000), now)
        if not wait.again or attempt == ATTEMPTS:
            raise error
        limited = isinstance(error, RateLimited)
        if limited and (wait.seconds > PATIENCE_S or priority is Priority.CATCH_UP):
            raise error
        await self._clock.sleep(wait.seconds)
        if limited:
            self._meter.throttled(wait.seconds)

    async def _exchange(self, call: Call[T]) -> Answer | ApiError:
        """One request, measured."""
        started = self._clock.monotonic()
        outcome = await self._send(call)
        seconds = max(0.0, self._clock.monotonic() - started)
        code = str(outcome.status) if isinstance(outcome, Answer) else outcome.reason
        # Any answer but 401 means that we got through and the key was accepted, even one whose body was of no use.
        self._meter.request(call.endpoint, code, seconds, up=outcome.status not in (None, 401))
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s: %s in %.3f s", call.endpoint, redact_url(self._base_url + call.path), code, seconds)
        return outcome

    async def _send(self, call: Call[T]) -> Answer | ApiError:
        """One request on the wire. Failures are returned, not raised, so that no foreign exception hangs on them."""
        if self._session.closed:
            # A reload ended this target; whoever still looks into an alert of it learns no more.
            return Unreachable(f"{call.endpoint}: this target is not watched any more")
        sent = self._clock.now()
        head: aiohttp.ClientResponse | None = None
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._session.request(
                    "GET" if call.body is None else "POST",
                    self._url(call),
                    data=call.body,
                    headers=self._headers(call),
                    allow_redirects=False,
                    raise_for_status=False,
                    middlewares=(once,),
                ) as head,
            ):
                self._listen(call.endpoint, head, sent)
                outcome = await self._read(call.endpoint, head)
        except TimeoutError:
            outcome = TimedOut(f"{call.endpoint}: no complete answer within {self._deadline_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            outcome = translate(call.endpoint, exc, None if head is None else head.status)
        if isinstance(outcome, ApiError) and head is not None and head.status >= 300:
            # What the status says is worth more than the body that did not come.
            return Answer(head.status, head.headers, b"")
        return outcome

    async def _read(self, endpoint: str, response: aiohttp.ClientResponse) -> Answer | ApiError:
        """The body, unpacked, up to the cap: what is over it never gets into memory."""
        body = bytearray()
        cap = self._max_body
        if not response.headers.get("Content-Encoding") and (response.content_length or 0) > cap:
            response.close()
            return Oversized(f"{endpoint}: the body is over {cap} bytes", status=response.status)
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > cap:
                response.close()
                return Oversized(f"{endpoint}: the body is over {cap} bytes", status=response.status)
        return Answer(response.status, response.headers, bytes(body))

    def _listen(self, endpoint: str, response: aiohttp.ClientResponse, sent: Instant) -> None:
        """What the headers tell besides the answer: the server's clock, and how full its bucket is."""
        received = self._clock.now()
        date = http_date(response.headers.get("Date"))
        # An error page may be somebody else's on the way, with a clock of its own; all our times hang on this one.
        if date is not None and response.status in (200, 429):
            self._meter.server_date(date, sent, received)
        limit = number(response.headers.get("x-ratelimit-limit"))
        remaining = number(response.headers.get("x-ratelimit-remaining"))
        if limit is None or remaining is None or endpoint in _OTHER_BUCKET:
            return
        reset = number(response.headers.get("x-ratelimit-reset"))
        reset_in = None if reset is None else reset - self._meter.server_now(received)
        self._meter.quota(limit, remaining)
        self._budget.observe(limit, remaining, reset_in, self._ticks())

    def _decode(self, call: Call[T], body: bytes) -> T:
        try:
            return call.decode(body)
        except msgspec.MsgspecError as exc:
            why = str(exc)
        except (ValueError, RecursionError) as exc:
            why = type(exc).__name__
        raise Unreadable(f"{call.endpoint}: {why}", status=200)

    def _url(self, call: Call[T]) -> URL:
        # Encoded by us: the server's parser wants the brackets and commas as the SDK sends them.
        query = f"?{urlencode(call.params)}" if call.params else ""
        return URL(f"{self._base_url}{call.path}{query}", encoded=True)

    def _headers(self, call: Call[T]) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._key.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"triggerdev-exporter/{__version__}",
            "x-trigger-api-version": API_VERSION,
        }
        if self._branch is not None:
            headers["x-trigger-branch"] = self._branch
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def _ticks(self) -> int:
        return int(self._clock.monotonic() * 1000)


def _checked(base_url: str) -> str:
    """`base_url` without a slash at its end, if it is one that a request can be built on."""
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    except ValueError:
        good = plain = False
    if not (good and plain):
        raise ConfigError([f"api_url: {redact_url(base_url)}: not an http(s) URL without user, query and fragment"])
    return base_url.rstrip("/")
