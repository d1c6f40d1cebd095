"""Percentiles without keeping values: a value becomes the number of a bucket, and buckets are 2 % wide. Pure.

Buckets of two sketches are the same buckets, so sketches of cells add up to the sketch of a window, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import accumulate

ERROR = 0.01
"""How far a percentile may be off, relative to the true one."""

_GAMMA = (1 + ERROR) / (1 - ERROR)
_LOG_GAMMA = math.log(_GAMMA)
_LARGEST = 30_000
"""Buckets fit into 16 bits; far beyond any time that can be written in milliseconds."""


def code_of(millis: int) -> int:
    """The bucket of a duration: 0 for none at all, else the k for which γ^(k−2) < `millis` ≤ γ^(k−1)."""
    if millis <= 0:
        return 0
    return min(1 + math.ceil(math.log(millis) / _LOG_GAMMA), _LARGEST)


def value_of(code: int) -> float:
    """The duration that stands for a bucket: at most `ERROR` from every one in it."""
    return 0.0 if code <= 0 else 2 * _GAMMA ** (code - 1) / (_GAMMA + 1)


def percentile(codes: Mapping[int, int], quantile: float) -> float:
    """The smallest value such that at least that share of all is not above it, by buckets. There must be one."""
    total = sum(codes.values())
    rank = max(1, math.ceil(quantile * total))
    ordered = sorted(codes.items())
    passed = accumulate(count for _, count in ordered)
    return next(value_of(code) for (code, _), so_far in zip(ordered, passed, strict=True) if so_far >= rank)
