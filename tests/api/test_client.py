"""The client against a server that says anything: what it becomes, how often it asks, how long it would have waited."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from random import Random
from typing import Any

import aiohttp
import pytest
import trustme

from api.scripted_server import JSON, KEY, Reply, ScriptedServer, json_reply
from triggerdev_exporter import __version__
from triggerdev_exporter.api.budget import Budget, Why
from triggerdev_exporter.api.calls import Call, Priority
from triggerdev_exporter.api.client import Client, redact_url
from triggerdev_exporter.api.dialects.probe import DIALECTS, probe_call
from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.errors import (
    REASONS,
    ApiError,
    ConfigError,
    Forbidden,
    HttpFailed,
    NotFound,
    Oversized,
    RateLimited,
    TimedOut,
    TlsFailed,
    Truncated,
    Unauthorized,
    Unreachable,
    Unreadable,
)
from virtual_clock import VirtualClock

Make = Callable[..., Client]
PROBE = probe_call()
RUNS = DIALECTS["trigger"].runs(created_from=1)
GOOD = json_reply([])
HTML = {"Content-Type": "text/html"}
CONCURRENCY = "You've exceeded your query concurrency of 3 for this project. Please try again later."


def echo(body: bytes) -> bytes:
    return body


ECHO = Call("runs", "/api/v1/runs", echo)


@dataclass(frozen=True)
class Fault:
    reply: Reply
    error: type[ApiError]
    attempts: int
    code: str
    says: str = ""
    up: bool = True


FAULTS: dict[str, Fault] = {
    "400": Fault(json_reply({"error": "Query Error"}, 400), HttpFailed, 1, "400", "400 Query Error"),
    "401": Fault(json_reply({"error": "Invalid API key"}, 401), Unauthorized, 1, "401", "Invalid API key", up=False),
    "403": Fault(json_reply({"error": "Unauthorized"}, 403), Forbidden, 1, "403"),
    "404 json": Fault(json_reply({"error": "Not found"}, 404), NotFound, 1, "404"),
    "404 html": Fault(Reply(404, b"<html>", HTML), NotFound, 1, "404"),
    "404 to be retried": Fault(json_reply({"error": "Not found"}, 404, x_should_retry="true"), NotFound, 3, "404"),
    "405": Fault(json_reply({"message": "Unexpected Server Error"}, 405), HttpFailed, 1, "405", "Unexpected"),
    "408": Fault(json_reply({}, 408), HttpFailed, 3, "408"),
    "409": Fault(json_reply({}, 409), HttpFailed, 3, "409"),
    "418": Fault(json_reply([], 418), HttpFailed, 1, "418"),
    "422 to be retried": Fault(json_reply({}, 422, x_should_retry="true"), HttpFailed, 3, "422"),
    "429": Fault(json_reply({"title": "Rate Limit Exceeded"}, 429), RateLimited, 3, "429", "Rate Limit Exceeded"),
    "429 not to be retried": Fault(json_reply({}, 429, x_should_retry="false"), RateLimited, 1, "429"),
    "429 query": Fault(json_reply({"error": CONCURRENCY}, 429, x_ratelimit_remaining="7"), RateLimited, 3, "429"),
    "400 query": Fault(json_reply({"error": CONCURRENCY}, 400), RateLimited, 3, "400"),
    "500": Fault(json_reply({"error": "Internal Server Error"}, 500), HttpFailed, 3, "500", "Internal Server Error"),
    "500 html": Fault(Reply(500, b"<h1>nginx</h1>", HTML), HttpFailed, 3, "500"),
    "503 not to be retried": Fault(json_reply({}, 503, x_should_retry="false"), HttpFailed, 1, "503"),
    "500 cut": Fault(Reply(500, b'{"error": "half', cut=4), HttpFailed, 3, "500"),
    "200 html": Fault(Reply(200, b"<html>", HTML), HttpFailed, 1, "200", "HTML instead of JSON"),
    "200 without a type": Fault(Reply(200, b"[]", {"Content-Type": ""}), HttpFailed, 1, "200"),
    "204": Fault(Reply(204, b"", {"Content-Type": "", "Content-Length": ""}), HttpFailed, 1, "204"),
    "302": Fault(
        Reply(302, b"", {"Location": "https://user:pw@evil.example:8443/p?key=1"}),
        HttpFailed,
        1,
        "302",
        "redirect to https://evil.example:8443 is",
    ),
    "301 without a place": Fault(Reply(301, b""), HttpFailed, 1, "301", "redirect to http://127.0.0.1:"),
    "307 to nonsense": Fault(Reply(307, b"", {"Location": "http://[half"}), HttpFailed, 1, "307", "(not a URL)"),
    "not json": Fault(Reply(200, b"[] and more"), Unreadable, 1, "200"),
    "empty": Fault(Reply(200, b""), Unreadable, 1, "200"),
    "wrong json": Fault(json_reply({"data": 5}), Unreadable, 1, "200", "$.data"),
    "cut body": Fault(Reply(200, b"[1, 2, 3]", cut=3), Truncated, 3, "truncated"),
    "cut chunk": Fault(
        Reply(200, b"5\r\n[1, 2", {"Transfer-Encoding": "chunked", "Content-Length": ""}), Truncated, 3, "truncated"
    ),
    "no last chunk": Fault(
        Reply(200, b"2\r\n[]\r\n", {"Transfer-Encoding": "chunked", "Content-Length": ""}), Truncated, 3, "truncated"
    ),
    "bad gzip": Fault(Reply(200, b"not packed", {"Content-Encoding": "gzip"}), Unreadable, 1, "decode", "encoding"),
    "silence": Fault(Reply(silent=True), Unreachable, 3, "unreachable", up=False),
    "not http": Fault(Reply(raw=b"SSH-2.0-OpenSSH_9\r\n\r\n"), HttpFailed, 1, "http", "not HTTP", up=False),
    "hang before the head": Fault(Reply(silent=True, hang=True), TimedOut, 3, "timeout", up=False),
    "hang in the body": Fault(Reply(200, b"[1, 2]", cut=2, hang=True), TimedOut, 3, "timeout", up=False),
    "oversize": Fault(Reply(200, b"[" + b" " * 5_000 + b"]"), Oversized, 1, "oversize"),
    "oversize in chunks": Fault(
        Reply(
            200, b"1389\r\n" + b" " * 5_001 + b"\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked", "Content-Length": ""}
        ),
        Oversized,
        1,
        "oversize",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_every_fault_has_its_error(
    name: str, server: ScriptedServer, make_client: Make, clock: VirtualClock
) -> None:
    fault = FAULTS[name]
    server.script = [fault.reply]
    client = make_client(max_body=4_096, deadline_s=0.05 if fault.reply.hang else 30.0)
    with pytest.raises(ApiError) as caught:
        await client.fetch(PROBE)
    assert type(caught.value) is fault.error
    assert caught.value.reason in REASONS
    assert str(caught.value).startswith("probe: ")
    assert fault.says in str(caught.value)
    # A short deadline may pass on a busy machine before the server has read the request; the meter below knows better.
    assert len(server.requests) == fault.attempts or fault.reply.hang
    assert len(clock.slept) >= fault.attempts - 1
    assert client.meter.requests == {("probe", fault.code): fault.attempts}
    assert client.meter.latency["probe"].count == fault.attempts
    assert client.meter.up is fault.up
    assert caught.value.__cause__ is None
    assert "pw@" not in str(caught.value)


async def test_a_good_answer(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    client = make_client()
    assert client.meter.up is None
    assert await client.fetch(PROBE) == "seed"
    assert client.meter.up is True
    assert client.meter.requests == {("probe", "200"): 1}
    assert client.meter.throttled_seconds == 0
    assert clock.slept == []


async def test_what_is_sent(server: ScriptedServer, make_client: Make) -> None:
    await make_client(server.url + "/prefix/", branch="feat/x").fetch(
        DIALECTS["trigger"].runs(created_from=5, only_open=True, cursor="a=b&c")
    )
    request = server.requests[0]
    assert request.target == (
        "/prefix/api/v1/runs?filter%5BcreatedAt%5D%5Bfrom%5D=5&page%5Bsize%5D=100&filter%5Bstatus%5D=DELAYED"
        "%2CPENDING_VERSION%2CWAITING_FOR_DEPLOY%2CQUEUED%2CDEQUEUED%2CEXECUTING%2CREATTEMPTING%2CFROZEN"
        "&page%5Bafter%5D=a%3Db%26c"
    )
    assert request.method == "GET"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-trigger-api-version"] == "2025-07-16"
    assert request.headers["x-trigger-branch"] == "feat/x"
    assert request.headers["user-agent"] == f"triggerdev-exporter/{__version__}"
    assert "content-type" not in request.headers


async def test_a_query_is_posted(server: ScriptedServer, make_client: Make) -> None:
    server.script = [json_reply({"format": "json", "results": []})]
    enrichment = DIALECTS["trigger"].enrichment()
    assert enrichment is not None
    assert await make_client().fetch(enrichment) == ()
    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/api/v1/query")
    assert request.headers["content-type"] == "application/json"
    assert request.body == enrichment.body
    assert "x-trigger-branch" not in request.headers


async def test_an_id_stays_one_segment(server: ScriptedServer, make_client: Make) -> None:
    with pytest.raises(Unreadable):
        await make_client().fetch(DIALECTS["trigger"].run("../a b?c#d%2Fé"))
    assert server.requests[0].target == "/api/v3/runs/..%2Fa%20b%3Fc%23d%252F%C3%A9"


# --- retries and waits


async def test_a_retry_that_helps(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [json_reply({}, 500), Reply(200, b"[1]", cut=1), GOOD]
    client = make_client()
    assert await client.fetch(PROBE) == "seed"
    assert client.meter.requests == {("probe", "500"): 1, ("probe", "truncated"): 1, ("probe", "200"): 1}
    assert 0 <= clock.slept[0] <= 0.5
    assert 0 <= clock.slept[1] <= 1.0
    assert client.meter.throttled_seconds == 0


def limited(reset: str = "", remaining: str = "0", after: str = "", date: str = "") -> Reply:
    headers = {
        "x-ratelimit-limit": "750",
        "x-ratelimit-remaining": remaining,
        "x-ratelimit-reset": reset,
        "Retry-After": after,
        "Date": date,
        "Content-Type": "application/problem+json",
    }
    return Reply(429, b'{"title":"Rate Limit Exceeded"}', headers)


@pytest.mark.parametrize(
    ("reset_in", "after", "low", "high"),
    [
        (5.0, "", 5.0, 6.0),
        (5.0, "20", 5.0, 6.0),  # the reset comes first
        (-5.0, "20", 20.0, 21.0),
        (None, "20", 20.0, 21.0),
        (None, "soon", 0.0, 1.5),
        (None, "", 0.0, 1.5),
        (None, "-3", 0.0, 1.5),
    ],
)
async def test_a_429_waits_as_told(
    reset_in: float | None,
    after: str,
    low: float,
    high: float,
    server: ScriptedServer,
    make_client: Make,
    clock: VirtualClock,
) -> None:
    reset = "" if reset_in is None else str(clock.now() + int(reset_in * 1000))
    server.script = [limited(reset, after=after), GOOD]
    client = make_client()
    assert await client.fetch(PROBE) == "seed"
    assert low <= sum(clock.slept) <= high
    assert client.meter.throttled_seconds == pytest.approx(sum(clock.slept))


async def test_retry_after_may_be_a_date(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [limited(after=formatdate(clock.now() / 1000 + 12, usegmt=True)), GOOD]
    await make_client().fetch(PROBE)
    assert 12.0 <= sum(clock.slept) <= 13.0


async def test_a_reset_in_seconds_is_understood(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [limited(str(clock.now() // 1000 + 9)), GOOD]
    await make_client().fetch(PROBE)
    assert 9.0 <= sum(clock.slept) <= 10.0


async def test_the_reset_is_on_the_servers_clock(
    server: ScriptedServer, make_client: Make, clock: VirtualClock
) -> None:
    ahead = 3_600_000
    date = formatdate((clock.now() + ahead) / 1000, usegmt=True)
    server.script = [limited(str(clock.now() + ahead + 5_000), date=date), GOOD]
    client = make_client()
    await client.fetch(PROBE)
    assert client.meter.server_offset == ahead + 500
    assert 4.5 <= sum(clock.slept) <= 5.5


async def test_a_long_429_is_not_waited_for(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [limited(str(clock.now() + 60_000)), GOOD]
    client = make_client()
    with pytest.raises(RateLimited):
        await client.fetch(PROBE)
    assert clock.slept == []
    assert not client.allowance(Priority.LIVE)
    with pytest.raises(RateLimited, match="held back \\(blocked\\)"):
        await client.fetch(PROBE)
    assert len(server.requests) == 1
    clock.advance(61)
    assert client.allowance(Priority.LIVE)
    assert await client.fetch(PROBE) == "seed"


async def test_a_429_holds_the_others_too(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [limited(str(clock.now() + 20_000)), GOOD]
    client = make_client()
    with pytest.raises(RateLimited):
        await client.fetch(PROBE, Priority.CATCH_UP)  # the past can wait, and so it does not wait here
    assert clock.slept == []
    assert await client.fetch(PROBE) == "seed"
    assert 20.0 <= sum(clock.slept) <= 21.0


@pytest.mark.parametrize("status", [429, 400])
async def test_taken_query_slots_hold_nobody_else(
    status: int, server: ScriptedServer, make_client: Make, clock: VirtualClock
) -> None:
    headers = {
        "x-ratelimit-limit": "750",
        "x-ratelimit-remaining": "700",
        "x-ratelimit-reset": str(clock.now() + 9_999),
    }
    busy = json_reply({"error": CONCURRENCY}, status)
    busy.headers = headers
    server.script = [busy]
    client = make_client()
    with pytest.raises(RateLimited):
        await client.fetch(PROBE)
    assert [1 <= wait <= 2 for wait in clock.slept] == [True, True]
    assert client.allowance(Priority.LIVE)


# --- the budget


async def test_every_attempt_spends(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    server.script = [json_reply({}, 500)]
    budget = Budget(3, 1.0)
    with pytest.raises(HttpFailed):
        await make_client(budget=budget).fetch(PROBE)
    assert budget.decide(Priority.LIVE, int(clock.monotonic() * 1000)).why is Why.SHARE_USED


async def test_it_waits_for_its_share(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    client = make_client(budget=Budget(2, 1.0))
    for _ in range(3):
        await client.fetch(PROBE)
    assert clock.slept == [pytest.approx(60.001)]
    assert client.meter.throttled_seconds == pytest.approx(60.001)


async def test_many_at_once_keep_the_share(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    client = make_client(budget=Budget(2, 1.0))
    results = await asyncio.gather(*(client.fetch(PROBE) for _ in range(5)), return_exceptions=True)
    # Five at two a minute: the last is due after two minutes, which is longer than anybody waits.
    assert {type(result) for result in results} <= {str, RateLimited}
    assert len(server.requests) == sum(isinstance(result, str) for result in results) >= 2


async def test_the_past_does_not_wait(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    client = make_client(budget=Budget(2, 1.0))
    assert client.allowance(Priority.CATCH_UP)
    await client.fetch(PROBE, Priority.CATCH_UP)
    assert not client.allowance(Priority.CATCH_UP)
    with pytest.raises(RateLimited, match="share_used"):
        await client.fetch(PROBE, Priority.CATCH_UP)
    assert clock.slept == []
    assert len(server.requests) == 1
    assert client.meter.requests == {("probe", "200"): 1}


async def test_the_servers_bucket_is_seen(server: ScriptedServer, make_client: Make, clock: VirtualClock) -> None:
    low = json_reply([])
    low.headers = {
        "x-ratelimit-limit": "750",
        "x-ratelimit-remaining": "300",
        "x-ratelimit-reset": str(clock.now() + 7_000),
    }
    server.script = [low]
    client = make_client()
    await client.fetch(PROBE)
    assert (client.meter.rate_limit, client.meter.rate_limit_remaining) == (750, 300)
    assert not client.allowance(Priority.CATCH_UP)
    assert client.allowance(Priority.SETTLE)
    clock.advance(7)
    assert client.allowance(Priority.CATCH_UP)


async def test_the_bucket_of_deployments_is_another(server: ScriptedServer, make_client: Make) -> None:
    other = json_reply([])
    other.headers = {"x-ratelimit-limit": "1500", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "0"}
    server.script = [other]
    client = make_client()
    await client.fetch(DIALECTS["trigger"].deployments())
    assert client.meter.rate_limit is None
    assert client.allowance(Priority.CATCH_UP)


@pytest.mark.parametrize("odd", ["", "many", "-1", "1.5", "9" * 40, "٣"])
async def test_odd_headers_are_no_reading(odd: str, server: ScriptedServer, make_client: Make) -> None:
    strange = json_reply([])
    strange.headers = dict.fromkeys(("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "Date"), odd)
    server.script = [strange]
    client = make_client()
    await client.fetch(PROBE)
    assert client.meter.rate_limit is None
    assert client.meter.server_offset == 0


# --- bodies


async def test_a_packed_body_is_unpacked(server: ScriptedServer, make_client: Make) -> None:
    server.script = [Reply(200, gzip.compress(b'{"data": []}'), {"Content-Encoding": "gzip"})]
    assert await make_client().fetch(PROBE) == "trigger"
    assert "gzip" in server.requests[0].headers["accept-encoding"]


async def test_a_bomb_does_not_go_off(server: ScriptedServer, make_client: Make) -> None:
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    assert len(bomb) < 100_000
    server.script = [Reply(200, bomb, {"Content-Encoding": "gzip"})]
    with pytest.raises(Oversized):
        await make_client(max_body=1_000_000).fetch(PROBE)
    assert len(server.requests) == 1


async def test_a_body_of_exactly_the_cap_is_fine(server: ScriptedServer, make_client: Make) -> None:
    server.script = [Reply(200, b"x" * 4_096)]
    assert len(await make_client(max_body=4_096).fetch(ECHO)) == 4_096


@pytest.mark.parametrize(("size", "here"), [(4_096, True), (300_000, False)])
async def test_a_large_body_is_decoded_beside_the_event_loop(
    server: ScriptedServer, make_client: Make, size: int, here: bool
) -> None:
    server.script = [Reply(200, b"x" * size)]
    call = Call(
        "runs", "/api/v1/runs", lambda body: (len(body), threading.get_ident() == threading.main_thread().ident)
    )
    assert await make_client().fetch(call) == (size, here)


# --- connections


async def test_nobody_listens(make_client: Make, server: ScriptedServer, clock: VirtualClock) -> None:
    free = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    client = make_client(f"http://127.0.0.1:{port}")
    with pytest.raises(Unreachable, match="Connection refused"):
        await client.fetch(PROBE)
    assert len(clock.slept) == 2
    assert client.meter.up is False


class NoNames(aiohttp.abc.AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[aiohttp.abc.ResolveResult]:
        raise OSError(None, "no such name")

    async def close(self) -> None:
        pass


async def test_a_name_that_does_not_exist(clock: VirtualClock, make_client: Make, server: ScriptedServer) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=NoNames())) as session:
        with pytest.raises(Unreachable, match="name was not found"):
            await make_client("http://nowhere.invalid", session=session).fetch(PROBE)


@pytest.fixture
async def tls_server() -> Any:
    authority, server = trustme.CA(), ScriptedServer()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    await server.start(context)
    yield server, authority
    await server.stop()


async def test_a_certificate_that_nobody_trusts(tls_server: Any, make_client: Make, clock: VirtualClock) -> None:
    client = make_client(tls_server[0].url)
    with pytest.raises(TlsFailed, match=r"certificate|issuer"):
        await client.fetch(PROBE)
    assert tls_server[0].requests == []
    assert clock.slept == []
    assert client.meter.requests == {("probe", "tls"): 1}
    assert client.meter.up is False


async def test_a_certificate_of_a_known_authority(tls_server: Any, make_client: Make) -> None:
    server, authority = tls_server
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        assert await make_client(server.url, session=session).fetch(PROBE) == "seed"


async def test_tls_to_a_server_without(make_client: Make) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as plain:
        with pytest.raises(TlsFailed, match="the server does not speak TLS"):
            await make_client(f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}").fetch(PROBE)


async def test_cancelling_passes_through(server: ScriptedServer, make_client: Make) -> None:
    server.script = [Reply(silent=True, hang=True)]
    task = asyncio.create_task(make_client().fetch(PROBE))
    await server.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_two_reused_connections_are_two_requests(make_client: Make, clock: VirtualClock) -> None:
    """A kept connection that the server drops is asked again by us, and paid for; aiohttp would do it in silence."""
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            served += 1
            if served != 2:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
            else:
                break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as dropping:
        client = make_client(f"http://127.0.0.1:{dropping.sockets[0].getsockname()[1]}")
        assert await client.fetch(PROBE) == "seed"
        assert await client.fetch(PROBE) == "seed"
        assert client.meter.requests == {("probe", "200"): 2, ("probe", "unreachable"): 1}
        assert served == 3


# --- secrets


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_the_key_is_never_told(
    status: int, server: ScriptedServer, make_client: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # Long enough that a cut at 200 characters would leave the first half of the key.
    server.script = [json_reply({"error": "x" * 185 + f" Authorization: Bearer {KEY} {KEY}"}, status)]
    client = make_client()
    with pytest.raises(ApiError) as caught:
        await client.fetch(PROBE)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(vars(caught.value))
    shown += caplog.text + repr(client) + repr(client.meter)
    assert KEY[8:] not in shown
    assert KEY[:12] not in shown
    assert len(str(caught.value)) < 250


async def test_a_key_that_is_no_header_is_not_told_either(server: ScriptedServer, make_client: Make) -> None:
    with pytest.raises(HttpFailed) as caught:
        await make_client(key=Secret(f"{KEY}\r\nX-Evil: 1")).fetch(PROBE)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


async def test_a_redirect_to_the_key_is_scrubbed(server: ScriptedServer, make_client: Make) -> None:
    server.script = [Reply(302, b"", {"Location": f"http://{KEY}.evil.example/"})]
    with pytest.raises(HttpFailed) as caught:
        await make_client().fetch(PROBE)
    assert KEY.lower() not in str(caught.value).lower()


async def test_a_decoder_never_leaks_its_library(server: ScriptedServer, make_client: Make) -> None:
    def broken(body: bytes) -> None:
        raise ValueError("secret body")

    with pytest.raises(Unreadable) as caught:
        await make_client().fetch(Call("runs", "/api/v1/runs", broken))
    assert "secret body" not in str(caught.value)


async def test_no_body_in_an_unreadable_answer(server: ScriptedServer, make_client: Make) -> None:
    server.script = [json_reply({"data": [{"id": "private-id", "status": 5, "taskIdentifier": "private-task"}]})]
    with pytest.raises(Unreadable, match="data") as caught:
        await make_client().fetch(RUNS)
    assert "private" not in str(caught.value)


# --- URLs


@pytest.mark.parametrize(
    "url",
    ["", "api.trigger.dev", "ftp://x", "https://", "http://user:pw@x", "http://x?a=1", "http://x#a", "http://x:99999"],
)
def test_a_base_url_that_cannot_be_used(url: str, clock: VirtualClock) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(None, url, Secret(KEY), clock, Budget(1, 1), None, random=Random(1))  # type: ignore[arg-type]
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://user:pw@api.example:8443/v1/x?token=1#frag", "https://api.example:8443/v1/x"),
        ("http://127.0.0.1:3030", "http://127.0.0.1:3030"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://[half", "(not a URL)"),
        ("http://x:port/", "(not a URL)"),
    ],
)
def test_redact_url(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted


def test_json_is_known_by_its_type() -> None:
    assert JSON.startswith("application/json")
