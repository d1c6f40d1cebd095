"""The sender against a real collector that behaves badly: what is kept, given up, repeated, and what it says of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from aiohttp import web

from otlp_receiver import Receiver, receiving
from story import tell
from tracing_stage import Exporting, exporting, to
from triggerdev_exporter.clock import MINUTE
from triggerdev_exporter.config.model import Traces
from triggerdev_exporter.errors import StateError
from triggerdev_exporter.spans.otlp import Otlp

BOTH = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


@asynccontextmanager
async def stage(
    folder: Path, *, otlp: Otlp | None = None, traces: Traces | None = None, **settings: Any
) -> AsyncIterator[tuple[Receiver, Exporting]]:
    async with (
        receiving(over_grpc=True) as receiver,
        tell(folder) as story,
        exporting(story, otlp or to(receiver, **settings), traces=traces) as tracer,
    ):
        await tracer.daemon.poll()
        yield receiver, tracer


async def runs(tracer: Exporting, number: int, **fields: Any) -> None:
    """So many end, and are known to be roots with a queue: ready to be sent."""
    tracer.story.clock.advance(120)
    for _ in range(number):
        tracer.story.world.add_run(**{"task": "t", "status": "COMPLETED", **fields})
    tracer.story.clock.advance(70)
    await tracer.daemon.poll()


def answers(status: int, **headers: str) -> Any:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    return answer


def aborts(code: grpc.StatusCode, details: str = "") -> Any:
    async def answer(context: Any) -> None:
        await context.abort(code, details)

    return answer


async def hangs(request: Any) -> web.StreamResponse:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


async def resets(request: web.Request) -> web.StreamResponse:
    """The head of an answer and half its body, then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.abort()
    return response


async def is_a_web_page(request: Any) -> web.Response:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


