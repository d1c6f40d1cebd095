"""The composition root: opens everything, wires it, and closes it in reverse. The only place that does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random

import aiohttp
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import AlertsError, RulesError
from triggerdev_alerts.receivers.reach import secrets_in, untold
from triggerdev_alerts.rules.files import rule_paths
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter import __version__, logs, progress
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
from triggerdev_exporter.config.access import Access
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.load import Loaded
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.errors import ConfigError, ExporterError
from triggerdev_exporter.file_watch import LOOK_EVERY_S, Watch
from triggerdev_exporter.fleet import Fleet, open_fleet
from triggerdev_exporter.ledger.limits import limits
from triggerdev_exporter.ledger.lock import StateLock
from triggerdev_exporter.ledger.store import Store, open_store
from triggerdev_exporter.metrics.page import Kept, Page
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.reloading import Everything, Read, Reloads, read_all
from triggerdev_exporter.stalls import Stalls, calm_the_collector, watch
from triggerdev_exporter.target import Target
from triggerdev_exporter.tracing import open_tracing, policy_of
from triggerdev_exporter.web.front import Front, open_front
from triggerdev_exporter.web.gate import Gate
from triggerdev_exporter.web.server import make_app

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
async def open_target(
    one: TargetConfig, config: Config, before: Target | None, *, clock: Clock, store: Store
) -> AsyncIterator[Target]:
    """A target with a session of its own; of one before it, it knows the server's time and what was asked."""
    meter = before.client.meter if before is not None and before.config.api_url == one.api_url else None
    async with open_client(one, clock, meter=meter) as client:
        yield Target(
            one,
            name=one.name,
            client=client,
            clock=clock,
            store=store,
            limits=limits(config.metrics.max_series, config.metrics.tasks.allow),
            policy=policy_of(config.traces, config.otlp, one),
            metadata_key=config.traces.metadata_key if config.otlp is not None else None,
        )


@asynccontextmanager
async def open_targets(config: Config, clock: Clock, store: Store) -> AsyncIterator[tuple[Target, ...]]:
    """The targets of `config`, each with what the state knows of it, without anybody who wakes them."""
    async with AsyncExitStack() as stack:
        targets = []
        for one in config.targets:
            target = await stack.enter_async_context(open_target(one, config, None, clock=clock, store=store))
            await target.load()
            targets.append(target)
        yield tuple(targets)


@asynccontextmanager
async def open_client(
    config: TargetConfig, clock: Clock, *, deadline_s: float = 30.0, meter: ApiMeter | None = None
) -> AsyncIterator[Client]:
    """One target's client alone, for commands that read the API and keep no state."""
    # A proxy set in the environment is honoured; cookies of one answer mean nothing to the next.
    async with aiohttp.ClientSession(trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield _client(config, session, clock, deadline_s, meter or ApiMeter())


def _client(
    config: TargetConfig, session: aiohttp.ClientSession, clock: Clock, deadline_s: float, meter: ApiMeter
) -> Client:
    return Client(
        session,
        config.api_url,
        Secret(config.secret_key.get_secret_value()),
        clock,
        Budget(config.quota.requests_per_minute, config.quota.share),
        meter,
        branch=config.branch,
        random=Random(),  # noqa: S311 - jitter, not cryptography
        deadline_s=deadline_s,
    )


@asynccontextmanager
async def running(config: Config, clock: Clock, read: Read | None = None) -> AsyncIterator[Exporter]:
    """The whole daemon, from the lock on its state to the open port.

    `read` reads the configuration anew for a reload; without it only rules change. Raises `ExporterError` or
    `AlertsError` with the remedy.
    """
    first = Loaded(config, ())
    everything = read_all(lambda: first, None) if read is None else read_all(read, None)
    config, rules = everything.loaded.config, everything.rules
    logs.hide(secrets_in(rules.ruleset))
    tell_warnings(rules)
    async with AsyncExitStack() as stack:
        stack.enter_context(StateLock(config.state))
        store = open_store(config.state)
        stack.push_async_callback(store.close)
        exporter = Exporter(everything, clock, store, read or (lambda: first))
        fleet = exporter.fleet = await stack.enter_async_context(
            open_fleet(
                config,
                clock,
                open_=partial(open_target, clock=clock, store=store),
                trace=lambda target, now: open_tracing((target,), now.otlp, clock),
                collectors=collectors_of,
            )
        )
        exporter.url = await _serve(stack, exporter, everything.access)
        # Before the first page is read, so that the look-back fills the windows of the rules.
        signals = LedgerSignals(lambda: fleet.targets, rules.ruleset)
        witness = exporter.witness = LedgerWitness(lambda: fleet.targets)
        stack.push_async_callback(witness.close)
        await fleet.wake()
        fleet.wakes.start()
        stack.push_async_callback(fleet.wakes.stop)
        exporter.alerting = await stack.enter_async_context(
            open_alerting(book_path(config.state), rules.ruleset, signals, witness, clock)
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


async def _serve(stack: AsyncExitStack, exporter: Exporter, access: Access) -> str:
    written = exporter.config.web
    listen = written.listen
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


async def run_daemon(config: Config, clock: Clock, read: Read | None = None) -> None:
    """Run until told to stop."""
    calm_the_collector()
    # Before anything is opened: as process 1 of a container, SIGTERM means nothing until somebody handles it.
    stop = told_to_stop()
    async with running(config, clock, read) as exporter:
        reload_on_hangup(exporter)
        beside = [
            asyncio.ensure_future(progress.report(lambda: exporter.targets, clock)),
            asyncio.ensure_future(reload_on_change(exporter, clock)),
        ]
        await stop.wait()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
