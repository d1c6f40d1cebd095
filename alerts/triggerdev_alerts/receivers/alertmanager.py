"""Alertmanager by its API v2, ``POST /api/v2/alerts``: the settings, and one request to one member of a cluster.

It is told no letters: it wants to hear of every alert that fires again and again, and groups, silences and sends by
itself. What is asserted, and when, is `pushing/`'s.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.documents.model import Duration, FileName, Listed, Model, between, one_or_more
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Instant, iso
from triggerdev_alerts.receivers.addresses import problem_of_url
from triggerdev_alerts.receivers.door import Door, DoorError, Reply
from triggerdev_alerts.receivers.port import Fate
from triggerdev_alerts.receivers.secret import SecretError, Source, optional_source, scrub
from triggerdev_alerts.receivers.verdict import verdict
from triggerdev_alerts.receivers.webhook import USER_AGENT, AllowPrivate, check_headers

_PATH = "/api/v2/alerts"
_SOME_ARE_INVALID = 400
#: Too large, or not what the schema says: a part of it may be neither.
_OF_A_PART = frozenset({413, 422})


def _check_url(url: str) -> str:
    problem = problem_of_url(url)
    if problem is None and (urlsplit(url).query or urlsplit(url).fragment):
        problem = "write the address without ? and #"
    if problem is None and urlsplit(url).path.rstrip("/").endswith(_PATH):
        problem = f"write the address without {_PATH}, it is added"
    if problem is not None:
        raise Unfit("url", problem)
    return url.rstrip("/")


class Settings(Model):
    """What stands under ``alertmanager:``."""

    spoken = "an Alertmanager receiver"

    url: Annotated[
        tuple[Annotated[str, AfterValidator(_check_url)], ...],
        Field(min_length=1),
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field(
        description="The address of Alertmanager without /api/v2; of a cluster, the address of every member.",
        examples=["http://alertmanager:9093"],
    )
    username: str | None = Field(None, description="Who logs in (HTTP basic); without it nobody does.")
    password: SecretStr | None = Field(None, description="Better password_file or password_env.")
    password_file: FileName | None = Field(None, description="The file that holds the password; relative to this file.")
    password_env: str | None = Field(None, description="The environment variable that holds the password.")
    token: SecretStr | None = Field(None, description="A bearer token. Better token_file or token_env.")
    token_file: FileName | None = Field(
        None, description="The file that holds the bearer token; relative to this file."
    )
    token_env: str | None = Field(None, description="The environment variable that holds the bearer token.")
    headers: Annotated[Mapping[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict, description="Further headers of each request, like X-Scope-OrgID."
    )
    resend_delay: Annotated[Duration, between(SECOND, HOUR, format_duration)] = Field(
        MINUTE,
        description="After how long what still fires is asserted again; 1m if not written. Four times that after the "
        "last word from here, Alertmanager takes an alert for resolved.",
        examples=["1m"],
    )
    external_url: str = Field("", description="The address of our own pages, as the source of each alert.")
    allow_private: AllowPrivate = Field(
        False, description="true or networks: where an address inside the own network is meant."
    )

    @whole(mode="after")
    def _one_login(self) -> Settings:
        password, token = self.password_source, self.token_source
        if (self.username is None) != (password is None):
            raise Unfit("conflict", "username and password belong together")
        if password is not None and token is not None:
            raise Unfit("conflict", "a password and a token say the same thing; keep one of them")
        if (password or token) and any(name.lower() == "authorization" for name in self.headers):
            raise Unfit("conflict", "the header Authorization is made of the password or the token; keep one of them")
        if self.external_url and problem_of_url(self.external_url):
            raise Unfit("url", "external_url begins with https:// or http://", at="external_url")
        return self

    @property
    def password_source(self) -> Source | None:
        return optional_source("password", self.password, self.password_file, self.password_env)

    @property
    def token_source(self) -> Source | None:
        return optional_source("token", self.token, self.token_file, self.token_env)


@dataclass(frozen=True, slots=True)
class Assertion:
    """One alert as Alertmanager is told: it holds from `starts_at` to `ends_at`, which lies ahead while it fires."""

    labels: Labels
    annotations: Labels
    starts_at: Instant
    ends_at: Instant


class Taken(StrEnum):
    """How much of a request was taken."""

    ALL = "all"
    SOME = "some"
    """All but those that are invalid: it is no use to send these again."""
    NOT_SO = "not so"
    """Nothing, because of what was sent: smaller requests may show which alert it is."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Answer:
    taken: Taken
    detail: str = ""
    """In words, without secrets."""
    retry_at: Instant | None = None
    """It asked to be left alone until then."""


class Alertmanager:
    """One member."""

    def __init__(self, url: str, settings: Settings, door: Door) -> None:
        self.name = urlsplit(url).netloc
        self._url = url + _PATH
        self._settings = settings
        self._door = door

    async def post(self, assertions: Iterable[Assertion], now: Instant) -> Answer:
        """One request, within the door's timeout. Raises nothing but cancellation."""
        try:
            secret, authorization = self._login()
        except SecretError as error:
            # It may be there again in a minute: a mounted secret that is being replaced.
            return Answer(Taken.NONE, str(error))
        headers = {
            **self._settings.headers,
            **authorization,
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
        }
        try:
            answer = _read(
                await self._door.post(self._url, body(assertions, self._settings.external_url), headers), now
            )
        except DoorError as error:
            answer = Answer(Taken.NONE, error.detail)
        return replace(answer, detail=scrub(answer.detail, [secret]))

    def _login(self) -> tuple[str, Mapping[str, str]]:
        settings = self._settings
        if settings.token_source is not None:
            token = settings.token_source.read()
            return token, {"Authorization": f"Bearer {token}"}
        if settings.password_source is not None:
            password = settings.password_source.read()
            pair = b64encode(f"{settings.username}:{password}".encode()).decode()
            return password, {"Authorization": f"Basic {pair}"}
        return "", {}

    async def close(self) -> None:
        await self._door.close()


def body(assertions: Iterable[Assertion], external_url: str) -> str:
    """The request's body. Pure."""
    source = {"generatorURL": external_url} if external_url else {}
    told: Sequence[Mapping[str, object]] = [
        {
            "labels": dict(each.labels),
            "annotations": dict(each.annotations),
            "startsAt": iso(each.starts_at),
            "endsAt": iso(each.ends_at),
            **source,
        }
        for each in assertions
    ]
    # ASCII: lone surrogates of a hostile text must not break the sending.
    return json.dumps(told, ensure_ascii=True, separators=(",", ":"))


def _read(reply: Reply, now: Instant) -> Answer:
    attempt = verdict(reply, now)
    if attempt.fate is Fate.DELIVERED:
        return Answer(Taken.ALL)
    if reply.status == _SOME_ARE_INVALID:
        return Answer(Taken.SOME, attempt.detail)
    if reply.status in _OF_A_PART:
        return Answer(Taken.NOT_SO, attempt.detail)
    return Answer(Taken.NONE, attempt.detail, attempt.retry_at)