@BOTH
async def test_what_is_taken_goes(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = (("api-key", "s3cret"),)
    async with stage(tmp_path, protocol=protocol, headers=headers) as (receiver, tracer):
        await runs(tracer, 3)
        assert tracer.pending == 3
        await tracer.export()
        assert tracer.pending == 0
        assert tracer.value("spans_exported_total") == len(receiver.spans) == 9
        assert receiver.heads[0]["api-key"] == "s3cret"
        assert receiver.heads[0]["user-agent"].startswith("triggerdev-exporter/")
        assert [record.levelname for record in caplog.records if "span" in record.message] == []
    assert "s3cret" not in caplog.text


async def test_an_idle_sender_sends_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as (receiver, tracer):
        await tracer.let(600)
        assert receiver.requests == 0


@pytest.mark.parametrize("gzip", [False, True])
@BOTH
async def test_a_thousand_runs_go_in_requests_of_512_spans(tmp_path: Path, protocol: str, gzip: bool) -> None:
    async with stage(tmp_path, protocol=protocol, gzip=gzip) as (receiver, tracer):
        await runs(tracer, 1_000)
        await tracer.export()
        assert len(receiver.by_id()) == 3_000
        assert receiver.requests == 6


@pytest.mark.parametrize(
    ("bad", "reason", "wait_s"),
    [
        (answers(503), "unavailable", 1),
        (answers(429, **{"Retry-After": "40"}), "throttled", 40.5),
        (answers(401), "auth", 30),
        (answers(404), "http", 30),
        (answers(307, Location="http://elsewhere.example/"), "http", 30),
        (is_a_web_page, "not_otlp", 30),
        (resets, "unreachable", 1),
        (hangs, "timeout", 1),
    ],
)
async def test_over_http_it_is_kept_and_sent_again(
    tmp_path: Path, bad: Any, reason: str, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path, timeout_ms=300) as (receiver, tracer):
        await kept_and_sent_again(receiver, tracer, bad, reason, wait_s, caplog)


@pytest.mark.parametrize(
    ("bad", "reason", "wait_s"),
    [
        (aborts(grpc.StatusCode.UNAVAILABLE), "unavailable", 1),
        (aborts(grpc.StatusCode.PERMISSION_DENIED), "auth", 30),
        (aborts(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota"), "throttled", 30),
        (hangs, "timeout", 1),
    ],
)
async def test_over_grpc_it_is_kept_and_sent_again(
    tmp_path: Path, bad: Any, reason: str, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path, protocol="grpc", timeout_ms=300) as (receiver, tracer):
        await kept_and_sent_again(receiver, tracer, bad, reason, wait_s, caplog)


async def kept_and_sent_again(
    receiver: Receiver, tracer: Exporting, bad: Any, reason: str, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await runs(tracer, 2)
    receiver.bad.append(bad)
    await tracer.export()
    assert (tracer.pending, receiver.spans) == (2, [])
    assert tracer.value("span_export_errors_total", reason=reason) == 1
    trouble = tracer.daemon.target.exports.trouble
    assert trouble is not None
    assert trouble.startswith(f"{reason}: ")
    tracer.story.clock.advance(wait_s - 0.01)
    await tracer.export()
    assert receiver.requests == 1
    tracer.story.clock.advance(0.02)
    await tracer.export()
    assert (tracer.pending, len(receiver.by_id())) == (0, 6)
    assert tracer.value("spans_dropped_total", reason="refused") == 0
    told = [record.message for record in caplog.records if "taken" in record.message]
    assert told == ["spans are not taken; they are kept and sent again", "spans are taken again"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_nobody_listens(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    endpoint = "127.0.0.1:1" if protocol == "grpc" else "http://127.0.0.1:1/v1/traces"
    otlp = Otlp(endpoint=endpoint, protocol=protocol)  # type: ignore[arg-type]  # one of the two
    async with stage(tmp_path, otlp=otlp) as (_, tracer):
        await runs(tracer, 1)
        for _ in range(6):
            await tracer.export()
            tracer.story.clock.advance(60)
        assert tracer.pending == 1
        reason = "unavailable" if protocol == "grpc" else "unreachable"
        assert tracer.value("span_export_errors_total", reason=reason) == 6
        # Told once, not each minute.
        assert len([record for record in caplog.records if "not taken" in record.message]) == 1


async def test_what_is_wrong_by_itself_is_given_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with stage(tmp_path) as (receiver, tracer):
        await runs(tracer, 2)
        receiver.bad.append(answers(400))
        await tracer.export()
        assert (tracer.pending, tracer.value("spans_dropped_total", reason="refused")) == (0, 6)
        assert tracer.value("spans_exported_total") == 0
        assert "the collector refuses spans" in caplog.text


@BOTH
async def test_a_part_that_is_rejected_is_counted(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path, protocol=protocol) as (receiver, tracer):
        await runs(tracer, 2)
        receiver.reject = 4
        await tracer.export()
        assert (tracer.value("spans_exported_total"), tracer.value("spans_dropped_total", reason="rejected")) == (2, 4)
        assert tracer.pending == 0
        assert [getattr(record, "why", "") for record in caplog.records if "refuses" in record.message] == ["no room"]


async def test_a_request_that_is_too_large_is_sent_in_parts(tmp_path: Path) -> None:
    async with stage(tmp_path) as (receiver, tracer):
        await runs(tracer, 40)
        receiver.bad += [answers(413)] * 3
        await tracer.export()
        assert len(receiver.by_id()) == 120
        assert tracer.daemon.total("spans_dropped_total") == 0
        await runs(tracer, 1)
        receiver.bad.append(answers(413))
        await tracer.export()
        assert tracer.value("spans_dropped_total", reason="refused") == 3
        assert tracer.value("span_export_errors_total", reason="too_large") == 1


async def test_a_collector_that_stays_dead_costs_a_bounded_number_of_rows(tmp_path: Path) -> None:
    otlp, traces = Otlp(endpoint="http://127.0.0.1:1/v1/traces"), Traces(max_pending=100)
    async with stage(tmp_path, otlp=otlp, traces=traces) as (_, tracer):
        for _ in range(4):
            await runs(tracer, 50)
            await tracer.export()
        assert tracer.pending == 100
        assert tracer.value("spans_dropped_total", reason="queue_full") == 300
        journal = tracer.daemon.target.journal
        assert journal is not None
        # The oldest went.
        newest = sorted(run.created_at for run in tracer.story.world.runs.values())[-100:]
        waiting = await journal.first_spans(sealed=True, until=2**60, most=1_000)
        assert sorted(row.due.created_at for row in waiting.values()) == newest


async def test_what_is_too_old_is_given_up(tmp_path: Path) -> None:
    otlp, traces = Otlp(endpoint="http://127.0.0.1:1/v1/traces"), Traces(max_age=10 * MINUTE)
    async with stage(tmp_path, otlp=otlp, traces=traces) as (_, tracer):
        await runs(tracer, 3)
        await tracer.export()
        tracer.story.clock.advance(601)
        await tracer.export()
        assert (tracer.pending, tracer.value("spans_dropped_total", reason="too_old")) == (0, 9)


async def test_polling_goes_on_while_the_collector_hangs(tmp_path: Path) -> None:
    """The sender waits for an answer that does not come; a tick of every collector is done meanwhile."""
    async with stage(tmp_path, timeout_ms=60_000) as (receiver, tracer):
        await runs(tracer, 1)
        receiver.bad.append(hangs)
        sending = asyncio.ensure_future(tracer.sender.step())
        await receiver.arrived.wait()
        await runs(tracer, 1)
        assert not sending.done()
        assert tracer.value("runs_finished_total", task="t", status="COMPLETED") == 2
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await tracer.export()
        assert len(receiver.by_id()) == 6


async def test_killed_between_the_answer_and_its_commit_it_sends_the_same_bytes_again(tmp_path: Path) -> None:
    async with receiving() as receiver, tell(tmp_path) as story:
        async with exporting(story, to(receiver)) as tracer:
            await tracer.daemon.poll()
            await runs(tracer, 2)
            journal = tracer.daemon.target.journal
            assert journal is not None

            async def dies(*_: Any, **__: Any) -> None:
                raise StateError("the disk is full")

            journal.write = dies  # type: ignore[method-assign,assignment]
            with pytest.raises(StateError):
                await tracer.sender.step()
            assert len(receiver.spans) == 6
        async with exporting(story, to(receiver)) as tracer:
            await tracer.export()
            assert tracer.pending == 0
        assert (len(receiver.spans), len(receiver.by_id())) == (12, 6)


@pytest.mark.parametrize("known", [True, False])
@BOTH
async def test_both_sides_show_a_certificate(tmp_path: Path, protocol: str, known: bool) -> None:
    authority, other = trustme.CA(), trustme.CA()
    mine = authority.issue_cert("exporter.example")
    names = {name: str(tmp_path / name) for name in ("certificate", "client_certificate", "client_key")}
    (authority if known else other).cert_pem.write_to_path(names["certificate"])
    mine.cert_chain_pems[0].write_to_path(names["client_certificate"])
    mine.private_key_pem.write_to_path(names["client_key"])
    async with receiving(over_grpc=True, tls=authority) as receiver:
        otlp = to(receiver, protocol=protocol, is_secure=True, timeout_ms=2_000, **names)
        async with tell(tmp_path) as story, exporting(story, otlp) as tracer:
            await tracer.daemon.poll()
            await runs(tracer, 1)
            await tracer.export()
            assert len(receiver.spans) == (3 if known else 0)
            reason = "unavailable" if protocol == "grpc" else "tls"
            assert (tracer.value("span_export_errors_total", reason=reason) or 0) == (0 if known else 1)


async def test_it_runs_until_it_is_told_to_stop_and_survives_mistakes_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path) as (receiver, tracer):
        await runs(tracer, 1)
        post, stop = tracer.sender._door.post, asyncio.Event()

        async def breaks_once(body: bytes) -> Any:
            tracer.sender._door.post = post  # type: ignore[method-assign]
            raise ZeroDivisionError

        tracer.sender._door.post = breaks_once  # type: ignore[method-assign]
        running = asyncio.ensure_future(tracer.sender.run(stop))
        await receiver.arrived.wait()
        stop.set()
        await running
        assert tracer.pending == 0
        assert len(receiver.by_id()) == 3
        assert "the sender of spans broke" in caplog.text
