"""The simulator behind its URL: one gate for all requests, then a route of the profile's dialect.

The gate does, in the order of the real server: faults of the whole API, redirect of a trailing slash, Authorization,
rate limit, route, method, key, permission. Then the route answers, and the endpoint's faults spoil the answer. Every
request first lets the world catch up with the clock.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.simulator import replies, seed_api, spoiling, trigger_api, trql
from triggerdev_exporter.simulator.faults import EndpointFault, Faults
from triggerdev_exporter.simulator.limiter import DEPLOYMENT_QUOTA, Limiter, Quota, Verdict
from triggerdev_exporter.simulator.profiles import Profile
from triggerdev_exporter.simulator.replies import Reply
from triggerdev_exporter.simulator.routes import Ask, Guard, Route
from triggerdev_exporter.simulator.world import World

API_VERSION = "2025-07-16"
_KEY = re.compile(r"tr_(dev|stg|prod|preview)_\w+")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that came in."""

    at: Instant
    method: str
    path: str
    """With its query, as sent."""
    key: str
    endpoint: str
    status: int


@dataclass
class Simulator:
    """Everything behind one URL. Tests hold it and look into it."""

    world: World
    clock: Clock
    profile: Profile
    faults: Faults = field(default_factory=Faults)
    quota: Quota | None = field(default_factory=Quota)
    """``None``: no limit, and no headers of one."""
    deployment_quota: Quota = DEPLOYMENT_QUOTA
    omit_nulls: bool = False
    environments: dict[str, World] = field(default_factory=dict)
    """Other worlds by slug (``stg``), for keys of that kind; all other keys see `world`."""
    branches: frozenset[str] | None = None
    """The branches that exist; ``None``: all."""
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=100_000))
    counts: Counter[str] = field(default_factory=Counter)
    """Requests by endpoint, since the start."""

    def __post_init__(self) -> None:
        rows = seed_api.ROUTES if self.profile.dialect == "seed" else trigger_api.ROUTES
        missing = {"current_deployment": not self.profile.current_deployment, "errors": not self.profile.errors}
        rows = tuple(row for row in rows if not missing.get(row.endpoint))
        # Fixed paths come before those with a variable part.
        self._routes = [(row, row.pattern) for row in sorted(rows, key=lambda row: row.path.count("{}"))]
        self._querying = 0
        self._limiters = {
            "api": Limiter(self.quota or Quota()),
            "deployments": Limiter(self.deployment_quota),
        }

    # ── the gate ──────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, path: str, method: str) -> tuple[Route | None, str, bool]:
        """The route of a raw path, its argument, and whether the path exists with another method."""
        known = False
        for route, pattern in self._routes:
            match = pattern.fullmatch(path)
            if match is not None:
                if route.method == ("GET" if method == "HEAD" else method):
                    return route, unquote(match[1]) if match.groups() else "", True
                known = True
        return None, "", known

    def decide(self, request: web.Request, body: bytes) -> tuple[Reply, Route | None, EndpointFault | None]:
        """The answer to `request`, before the endpoint's faults spoil it."""
        path, _, query = request.raw_path.partition("?")
        if len(path) > 1 and path.endswith("/"):
            moved = Reply(301, b"", "", {"location": path.rstrip("/") + ("?" + query if query else "")})
            return moved, None, None
        route, argument, known = self.find(path, request.method)
        authorization = request.headers.get("Authorization", "")
        limited = "api" if route is None else route.limited
        if not path.startswith("/api/"):
            return replies.html(404), None, None
        if limited and self.profile.dialect != "seed" and not authorization:
            return replies.no_authorization(), route, None
        key = authorization.removeprefix("Bearer ") if authorization.startswith("Bearer ") else ""
        verdict = self._limit(limited, authorization, key)
        reply, fault = self._admit(request, route, argument, known, key, verdict, query, body)
        if verdict is not None:
            reply.headers |= verdict.headers
        return reply, route, fault

    def _admit(
        self,
        request: web.Request,
        route: Route | None,
        argument: str,
        known: bool,
        key: str,
        verdict: Verdict | None,
        query: str,
        body: bytes,
    ) -> tuple[Reply, EndpointFault | None]:
        if verdict is not None and not verdict.allowed:
            return replies.rate_limited(verdict.limit, verdict.remaining, verdict.reset, self.world.now), None
        if self.faults.always_429 and self.profile.dialect == "seed":
            return Reply(429, b'{"error":"Too many requests"}', headers={"retry-after": "1"}), None
        if route is None:
            return replies.wrong_method() if known else replies.html(404), None
        fault = self.faults.take(route.endpoint)
        refusal = self._refuse(request, route, key, fault)
        if refusal is not None:
            return refusal, fault
        if route.view and self.faults.view_status is not None:
            return replies.error(self.faults.view_status, "Internal Server Error"), fault
        if fault is not None and fault.status is not None:
            return replies.error(fault.status, "Something went wrong, please try again."), fault
        if route.endpoint == "query" and route.method == "POST" and (self.faults.query_busy or self._querying >= 3):
            return trql.busy(self.profile), fault
        ask = Ask(
            world=self._world_of(key),
            profile=self.profile,
            faults=self.faults,
            params=parse_qsl(query, keep_blank_values=True),
            argument=argument,
            body=body,
            dated=request.headers.get("x-trigger-api-version") == API_VERSION,
            origin=f"{request.scheme}://{request.host}",
            omit_nulls=self.omit_nulls,
        )
        return route.answer(ask), fault

    def _limit(self, bucket: str, authorization: str, key: str) -> Verdict | None:
        """Ask the bucket of this request, if it has one."""
        if not bucket or self.quota is None or self.profile.dialect == "seed":
            return None
        if bucket == "deployments" and not self.profile.deployment_bucket:
            bucket = "api"
        match = _KEY.fullmatch(key)
        whose = match[1] if match and self.profile.environment_buckets else authorization
        if self.faults.always_429:
            limit = self._limiters[bucket].quota
            return Verdict(False, limit.burst, -1, self.world.now + limit.interval_ms)
        return self._limiters[bucket].ask(whose, self.world.now)

    def _refuse(self, request: web.Request, route: Route, key: str, fault: EndpointFault | None) -> Reply | None:
        """401 or 403, or ``None`` for a key that may."""
        if route.guard is Guard.OPEN:
            return None
        match = _KEY.fullmatch(key)
        if match is None or key in self.faults.revoked or (fault is not None and fault.deny == 401):
            return replies.error(401, route.guard.refusal)
        branch = request.headers.get("x-trigger-branch")
        if match[1] == "preview" and branch is None:
            return replies.error(401, "x-trigger-branch header required for preview env")
        rooted = match[1] == "dev" and branch in {None, "default"}
        if match[1] in {"preview", "dev"} and not rooted and self.branches is not None and branch not in self.branches:
            return replies.error(401, "No matching branch env")
        if fault is not None and fault.deny == 403:
            return replies.forbidden()
        if key in self.faults.restricted:
            if route.guard is Guard.LEGACY:
                return replies.error(401, route.guard.refusal)
            if route.guard is Guard.NO_SCOPES:
                return replies.forbidden()
        return None

    def _world_of(self, key: str) -> World:
        match = _KEY.fullmatch(key)
        return self.environments.get(match[1], self.world) if match else self.world

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────

    def advance(self) -> None:
        """Let all worlds catch up with the clock."""
        now = self.clock.now()
        for world in (self.world, *self.environments.values()):
            world.advance(now)

    def date(self) -> str:
        """The ``Date`` header: the simulator's clock, skewed if told so."""
        when = datetime.fromtimestamp(self.clock.now() / 1000 + self.faults.clock_skew_s, UTC)
        return format_datetime(when, usegmt=True)

    def note(self, request: web.Request, endpoint: str, status: int) -> None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append(Request(self.world.now, request.method, request.raw_path, key, endpoint, status))
        self.counts[endpoint] += 1

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request of a client."""
        self.advance()
        if self.faults.api_down:
            return await self._down(request)
        body = await request.read()
        reply, route, fault = self.decide(request, body)
        endpoint = "other" if route is None else route.endpoint
        self.note(request, endpoint, reply.status)
        late = fault.latency_s if fault is not None else 0.0
        if route is not None and route.view:
            late += self.faults.view_delay_s
        if late:
            self._querying += endpoint == "query"
            try:
                await self.clock.sleep(late)
            finally:
                self._querying -= endpoint == "query"
        return await self._send(request, reply, fault)

    async def _down(self, request: web.Request) -> web.StreamResponse:
        self.note(request, "down", 0 if self.faults.api_down == "reset" else 503)
        if self.faults.api_down == "reset":
            return spoiling.abort(request)
        return web.Response(status=503, text="Service Unavailable", headers={"Date": self.date()})

    async def _send(self, request: web.Request, reply: Reply, fault: EndpointFault | None) -> web.StreamResponse:
        reply = reply if fault is None or reply.status != 200 else spoiling.spoil(reply, fault)
        headers = {**reply.headers, "Date": self.date()}
        if reply.content_type:
            headers["Content-Type"] = reply.content_type
        if fault is not None and fault.cut == "connection" and reply.status == 200:
            return await spoiling.half(request, reply, headers)
        if fault is not None and fault.oversize_mb:
            return await spoiling.flood(request, fault.oversize_mb, headers)
        return web.Response(status=reply.status, body=reply.body, headers=headers)
