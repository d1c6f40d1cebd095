"""Which dialect a server speaks, told by one harmless list: an object with `data` or a bare array."""

from __future__ import annotations

import msgspec

from triggerdev_exporter.api.calls import Call, Dialect
from triggerdev_exporter.api.dialects.seed import SeedDialect
from triggerdev_exporter.api.dialects.trigger import TriggerDialect
from triggerdev_exporter.api.dialects.wire import Envelope, decode

DIALECTS: dict[str, Dialect] = {"trigger": TriggerDialect(), "seed": SeedDialect()}
"""By name, as the label and the configuration spell it."""


def dialects(metadata_key: str | None = None) -> dict[str, Dialect]:
    """`DIALECTS`; with a key they read the traceparent that a run's metadata holds under it."""
    if metadata_key is None:
        return DIALECTS
    return {"trigger": TriggerDialect(metadata_key), "seed": SeedDialect(metadata_key)}


class _Anything(msgspec.Struct):
    """An item that nobody looks into."""


_ANSWER = msgspec.json.Decoder(list[_Anything] | Envelope[_Anything])


def probe_call() -> Call[str]:
    """Asks for one queue; the answer is a key of `DIALECTS`."""
    return Call("probe", "/api/v1/queues", _name, (("perPage", "1"),))


def _name(body: bytes) -> str:
    return "seed" if isinstance(decode("probe", _ANSWER, body), list) else "trigger"
