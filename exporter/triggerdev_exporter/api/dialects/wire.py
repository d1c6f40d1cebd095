"""What both dialects share: bytes to structs, texts to instants, numbers and label values. Pure and total.

`decode` is the only door for bytes: it returns what was asked for or raises `errors.Unreadable`. Wire structs name the
few fields that we use, so that payloads, outputs and metadata are skipped and never allocated. Those of runs are kept
from Python's search for cycles, which they cannot be part of: there are a hundred a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar
from urllib.parse import quote

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import Unreadable
from triggerdev_exporter.records import Page
from triggerdev_exporter.spans.context import read_traceparent

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")

LABEL_BYTES = 256
"""Longest task id, queue name or version, in UTF-8."""

_LARGEST = 2**53
Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
Identity = Annotated[str, msgspec.Meta(min_length=1)]
"""A text that must say something: an id, a status, a task."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


class Pagination(msgspec.Struct):
    """Cursor or offset, whatever the list has."""

    next: str | None = None
    currentPage: Count | None = None
    totalPages: Count | None = None


class Envelope(msgspec.Struct, Generic[W]):
    data: list[W]
    pagination: Pagination | None = None


def decode(endpoint: str, decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """`body` as the decoder's type. A text with half a surrogate pair or a broken byte is mended, not refused:
    user data may hold one, and one such run must not hide the whole page."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise unreadable(endpoint, str(exc)) from None
    except RecursionError:
        raise unreadable(endpoint, "nested too deeply") from None
    except ValueError:
        pass
    try:
        return decoder.decode(_mended(body))
    except msgspec.MsgspecError as exc:
        raise unreadable(endpoint, str(exc)) from None
    except RecursionError:
        raise unreadable(endpoint, "nested too deeply") from None
    except ValueError:
        raise unreadable(endpoint, "not JSON") from None


def unreadable(endpoint: str, why: str) -> Unreadable:
    """The one error of this package. `why` is msgspec's sentence with the path, or ours; never a piece of the body."""
    return Unreadable(f"{endpoint}: {why}")


def _mended(body: bytes) -> bytes:
    text = body.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match.group(1) else match.group(0), text)


def read_page(
    endpoint: str,
    decoder: msgspec.json.Decoder[list[W] | Envelope[W]],
    record: Callable[[W], R],
    body: bytes,
) -> Page[R]:
    """A list, bare or in its envelope, as records with the cursor of what follows. One bad item spoils the page."""
    answer = decode(endpoint, decoder, body)
    if isinstance(answer, list):
        return Page(records(endpoint, record, answer))
    return Page(records(endpoint, record, answer.data), following(answer.pagination))


def records(endpoint: str, record: Callable[[W], R], items: Iterable[W]) -> tuple[R, ...]:
    """Each of `items` as a record."""
    try:
        return tuple([record(item) for item in items])
    except Unwritable as exc:
        raise unreadable(endpoint, str(exc)) from None


def read_one(endpoint: str, decoder: msgspec.json.Decoder[W], record: Callable[[W], R], body: bytes) -> R:
    """One thing as its record."""
    return records(endpoint, record, (decode(endpoint, decoder, body),))[0]


def following(pagination: Pagination | None) -> str | None:
    """What to ask for next: the server's cursor, or the number of the next page."""
    if pagination is None:
        return None
    if pagination.next:
        return pagination.next
    if pagination.currentPage is None or pagination.totalPages is None:
        return None
    return str(pagination.currentPage + 1) if pagination.currentPage < pagination.totalPages else None


class Unwritable(Exception):
    """A value that fits its wire type and still cannot be a record's. Stays within the dialects."""


def instant(moment: datetime) -> Instant:
    """Whole milliseconds, exactly. A moment without a zone is UTC; one before 1970 is nonsense."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    millis = (moment - _EPOCH) // _MILLISECOND
    if millis < 0:
        raise Unwritable("a time before 1970")
    return millis


def instant_or_none(moment: datetime | None) -> Instant | None:
    return None if moment is None else instant(moment)


def query_instant(text: str | None) -> Instant | None:
    """TRQL's ``2026-11-23 18:27:55.569``, in UTC; empty and the epoch mean that there is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unwritable("not a time") from None
    return instant(moment) or None


def nanousd(cents: float | None, more: float | None = None) -> int | None:
    """The sum of amounts in cents as whole nano-dollars; ``None`` where nothing is told or it is below zero."""
    if cents is None or more is None:
        told = more if cents is None else cents
        return None if told is None else _whole(told, 1e7)
    return _whole(cents + more, 1e7)


def milliseconds(amount: float | None) -> int | None:
    """A duration; ``None`` where it is not told or below zero."""
    return None if amount is None else _whole(amount, 1.0)


def _whole(amount: float, unit: float) -> int | None:
    if amount < 0:
        return None
    scaled = amount * unit
    if not scaled <= _LARGEST * 1e3:
        raise Unwritable("a number out of range")
    return round(scaled)


_METADATA = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


def traceparent_of(metadata: msgspec.Raw, key: str) -> str | None:
    """The traceparent that stands in a run's metadata under `key`; whatever is no such thing is as good as none."""
    try:
        held = _METADATA.decode(metadata).get(key)
        text = "" if held is None else _TEXT.decode(held)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return text if read_traceparent(text) is not None else None


def clean(text: str) -> str:
    """`text` as a label value: no control characters, no half surrogates, `LABEL_BYTES` at most."""
    if len(text) <= LABEL_BYTES and text.isascii() and text.isprintable():
        return text
    data = _CONTROL.sub("\ufffd", text).encode()
    return data[:LABEL_BYTES].decode("utf-8", "ignore")


def clean_or_none(text: str | None) -> str | None:
    """`clean`; empty means that there is none."""
    if not text or (len(text) <= LABEL_BYTES and text.isascii() and text.isprintable()):
        return text or None
    return clean(text)


def known(text: str, names: frozenset[str]) -> str:
    """`text` if it is one of `names` in any case, else ``UNKNOWN``."""
    upper = text.strip().upper()
    return upper if upper in names else "UNKNOWN"


def segment(identity: str) -> str:
    """An id as one segment of a path."""
    return quote(identity, safe="", errors="replace")
