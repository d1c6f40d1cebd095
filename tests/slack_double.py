"""A Slack to send to: it keeps messages, checks them as Slack does, and can be told to answer anything.

Both ways in: an incoming webhook and the Web API with a bot token.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from slack_limits import blocks_of, problems

TOKEN = "xoxb-" + "1234567890-abcdefghij"
CHANNEL = "C0123456789"
HOOK = "/services/T000/B000/hook-secret"


class SlackDouble:
    """`messages`: what is seen in the channel, by its time. `calls`: (method, fields) of every request."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.next: list[web.Response] = []
        """Answers to the next posts and updates, instead of the real ones; nothing is kept then."""
        self.swallow = 0
        """How many of the next posts are kept, and answered as if something had broken."""
        self.may_read = True
        self.broken: list[str] = []
        """What was wrong with messages, by `slack_limits`."""
        self.url = ""

    @property
    def hook(self) -> str:
        return self.url + HOOK

    @property
    def api(self) -> str:
        return self.url + "/api"

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    async def take_hook(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        self.calls.append(("hook", body))
        if self.next:
            return self.next.pop(0)
        self.broken += problems(body)
        self._keep(body)
        return web.Response(text="ok")

    async def take_call(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        text = await request.text()
        if method.startswith("conversations."):
            fields: dict[str, Any] = {key: str(value) for key, value in (await request.post()).items()}
        else:
            fields = json.loads(text)
        self.calls.append((method, fields))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error("invalid_auth")
        if method.startswith("conversations."):
            return self._history(fields)
        if self.next:
            return self.next.pop(0)
        if fields.get("channel") != CHANNEL:
            return _error("channel_not_found")
        self.broken += problems(fields)
        return self._post(fields) if method == "chat.postMessage" else self._update(fields)

    def _post(self, fields: dict[str, Any]) -> web.Response:
        if "thread_ts" in fields and fields["thread_ts"] not in self.messages:
            return _error("thread_not_found")
        ts = self._keep(fields)
        if self.swallow:
            self.swallow -= 1
            return _error("internal_error")
        return _json({"ok": True, "channel": CHANNEL, "ts": ts})

    def _update(self, fields: dict[str, Any]) -> web.Response:
        if fields["ts"] not in self.messages:
            return _error("message_not_found")
        self.messages[fields["ts"]].update(fields)
        return _json({"ok": True, "channel": CHANNEL, "ts": fields["ts"], "text": fields["text"]})

    def _history(self, fields: dict[str, Any]) -> web.Response:
        if not self.may_read:
            return _error("missing_scope")
        found = [
            {"ts": ts, "text": message["text"], "metadata": message.get("metadata")}
            for ts, message in self.messages.items()
            if message.get("thread_ts") == fields.get("ts")
        ]
        return _json({"ok": True, "messages": found[::-1]})

    def _keep(self, body: dict[str, Any]) -> str:
        ts = f"1763985720.{len(self.messages):06}"
        self.messages[ts] = dict(body)
        return ts

    def titles(self) -> list[str]:
        """The headers of the messages as they look now."""
        return [blocks_of(message)[0]["text"]["text"] for message in self.messages.values()]


def _json(body: dict[str, Any]) -> web.Response:
    return web.json_response(body)


def _error(word: str) -> web.Response:
    return _json({"ok": False, "error": word})


@asynccontextmanager
async def running() -> AsyncIterator[SlackDouble]:
    """A double that listens on loopback."""
    double = SlackDouble()
    app = web.Application()
    app.router.add_post(HOOK, double.take_hook)
    app.router.add_post("/api/{method}", double.take_call)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        await runner.cleanup()
