"""OTLP bytes, read back by the protocol's own types: exact times, ids and flags, the same each time."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from span_rows import AT, ORIGIN, a_batch, a_due
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.encode import encode, rejected
from triggerdev_exporter.spans.ids import span_id, trace_id
from triggerdev_exporter.spans.plan import Shape, plan
from triggerdev_exporter.spans.resource import resource

HERE = resource(ORIGIN, service_name=None, attributes={})


def spans_of(body: bytes) -> list[WireSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]


def test_ids_times_kinds_and_flags_are_exact() -> None:
    due = a_due("FAILED", run_id="run_2", depth=1, parent_id="run_1", root_id="run_1", batch_id="batch_1")
    run, queue, work = spans_of(encode([(HERE, plan(due, Shape()))]))
    assert run.trace_id.hex() == trace_id("run_1")
    assert (run.span_id.hex(), run.parent_span_id.hex()) == (span_id("run_2"), span_id("run_1"))
    assert (run.start_time_unix_nano, run.end_time_unix_nano) == (AT * 10**6, (AT + 1_250) * 10**6)
    assert (run.kind, queue.kind) == (WireSpan.SPAN_KIND_CONSUMER, WireSpan.SPAN_KIND_INTERNAL)
    assert (run.flags, queue.flags) == (0x301, 0x101)
    assert (run.status.code, run.status.message) == (Status.STATUS_CODE_ERROR, "the run failed")
    assert work.parent_span_id == run.span_id
    assert run.links[0].trace_id.hex() == trace_id("batch_1")


def test_values_keep_their_types() -> None:
    (run, *_) = spans_of(encode([(HERE, plan(a_due(tags=("a", "b"), cost_nanousd=5), Shape(tags=True)))]))
    told = {pair.key: pair.value for pair in run.attributes}
    assert told["trigger.queue.wait_ms"].int_value == 250
    assert told["trigger.run.is_test"].WhichOneof("value") == "bool_value"
    assert told["trigger.usage.cost_usd"].double_value == 5e-9
    assert [each.string_value for each in told["trigger.run.tags"].array_value.values] == ["a", "b"]


def test_what_was_left_out_is_counted() -> None:
    shape = Shape(limits=Limits(attributes=2))
    (run, *_) = spans_of(encode([(HERE, plan(a_due(), shape))]))
    assert len(run.attributes) == 2
    assert run.dropped_attributes_count > 10


def test_the_same_rows_are_the_same_bytes_and_nothing_in_them_is_of_this_process() -> None:
    rows = [a_due(), a_batch()]
    body = encode([(HERE, plan(row, Shape())) for row in rows])
    assert body == encode([(HERE, plan(row, Shape())) for row in rows])
    (one,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {pair.key: pair.value.string_value for pair in one.resource.attributes} == {
        "service.name": "trigger.dev",
        "service.namespace": "proj_shop",
        "deployment.environment.name": "prod",
        "cloud.provider": "trigger.dev",
        "trigger.project.ref": "proj_shop",
        "trigger.environment.type": "PRODUCTION",
    }
    (scope,) = one.scope_spans
    assert (scope.scope.name, scope.scope.version) == ("triggerdev-exporter", "1")


def test_the_environment_may_name_the_service_and_add_attributes() -> None:
    told = resource(ORIGIN, service_name="jobs", attributes={"service.name": "x", "team": "core"})
    assert (told["service.name"], told["team"]) == ("jobs", "core")
    assert resource(ORIGIN, service_name=None, attributes={"service.name": "x"})["service.name"] == "x"


def test_an_answer_says_how_much_it_refused() -> None:
    assert rejected(b"") == (0, "")
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    assert rejected(ExportTraceServiceResponse(partial_success=partial).SerializeToString()) == (3, "too old")
    with pytest.raises(ValueError, match="not OTLP"):
        rejected(b"<html>welcome</html>")
