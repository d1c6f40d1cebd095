"""What a collector's answer means, and when to try again. Pure: an answer in, a decision out.

The specification lets a client repeat 429, 502, 503 and 504 only. Whoever is refused for its key, or asks at a wrong
place, is no better off tomorrow with spans that were thrown away: those are kept too and tried again, far less often,
until they are too old. Only a request that is bad by itself is given up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from triggerdev_exporter.api.verdict import http_date
from triggerdev_exporter.clock import MINUTE, SECOND, Instant
from triggerdev_exporter.spans.encode import rejected

FIRST, LONGEST, LONGEST_AFTER = SECOND, MINUTE, 10 * MINUTE
FAR = 30 * SECOND
"""The shortest pause after what does not mend itself soon."""
_JITTER = 0.2
_WORDS = 200

#: The closed set of the label ``reason`` of `span_export_errors_total`.
REASONS = (
    "auth", "http", "not_otlp", "refused", "throttled", "timeout", "tls", "too_large", "unavailable", "unreachable",
)  # fmt: skip


class Taken(NamedTuple):
    """The request was accepted, but for `rejected` of its spans."""

    rejected: int = 0
    why: str = ""


class Later(NamedTuple):
    """Not now."""

    reason: str
    why: str
    after: int | None = None
    """Milliseconds that the collector asked for."""
    is_far: bool = False


class TooLarge(NamedTuple):
    """The same in smaller parts may be taken."""

    why: str


class Refused(NamedTuple):
    """Never, as it is."""

    why: str


Answer = Taken | Later | TooLarge | Refused


def read_http(status: int, headers: Mapping[str, str], body: bytes, now: Instant) -> Answer:
    """`headers` finds names in any case."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if 200 <= status < 300:
        return _accepted(kind, body)
    why = f"HTTP {status} {_words(kind, body) or _phrase(status)}".strip()
    match status:
        case 400 | 422:
            return Refused(why)
        case 413:
            return TooLarge(why)
        case 401 | 403 | 407:
            return Later("auth", why, is_far=True)
        case 429:
            return Later("throttled", why, _after(headers, now))
        case 502 | 503 | 504:
            return Later("unavailable", why, _after(headers, now))
        case 408:
            return Later("timeout", why)
    return Later("http", why, is_far=True)


def _accepted(kind: str, body: bytes) -> Answer:
    if not body.strip():
        return Taken()
    try:
        if kind == "application/json":
            told = json.loads(body).get("partialSuccess") or {}
            return Taken(max(0, int(told.get("rejectedSpans") or 0)), _line(str(told.get("errorMessage") or "")))
        count, why = rejected(body)
        return Taken(max(0, count), _line(why))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return Later("not_otlp", "what answers is no OTLP collector", is_far=True)


def _after(headers: Mapping[str, str], now: Instant) -> int | None:
    told = headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdecimal() and len(told) < 10:
        return min(int(told) * SECOND, LONGEST_AFTER)
    at = http_date(told)
    return None if at is None else min(max(0, at - now), LONGEST_AFTER)


def _words(kind: str, body: bytes) -> str:
    """What a collector says of a request that it did not take, as far as that is text."""
    text = body[: 4 * _WORDS].decode("utf-8", "replace")
    if kind == "text/plain":
        return _line(text)
    if kind == "application/json":
        try:
            return _line(str(json.loads(body).get("message") or ""))
        except (ValueError, AttributeError, RecursionError):
            return ""
    return ""


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:_WORDS].strip()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


# -- gRPC -----------------------------------------------------------------------------------------------------------

_GRPC_LATER = frozenset({"CANCELLED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_GRPC_AUTH = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


def read_grpc_error(code: str, details: str, after: int | None) -> Answer:
    """`code` is the name of a gRPC status that is not OK; `after` what its RetryInfo asks for, in milliseconds."""
    why = f"gRPC {code} {_line(details)}".strip()
    pause = None if after is None else min(max(0, after), LONGEST_AFTER)
    if code == "INVALID_ARGUMENT":
        return Refused(why)
    if code == "DEADLINE_EXCEEDED":
        return Later("timeout", why, pause)
    if code in _GRPC_LATER:
        return Later("unavailable", why, pause)
    if code in _GRPC_AUTH:
        return Later("auth", why, is_far=True)
    if code == "RESOURCE_EXHAUSTED":
        # Two things have this code, and only the text tells them apart: too many requests, and too large a one.
        if after is None and "larger than max" in details:
            return TooLarge(why)
        return Later("throttled", why, pause, is_far=after is None)
    return Later("not_otlp" if code == "UNIMPLEMENTED" else "http", why, is_far=True)


def read_grpc(body: bytes) -> Answer:
    """An answer with the status OK."""
    return _accepted("", body)


# -- when to try again ------------------------------------------------------------------------------------------------


def pause(answer: Later, failures: int, chance: Callable[[], float]) -> int:
    """Milliseconds to wait after `answer`, the `failures`-th that was no in a row. `chance`: from 0 up to 1."""
    if answer.after is not None:
        # A little more than asked for, so that not all come back in the same instant.
        return answer.after + round(FIRST * chance())
    plain = min(LONGEST, FIRST << min(max(failures - 1, 0), 40))
    return round(max(plain, FAR if answer.is_far else 0) * (1 + _JITTER * (2 * chance() - 1)))
