"""Attributes as every back end takes them: nothing empty, nothing too long, no number that does not fit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triggerdev_exporter.spans.span import Attributes, Value

_LARGEST = 2**63 - 1
NAME_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one span may hold: ``OTEL_SPAN_…_LIMIT``, else ``OTEL_ATTRIBUTE_…_LIMIT``, else these."""

    value_length: int = 4_096
    """Characters. The specification has no limit by default; we do."""
    attributes: int = 128
    events: int = 128
    links: int = 128
    link_attributes: int = 128


def clean(wanted: Mapping[str, Value | None], limits: Limits, most: int | None = None) -> tuple[Attributes, int]:
    """What is told of `wanted`, at most `most` (default: a span's limit), and how many were left out for that."""
    told = {
        name: _cut(value, limits.value_length)
        for name, value in wanted.items()
        if value is not None and value != () and value != ""
    }
    most = limits.attributes if most is None else most
    kept = dict(list(told.items())[:most])
    return kept, len(told) - len(kept)


def text(value: str, length: int) -> str:
    """`value` as UTF-8 can hold it, cut to `length` characters."""
    if len(value) <= length and value.isascii():
        return value
    return value[:length].encode("utf-8", "replace").decode()


def _cut(value: Value, length: int) -> Value:
    # A bool is an int, and fits.
    if isinstance(value, str):
        return text(value, length)
    if isinstance(value, tuple):
        return tuple([text(each, length) for each in value])
    if isinstance(value, int):
        return max(-_LARGEST - 1, min(value, _LARGEST))
    return value
