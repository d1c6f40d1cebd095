"""W3C trace context as somebody puts it into the metadata of a run: read strictly, or not at all. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from triggerdev_exporter.spans.ids import SpanId, TraceId

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)


class Context(NamedTuple):
    """Somebody else's span."""

    trace_id: TraceId
    span_id: SpanId
    is_sampled: bool


def read_traceparent(text: str) -> Context | None:
    """The context that `text` (``00-<trace>-<span>-<flags>``) names; ``None`` if it is no traceparent."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    # ff is forbidden; version 0 has exactly four parts, a later one may have more.
    if version == "ff" or (version == "00" and rest) or not trace.strip("0") or not span.strip("0"):
        return None
    return Context(trace, span, bool(int(flags, 16) & 1))
