"""OTLP over gRPC, asynchronously: one call, one answer. Imported only where the protocol is gRPC.

The call takes and gives bytes: requests are encoded before (`encode`), answers are read after (`answer`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from google.protobuf.message import DecodeError

from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.spans.answer import Answer, read_grpc, read_grpc_error
from triggerdev_exporter.spans.http_door import USER_AGENT, unusable
from triggerdev_exporter.spans.otlp import Otlp

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_LARGEST_ANSWER = 1 << 16


class GrpcDoor:
    """Calls one collector. Raises nothing but cancellation."""

    def __init__(self, channel: grpc.aio.Channel, otlp: Otlp) -> None:
        self._export = channel.unary_unary(METHOD)
        self._seconds = otlp.timeout_ms / SECOND
        self._metadata = tuple(otlp.headers)
        self._compression = grpc.Compression.Gzip if otlp.gzip else grpc.Compression.NoCompression

    async def post(self, body: bytes) -> Answer:
        """Send a request."""
        try:
            answer: bytes = await self._export(
                body, timeout=self._seconds, metadata=self._metadata, compression=self._compression
            )
        except grpc.aio.AioRpcError as error:
            after = retry_after(error.trailing_metadata() or ())
            return read_grpc_error(error.code().name, error.details() or "", after)
        return read_grpc(answer)


@asynccontextmanager
async def open_grpc(otlp: Otlp) -> AsyncIterator[GrpcDoor]:
    """A door with a channel of its own. Raises `ExporterError` if its certificates cannot be used."""
    options = (
        ("grpc.primary_user_agent", USER_AGENT),
        ("grpc.max_receive_message_length", _LARGEST_ANSWER),
        # We repeat ourselves, and count it; the channel waits as long as we would.
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 1_000),
        ("grpc.max_reconnect_backoff_ms", 30_000),
    )
    if otlp.is_secure:
        channel = grpc.aio.secure_channel(otlp.endpoint, _credentials(otlp), options)
    else:
        channel = grpc.aio.insecure_channel(otlp.endpoint, options)
    try:
        yield GrpcDoor(channel, otlp)
    finally:
        await channel.close(grace=None)


def _credentials(otlp: Otlp) -> grpc.ChannelCredentials:
    def read(path: str | None) -> bytes | None:
        return None if path is None else Path(path).read_bytes()

    try:
        return grpc.ssl_channel_credentials(
            read(otlp.certificate), read(otlp.client_key or otlp.client_certificate), read(otlp.client_certificate)
        )
    except (OSError, ValueError) as error:
        raise unusable(error) from None


def _rpc_types() -> tuple[Any, Any]:
    """``google.rpc.Status`` and ``RetryInfo``: two fields are no reason for another package."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="triggerdev_exporter/rpc.proto",
        package="triggerdev_exporter.rpc",
        syntax="proto3",
        dependency=[any_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
    )
    for message, name, number, label, type_name in (
        ("Status", "details", 3, field.LABEL_REPEATED, ".google.protobuf.Any"),
        ("RetryInfo", "retry_delay", 1, field.LABEL_OPTIONAL, ".google.protobuf.Duration"),
    ):
        file.message_type.add(name=message).field.add(
            name=name, number=number, label=label, type=field.TYPE_MESSAGE, type_name=type_name
        )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    status, retry_info = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"triggerdev_exporter.rpc.{name}"))
        for name in ("Status", "RetryInfo")
    )
    return status, retry_info


_Status, _RetryInfo = _rpc_types()


def retry_after(trailers: Iterable[tuple[str, str | bytes]]) -> int | None:
    """Milliseconds that a RetryInfo among the details of an error asks for."""
    try:
        for name, value in trailers:
            if name == "grpc-status-details-bin" and isinstance(value, bytes):
                for detail in _Status.FromString(value).details:
                    if detail.type_url.rpartition("/")[2] == "google.rpc.RetryInfo":
                        delay = _RetryInfo.FromString(detail.value).retry_delay
                        return int(delay.seconds) * 1000 + int(delay.nanos) // 1_000_000
    except DecodeError:
        return None
    return None
