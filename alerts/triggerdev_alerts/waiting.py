"""Waiting until a time is over or something happens, whichever is first. The only place here that waits for either."""

from __future__ import annotations

import asyncio

from triggerdev_alerts.instants import SECOND, Clock


async def wait_for(clock: Clock, wait: int, *events: asyncio.Event) -> None:
    """Until `wait` milliseconds of `clock` are over, or one of `events` is set."""
    ways = [asyncio.ensure_future(way) for way in (clock.sleep(wait / SECOND), *(event.wait() for event in events))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
