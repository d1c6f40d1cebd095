"""Whether receivers can be reached at all: secrets read, a connection made, TLS shaken. Nothing is sent to anybody.

What a receiver says to a message only a message can tell (`tryout.py`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.receivers import alertmanager, email, pagerduty, slack, webhook
from triggerdev_alerts.receivers.addresses import Policy, policy, problem_of_url
from triggerdev_alerts.receivers.secret import SecretError, Source
from triggerdev_alerts.rules.model import RuleSet

PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a connection is made to. The path of a URL is not kept: it may be a credential."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Unreached(Exception):
    """It cannot be reached now, or not like this. The text holds no secret."""


def spots(kind: str, settings: object) -> tuple[Spot, ...]:
    """Where a receiver of that kind connects to. Raises `SecretError` and `Unreached`."""
    return tuple(_SPOTS[kind](settings))


def untold(ruleset: RuleSet) -> list[tuple[str, str]]:
    """Receivers whose secrets cannot be read now, and why: each is read when it is used, so that is no mistake yet."""
    return [(name, why) for name, config in ruleset.receivers.items() for why in unreadable(config.settings)]


def unreadable(settings: object) -> list[str]:
    """The secrets that cannot be read now, in words."""
    said = []
    for source in _sources(settings):
        try:
            source.read()
        except SecretError as error:
            said.append(str(error))
    return said


def secrets_in(ruleset: RuleSet) -> list[str]:
    """Every secret of its receivers that can be read now: what no log may hold."""
    holders = [config.settings for config in ruleset.receivers.values()]
    if ruleset.ping is not None:
        holders.append(ruleset.ping.settings)
    found = []
    for source in (source for settings in holders for source in _sources(settings)):
        try:
            found.append(source.read())
        except SecretError:
            continue
    return found


def _sources(settings: object) -> Iterable[Source]:
    for name in (name for name in dir(type(settings)) if name.endswith("_source")):
        try:
            source = getattr(settings, name)
        except Unfit:
            # One of two ways, and the other one was chosen: Slack's webhook beside its token.
            continue
        if isinstance(source, Source):
            yield source


async def reach(spot: Spot, allow_private: bool | Iterable[str], *, trust: ssl.SSLContext | None = None) -> None:
    """Connect to `spot` and part again. Raises `Unreached`."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _connect(spot, policy(allow_private), trust)
    except TimeoutError:
        raise Unreached(f"{spot}: no connection within {PATIENCE_S:g} s") from None
    except socket.gaierror:
        raise Unreached(f"{spot}: the name cannot be resolved") from None
    except ssl.SSLCertVerificationError as error:
        raise Unreached(f"{spot}: its certificate is not trusted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Unreached(f"{spot}: the TLS handshake failed: {error.reason or 'it speaks no TLS'}") from None
    except OSError as error:
        said = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "the connection broke"
        raise Unreached(f"{spot}: {said}") from None


async def _connect(spot: Spot, allowed: Policy, trust: ssl.SSLContext | None) -> None:
    refusal = allowed.refusal_of_name(spot.host)
    if refusal is not None:
        raise Unreached(refusal)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(spot.host, spot.port, type=socket.SOCK_STREAM)
    refusals = {str(where[0]): allowed.refusal(str(where[0])) for *_, where in found}
    address = next((one for one, refused in refusals.items() if refused is None), None)
    if address is None:
        raise Unreached(next((one for one in refusals.values() if one), f"{spot.host} has no address"))
    context = (trust or ssl.create_default_context()) if spot.tls else None
    # The address that was checked is the one that is used; the certificate is the name's.
    _, writer = await asyncio.open_connection(
        address, spot.port, ssl=context, server_hostname=spot.host if context else None
    )
    writer.transport.abort()


def _of_url(url: str) -> Spot:
    problem = problem_of_url(url)
    if problem is not None:
        raise Unreached(problem)
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Spot(parts.hostname or "", parts.port or (443 if tls else 80), tls)


def _of_webhook(settings: webhook.Settings) -> Iterable[Spot]:
    return (_of_url(settings.url_source.read()),)


def _of_slack(settings: slack.Settings) -> Iterable[Spot]:
    by_token = settings.token_source is not None
    return (_of_url(settings.api_url if by_token else settings.url_source.read()),)


def _of_pagerduty(settings: pagerduty.Settings) -> Iterable[Spot]:
    return (_of_url(settings.url),)


def _of_email(settings: email.Settings) -> Iterable[Spot]:
    host, _, port = settings.server.rpartition(":")
    return (Spot(host.strip("[]"), int(port), settings.tls == "tls"),)


def _of_alertmanager(settings: alertmanager.Settings) -> Iterable[Spot]:
    return [_of_url(url) for url in settings.url]


_SPOTS: Mapping[str, Callable[..., Iterable[Spot]]] = {
    "webhook": _of_webhook,
    "slack": _of_slack,
    "pagerduty": _of_pagerduty,
    "email": _of_email,
    "alertmanager": _of_alertmanager,
}
"""A row a kind of `KINDS`; a test tells which is missing."""
