"""Slack, by an incoming webhook or by a bot token; with a token a group's message is edited, or continued in a thread.

A webhook needs nothing but its address, and every message is a new one. What a message looks like is `slack_blocks.py`,
what the answers mean `slack_answers.py`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import FileName, Model, OneOf
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.receivers.addresses import problem_of_url
from triggerdev_alerts.receivers.door import Door, DoorError
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.secret import SecretError, Source, one_source, optional_source, scrub
from triggerdev_alerts.receivers.slack_answers import BAD_FORM, LOST_MESSAGE, Answer, of_api, of_hook
from triggerdev_alerts.receivers.slack_blocks import MOST_LISTED, has_blocks, payload, plain_payload
from triggerdev_alerts.receivers.slack_updates import ANEW, OVER, Handle, continues
from triggerdev_alerts.receivers.verdict import failed
from triggerdev_alerts.receivers.webhook import USER_AGENT, AllowPrivate, Url
from triggerdev_alerts.rules.model import SEVERITIES

API = "https://slack.com/api"
_EVENT = "triggerdev_alert"
_GROUPS = ("here", "channel", "everyone")
_MENTION = re.compile(
    r"(?:<@|@)?(?P<user>[UW][A-Z0-9]{2,30})>?|(?:<!subteam\^|@)?(?P<team>S[A-Z0-9]{2,30})>?", re.ASCII
)
_MOST_DOUBTS = 1_000
_SKEW_S = 600
"""How far our clock may be ahead of Slack's when a message is looked for by its time."""


def _check_mention(written: str) -> str:
    """``here``, ``U012AB3CD`` or ``S012AB3CD`` as Slack's markup. Nothing else can ping anybody. Raises `Unfit`."""
    word = written.strip("<!@>")
    if word in _GROUPS:
        return f"<!{word}>"
    match = _MENTION.fullmatch(written)
    if match is None:
        raise Unfit(
            "mention", f"{found(written)} mentions nobody; write here, channel, or the id of a user (U…) or group (S…)"
        )
    return f"<@{match['user']}>" if match["user"] else f"<!subteam^{match['team']}>"


def _check_channel(channel: str) -> str:
    if not re.fullmatch(r"#?[^\s#<>@]{1,80}", channel):
        raise Unfit("channel", f"{found(channel)} is not a channel; write its id, like C0123456789")
    return channel


def _check_api(url: str) -> str:
    problem = problem_of_url(url)
    if problem is not None:
        raise Unfit("url", problem)
    return url.rstrip("/")


_Severity = Annotated[str, OneOf("a severity", SEVERITIES)]


