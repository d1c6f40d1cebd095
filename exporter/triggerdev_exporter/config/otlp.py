"""The ``OTEL_*`` variables of the OpenTelemetry specification, read by its rules. Pure but for looking at files.

A variable of the signal (``…_OTLP_TRACES_…``) wins over the general one; an empty one counts as not set. What would
send spans to the wrong place, or not at all, is a mistake; what only changes how many or how long they are is a
warning, as the specification wants it, and the default holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from triggerdev_alerts.documents.mistakes import Mistake, Place, Unfit, found, suggestion
from triggerdev_alerts.documents.units import parse_duration
from triggerdev_exporter.clock import HOUR, SECOND
from triggerdev_exporter.config.keys import why
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.otlp import GRPC_ENDPOINT, HTTP_ENDPOINT, TRACES_PATH, Otlp, Protocol
from triggerdev_exporter.spans.sampling import SAMPLERS, Sampler

T = TypeVar("T")

PREFIX = "OTEL_EXPORTER_OTLP_"
ENDPOINTS = (f"{PREFIX}TRACES_ENDPOINT", f"{PREFIX}ENDPOINT")
DISABLED, EXPORTER = "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"
PROTOCOLS = ("http/protobuf", "grpc")
_SHORT = 100
"""Milliseconds. A plain number below it was meant as seconds, as Python's own SDK reads it."""


@dataclass
class _Reader:
    environ: Mapping[str, str]
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)

    def get(self, *names: str) -> tuple[str, str]:
        """The first of `names` that is set, and its value; the value is empty if none is."""
        for name in names:
            if value := self.environ.get(name, "").strip():
                return name, value
        return names[0], ""

    def signal(self, name: str) -> tuple[str, str]:
        return self.get(f"{PREFIX}TRACES_{name}", f"{PREFIX}{name}")

    def read(self, place: tuple[str, str], parse: Callable[[str], T], default: T, *, mild: bool = False) -> T:
        """What `parse` makes of it; `default` if it is not set, or cannot be used and that was told."""
        name, value = place
        if not value:
            return default
        try:
            return parse(value)
        except Unfit as unfit:
            self.tell(name, unfit.code, unfit.text + ("; it is left aside" if mild else ""), mild=mild)
            return default

    def tell(self, name: str, code: str, text: str, *, mild: bool = False) -> None:
        told = self.warnings if mild else self.mistakes
        told.append(Mistake(code, text, Place(name), severity="warning" if mild else "error"))


@dataclass(frozen=True, slots=True)
class ReadOtlp:
    """What the environment says of spans."""

    otlp: Otlp | None
    """``None``: no spans are exported, or a mistake says why they cannot be."""
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()


def read_otlp(environ: Mapping[str, str], enabled: bool | str) -> ReadOtlp:
    """`enabled` is the configuration's word: ``auto`` means that an endpoint variable decides."""
    if enabled is False:
        return ReadOtlp(None)
    reader = _Reader(environ)
    is_off = reader.get(DISABLED)[1].lower() == "true"
    exporters = (reader.get(EXPORTER)[1].lower() or "otlp").split(",")
    if is_off or exporters == ["none"] or (enabled == "auto" and not reader.get(*ENDPOINTS)[1]):
        if enabled is True:
            name = DISABLED if is_off else EXPORTER
            reader.tell(name, "traces", "no spans are exported, though traces.enabled is true", mild=True)
        return ReadOtlp(None, warnings=tuple(reader.warnings))
    if "otlp" not in exporters:
        reader.tell(EXPORTER, "enum", "spans are exported by OTLP and in no other way; it is left aside", mild=True)
    otlp = _otlp(reader)
    return ReadOtlp(None if reader.mistakes else otlp, tuple(reader.mistakes), tuple(reader.warnings))


def _otlp(reader: _Reader) -> Otlp:
    usual: Protocol = "http/protobuf"
    protocol = reader.read(reader.signal("PROTOCOL"), _protocol, usual)
    endpoint, is_secure = _endpoint(reader, protocol)
    client_certificate = reader.read(reader.signal("CLIENT_CERTIFICATE"), _file, None)
    client_key = reader.read(reader.signal("CLIENT_KEY"), _file, None)
    if client_key and not client_certificate and not reader.mistakes:
        reader.tell(reader.signal("CLIENT_KEY")[0], "tls", f"needs {PREFIX}CLIENT_CERTIFICATE too")
    nothing: dict[str, str] = {}
    headers = reader.read(reader.signal("HEADERS"), _headers, nothing)
    resource = reader.read(reader.get("OTEL_RESOURCE_ATTRIBUTES"), _pairs, nothing, mild=True)
    return Otlp(
        endpoint=endpoint,
        protocol=protocol,
        headers=tuple((name.lower(), value) for name, value in headers.items()),
        timeout_ms=_timeout(reader),
        gzip=reader.read(reader.signal("COMPRESSION"), _compression, "none", mild=True) == "gzip",
        is_secure=is_secure,
        certificate=reader.read(reader.signal("CERTIFICATE"), _file, None),
        client_certificate=client_certificate,
        client_key=client_key,
        service_name=reader.get("OTEL_SERVICE_NAME")[1] or None,
        resource=resource,
        sampler=_sampler(reader),
        limits=_limits(reader),
    )


