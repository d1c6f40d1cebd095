"""What each answer of a collector means, and how long to wait after it."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from multidict import CIMultiDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from triggerdev_exporter.clock import MINUTE, SECOND
from triggerdev_exporter.spans.answer import (
    REASONS,
    Answer,
    Later,
    Refused,
    Taken,
    TooLarge,
    pause,
    read_grpc,
    read_grpc_error,
    read_http,
)
from triggerdev_exporter.spans.grpc_door import _RetryInfo, _Status, retry_after

NOW = 1_795_458_600_000
PROTOBUF = "application/x-protobuf"


def partial(rejected: int, why: str = "") -> bytes:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    answer.partial_success.error_message = why
    return bytes(answer.SerializeToString())


def http(status: int, body: bytes = b"", kind: str = PROTOBUF, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_http(status, CIMultiDict({"content-type": kind, **named}), body, NOW)


@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [
        (b"", PROTOBUF, Taken()),
        (b"", "text/plain", Taken()),
        (b" \n", "", Taken()),
        (partial(0), PROTOBUF, Taken()),
        (partial(3, "no\nroom"), PROTOBUF, Taken(3, "no room")),
        (partial(-3), PROTOBUF, Taken()),
        (b"{}", "application/json", Taken()),
        (b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}', "application/json; charset=x", Taken(2, "x")),
        (b'{"partialSuccess":null}', "application/json", Taken()),
    ],
)  # fmt: skip
def test_taken(body: bytes, kind: str, answer: Taken) -> None:
    assert http(200, body, kind) == answer


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Welcome to nginx!</html>", "text/html"),
        (b"OK", "text/plain"),
        (b"[1]", "application/json"),
        (b'"', "application/json"),
        (b'{"partialSuccess":{"rejectedSpans":"many"}}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff\xff\xff", PROTOBUF),
    ],
)
def test_whoever_does_not_answer_as_a_collector_has_taken_nothing(body: bytes, kind: str) -> None:
    assert http(200, body, kind) == Later("not_otlp", "what answers is no OTLP collector", is_far=True)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, Refused("HTTP 400 Bad Request")),
        (422, Refused(f"HTTP 422 {HTTPStatus(422).phrase}")),  # Python 3.13 calls these two otherwise
        (413, TooLarge(f"HTTP 413 {HTTPStatus(413).phrase}")),
        (401, Later("auth", "HTTP 401 Unauthorized", is_far=True)),
        (403, Later("auth", "HTTP 403 Forbidden", is_far=True)),
        (404, Later("http", "HTTP 404 Not Found", is_far=True)),
        (302, Later("http", "HTTP 302 Found", is_far=True)),
        (500, Later("http", "HTTP 500 Internal Server Error", is_far=True)),
        (599, Later("http", "HTTP 599", is_far=True)),
        (408, Later("timeout", "HTTP 408 Request Timeout")),
        (429, Later("throttled", "HTTP 429 Too Many Requests")),
        (502, Later("unavailable", "HTTP 502 Bad Gateway")),
        (503, Later("unavailable", "HTTP 503 Service Unavailable")),
        (504, Later("unavailable", "HTTP 504 Gateway Timeout")),
    ],
)
def test_a_status(status: int, answer: Answer) -> None:
    assert http(status) == answer


def test_a_reason_in_words_is_kept_and_tamed() -> None:
    assert http(503, b"come\x1b[31m back\nlater", "text/plain") == Later("unavailable", "HTTP 503 come [31m back later")
    told = json.dumps({"message": "x" * 300}).encode()
    assert http(400, told, "application/json") == Refused(f"HTTP 400 {'x' * 200}")
    assert http(400, b"\xff", "application/json") == Refused("HTTP 400 Bad Request")


@pytest.mark.parametrize(
    ("told", "after"),
    [
        ("7", 7 * SECOND),
        ("Mon, 23 Nov 2026 18:30:30 GMT", 30 * SECOND),
        ("Mon, 23 Nov 2026 18:29:00 GMT", 0),
        ("86400", 10 * MINUTE),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("9" * 400, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_up_to_a_limit(status: int, told: str, after: int | None) -> None:
    answer = http(status, Retry_After=told)
    assert isinstance(answer, Later)
    assert answer.after == after


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("INVALID_ARGUMENT", Refused("gRPC INVALID_ARGUMENT because")),
        ("UNAVAILABLE", Later("unavailable", "gRPC UNAVAILABLE because")),
        ("DEADLINE_EXCEEDED", Later("timeout", "gRPC DEADLINE_EXCEEDED because")),
        ("UNAUTHENTICATED", Later("auth", "gRPC UNAUTHENTICATED because", is_far=True)),
        ("UNIMPLEMENTED", Later("not_otlp", "gRPC UNIMPLEMENTED because", is_far=True)),
        ("INTERNAL", Later("http", "gRPC INTERNAL because", is_far=True)),
        ("RESOURCE_EXHAUSTED", Later("throttled", "gRPC RESOURCE_EXHAUSTED because", is_far=True)),
    ],
)
def test_a_grpc_status(code: str, answer: Answer) -> None:
    assert read_grpc_error(code, "because", None) == answer


def test_grpc_has_one_code_for_too_much_and_too_large() -> None:
    assert read_grpc_error("RESOURCE_EXHAUSTED", "x", 5_000) == Later("throttled", "gRPC RESOURCE_EXHAUSTED x", 5_000)
    text = "Received message larger than max (9 vs. 4)"
    assert read_grpc_error("RESOURCE_EXHAUSTED", text, None) == TooLarge(f"gRPC RESOURCE_EXHAUSTED {text}")
    assert read_grpc(partial(2, "x")) == Taken(2, "x")


def detail(message: Message, name: str) -> any_pb2.Any:
    return any_pb2.Any(type_url=f"type.googleapis.com/{name}", value=message.SerializeToString())


def test_grpc_tells_when_to_come_back_in_the_details_of_its_status() -> None:
    status = _Status()
    status.details.append(detail(duration_pb2.Duration(seconds=9), "google.protobuf.Duration"))
    status.details.append(
        detail(_RetryInfo(retry_delay=duration_pb2.Duration(seconds=2, nanos=5_000_000)), "google.rpc.RetryInfo")
    )
    told = status.SerializeToString()
    assert retry_after([("a", "b"), ("grpc-status-details-bin", told)]) == 2_005
    assert retry_after([("grpc-status-details-bin", b"\xff")]) is None
    assert retry_after([("grpc-status-details-bin", b"")]) is None
    assert retry_after([]) is None


def test_the_pause_doubles_up_to_a_minute_with_jitter() -> None:
    later = Later("unavailable", "")
    assert [pause(later, failures, lambda: 0.5) for failures in (1, 2, 3, 6, 7, 999)] == [
        1_000, 2_000, 4_000, 32_000, 60_000, 60_000,
    ]  # fmt: skip
    assert (pause(later, 3, lambda: 0.0), pause(later, 3, lambda: 1.0)) == (3_200, 4_800)


def test_what_does_not_mend_itself_is_tried_less_often() -> None:
    assert pause(Later("auth", "", is_far=True), 1, lambda: 0.5) == 30_000
    assert pause(Later("throttled", "", after=5_000), 9, lambda: 0.5) == 5_500


def test_reasons_are_a_closed_set() -> None:
    found = {answer.reason for status in range(100, 600) if isinstance(answer := http(status), Later)}
    found |= {"refused", "too_large", "not_otlp", "tls", "unreachable"}
    assert sorted(found) == sorted(REASONS)
