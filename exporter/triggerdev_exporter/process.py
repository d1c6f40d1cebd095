"""The process around the running program: what makes it stop, or read its configuration anew."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

from triggerdev_alerts.errors import AlertsError
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.exporter import Exporter
from triggerdev_exporter.file_watch import LOOK_EVERY_S, Watch

log = logging.getLogger(__name__)


def told_to_stop() -> asyncio.Event:
    """What SIGTERM or SIGINT sets from now on. A second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    # Left alone it would end the process, and whoever sends it wants anything but that.
    loop.add_signal_handler(signal.SIGHUP, log.warning, "SIGHUP: still starting; send it again once this is done")
    return stop


def reload_on_hangup(exporter: Exporter) -> None:
    """Let SIGHUP reload everything from now on; several while one is under way are one more."""
    under_way: set[asyncio.Task[None]] = set()

    def hangup() -> None:
        if len(under_way) < 2:
            task = asyncio.ensure_future(_reload(exporter))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup)


async def _reload(exporter: Exporter) -> None:
    try:
        await exporter.reload()
    except (ExporterError, AlertsError):
        # It was logged, and is told on the pages and in the metrics.
        return
    except Exception:
        log.exception("a reload broke; please report it")


async def reload_on_change(exporter: Exporter, clock: Clock) -> None:
    """Reload when a file changed that the configuration names. Runs until cancelled."""
    watch = Watch(exporter.watched)
    while True:
        await clock.sleep(LOOK_EVERY_S)
        if await asyncio.to_thread(watch.look, retry=not exporter.reloads.is_well):
            await _reload(exporter)
            await asyncio.to_thread(watch.settle)