def _endpoint(reader: _Reader, protocol: Protocol) -> tuple[str, bool]:
    name, value = reader.get(*ENDPOINTS)
    is_grpc = protocol == "grpc"
    value = value or (GRPC_ENDPOINT if is_grpc else HTTP_ENDPOINT)
    is_insecure = reader.read(reader.signal("INSECURE"), _truth, False, mild=True)
    if is_grpc and "://" not in value:
        # The specification lets gRPC's do without a scheme; then another variable says whether it is TLS.
        value = f"{'http' if is_insecure else 'https'}://{value}"
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        reader.tell(name, "url", f"{found(value)} is not an http or https URL of a collector")
        return value, False
    if not is_grpc:
        # Of the general one the path is our business, of the signal's own it is not.
        own = bool(reader.get(ENDPOINTS[0])[1])
        path = (parts.path or "/") if own else parts.path.rstrip("/") + TRACES_PATH
        return parts._replace(path=path, fragment="").geturl(), parts.scheme == "https"
    if find_spec("grpc") is None:
        text = "grpc is not installed: pip install 'triggerdev-exporter[grpc]', or use http/protobuf"
        reader.tell(reader.signal("PROTOCOL")[0], "grpc", text)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or 4317}", parts.scheme == "https"


def _protocol(value: str) -> Protocol:
    if value in ("http/protobuf", "grpc"):
        return value  # type: ignore[return-value]  # mypy does not narrow a str to a Literal by `in`
    raise Unfit("enum", f"{found(value)} is not possible; one of {', '.join(PROTOCOLS)}{suggestion(value, PROTOCOLS)}")


def _file(path: str) -> str | None:
    try:
        with open(path, "rb"):
            return path
    except OSError as error:
        raise Unfit("file", f"{found(path)} cannot be read: {why(error)}") from None


def _pairs(text: str) -> dict[str, str]:
    """``a=1,b=2``, percent-encoded, as W3C baggage has it."""
    pairs = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            # What stands there may be a secret.
            raise Unfit("pairs", 'is not a list of pairs like "name=value,other=value"')
        pairs[unquote(name.strip())] = unquote(value.strip())
    return pairs


def _headers(text: str) -> dict[str, str]:
    pairs = _pairs(text)
    for name, value in pairs.items():
        is_name = name.isascii() and all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name)
        if not is_name or any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise Unfit("header", "holds a header that cannot be sent: a character in its name or value is not allowed")
    return pairs


def _timeout(reader: _Reader) -> int:
    name, value = reader.signal("TIMEOUT")
    wait = reader.read((name, value), _duration, 10 * SECOND, mild=True)
    if wait < _SHORT:
        text = f"{value} is {wait} ms, as the specification has it; write {value}s if seconds are meant"
        reader.tell(name, "timeout", text, mild=True)
    return wait


def _duration(value: str) -> int:
    wait = int(value) if value.isascii() and value.isdecimal() else parse_duration(value)
    if not 0 < wait <= HOUR:
        raise Unfit("range", f"{found(value)} is out of range; between 1 (ms) and 1h is possible")
    return wait


def _compression(value: str) -> str:
    if value not in ("gzip", "none"):
        raise Unfit("enum", f"{found(value)} is not possible; one of gzip, none")
    return value


def _truth(value: str) -> bool:
    # The specification: whatever is not "true" is false.
    return value.lower() == "true"


def _sampler(reader: _Reader) -> Sampler | None:
    name, value = reader.get("OTEL_TRACES_SAMPLER")
    if not value:
        return None
    if value not in SAMPLERS:
        text = f"{found(value)} is no sampler that is known here; one of {', '.join(SAMPLERS)}; it is left aside"
        reader.tell(name, "enum", text, mild=True)
        return None
    if not value.endswith("traceidratio"):
        return Sampler(value)
    return Sampler(value, reader.read(reader.get("OTEL_TRACES_SAMPLER_ARG"), _ratio, 1.0, mild=True))


def _ratio(value: str) -> float:
    try:
        ratio = float(value)
    except ValueError:
        ratio = math.nan
    if not 0 <= ratio <= 1:
        raise Unfit("range", f"{found(value)} is not a number between 0 and 1")
    return ratio


def _limits(reader: _Reader) -> Limits:
    def limit(default: int, *names: str) -> int:
        return reader.read(reader.get(*(f"OTEL_{name}" for name in names)), _count, default, mild=True)

    usual = Limits()
    general = "ATTRIBUTE_COUNT_LIMIT"
    return Limits(
        value_length=limit(usual.value_length, "SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "ATTRIBUTE_VALUE_LENGTH_LIMIT"),
        attributes=limit(usual.attributes, f"SPAN_{general}", general),
        events=limit(usual.events, "SPAN_EVENT_COUNT_LIMIT"),
        links=limit(usual.links, "SPAN_LINK_COUNT_LIMIT"),
        link_attributes=limit(usual.link_attributes, f"LINK_{general}", general),
    )


def _count(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise Unfit("range", f"{found(value)} is not a whole number")
    return int(value)
