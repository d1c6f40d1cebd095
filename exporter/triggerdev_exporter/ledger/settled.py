"""Ids of what ended: remembered as hashes while a page may show them again, so that nothing counts twice. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from triggerdev_exporter.clock import DAY
from triggerdev_exporter.ledger.facts import Kind

HORIZON = 7 * DAY
"""How long the id of something that ended is remembered, in milliseconds."""

#: Marks on a settled id.
ATTEMPTS_DUE = 1
REOPENED_TOLD = 2


@lru_cache(maxsize=4_096)  # a page's ids are asked for several times in a row
def id_hash(kind: Kind, text: str) -> int:
    """A signed 64-bit hash of an id. At 10 million ids kept, the chance of any collision is about 3 in a million."""
    digest = hashlib.blake2b(f"{kind}:{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def hashes(kind: Kind, keys: Iterable[str]) -> list[int]:
    """The hashes to look up before a draft about `keys` is made."""
    return [id_hash(kind, key) for key in keys]
