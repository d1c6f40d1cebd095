"""Decoders are total: whatever bytes come, there are records or `Unreadable`, and nothing of the body in its text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.test_recordings import GOOD, call_for, recording
from triggerdev_exporter.api.calls import Call
from triggerdev_exporter.api.dialects.probe import DIALECTS, probe_call
from triggerdev_exporter.errors import Unreadable


def calls() -> list[Call[Any]]:
    found: list[Call[Any] | None] = [probe_call()]
    for dialect in DIALECTS.values():
        found += [
            dialect.runs(created_from=1),
            dialect.run("r"),
            dialect.queues(),
            dialect.batch("b"),
            dialect.schedules(),
            dialect.deployments(),
            dialect.current_deployment(),
            dialect.deployment_tasks("d"),
            dialect.tokens(),
            dialect.token("w"),
            dialect.enrichment(),
        ]
    return [call for call in found if call is not None]


CALLS = calls()
KEYS = st.sampled_from(
    "data pagination next currentPage totalPages id status taskIdentifier createdAt updatedAt finishedAt tags env "
    "costInCents durationMs name type queued running depth currentConcurrency runs runCount processing errors worker "
    "tasks slug results run_id queued_at is_finished attempt_count generator environments relatedRuns root".split()
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=8)
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
    | st.sampled_from(["COMPLETED", "run_1", "", "2026-11-23 18:27:55.569", "\ud800", "0001-01-01T00:00:00+14:00"])
)
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=30
)


def read_or_refuse(call: Call[Any], body: bytes) -> None:
    refused: Unreadable | None = None
    try:
        got = call.decode(body)
    except Unreadable as exc:
        refused = exc
    if refused is None:
        assert got is not None
    else:
        assert str(refused).startswith(f"{call.endpoint}: ")
        assert len(str(refused)) < 300


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.endpoint} {call.path}")
@given(told=JSONS)
@example(told={"data": [{"id": "\ud800", "status": "\ud800", "taskIdentifier": "\udfff", "createdAt": "\ud800"}]})
def test_any_json(call: Call[Any], told: Any) -> None:
    read_or_refuse(call, json.dumps(told).encode())


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.endpoint} {call.path}")
@given(body=st.binary(max_size=60))
@example(body=b"[" * 100_000)
@example(body=b'{"data":' * 20_000)
@example(body=b'"\\u')
@example(body=b'["\\ud800\\')
@example(body=b"[\xed\xa0\x80]")
def test_any_bytes(call: Call[Any], body: bytes) -> None:
    read_or_refuse(call, body)


def places(told: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in `told`, five items a list at most."""
    found = [path]
    if isinstance(told, dict):
        for key, value in told.items():
            found += places(value, (*path, key))
    elif isinstance(told, list):
        for index, value in enumerate(told[:5]):
            found += places(value, (*path, index))
    return found


def changed(told: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = told.copy()
    copy[path[0]] = changed(told[path[0]], path[1:], value)
    return copy


SAMPLES = ["runs-list-default", "run-child-of-a-run", "queues-list", "batch-first", "schedules-list"]
SAMPLES += ["deployments-list", "deployment-deployed", "waitpoints-list", "query-runs-changed"]


@pytest.mark.parametrize("name", SAMPLES)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_recording_with_one_thing_changed(name: str, data: st.DataObject) -> None:
    assert name in GOOD
    call, told = call_for(name), recording(name)["body"]
    assert call is not None
    path = data.draw(st.sampled_from(places(told)))
    read_or_refuse(call, json.dumps(changed(told, path, data.draw(JSONS))).encode())


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_a_recording_with_bytes_changed(name: str, data: st.DataObject) -> None:
    call, body = call_for(name), bytearray(json.dumps(recording(name)["body"]).encode())
    assert call is not None
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    read_or_refuse(call, bytes(body))
