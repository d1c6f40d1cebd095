"""A span as plain data: what `plan` returns and `encode` encodes. Instants are Unix milliseconds."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.spans.ids import SpanId, TraceId

Value = str | bool | int | float | tuple[str, ...]
Attributes = dict[str, Value]


class Kind(StrEnum):
    """The kinds of spans that we make."""

    INTERNAL = "internal"
    CONSUMER = "consumer"
    PRODUCER = "producer"


class Link(NamedTuple):
    """Another span that has to do with this one."""

    trace_id: TraceId
    span_id: SpanId
    attributes: Attributes


class Event(NamedTuple):
    """Something that happened at one instant."""

    name: str
    at: Instant


class Parent(NamedTuple):
    span_id: SpanId
    is_remote: bool
    """Whether it belongs to another run or program."""


class Span(NamedTuple):
    """One span."""

    name: str
    kind: Kind
    trace_id: TraceId
    span_id: SpanId
    parent: Parent | None
    start: Instant
    end: Instant
    attributes: Attributes
    dropped_attributes: int = 0
    is_error: bool = False
    description: str = ""
    links: tuple[Link, ...] = ()
    events: tuple[Event, ...] = ()
