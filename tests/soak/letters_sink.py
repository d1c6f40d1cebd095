"""Where the letters of the crash harness arrive: both receivers on one port of loopback, and a list of all requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from soak.letters_story import SLACK, Mood, mood
from triggerdev_exporter.clock import Instant


@dataclass(frozen=True)
class Request:
    """One request that came whole."""

    receiver: str
    id: str
    """The header ``webhook-id``; empty for Slack, which has none."""
    body: str
    status: int
    """What was answered; 0: nothing."""
    at: Instant

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Sink:
    """Make it with `open_sink`."""

    now: Callable[[], Instant]
    """The sender's time, by which its receivers are well or unwell."""
    moods: tuple[Mood, ...]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    """In the order in which they came."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side was killed; that is what it is there for."""


def _handler(sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            wanted = int(self.headers["Content-Length"])
            body = self.rfile.read(wanted)
            if len(body) < wanted:
                self.close_connection = True
                return
            receiver, at = self.path.strip("/"), sink.now()
            how = mood(sink.moods, receiver, at)
            sink.requests.append(
                Request(receiver, self.headers.get("webhook-id", ""), body.decode("ascii"), how.status, at)
            )
            if how.slow_s:
                threading.Event().wait(how.slow_s)
            if not how.status:
                self.close_connection = True
                return
            answer = b"ok" if receiver == SLACK else b""
            self.send_response(how.status)
            if how.retry_after_s is not None:
                self.send_header("Retry-After", str(how.retry_after_s))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    return Handler


@contextmanager
def open_sink(now: Callable[[], Instant], moods: tuple[Mood, ...]) -> Iterator[Sink]:
    """A sink that listens."""
    sink = Sink(now, moods)
    with _Server(("127.0.0.1", 0), _handler(sink)) as server:
        sink.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join(10)
