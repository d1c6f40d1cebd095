"""The running program as its pages see it: what is read, what is shown of it, and how it takes a new configuration.

It opens nothing: `app.py` does, and gives it what it opened.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import AlertsError, RulesError
from triggerdev_alerts.receivers.reach import secrets_in, untold
from triggerdev_alerts.rules.files import rule_paths
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter import logs
from triggerdev_exporter.alerting import Alerting
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.errors import ConfigError, ExporterError
from triggerdev_exporter.fleet import Fleet
from triggerdev_exporter.ledger.store import Store
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.reloading import Everything, Read, Reloads, read_all
from triggerdev_exporter.stalls import Stalls
from triggerdev_exporter.target import Target
from triggerdev_exporter.web.front import Front
from triggerdev_exporter.web.gate import Gate

log = logging.getLogger(__name__)


class Exporter:
    """The running program, as its web server sees it."""

    def __init__(self, everything: Everything, clock: Clock, store: Store, read: Read) -> None:
        self.config = everything.loaded.config
        self.clock = clock
        self.started_at: Instant = clock.now()
        self.fleet: Fleet | None = None
        self.alerting: Alerting | None = None
        self.witness: LedgerWitness | None = None
        self.url = ""
        self.gate: Gate | None = None
        self.front: Front | None = None
        self.reloads = Reloads(self.started_at, self.started_at)
        self.files = everything.files
        self._read = read
        self._turn = asyncio.Lock()
        self._store = store
        self.stalls = Stalls()
        self._kept = Kept()
        self._own = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._own)

    @property
    def targets(self) -> Sequence[Target]:
        return () if self.fleet is None else self.fleet.targets

    @property
    def reloaded(self) -> bool:
        """Whether what is in use is what was read last."""
        return self.reloads.is_well

    def page(self, now: Instant) -> Page:
        """The page of /metrics at `now`."""
        return Page(
            self.targets,
            now,
            loaded_at=self.reloads.at,
            reloaded=self.reloads.is_well,
            state_bytes=self._store.size() + (self.alerting.scribe.storage.size() if self.alerting else 0),
            book=self.alerting.book if self.alerting else None,
            stall=self.stalls.longest(asyncio.get_running_loop().time()),
            registries=(self._own,),
            kept=self._kept,
        )

    async def reload(self) -> None:
        """Read everything anew and go on with it. Raises `ExporterError` or `AlertsError`, and then the old stays."""
        async with self._turn:
            if self.alerting is None:
                raise ExporterError("still starting; reload again once it is ready")
            try:
                # On a thread: a file may lie on a disk that answers late.
                everything = await asyncio.to_thread(read_all, self._read, self.config)
                await self._use(everything)
            except (ExporterError, AlertsError) as error:
                self._failed(mistakes_of(error))
                raise
            now = self.clock.now()
            if not self.reloads.is_well:
                log.info("reloading works again")
            self.reloads = Reloads(now, now)
            tell_warnings(everything.rules)
            for text in everything.loaded.warnings:
                log.warning("odd configuration: %s", text.splitlines()[0])
            rules = len(everything.rules.ruleset.rules)
            log.info("reloaded", extra={"targets": len(self.targets), "rules": rules})

    def _failed(self, mistakes: Sequence[str]) -> None:
        # Each failure once, also when a watched file is looked at again and again.
        if list(mistakes) != list(self.reloads.mistakes):
            first, *more = [mistake.splitlines()[0] for mistake in mistakes]
            also = {"more": len(more)} if more else {}
            log.error("the configuration could not be reloaded; the old one stays", extra={"why": first, **also})
        self.reloads = Reloads(self.reloads.at, self.clock.now(), tuple(mistakes))

    async def _use(self, everything: Everything) -> None:
        """All of it was checked. What can still fail is the disk."""
        config = everything.loaded.config
        if self.fleet is None or self.alerting is None or self.gate is None or self.front is None:
            raise AssertionError  # pragma: no cover - it runs
        logs.hide([*secrets_of(config), *secrets_in(everything.rules.ruleset)])
        await self.fleet.use(config)
        # Before new targets are asked, so that their look-back fills the windows of the rules.
        await self.alerting.use(everything.rules.ruleset)
        await self.fleet.wake()
        self.gate.use(everything.access, config.web.open)
        await self.front.use(everything.access.context)
        logs.set_level(config.log.level)
        self.config, self.files = config, everything.files

    def watched(self) -> list[Path]:
        """Every file whose change calls for a reload."""
        return [*self.files, *rule_paths(self.config.alerts.files)]


def mistakes_of(error: Exception) -> list[str]:
    """The sentences of an error, ready to print."""
    if isinstance(error, ConfigError | RulesError):
        return list(error.mistakes)
    return [str(error)]


def secrets_of(config: Config) -> list[str]:
    """What must be in no line of the log."""
    headers = config.otlp.headers if config.otlp is not None else ()
    return [*(target.secret_key.get_secret_value() for target in config.targets), *(value for _, value in headers)]


def tell_warnings(rules: LoadedRules) -> None:
    """Log what is odd about rules and receivers, a line each."""
    for warning in rules.warnings:
        log.warning("odd rules: %s", render(warning).splitlines()[0])
    for receiver, why in untold(rules.ruleset):
        log.warning("a receiver can be told nothing yet", extra={"receiver": receiver, "why": why})
