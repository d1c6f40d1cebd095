"""Paging without getting lost: read all pages of a list, and notice a cursor that does not move on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from triggerdev_exporter.api.calls import Call, Priority
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.errors import CursorBroken
from triggerdev_exporter.records import Page

MAX_PAGES = 10_000


R = TypeVar("R")


class CursorGuard:
    """Watches one walk: each cursor once, and no page that only repeats the page before."""

    def __init__(self) -> None:
        self._cursors: set[str] = set()
        self._last: frozenset[object] = frozenset()

    def passed(self, endpoint: str, keys: frozenset[object], cursor: str | None) -> None:
        """A page was read. Raises `CursorBroken` when going on would not move on."""
        if keys and keys == self._last:
            raise CursorBroken(f"{endpoint}: the next page holds the same items as the one before")
        if cursor is not None:
            if cursor in self._cursors or len(self._cursors) >= MAX_PAGES:
                raise CursorBroken(
                    f"{endpoint}: the server gave the same cursor twice, the list cannot be read to its end"
                )
            self._cursors.add(cursor)
        self._last = keys


async def pages(
    client: Client,
    call: Callable[[str | None], Call[Page[R]]],
    key: Callable[[R], object],
    priority: Priority = Priority.LIVE,
) -> AsyncIterator[tuple[R, ...]]:
    """The pages of a list, each after the one before was used. Raises `ApiError`."""
    guard = CursorGuard()
    cursor: str | None = None
    while True:
        request = call(cursor)
        page = await client.fetch(request, priority)
        yield page.items
        cursor = page.next
        if cursor is None:
            return
        guard.passed(request.endpoint, frozenset(map(key, page.items)), cursor)


async def whole_list(
    client: Client, call: Callable[[str | None], Call[Page[R]]], key: Callable[[R], object]
) -> tuple[R, ...]:
    """All items of a short list, or an error; never half of it. An item that moved between two pages comes once."""
    items: dict[object, R] = {}
    async for page in pages(client, call, key):
        for item in page:
            items[key(item)] = item
    return tuple(items.values())
