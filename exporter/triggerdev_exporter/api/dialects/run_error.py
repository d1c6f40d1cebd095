"""Why runs failed: out of a retrieved run, the same in both dialects, and out of the list of errors. Pure.

Of a run a real server tells ``error``; the seed tells it of the last attempt. Everything else is left alone.
"""

from __future__ import annotations

import re

import msgspec

from triggerdev_exporter.api.dialects.wire import Count, Envelope, Identity, clean, decode, read_page
from triggerdev_exporter.records import ErrorGroup, Page, RunError

ERROR_CHARACTERS = 2_000
"""Of an error's text nobody reads more."""

_INTERNAL = re.compile(r"trigger\.dev internal error \((\w+)\)")
"""What the platform says itself has no name but a code."""


_GENERIC = frozenset({"BUILT_IN_ERROR", "CUSTOM_ERROR", "STRING_ERROR", "INTERNAL_ERROR", "Error"})
"""Types of errors where a name is wanted."""


class _Error(msgspec.Struct):
    name: str | None = None
    message: str | None = None


class _Attempt(msgspec.Struct):
    error: _Error | None = None


class _Run(msgspec.Struct):
    error: _Error | None = None
    attempts: list[_Attempt] | None = None


class _Group(msgspec.Struct, rename="camel"):
    task_identifier: Identity
    count: Count
    error_type: str | None = None
    error_message: str | None = None


_RUN = msgspec.json.Decoder(_Run)
_GROUPS = msgspec.json.Decoder(list[_Group] | Envelope[_Group])


def read_run_error(body: bytes) -> RunError | None:
    """The error of a retrieved run; ``None`` if it tells none. Raises `Unreadable`."""
    run = decode("run", _RUN, body)
    attempts = [attempt.error for attempt in run.attempts or () if attempt.error is not None]
    error = run.error or (attempts[-1] if attempts else None)
    if error is None or not (error.name or error.message):
        return None
    return _named(error.name, error.message)


def read_errors(body: bytes) -> Page[ErrorGroup]:
    """One page of the list of errors. Raises `Unreadable`."""
    return read_page("errors", _GROUPS, _group, body)


def _group(wire: _Group) -> ErrorGroup:
    name = "" if wire.error_type in _GENERIC else wire.error_type
    return ErrorGroup(task=clean(wire.task_identifier), error=_named(name, wire.error_message), count=wire.count)


def _named(name: str | None, text: str | None) -> RunError:
    message = (text or "")[:ERROR_CHARACTERS]
    internal = _INTERNAL.search(message)
    name = name or (internal.group(1) if internal else "Error")
    return RunError(name=name[:ERROR_CHARACTERS], message=message)
