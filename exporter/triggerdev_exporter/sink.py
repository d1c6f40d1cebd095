"""The demo's sink: an incoming webhook of Slack and a plain webhook that print what arrives. It answers yes to all.

What is printed is made of the payloads as they were posted, nothing else: what one sees is what Slack would be sent.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WIDTH = 110
LARGEST = 1 << 20

_BETWEEN = "  ·  "
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_LINK = re.compile(r"<(https?:[^|>]*)\|([^>]*)>")
_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_BOLD = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")


@asynccontextmanager
async def open_sink(write: Callable[[str], object]) -> AsyncIterator[str]:
    """Listen on a free port of loopback; the address, without a path: ``/slack`` and ``/webhook`` are there."""

    async def slack(request: web.Request) -> web.Response:
        write(_framed("Slack gets", slack_lines(json.loads(await request.read()))))
        return web.Response(text="ok")

    async def webhook(request: web.Request) -> web.Response:
        signed = "signed" if "webhook-signature" in request.headers else "not signed"
        title = f"The webhook gets {request.headers.get('webhook-id', '')}, {signed}"
        write(_framed(title, webhook_lines(json.loads(await request.read()))))
        return web.Response(status=204)

    app = web.Application(client_max_size=LARGEST)
    app.router.add_post("/slack", slack)
    app.router.add_post("/webhook", webhook)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def slack_lines(payload: Mapping[str, Any]) -> list[str]:
    """A message of Slack as lines of text, in the order in which Slack shows it."""
    blocks = list(payload.get("blocks", ()))
    for attachment in payload.get("attachments", ()):
        blocks += attachment.get("blocks", ())
    return [line for block in blocks for line in _block(block)] or str(payload.get("text", "")).split("\n")


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    match block.get("type"):
        case "header":
            yield from (block["text"]["text"], "")
        case "section" if "text" in block:
            yield from (part for line in plain(block["text"]["text"]).split("\n") for part in _parted(line))
            yield ""
        case "context":
            yield plain("  ".join(str(each.get("text", "")) for each in block["elements"]))
        case "actions":
            yield from (*(f"[ {each['text']['text']} ] {each.get('url', '')}" for each in block["elements"]), "")


def _parted(line: str) -> list[str]:
    """A long row of things, like failing runs, one a line."""
    if len(line) <= WIDTH or _BETWEEN not in line:
        return [line]
    # A heading that begins it has a line of its own: what follows is a list.
    headed = re.sub(r"^(\w+)  ", r"\1\n  ", line)
    return headed.replace(_BETWEEN, "\n  ").split("\n")


def plain(markup: str) -> str:
    """Slack's markup without its marks. A link whose label says less than its address shows both."""
    text = _DATE.sub(r"\1", _FENCE.sub(lambda found: found[1], markup))
    text = _LINK.sub(lambda found: f"{found[2]} ({found[1]})" if found[1] != found[2] else found[1], text)
    return html.unescape(_BOLD.sub(r"\1", text))


def webhook_lines(payload: Mapping[str, Any]) -> list[str]:
    """The JSON, indented, as it was posted."""
    return json.dumps(payload, indent=2, ensure_ascii=False).split("\n")


def _framed(title: str, lines: list[str]) -> str:
    while lines and not lines[-1]:
        lines = lines[:-1]
    body = "\n".join(f"  │ {_tame(line)}".rstrip() for line in lines)
    return f"\n  ┌─ {title} {'─' * max(WIDTH - len(title) - 6, 0)}\n{body}\n  └{'─' * (WIDTH - 3)}\n"


def _tame(line: str) -> str:
    """No control characters: what is printed came over HTTP."""
    return "".join(sign if sign.isprintable() else " " for sign in line)
