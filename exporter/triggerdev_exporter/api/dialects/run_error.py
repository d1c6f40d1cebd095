"""Why a run failed, out of a retrieved run: the same in both dialects. Pure.

A real server tells ``error``; the seed tells it of the last attempt. Everything else of the run is left alone.
"""

from __future__ import annotations

import re

import msgspec

from triggerdev_exporter.api.dialects.wire import decode
from triggerdev_exporter.records import RunError

ERROR_CHARACTERS = 2_000
"""Of an error's text nobody reads more."""

_INTERNAL = re.compile(r"trigger\.dev internal error \((\w+)\)")
"""What the platform says itself has no name but a code."""


class _Error(msgspec.Struct):
    name: str | None = None
    message: str | None = None


class _Attempt(msgspec.Struct):
    error: _Error | None = None


class _Run(msgspec.Struct):
    error: _Error | None = None
    attempts: list[_Attempt] | None = None


_RUN = msgspec.json.Decoder(_Run)


def read_run_error(body: bytes) -> RunError | None:
    """The error of a retrieved run; ``None`` if it tells none. Raises `Unreadable`."""
    run = decode("run", _RUN, body)
    attempts = [attempt.error for attempt in run.attempts or () if attempt.error is not None]
    error = run.error or (attempts[-1] if attempts else None)
    if error is None or not (error.name or error.message):
        return None
    message = (error.message or "")[:ERROR_CHARACTERS]
    internal = _INTERNAL.search(message)
    name = error.name or (internal.group(1) if internal else "Error")
    return RunError(name=name[:ERROR_CHARACTERS], message=message)
