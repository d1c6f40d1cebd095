"""Where spans go and how they get there: what the ``OTEL_*`` variables say, once they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.sampling import Sampler

Protocol = Literal["http/protobuf", "grpc"]

TRACES_PATH = "/v1/traces"
HTTP_ENDPOINT, GRPC_ENDPOINT = "http://localhost:4318", "http://localhost:4317"


@dataclass(frozen=True, slots=True)
class Otlp:
    """One collector, for all targets."""

    endpoint: str = HTTP_ENDPOINT + TRACES_PATH
    """The URL that is posted to; for gRPC ``host:port``."""
    protocol: Protocol = "http/protobuf"
    headers: tuple[tuple[str, str], ...] = ()
    """Often keys of a vendor: never shown."""
    timeout_ms: int = 10 * SECOND
    gzip: bool = False
    is_secure: bool = False
    """gRPC only: whether the connection is TLS. For HTTP the URL tells."""
    certificate: str | None = None
    """File of the authorities that are trusted; ``None``: those of the system."""
    client_certificate: str | None = None
    client_key: str | None = None
    service_name: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    sampler: Sampler | None = None
    """``None``: the configuration decides."""
    limits: Limits = field(default_factory=Limits)

    @property
    def shown(self) -> str:
        """The endpoint as people may see it: without a password in it."""
        scheme, mark, rest = self.endpoint.partition("://")
        bare = (rest if mark else scheme).rpartition("@")[2].partition("?")[0]
        return f"{scheme}{mark}{bare}" if mark else bare
