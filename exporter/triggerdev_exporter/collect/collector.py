"""What every collector shares: its shape, and the tick that runs one step and judges how it went."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import ClassVar, Protocol

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import ApiError, Forbidden, NotFound, StateError, Unauthorized
from triggerdev_exporter.target import LOOK_AGAIN, CollectorState, Target

log = logging.getLogger(__name__)


class Collector(Protocol):
    """One kind of thing that is watched."""

    name: ClassVar[str]

    async def step(self, now: Instant) -> bool:
        """Read what is due at `now` (server time). False: this dialect has no such endpoint.

        Raises `ApiError` or `StateError`; what was committed until then stays.
        """
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """How a tick went. `reason` is a label value, ``None`` for success and for ticks that were not due."""

    collector: str
    outcome: str
    """``ok``, ``failed``, ``unsupported`` or ``skipped``."""
    reason: str | None = None
    message: str = ""


async def tick(target: Target, collector: Collector) -> Report:
    """Run one step of `collector` and record how it went in its `CollectorState`. Raises nothing but cancellation."""
    state = target.states[collector.name]
    now = target.clock.now()
    if now < state.look_again_at:
        return Report(collector.name, "skipped")
    if target.is_shut(now):
        # Nothing is asked while the key is refused, but nothing is well either.
        state.up = False
        state.sees(False, target.server_now())
        return Report(collector.name, "skipped")
    state.asked_at = now
    started = target.clock.monotonic()
    report = await _attempt(target, collector, now)
    state.duration_s = target.clock.monotonic() - started
    _record(target, state, report)
    return report


async def _attempt(target: Target, collector: Collector, now: Instant) -> Report:
    name = collector.name
    try:
        await target.open()
        if not await collector.step(target.server_now()):
            return Report(name, "unsupported", message="this server's dialect has no such endpoint")
    except Unauthorized as error:
        return await _unauthorized(target, name, now, error)
    except (Forbidden, NotFound) as error:
        return Report(name, "unsupported", error.reason, str(error))
    except (ApiError, StateError) as error:
        return Report(name, "failed", error.reason, str(error))
    except Exception as error:
        # A mistake of ours in one collector must not end the others, nor the next tick of this one.
        message = f"{type(error).__name__} in this program; please report it"
        if message not in (target.states[name].trouble or ""):
            log.exception("step failed unexpectedly", extra={"target": target.name, "collector": name})
        return Report(name, "failed", "state", message)
    target.key_accepted()
    return Report(name, "ok")


async def _unauthorized(target: Target, name: str, now: Instant, error: Unauthorized) -> Report:
    if target.is_shut(target.clock.now()):
        return Report(name, "failed", error.reason, str(error))
    try:
        refused = await target.refuses_key()
    except ApiError as second:
        return Report(name, "failed", second.reason, str(second))
    if not refused:
        return Report(name, "unsupported", error.reason, f"{error} (the key works, but not for this)")
    target.shut(now, str(error))
    return Report(name, "failed", error.reason, f"{error}: the key is wrong, revoked or of another server")


def _record(target: Target, state: CollectorState, report: Report) -> None:
    if report.reason is not None:
        state.errors[report.reason] += 1
    state.up = report.outcome == "ok"
    state.sees(state.up, target.server_now())
    where = {"target": target.name, "collector": report.collector}
    refused = report.reason == "auth" and report.outcome == "failed"
    if report.outcome == "ok":
        state.supported, state.last_success = True, target.clock.now()
        if state.trouble is not None and not state.trouble.startswith("auth"):
            log.info("works again", extra=where)
        state.trouble = None
        return
    if report.outcome == "unsupported":
        state.supported = False
        state.look_again_at = target.clock.now() + LOOK_AGAIN
    trouble = f"{report.reason or 'unsupported'}: {report.message}"
    # Each failure once when it begins: a message that only changes in its numbers is not news. A refused key is the
    # target's trouble, told once by it, not once by each collector.
    known = state.trouble is not None and state.trouble.partition(":")[0] == trouble.partition(":")[0]
    if not known and not refused:
        if report.outcome == "unsupported":
            log.warning("not available, looking again in an hour", extra={**where, "why": report.message})
        else:
            log.warning("failing", extra={**where, "reason": report.reason, "why": report.message})
    state.trouble = trouble
