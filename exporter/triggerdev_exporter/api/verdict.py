"""What an answer means: an error or none, and whether to ask again. Pure: an answer in, decisions out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import (
    ApiError,
    Forbidden,
    HttpFailed,
    NotFound,
    RateLimited,
    TimedOut,
    Truncated,
    Unauthorized,
    Unreachable,
)

SENTENCE = 200
"""Longest piece of the server's words in an error."""

BACKOFF_S = 0.5
JITTER_S = 1.0

# Before v4.5.11 the server says this with 400 (reference: the TRQL contract), later with 429.
_QUERY_CONCURRENCY = re.compile(r"query concurrency|experiencing a lot of queries", re.IGNORECASE)
_SECONDS_NOT_MILLIS = 100_000_000_000
_RETRIED = (TimedOut, Unreachable, Truncated)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer. `headers` finds names in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again in so many seconds, or not at all; `quiet` when the whole budget has to hold still as long."""

    seconds: float
    again: bool = True
    quiet: bool = False


NEVER = Wait(0.0, again=False)


class _ServerWords(msgspec.Struct):
    error: Any = None
    title: Any = None
    message: Any = None


_SERVER_WORDS = msgspec.json.Decoder(_ServerWords)


def judge(endpoint: str, base_url: str, answer: Answer, key: Secret) -> ApiError | None:
    """The error that `answer` stands for, or ``None`` for JSON with a good status."""
    status = answer.status
    if 200 <= status < 300:
        if is_json(answer):
            return None
        return HttpFailed(f"{endpoint}: {status} with {_kind(answer, key)} instead of JSON", status=status)
    if 300 <= status < 400:
        where = key.scrub(_origin(base_url, answer.headers.get("Location", "")))
        return HttpFailed(f"{endpoint}: {status} redirect to {where} is not followed", status=status)
    said = sentence(answer, key)
    text = f"{endpoint}: {status} {said}".rstrip()
    if status == 401:
        return Unauthorized(text, status=status)
    if status == 403:
        return Forbidden(text, status=status)
    if status == 404:
        return NotFound(text, is_json=is_json(answer))
    if status == 429 or (status == 400 and _QUERY_CONCURRENCY.search(said)):
        return RateLimited(text, status=status)
    return HttpFailed(text, status=status)


def retry(error: ApiError, answer: Answer | None, attempt: int, server_now: Instant, random: Random) -> Wait:
    """Whether and when to ask again after the `attempt`-th try, counted from 1. `answer` is what `error` came from."""
    backoff = Wait(random.uniform(0, BACKOFF_S * 2 ** (attempt - 1)))
    if answer is None:
        return backoff if isinstance(error, _RETRIED) else NEVER
    asked = answer.headers.get("x-should-retry", "").strip().lower()
    if isinstance(error, RateLimited):
        return replace(_wait_out(answer, backoff, server_now, random), again=asked != "false")
    if asked == "false" or answer.status < 400:
        return NEVER
    again = asked == "true" or answer.status in (408, 409) or answer.status >= 500
    return backoff if again else NEVER


def _wait_out(answer: Answer, backoff: Wait, server_now: Instant, random: Random) -> Wait:
    remaining = number(answer.headers.get("x-ratelimit-remaining"))
    if answer.status == 400 or (remaining is not None and remaining > 0):
        # All query slots of the project are taken. The bucket's headers say nothing about that.
        return Wait(1 + random.random())
    told = _told_wait(answer, server_now)
    seconds = backoff.seconds if told is None else told
    return Wait(seconds + random.uniform(0, JITTER_S), quiet=True)


def _told_wait(answer: Answer, server_now: Instant) -> float | None:
    reset = number(answer.headers.get("x-ratelimit-reset"))
    if reset is not None:
        reset = reset * 1000 if reset < _SECONDS_NOT_MILLIS else reset
        if reset > server_now:
            return (reset - server_now) / 1000
    after = answer.headers.get("Retry-After")
    seconds = number(after)
    if seconds is not None:
        return float(seconds)
    date = http_date(after)
    return None if date is None or date <= server_now else (date - server_now) / 1000


def sentence(answer: Answer, key: Secret) -> str:
    """The server's own words, short and without keys; empty where it sent none."""
    try:
        words = _SERVER_WORDS.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    said = next((word for word in (words.error, words.title, words.message) if isinstance(word, str) and word), "")
    # Scrub the whole before cutting: half a key is a key that nobody recognises.
    clean = " ".join("".join(c if c.isprintable() else " " for c in key.scrub(said)).split())
    return clean if len(clean) <= SENTENCE else clean[: SENTENCE - 1] + "…"


def is_json(answer: Answer) -> bool:
    """By its content type: application/json, application/problem+json."""
    return _media_type(answer).endswith("json")


def number(text: str | None) -> int | None:
    """A header's whole number, or ``None`` for anything else."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


@lru_cache(maxsize=16)  # many answers come within a second
def http_date(text: str | None) -> Instant | None:
    """A header's date as an instant, or ``None`` for anything else."""
    try:
        return int(parsedate_to_datetime(text or "").timestamp()) * 1000
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def redact_url(url: str) -> str:
    """`url` for logs: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "(not a URL)"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def _origin(base_url: str, location: str) -> str:
    try:
        parts = urlsplit(redact_url(urljoin(base_url, location)))
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.netloc}"[:SENTENCE]


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _kind(answer: Answer, key: Secret) -> str:
    media = _media_type(answer)
    if media == "text/html":
        return "HTML"
    return key.scrub(media)[:60] or "no content type"
