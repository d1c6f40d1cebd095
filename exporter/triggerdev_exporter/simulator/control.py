"""The control API: ``/_sim/truth``, ``/_sim/clock``, ``/_sim/faults``, ``/_sim/requests``. No key is needed.

For tests of whole processes, which cannot reach into the simulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec
from aiohttp import web

from triggerdev_exporter.clock import ScaledClock
from triggerdev_exporter.simulator.server import Simulator
from triggerdev_exporter.simulator.truth import Buckets, truth


def _reply(value: Any, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value, enc_hook=lambda odd: sorted(odd) if isinstance(odd, set) else str(odd))
    return web.Response(status=status, body=body, content_type="application/json")


def _bounds(request: web.Request, name: str, default: Sequence[float]) -> Sequence[float]:
    text = request.query.get(name)
    return default if text is None else tuple(float(word) for word in text.split(",") if word)


class _Control:
    """The handlers of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def truth(self, request: web.Request) -> web.Response:
        """``?since=<ms>`` (birth), ``lookback``, ``schedules_since`` in ms, ``buckets_wait|duration|batch=1,5,…``."""
        simulator = self._simulator
        simulator.advance()
        try:
            standard = Buckets()
            since = int(request.query.get("since", simulator.world.start))
            told = truth(
                simulator.world,
                since,
                simulator.world.now,
                int(request.query.get("lookback", 0)),
                Buckets(
                    wait=_bounds(request, "buckets_wait", standard.wait),
                    duration=_bounds(request, "buckets_duration", standard.duration),
                    batch=_bounds(request, "buckets_batch", standard.batch),
                ),
                int(request.query.get("schedules_since", since)),
            )
        except ValueError as mistake:
            return _reply({"error": str(mistake)}, 400)
        return _reply({"now": simulator.world.now, "since": since, "families": told})

    async def clock(self, request: web.Request) -> web.Response:
        """POST ``{"advance": s}``, ``{"at": ms}``, ``{"freeze": true}``, ``{"speed": x}``, or several at once."""
        clock = self._simulator.clock
        if request.method == "POST":
            wish: dict[str, Any] = msgspec.json.decode(await request.read())
            if not isinstance(clock, ScaledClock):
                return _reply({"error": "this simulator runs on the machine's clock"}, 409)
            if wish.get("freeze"):
                clock.set(speed=0.0)
            if "speed" in wish:
                clock.set(speed=float(wish["speed"]))
            if "at" in wish:
                clock.set(now=int(wish["at"]))
            if "advance" in wish:
                clock.set(now=clock.now() + round(wish["advance"] * 1000))
        self._simulator.advance()
        speed = clock.speed if isinstance(clock, ScaledClock) else 1.0
        return _reply({"now": clock.now(), "speed": speed})

    async def faults(self, request: web.Request) -> web.Response:
        """POST what `Faults.update` takes; answers all faults."""
        faults = self._simulator.faults
        if request.method == "POST":
            try:
                faults.update(msgspec.json.decode(await request.read()))
            except (ValueError, TypeError, AttributeError) as mistake:
                return _reply({"error": str(mistake)}, 400)
        return _reply(asdict(faults))

    async def requests(self, request: web.Request) -> web.Response:
        """Counts by endpoint, and the last requests (``?last=N``)."""
        last = int(request.query.get("last", 100))
        recent = list(self._simulator.requests)[-last:] if last else []
        return _reply(
            {"counts": dict(self._simulator.counts), "requests": [{**asdict(each), "key": "***"} for each in recent]}
        )


def add_routes(app: web.Application, simulator: Simulator) -> None:
    """Put the control API into `app`."""
    control = _Control(simulator)
    for path, handler in (("clock", control.clock), ("faults", control.faults)):
        app.router.add_get(f"/_sim/{path}", handler)
        app.router.add_post(f"/_sim/{path}", handler)
    app.router.add_get("/_sim/truth", control.truth)
    app.router.add_get("/_sim/requests", control.requests)
