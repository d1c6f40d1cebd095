"""Spans as OTLP bytes, by the SDK's own types and encoder, and answers of collectors read. Pure.

Imported only by who sends: the SDK costs memory that a watcher without traces does not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from triggerdev_exporter.spans.plan import MODEL_VERSION
from triggerdev_exporter.spans.span import Attributes, Kind, Span

SCOPE = InstrumentationScope("triggerdev-exporter", MODEL_VERSION, "https://opentelemetry.io/schemas/1.44.0")
"""The version is that of the spans, not of the program: an upgrade must not make a repeated span look like another."""

SAMPLED = 0x01
_MILLISECOND = 1_000_000
_KINDS = {Kind.INTERNAL: SpanKind.INTERNAL, Kind.CONSUMER: SpanKind.CONSUMER, Kind.PRODUCER: SpanKind.PRODUCER}
_FLAGS = TraceFlags(TraceFlags.SAMPLED)
_FINE = Status(StatusCode.UNSET)


def readable(span: Span, resource: Resource) -> ReadableSpan:
    """`span` as the SDK has it."""
    parent = span.parent
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=None if parent is None else _context(span.trace_id, parent.span_id, is_remote=parent.is_remote),
        resource=resource,
        attributes=span.attributes,
        events=[Event(event.name, timestamp=event.at * _MILLISECOND) for event in span.events],
        links=[Link(_context(link.trace_id, link.span_id, is_remote=True), link.attributes) for link in span.links],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.description) if span.is_error else _FINE,
        start_time=span.start * _MILLISECOND,
        end_time=span.end * _MILLISECOND,
        instrumentation_scope=SCOPE,
    )


def encode(groups: Iterable[tuple[Attributes, Sequence[Span]]]) -> bytes:
    """One request: spans, by the resource that they belong to."""
    planned: list[ReadableSpan] = []
    dropped: dict[str, int] = {}
    for attributes, spans in groups:
        # One object for all of them: the encoder looks each span's up in a table.
        resource = Resource(attributes)
        planned += [readable(span, resource) for span in spans]
        dropped |= {span.span_id: span.dropped_attributes for span in spans if span.dropped_attributes}
    request: ExportTraceServiceRequest = encode_spans(planned)
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                # The encoder says whether a parent is remote, and forgets that the trace is sampled.
                span.flags |= SAMPLED
                if dropped:
                    span.dropped_attributes_count = dropped.get(span.span_id.hex(), 0)
                for link in span.links:
                    link.flags |= SAMPLED
    body: bytes = request.SerializeToString()
    return body


def rejected(body: bytes) -> tuple[int, str]:
    """How many spans of a request were refused by an answer that accepts it, and why. Raises `ValueError`."""
    try:
        answer = ExportTraceServiceResponse.FromString(body)
    except DecodeError:
        raise ValueError("the answer is not OTLP") from None
    return answer.partial_success.rejected_spans, answer.partial_success.error_message


def _context(trace: str, span: str, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace, 16), int(span, 16), is_remote, _FLAGS)
