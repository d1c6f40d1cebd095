"""One request: rows packed into bytes, as many as a collector likes to take at once. Pure, and slow: call it in a
thread."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import NamedTuple

from triggerdev_exporter.spans.due import Due, Origin
from triggerdev_exporter.spans.encode import encode
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.spans.resource import resource
from triggerdev_exporter.spans.span import Span

MOST_SPANS = 512
LARGEST = 1 << 20
"""Bytes, before they are packed. A single row may be larger."""


class Parcel(NamedTuple):
    """What is sent, and what it holds."""

    body: bytes
    keys: tuple[str, ...]
    spans: int


def pack(dues: Sequence[Due], policy: Policy, otlp: Otlp) -> Parcel:
    """The first of `dues`, at least one, that fit into one request."""
    groups: dict[Origin, list[Span]] = {}
    keys: list[str] = []
    count = 0
    for due in dues:
        spans = policy.plan(due)
        if keys and count + len(spans) > MOST_SPANS:
            break
        groups.setdefault(due.origin, []).extend(spans)
        keys.append(due.id)
        count += len(spans)
    body = encode(
        (resource(origin, service_name=otlp.service_name, attributes=otlp.resource), spans)
        for origin, spans in groups.items()
    )
    if len(body) > LARGEST and len(keys) > 1:
        return pack(dues[: len(keys) // 2], policy, otlp)
    return Parcel(gzip.compress(body, compresslevel=1, mtime=0) if _packs(otlp) else body, tuple(keys), count)


def _packs(otlp: Otlp) -> bool:
    # gRPC packs by itself.
    return otlp.gzip and otlp.protocol != "grpc"
