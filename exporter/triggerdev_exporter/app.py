"""The composition root: opens everything, wires it, and closes it in reverse. The only place that does."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from urllib.request import getproxies

import aiohttp

from triggerdev_alerts.receivers.reach import secrets_in
from triggerdev_exporter import __version__, logs, progress
from triggerdev_exporter.alerting import book_path, open_alerting
from triggerdev_exporter.api.budget import Budget
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.meter import ApiMeter
from triggerdev_exporter.api.secret import Secret
from triggerdev_exporter.clock import Clock
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
from triggerdev_exporter.errors import ExporterError
from triggerdev_exporter.exporter import Exporter, tell_warnings
from triggerdev_exporter.fleet import open_fleet
from triggerdev_exporter.ledger.lock import StateLock
from triggerdev_exporter.ledger.store import Store, open_store
from triggerdev_exporter.process import reload_on_change, reload_on_hangup, told_to_stop
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.readings.witness import LedgerWitness
from triggerdev_exporter.reloading import Read, read_all
from triggerdev_exporter.stalls import calm_the_collector, watch
from triggerdev_exporter.target import Target
from triggerdev_exporter.tracing import open_tracing, policy_of
from triggerdev_exporter.web.front import open_front
from triggerdev_exporter.web.gate import Gate
from triggerdev_exporter.web.server import make_app

log = logging.getLogger(__name__)


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
            limits=config.metrics.limits,
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
    # A proxy set in the environment is honoured; cookies of one answer mean nothing to the next. Where there is none,
    # aiohttp need not look for one, in a thread, before each request.
    async with aiohttp.ClientSession(trust_env=bool(getproxies()), cookie_jar=aiohttp.DummyCookieJar()) as session:
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