class Settings(Model):
    """What stands under ``slack:``."""

    spoken = "a Slack receiver"

    url: Url | None = Field(
        None, description="An incoming webhook's address. It is a credential: better url_file or url_env."
    )
    url_file: FileName | None = Field(None, description="The file that holds the address; relative to this file.")
    url_env: str | None = Field(None, description="The environment variable that holds the address.")
    bot_token: SecretStr | None = Field(
        None, description="A bot token (xoxb-…) with the scope chat:write. Better bot_token_file or bot_token_env."
    )
    bot_token_file: FileName | None = Field(None, description="The file that holds the bot token.")
    bot_token_env: str | None = Field(None, description="The environment variable that holds the bot token.")
    channel: Annotated[str, AfterValidator(_check_channel)] | None = Field(
        None, description="With a bot token: the channel's id, like C0123456789. A webhook has its own."
    )
    on_update: Literal["edit", "thread", "new"] | None = Field(
        None,
        description="What a change of a group becomes: its message edited, an answer in its thread, or a new message. "
        "Default: edit with a bot token, new with a webhook, which can do nothing else.",
    )
    mention: Mapping[_Severity, Annotated[str, AfterValidator(_check_mention)]] = Field(
        default_factory=dict,
        description="Whom to ping, by severity: here, channel, or the id of a user (U…) or of a user group (S…).",
    )
    max_alerts: int = Field(10, ge=1, le=MOST_LISTED, description="How many alerts one message lists.")
    api_url: Annotated[str, AfterValidator(_check_api)] = Field(API, description="Where the Web API answers.")
    allow_private: AllowPrivate = Field(
        False, description="true or networks: where a server like Slack's inside the own network is meant."
    )

    @whole(mode="after")
    def _one_way(self) -> Settings:
        url = optional_source("url", self.url, self.url_file, self.url_env)
        token = self.token_source
        if url is not None and token is not None:
            raise Unfit("conflict", "a webhook's url and a bot token are two ways to the same place; keep one of them")
        if url is None and token is None:
            raise Unfit("required", "one of url_file, url_env, bot_token_file and bot_token_env is required")
        if token is not None and self.channel is None:
            raise Unfit("required", "a bot token needs a channel")
        if url is not None and self.channel is not None:
            raise Unfit("conflict", "a webhook has its own channel; remove channel, or use a bot token")
        if url is not None and self.on_update not in (None, "new"):
            raise Unfit("conflict", f"a webhook cannot {self.on_update} what it sent; use a bot token for that")
        return self

    @property
    def url_source(self) -> Source:
        return one_source("url", self.url, self.url_file, self.url_env)

    @property
    def token_source(self) -> Source | None:
        """``None``: it is a webhook."""
        return optional_source("bot_token", self.bot_token, self.bot_token_file, self.bot_token_env)

    @property
    def updates(self) -> str:
        """``edit``, ``thread`` or ``new``."""
        return self.on_update or ("new" if self.token_source is None else "edit")


