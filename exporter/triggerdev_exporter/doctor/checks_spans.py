"""What is judged of the collector that spans go to, a row a check. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from triggerdev_exporter.doctor.finding import Check, Finding, broken, ok, warning
from triggerdev_exporter.spans.answer import Answer, Later, Taken
from triggerdev_exporter.spans.otlp import Otlp

_REMEDIES = {
    "auth": "look at OTEL_EXPORTER_OTLP_HEADERS: the key of the collector belongs there",
    "http": "look at the path of OTEL_EXPORTER_OTLP_ENDPOINT: /v1/traces is appended, to …_TRACES_ENDPOINT nothing",
    "not_otlp": "look at OTEL_EXPORTER_OTLP_ENDPOINT and …_PROTOCOL: 4318 usually speaks http/protobuf, 4317 grpc",
    "tls": "look at OTEL_EXPORTER_OTLP_CERTIFICATE, and whether the endpoint is https",
}
_ELSE = "start the collector, or look at OTEL_EXPORTER_OTLP_ENDPOINT; meanwhile spans wait on disk, up to max_age"


@dataclass(frozen=True, slots=True)
class Collector:
    """What answered to a request without spans."""

    otlp: Otlp
    answer: Answer


def _takes(seen: Collector) -> Finding:
    where = f"{seen.otlp.shown} ({seen.otlp.protocol})"
    match seen.answer:
        case Taken():
            return ok(f"{where} takes requests")
        case Later(reason=reason, why=why) if reason in ("throttled", "unavailable") and seen.otlp.protocol != "grpc":
            return warning(f"{where}: {why}", _ELSE)
        case Later(reason=reason, why=why):
            return broken(f"{where}: {why}", _REMEDIES.get(reason, _ELSE))
    # It was empty, and some are particular about that: a collector it is.
    return ok(f"{where} answers; to a request without spans it says {seen.answer.why}")


COLLECTOR_CHECKS: tuple[Check[Collector], ...] = (Check("spans", _takes),)
