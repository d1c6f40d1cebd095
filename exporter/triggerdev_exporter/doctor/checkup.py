"""All checks of a configuration, in the order in which they are told. It lets others look, and decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from triggerdev_alerts.outbox.store import BOOK_FILE
from triggerdev_alerts.receivers.reach import Unreached, reach, spots, unreadable
from triggerdev_alerts.receivers.secret import SecretError
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.config.access import load_access
from triggerdev_exporter.config.model import Config, Quota
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.doctor.checks_host import HOST_CHECKS, RECEIVER_CHECKS, Host, Reached
from triggerdev_exporter.doctor.checks_target import TARGET_CHECKS
from triggerdev_exporter.doctor.examine import examine
from triggerdev_exporter.doctor.finding import Result, results
from triggerdev_exporter.doctor.premises import look
from triggerdev_exporter.doctor.subject import Subject
from triggerdev_exporter.ledger.store import STATE_FILE
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.tracing import open_door

_OWN_SHARE = Quota(requests_per_minute=120, share=1.0)
"""A look is a dozen requests, once: a modest share must not make it last for minutes."""

Open = Callable[[TargetConfig, Clock], AbstractAsyncContextManager[Client]]


async def check_up(
    config: Config, rules: LoadedRules, clock: Clock, *, open_client: Open, book: Path, odd: Sequence[str] = ()
) -> AsyncIterator[Result]:
    """Host, each target, where spans go, each receiver; a result at a time, as soon as it is known."""
    state = look(config.state, STATE_FILE)
    names = [target.name for target in config.targets]
    web_file = config.web.config_file
    access = load_access(None if web_file is None else Path(web_file))
    host = Host(state, look(book, BOOK_FILE), rules.ruleset, rules.warnings, names, config.web.listen, access, odd)
    for result in results(HOST_CHECKS, "", host):
        yield result
    for target in config.targets:
        async with open_client(target.model_copy(update={"quota": _OWN_SHARE}), clock) as client:
            seen = await examine(client, target, clock)
        subject = Subject(
            seen,
            rules.ruleset,
            config.metrics,
            state.environments.get(target.name),
        )
        for result in results(TARGET_CHECKS, target.name, subject):
            yield result
    if config.otlp is not None:
        for result in await _collector(config.otlp, clock):
            yield result
    async for result in _receivers(rules.ruleset):
        yield result


async def _collector(otlp: Otlp, clock: Clock) -> list[Result]:
    # Here, since it brings OpenTelemetry's SDK along.
    from triggerdev_exporter.doctor.checks_spans import COLLECTOR_CHECKS, Collector

    async with open_door(otlp, clock) as door:
        # Every field of a request is optional: an empty one asks for nothing, and is answered as any other.
        return results(COLLECTOR_CHECKS, "", Collector(otlp, await door.post(b"")))


async def _receivers(ruleset: RuleSet) -> AsyncIterator[Result]:
    known = [(name, config.kind, config.settings) for name, config in ruleset.receivers.items()]
    if ruleset.ping is not None:
        known.append(("(dead man's switch)", "webhook", ruleset.ping.settings))
    for name, kind, settings in known:
        for result in results(RECEIVER_CHECKS, name, await _reached(kind, settings)):
            yield result


async def _reached(kind: str, settings: object) -> Reached:
    problems = unreadable(settings)
    try:
        places = spots(kind, settings)
    except (SecretError, Unreached) as error:
        return Reached(kind, (), list(dict.fromkeys([*problems, str(error)])))
    for place in places:
        try:
            await reach(place, getattr(settings, "allow_private", False))
        except Unreached as error:
            problems.append(str(error))
    return Reached(kind, [str(place) for place in places], problems)
