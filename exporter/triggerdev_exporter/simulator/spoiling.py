"""Answers that arrive broken: cut, endless, of another kind, or not at all. What is to be broken is in `faults.py`."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from triggerdev_exporter.simulator import replies
from triggerdev_exporter.simulator.faults import EndpointFault
from triggerdev_exporter.simulator.replies import Reply


def abort(request: web.Request) -> web.StreamResponse:
    """Reset the connection; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def half(request: web.Request, reply: Reply, headers: dict[str, str]) -> web.StreamResponse:
    """Promise a whole body, send half of it, and hang up."""
    response = web.StreamResponse(status=reply.status, headers=headers)
    response.content_length = len(reply.body)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def flood(request: web.Request, megabytes: int, headers: dict[str, str]) -> web.StreamResponse:
    """A body that does not want to end."""
    response = web.StreamResponse(status=200, headers=headers)
    await response.prepare(request)
    try:
        await response.write(b'{"data":[')
        for _ in range(megabytes):
            await response.write(b" " * (1 << 20))
        await response.write(b'],"pagination":{}}')
    except ConnectionError:  # The client had enough.
        return response
    return response


def spoil(reply: Reply, fault: EndpointFault) -> Reply:
    """The answer as the fault leaves it."""
    if fault.html:
        return replies.html(200, "Sign in")
    if fault.cut == "json":
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.content_type, reply.headers)
    if not fault.repeat_cursor and not fault.null_dates:
        return reply
    document: Any = msgspec.json.decode(reply.body)
    if fault.repeat_cursor and isinstance(document, dict) and "pagination" in document:
        document["pagination"]["next"] = "eyJjIjoxLCJyIjoic2FtZSJ9"
    items = document["data"] if isinstance(document, dict) else document
    if fault.null_dates and items:
        items[0] |= {"createdAt": None, "updatedAt": None, "startedAt": None, "finishedAt": None}
    return Reply(reply.status, msgspec.json.encode(document), reply.content_type, reply.headers)
