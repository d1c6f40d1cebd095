"""Trace and span ids, computed from run ids with SHA-256: any language can compute them too. Pure.

The texts that are hashed are a contract (docs/spans.md lists test vectors): links that people built on them must go on
to lead somewhere.
"""

from __future__ import annotations

import hashlib

TRACE = "trigger.dev/trace/"
SPAN = "trigger.dev/span/"

TraceId = str
"""32 hexadecimal digits, lower case, not all zero."""
SpanId = str
"""16 of them."""


def trace_id(root_id: str) -> TraceId:
    """The trace of a tree of runs, from the id of its root; of a batch, from the batch's."""
    return _digits(TRACE + root_id, 16)


def span_id(run_id: str, part: str = "") -> SpanId:
    """The span of a run or batch; with `part` (``queue``, ``delay``, ``execute``) of what is below it."""
    return _digits(f"{SPAN}{run_id}/{part}" if part else SPAN + run_id, 8)


def _digits(text: str, length: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    while not any(digest[:length]):
        # All zero means "no id": once in 2^64 span ids.
        digest = hashlib.sha256(digest).digest()
    return digest[:length].hex()
