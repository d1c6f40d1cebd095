"""The composition root: opens everything, wires it, and closes it in reverse. The only place that does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random

import aiohttp
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import AlertsError
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter import __version__, progress
from triggerdev_exporter.alerting import Alerting, book_path, open_alerting
from triggerdev_exporter.api.budget import Budget
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.meter import ApiMeter
from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.collect.batches import BatchesCollector
from triggerdev_exporter.collect.collector import Collector
from triggerdev_exporter.collect.deployments import DeploymentsCollector
from triggerdev_exporter.collect.queues import QueuesCollector
from triggerdev_exporter.collect.runs import RunsCollector
from triggerdev_exporter.collect.schedules import SchedulesCollector
from triggerdev_exporter.collect.waitpoints import WaitpointsCollector
from triggerdev_exporter.config.access import load_access
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.alerts import load_rules
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.ledger.limits import limits
from triggerdev_exporter.ledger.lock import StateLock
from triggerdev_exporter.ledger.store import Store, open_store
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.schedule import Wakes
from triggerdev_exporter.stalls import Stalls, watch
from triggerdev_exporter.target import Target
from triggerdev_exporter.tracing import open_tracing, policy_of
from triggerdev_exporter.web.front import Front, open_front
from triggerdev_exporter.web.gate import Gate
from triggerdev_exporter.web.server import make_app

log = logging.getLogger(__name__)


class Exporter:
    """The running program, as its web server sees it."""

    def __init__(self, config: Config, clock: Clock, store: Store) -> None:
        self.config = config
        self.clock = clock
        self.started_at: Instant = clock.now()
        self.targets: Sequence[Target] = ()
        self.alerting: Alerting | None = None
        self.witness: LedgerWitness | None = None
        self.url = ""
        self.gate: Gate | None = None
        self.front: Front | None = None
        self.loaded_at: Instant = self.started_at
        """When the rules in use were loaded."""
        self.reloaded = True
        """Whether the last attempt to load them succeeded."""
        self._store = store
        self.stalls = Stalls()
        self._kept = Kept()
        self._own = CollectorRegistry(auto_describe=False)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._own)

    def page(self, now: Instant) -> Page:
        """The page of /metrics at `now`."""
        return Page(
            self.targets,
            now,
            loaded_at=self.loaded_at,
            reloaded=self.reloaded,
            state_bytes=self._store.size() + (self.alerting.scribe.storage.size() if self.alerting else 0),
            book=self.alerting.book if self.alerting else None,
            stall=self.stalls.longest(asyncio.get_running_loop().time()),
            registries=(self._own,),
            kept=self._kept,
        )

    async def reload(self) -> None:
        """Read the files of rules anew and go on with them. Raises `AlertsError`, and then the old ones stay.

        What else is in the configuration needs a restart.
        """
        if self.alerting is None:
            return
        try:
            rules = load_rules(self.config.alerts)
            await self.alerting.use(rules.ruleset)
        except AlertsError as error:
            self.reloaded = False
            log.error("the rules could not be reloaded; the old ones stay", extra={"why": str(error)})
            raise
        self.reloaded, self.loaded_at = True, self.clock.now()
        tell_warnings(rules)
        log.info("the rules are reloaded", extra={"rules": len(rules.ruleset.rules)})


def tell_warnings(rules: LoadedRules) -> None:
    """Log what is odd about rules, a line each."""
    for warning in rules.warnings:
        log.warning("odd rules: %s", render(warning).splitlines()[0])


def collectors_of(target: Target) -> tuple[Collector, ...]:
    """The six collectors of a target, in the order of their first wake."""
    return (
        QueuesCollector(target),
        RunsCollector(target),
        SchedulesCollector(target),
        DeploymentsCollector(target),
        WaitpointsCollector(target),
        BatchesCollector(target),
    )


@asynccontextmanager
async def open_targets(config: Config, clock: Clock, store: Store) -> AsyncIterator[tuple[Target, ...]]:
    """The targets of `config`, each with a session of its own and what the state knows of it."""
    async with AsyncExitStack() as stack:
        targets = []
        most = limits(config.metrics.max_series, config.metrics.tasks.allow)
        for one in config.targets:
            client = await stack.enter_async_context(open_client(one, clock))
            target = Target(
                one,
                name=one.name,
                client=client,
                clock=clock,
                store=store,
                limits=most,
                policy=policy_of(config.traces, config.otlp, one),
                metadata_key=config.traces.metadata_key if config.otlp is not None else None,
            )
            await target.load()
            targets.append(target)
        yield tuple(targets)


@asynccontextmanager
async def open_client(config: TargetConfig, clock: Clock, *, deadline_s: float = 30.0) -> AsyncIterator[Client]:
    """One target's client alone, for commands that read the API and keep no state."""
    # A proxy set in the environment is honoured; cookies of one answer mean nothing to the next.
    async with aiohttp.ClientSession(trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield _client(config, session, clock, deadline_s)


def _client(config: TargetConfig, session: aiohttp.ClientSession, clock: Clock, deadline_s: float) -> Client:
    return Client(
        session,
        config.api_url,
        Secret(config.secret_key.get_secret_value()),
        clock,
        Budget(config.quota.requests_per_minute, config.quota.share),
        ApiMeter(),
        branch=config.branch,
        random=Random(),  # noqa: S311 - jitter, not cryptography
        deadline_s=deadline_s,
    )


@asynccontextmanager
async def running(config: Config, clock: Clock) -> AsyncIterator[Exporter]:
    """The whole daemon, from the lock on its state to the open port.

    Raises `ExporterError` or `AlertsError` with the remedy.
    """
    rules = load_rules(config.alerts)
    tell_warnings(rules)
    async with AsyncExitStack() as stack:
        stack.enter_context(StateLock(config.state))
        store = open_store(config.state)
        stack.push_async_callback(store.close)
        exporter = Exporter(config, clock, store)
        exporter.targets = await stack.enter_async_context(open_targets(config, clock, store))
        exporter.url = await _serve(stack, exporter)
        # Before the first page is read, so that the look-back fills the windows of the rules.
        signals = LedgerSignals(exporter.targets, rules.ruleset)
        witness = exporter.witness = LedgerWitness(exporter.targets)
        stack.push_async_callback(witness.close)
        await stack.enter_async_context(open_tracing(exporter.targets, config.otlp, clock))
        wakes = Wakes(clock)
        for target in exporter.targets:
            wakes.add(target, collectors_of(target))
        wakes.start()
        stack.push_async_callback(wakes.stop)
        exporter.alerting = await stack.enter_async_context(
            open_alerting(
                book_path(config.state),
                rules.ruleset,
                signals,
                witness,
                clock,
            )
        )
        await stack.enter_async_context(_beside(watch(exporter.stalls)))
        log.info(
            "watching",
            extra={
                "version": __version__,
                "targets": len(exporter.targets),
                "url": exporter.url,
                "state": config.state,
            },
        )
        yield exporter
        log.info("stopping")


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """`work` in the background, until this is left."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _serve(stack: AsyncExitStack, exporter: Exporter) -> str:
    written = exporter.config.web
    listen = written.listen
    access = load_access(None if written.config_file is None else Path(written.config_file))
    exporter.gate = Gate(exporter.clock, access, written.open)
    try:
        front = await stack.enter_async_context(open_front(make_app(exporter, exporter.gate), listen))
        await front.use(access.context)
    except OSError as error:
        raise cannot_listen(listen, error) from error
    exporter.front = front
    host = "127.0.0.1" if listen.host in ("0.0.0.0", "::", "") else listen.host  # noqa: S104 - shown, not bound
    return f"{'https' if front.is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{front.port}"


def cannot_listen(listen: Listen, error: OSError) -> ExporterError:
    """What to say when the port could not be opened."""
    # asyncio wraps the system's words into some of its own; a name that cannot be resolved has no errno of the system.
    why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return ExporterError(
        f"cannot listen on {listen}: {why}. "
        "Choose another address with --listen HOST:PORT, or end the program that uses it."
    )


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
    """Let SIGHUP reload the rules from now on, one reload at a time."""
    under_way: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        with suppress(AlertsError):  # it was logged
            await exporter.reload()

    def hangup() -> None:
        if not under_way:
            task = asyncio.ensure_future(reload())
            under_way.add(task)
            task.add_done_callback(under_way.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup)


async def run_daemon(config: Config, clock: Clock) -> None:
    """Run until told to stop."""
    # Before anything is opened: as process 1 of a container, SIGTERM means nothing until somebody handles it.
    stop = told_to_stop()
    async with running(config, clock) as exporter:
        reload_on_hangup(exporter)
        watching = asyncio.ensure_future(progress.report(exporter.targets, clock))
        await stop.wait()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
