"""Identifiers that look like the real ones and come out the same for the same seed.

An internal run id is a cuid: ``c``, time, counter, fingerprint, noise; so ids follow the time of insertion, not
`createdAt`. Friendly ids of queues and the like are 21 characters of a hash.
"""

from __future__ import annotations

import hashlib

from triggerdev_exporter.clock import Instant

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int, width: int) -> str:
    """`number` in base 36, its last `width` digits."""
    out = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        out = _DIGITS[digit] + out
    return out


def friendly(prefix: str, *words: object) -> str:
    """``prefix_`` and 21 characters that depend on `words` alone."""
    digest = hashlib.blake2b("\0".join(map(str, words)).encode(), digest_size=16).digest()
    return f"{prefix}_{base36(int.from_bytes(digest, 'big'), 21)}"


class Ids:
    """A source of internal ids, one a world."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def key(self, at: Instant) -> str:
        """A new internal id for a row inserted at `at`."""
        self._count += 1
        noise = (self._count * 0x9E3779B97F4A7C15 + self._seed * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        noise ^= noise >> 29
        return f"c{base36(at, 8)}{base36(self._count, 4)}f47d{base36(noise, 8)}"
