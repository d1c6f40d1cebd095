"""A small real OTLP receiver, over HTTP and gRPC, made of the official protocol types alone: none of our code is in it.

It keeps every span with the bytes in which it came, and can be told to answer badly, a request after the other.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import trustme
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

Bad = Callable[[Any], Any]
"""How one request is answered instead; gets aiohttp's request or gRPC's context."""


@dataclass
class Received:
    """One span as it came. `raw` is all that a back end could tell it from another by."""

    span: Any
    resource: dict[str, Any]
    raw: bytes

    @property
    def id(self) -> str:
        return str(self.span.span_id.hex())

    @property
    def trace(self) -> str:
        return str(self.span.trace_id.hex())

    @property
    def parent(self) -> str:
        return str(self.span.parent_span_id.hex())

    @property
    def start(self) -> int:
        """Milliseconds; a span of ours has no finer time."""
        assert self.span.start_time_unix_nano % 1_000_000 == 0
        return int(self.span.start_time_unix_nano) // 1_000_000

    @property
    def end(self) -> int:
        assert self.span.end_time_unix_nano % 1_000_000 == 0
        return int(self.span.end_time_unix_nano) // 1_000_000

    @property
    def attributes(self) -> dict[str, Any]:
        return attributes(self.span.attributes)


def attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        assert kind is not None, f"{pair.key} is empty"
        value = getattr(pair.value, kind)
        found[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    assert len(found) == len(pairs), "an attribute came twice"
    return found


@dataclass
class Receiver:
    """What came in, over both doors."""

    http: str = ""
    grpc: str = ""
    spans: list[Received] = field(default_factory=list)
    requests: int = 0
    """Also those that were answered badly."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request, and by each after it was cleared."""
    heads: list[dict[str, str]] = field(default_factory=list)
    """Headers, or metadata, by lower-case name."""
    bad: list[Bad] = field(default_factory=list)
    """How the next requests are answered; empty: well."""
    reject: int = 0
    """How many spans of each request are said not to have been taken."""

    def by_id(self) -> dict[str, Received]:
        """Each span once. Fails if two of the same id are not the same to the byte."""
        found: dict[str, Received] = {}
        for received in self.spans:
            before = found.setdefault(received.id, received)
            assert before.raw == received.raw, f"twice, and not the same: {before.span} {received.span}"
        return found

    def take(self, request: Any) -> Any:
        for of_resource in request.resource_spans:
            about = of_resource.resource.SerializeToString(deterministic=True) + of_resource.schema_url.encode()
            for of_scope in of_resource.scope_spans:
                scope = of_scope.scope.SerializeToString(deterministic=True) + of_scope.schema_url.encode()
                for span in of_scope.spans:
                    raw = about + scope + span.SerializeToString(deterministic=True)
                    self.spans.append(Received(span, attributes(of_resource.resource.attributes), raw))
        answer = ExportTraceServiceResponse()
        if self.reject:
            answer.partial_success.rejected_spans = self.reject
            answer.partial_success.error_message = "no room"
        return answer

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.arrived.set()
        self.heads.append({name.lower(): value for name, value in request.headers.items()})
        if self.bad:
            answer = await self.bad.pop(0)(request)
            assert isinstance(answer, web.StreamResponse)
            return answer
        # aiohttp has unpacked it already.
        body = await request.read()
        assert request.headers["Content-Type"] == "application/x-protobuf"
        assert not body.startswith(gzip.compress(b"")[:2])
        answer = self.take(ExportTraceServiceRequest.FromString(body))
        return web.Response(body=answer.SerializeToString(), content_type="application/x-protobuf")


class _Servicer(TraceServiceServicer):  # type: ignore[misc]  # generated, untyped
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def Export(self, request: Any, context: Any) -> Any:
        receiver = self._receiver
        receiver.requests += 1
        receiver.arrived.set()
        receiver.heads.append(dict(context.invocation_metadata()))
        if receiver.bad:
            return await receiver.bad.pop(0)(context)
        return receiver.take(request)


@asynccontextmanager
async def receiving(*, over_grpc: bool = False, tls: trustme.CA | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens on loopback, over HTTP and, if wanted, over gRPC.

    With `tls` it shows a certificate of that authority, and talks only to those who show one too.
    """
    receiver = Receiver()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/v1/traces", receiver.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    shown = None if tls is None else tls.issue_cert("127.0.0.1")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_context(tls, shown)).start()
    receiver.http = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    server = None
    try:
        if over_grpc:
            server = grpc.aio.server()
            add_TraceServiceServicer_to_server(_Servicer(receiver), server)
            if tls is None or shown is None:
                port = server.add_insecure_port("127.0.0.1:0")
            else:
                pair = (shown.private_key_pem.bytes(), shown.cert_chain_pems[0].bytes())
                credentials = grpc.ssl_server_credentials([pair], tls.cert_pem.bytes(), require_client_auth=True)
                port = server.add_secure_port("127.0.0.1:0", credentials)
            receiver.grpc = f"127.0.0.1:{port}"
            await server.start()
        yield receiver
    finally:
        if server is not None:
            await server.stop(None)
        await runner.cleanup()


def _context(authority: trustme.CA | None, shown: trustme.LeafCert | None) -> ssl.SSLContext | None:
    if authority is None or shown is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def told(span: Any) -> dict[str, Any]:
    """A span in words, for a message."""
    return dict(MessageToDict(span))