class Slack:
    """See `port.Receiver`."""

    kind = "slack"
    opens_incidents = False
    rate: tuple[float, int] | None = (1.0, 5)  # a channel takes one message a second, and forgives short bursts

    def __init__(self, name: str, settings: Settings, door: Door) -> None:
        self.name = name
        self.edits = settings.updates == "edit"
        self._settings = settings
        self._door = door
        # Letters whose last attempt certainly did not arrive: these need not be looked for. In order of time.
        self._certain: dict[str, None] = {}

    def render(self, notification: Notification) -> str:
        """See `port.Receiver.render`. The channel is not in it: the message can go out after it was changed."""
        return payload(notification, listed=self._settings.max_alerts, mentions=self._settings.mention)

    async def send(self, envelope: Envelope) -> Attempt:
        """See `port.Receiver.send`. Editing where the message is gone takes a second request, for a new one."""
        source = self._settings.token_source
        try:
            secret = (source or self._settings.url_source).read()
        except SecretError as error:
            # It may be there again in a minute: a mounted secret that is being replaced.
            return Attempt(Fate.FAILED, str(error))
        try:
            attempt = await (self._by_hook(secret, envelope) if source is None else self._by_token(secret, envelope))
        except DoorError as error:
            attempt = failed(error)
        self._remember(envelope.id, attempt.fate)
        return dataclasses.replace(attempt, detail=scrub(attempt.detail, [secret])[:512])

    async def close(self) -> None:
        await self._door.close()

    async def _by_hook(self, url: str, envelope: Envelope) -> Attempt:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        return self._degraded(of_hook(await self._door.post(url, envelope.body, headers), envelope.at), envelope)

    async def _by_token(self, token: str, envelope: Envelope) -> Attempt:
        earlier = continues(envelope.notification, envelope.handle, updates=self._settings.updates)
        if earlier is not None and self._settings.updates == "edit":
            where = {"channel": earlier.channel, "ts": earlier.ts}
            # What an update does not mention stays: a plain text must take the old blocks away.
            nothing: dict[str, object] = {} if has_blocks(envelope.body) else {"blocks": [], "attachments": []}
            answer = await self._call(token, "chat.update", envelope, {**nothing, **where})
            if answer.error not in LOST_MESSAGE:
                return self._delivered(answer, envelope, earlier)
            earlier = None
        if envelope.attempt > 1 and envelope.id not in self._certain:
            # An attempt before this one may have arrived. An edit can be repeated, a post would be seen twice.
            known = await self._find(token, envelope, earlier)
            if known is not None:
                return Attempt(Fate.DELIVERED, handle=str(self._kept(known, envelope.notification)))
        if earlier is not None:
            fields: dict[str, object] = {"channel": earlier.channel, "thread_ts": earlier.ts}
            fields["reply_broadcast"] = envelope.notification.why in ANEW
            answer = await self._post(token, envelope, fields)
            if answer.error not in LOST_MESSAGE:
                return self._delivered(answer, envelope, earlier)
        return self._delivered(await self._post(token, envelope, {"channel": self._settings.channel}), envelope, None)

    async def _post(self, token: str, envelope: Envelope, fields: Mapping[str, object]) -> Answer:
        metadata = {"event_type": _EVENT, "event_payload": {"id": envelope.id}}
        more = {"metadata": metadata} if has_blocks(envelope.body) else {}
        return await self._call(token, "chat.postMessage", envelope, {**fields, **more})

    async def _call(self, token: str, method: str, envelope: Envelope, fields: Mapping[str, object]) -> Answer:
        body = json.dumps({**json.loads(envelope.body), "link_names": False, **fields}, separators=(",", ":"))
        headers = _headers(token, "application/json; charset=utf-8")
        return of_api(await self._door.post(f"{self._settings.api_url}/{method}", body, headers), envelope.at)

    async def _find(self, token: str, envelope: Envelope, thread: Handle | None) -> Handle | None:
        """Our letter among what was posted since it was decided, if the token may look; else ``None``."""
        asked = {
            "channel": self._settings.channel if thread is None else thread.channel,
            "oldest": f"{envelope.notification.at // 1000 - _SKEW_S}",
            "include_all_metadata": "true",
            "limit": "100",
        }
        method = "conversations.history"
        if thread is not None:
            method, asked["ts"] = "conversations.replies", thread.ts
        headers = _headers(token, "application/x-www-form-urlencoded")
        try:
            reply = await self._door.post(f"{self._settings.api_url}/{method}", urlencode(asked), headers)
        except DoorError:
            # Only a look: whether the message can be sent is found out by sending it.
            return None
        ts = _posted(reply.text, envelope.id)
        return None if ts is None else thread or Handle(str(asked["channel"]), ts)

    def _delivered(self, answer: Answer, envelope: Envelope, earlier: Handle | None) -> Attempt:
        if answer.attempt.fate is not Fate.DELIVERED:
            return self._degraded(answer, envelope)
        message = earlier or (Handle(answer.channel, answer.ts) if answer.channel and answer.ts else None)
        handle = "" if message is None else str(self._kept(message, envelope.notification))
        return dataclasses.replace(answer.attempt, handle=handle)

    def _kept(self, message: Handle, notification: Notification) -> Handle:
        return dataclasses.replace(message, is_over=notification.kind in OVER)

    def _degraded(self, answer: Answer, envelope: Envelope) -> Attempt:
        """With a plain text to try instead, where Slack does not like the form of the message."""
        if answer.attempt.fate is not Fate.REFUSED or answer.error not in BAD_FORM or not has_blocks(envelope.body):
            return answer.attempt
        settings = self._settings
        plain = plain_payload(envelope.notification, listed=settings.max_alerts, mentions=settings.mention)
        return dataclasses.replace(answer.attempt, body=plain)

    def _remember(self, letter: str, fate: Fate) -> None:
        self._certain.pop(letter, None)
        if fate in (Fate.FAILED, Fate.THROTTLED, Fate.REFUSED):
            self._certain[letter] = None
        while len(self._certain) > _MOST_DOUBTS:
            del self._certain[next(iter(self._certain))]


def _headers(token: str, content_type: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": content_type, "User-Agent": USER_AGENT}


def _posted(text: str, letter: str) -> str | None:
    """The time of the message in a channel's history that carries the id of `letter`."""
    try:
        messages = json.loads(text).get("messages") or ()
        for message in messages:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == _EVENT and metadata.get("event_payload", {}).get("id") == letter:
                return str(message["ts"])
    except (ValueError, TypeError, AttributeError, KeyError):
        return None
    return None
