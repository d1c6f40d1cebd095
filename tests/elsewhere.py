"""An event loop in a thread of its own, for tests that wait for processes while a server of theirs must answer."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TypeVar

T = TypeVar("T")


class Elsewhere:
    """Make it with `elsewhere`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Let `work` be done there."""

        async def awaited() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(60)

    def enter(self, what: AbstractAsyncContextManager[T]) -> T:
        """Open `what` there, until the end of the test."""
        return self.do(lambda: self._stack.enter_async_context(what))

    def close(self) -> None:
        self.do(self._stack.aclose)


@contextlib.contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    there = Elsewhere()
    thread = threading.Thread(target=there.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield there
    finally:
        # Also after a failure: sockets of ours must not stay open.
        try:
            there.close()
        finally:
            there.loop.call_soon_threadsafe(there.loop.stop)
            thread.join(10)
            there.loop.close()
