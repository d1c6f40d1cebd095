"""A server on the loopback that says exactly the bytes of its script and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "tr_prod_kEyThatMustNotBeSeen42"
JSON = "application/json; charset=utf-8"


@dataclass
class Reply:
    """One answer. `cut` leaves off so many bytes of the end; `hang` never ends; `silent` closes without a word."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    hang: bool = False
    silent: bool = False
    raw: bytes | None = None

    def encode(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = {"Content-Type": JSON, "Content-Length": str(len(self.body)), "Connection": "close"} | self.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
        whole = f"HTTP/1.1 {self.status} Whatever\r\n{head}\r\n".encode() + self.body
        return whole[: len(whole) - self.cut]


def json_reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON; ``x_should_retry="true"`` is a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), named)


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)


class ScriptedServer:
    """Answers with `script`, one reply a request; the last one again and again."""

    def __init__(self) -> None:
        self.script: list[Reply] = [Reply()]
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._scheme = "http"
        self._closing = asyncio.Event()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self._scheme = "https" if tls else "http"

    async def stop(self) -> None:
        self._closing.set()
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"{self._scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._read(reader)
            reply = self.script[min(len(self.requests), len(self.script) - 1)]
            self.requests.append(request)
            self.asked.set()
            if not reply.silent:
                writer.write(reply.encode())
                await writer.drain()
            if reply.hang:
                await self._closing.wait()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = line.split(" ")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, target, headers, body)
