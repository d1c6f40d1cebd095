"""The webhook: our own JSON or Alertmanager's, signed by Standard Webhooks, to any address."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import FileName, Model
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.receivers.addresses import policy, problem_of_url
from triggerdev_alerts.receivers.door import Door, DoorError
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.secret import SecretError, Source, one_source, optional_source, scrub
from triggerdev_alerts.receivers.signing import headers as signed_headers
from triggerdev_alerts.receivers.signing import parse_secrets
from triggerdev_alerts.receivers.verdict import failed, verdict
from triggerdev_alerts.receivers.webhook_body import alertmanager, native

USER_AGENT = "triggerdev-exporter"
_OURS = frozenset({"content-type", "user-agent", "content-length", "host", "transfer-encoding"})


def check_networks(value: object) -> object:
    """``allow_private``: true, false, or a list of networks. Raises `Unfit`."""
    if isinstance(value, bool):
        return value
    networks = (value,) if isinstance(value, str) else value
    try:
        policy(networks)  # type: ignore[arg-type]  # whatever it is, it is tried
    except (ValueError, TypeError):
        raise Unfit("network", f'{found(value)} is no list of networks; write true, or like ["10.1.0.0/16"]') from None
    return tuple(networks)  # type: ignore[arg-type]  # it could be iterated a moment ago


def _check_url(url: SecretStr) -> SecretStr:
    problem = problem_of_url(url.get_secret_value())
    if problem is not None:
        raise Unfit("url", problem)
    return url


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Further headers of a request, none of them one that we set. Raises `Unfit`."""
    for name, value in headers.items():
        if name.lower() in _OURS or name.lower().startswith("webhook-"):
            raise Unfit("header", f"the header {found(name)} is ours to set")
        if not name or not all(c.isalnum() or c in "-_" for c in name) or not value.isprintable():
            raise Unfit("header", f"{found(name)} is not a header that can be sent; use letters, digits and -")
    return headers


AllowPrivate = Annotated[bool | tuple[str, ...], BeforeValidator(check_networks)]
"""``true``, or networks: where an address inside the own network is meant."""
Url = Annotated[SecretStr, AfterValidator(_check_url)]
"""An address that is itself a secret."""


class Settings(Model):
    """What stands under ``webhook:``."""

    spoken = "a webhook"

    url: Url | None = Field(None, description="Where to post. It is a credential: better url_file or url_env.")
    url_file: FileName | None = Field(None, description="The file that holds the address; relative to this file.")
    url_env: str | None = Field(None, description="The environment variable that holds the address.")
    secret: SecretStr | None = Field(
        None, description="The signing secret (whsec_…). Better secret_file or secret_env."
    )
    secret_file: FileName | None = Field(
        None, description="The file that holds the signing secret (whsec_…); two of them while it is changed."
    )
    secret_env: str | None = Field(None, description="The environment variable that holds the signing secret.")
    format: Literal["native", "alertmanager"] = Field(
        "native", description="Our own JSON, or the payload that Alertmanager sends (version 4)."
    )
    headers: Annotated[Mapping[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict, description="Further headers of each request."
    )
    max_alerts: int = Field(100, ge=1, le=1_000, description="How many alerts one message lists.")
    external_url: str = Field("", description="Alertmanager's format: the address of our own pages.")
    allow_private: AllowPrivate = Field(
        False, description="true or networks: where an address inside the own network is meant."
    )

    @whole(mode="after")
    def _one_of_each(self) -> Settings:
        one_source("url", self.url, self.url_file, self.url_env)
        optional_source("secret", self.secret, self.secret_file, self.secret_env)
        if self.secret is not None:
            try:
                parse_secrets(self.secret.get_secret_value())
            except ValueError as error:
                raise Unfit("secret", str(error)) from None
        return self

    @property
    def url_source(self) -> Source:
        return one_source("url", self.url, self.url_file, self.url_env)

    @property
    def secret_source(self) -> Source | None:
        return optional_source("secret", self.secret, self.secret_file, self.secret_env)


class Webhook:
    """See `port.Receiver`."""

    kind = "webhook"
    opens_incidents = False
    edits = False
    rate: tuple[float, int] | None = None

    def __init__(self, name: str, settings: Settings, door: Door) -> None:
        self.name = name
        self._settings = settings
        self._door = door

    def render(self, notification: Notification) -> str:
        settings = self._settings
        if settings.format == "alertmanager":
            return alertmanager(notification, settings.max_alerts, settings.external_url)
        return native(notification, settings.max_alerts)

    async def send(self, envelope: Envelope) -> Attempt:
        secrets: list[str] = []
        try:
            url = self._settings.url_source.read()
            secrets.append(url)
            keys: tuple[bytes, ...] = ()
            if self._settings.secret_source is not None:
                written = self._settings.secret_source.read()
                secrets += written.split()
                keys = parse_secrets(written)
        except (SecretError, ValueError) as error:
            # It may be there again in a minute: a mounted secret that is being replaced.
            return Attempt(Fate.FAILED, str(error))
        headers = {
            **self._settings.headers,
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            **signed_headers(keys, envelope.id, envelope.at, envelope.body),
        }
        try:
            attempt = verdict(await self._door.post(url, envelope.body, headers), envelope.at)
        except DoorError as error:
            attempt = failed(error)
        return dataclasses.replace(attempt, detail=scrub(attempt.detail, secrets))

    async def close(self) -> None:
        await self._door.close()
