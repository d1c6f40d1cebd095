"""PagerDuty by its Events API v2: one incident a group, opened, updated and resolved under one key.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

from pydantic import Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.documents.model import FileName, Model
from triggerdev_alerts.instants import iso
from triggerdev_alerts.message.characters import cut
from triggerdev_alerts.message.text import full, spoken, title, worst_severity
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification
from triggerdev_alerts.receivers.addresses import problem_of_url
from triggerdev_alerts.receivers.door import Door, DoorError
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.secret import SecretError, Source, one_source, scrub
from triggerdev_alerts.receivers.verdict import failed, verdict
from triggerdev_alerts.receivers.webhook import USER_AGENT, AllowPrivate

EVENTS = "https://events.pagerduty.com/v2/enqueue"
LONGEST_SUMMARY, LONGEST_KEY, LARGEST_EVENT = 1_024, 255, 512_000
_LONGEST_DETAIL = 20_000


class Settings(Model):
    """What stands under ``pagerduty:``."""

    spoken = "a PagerDuty receiver"

    routing_key: SecretStr | None = Field(
        None, description="The integration key of a service. Better routing_key_file or routing_key_env."
    )
    routing_key_file: FileName | None = Field(
        None, description="The file that holds the integration key; relative to this file."
    )
    routing_key_env: str | None = Field(None, description="The environment variable that holds the integration key.")
    url: str = Field(
        EVENTS, description="Where events are posted; the EU has https://events.eu.pagerduty.com/v2/enqueue."
    )
    allow_private: AllowPrivate = Field(
        False, description="true or networks: where an address inside the own network is meant."
    )

    @whole(mode="after")
    def _one_key(self) -> Settings:
        one_source("routing_key", self.routing_key, self.routing_key_file, self.routing_key_env)
        problem = problem_of_url(self.url)
        if problem is not None:
            raise Unfit("url", problem)
        return self

    @property
    def key_source(self) -> Source:
        return one_source("routing_key", self.routing_key, self.routing_key_file, self.routing_key_env)


class PagerDuty:
    """See `port.Receiver`."""

    kind = "pagerduty"
    opens_incidents = True
    edits = False
    rate: tuple[float, int] | None = None

    def __init__(self, name: str, settings: Settings, door: Door) -> None:
        self.name = name
        self._settings = settings
        self._door = door

    def render(self, notification: Notification) -> str:
        """The event without the routing key: a stored letter holds no secret."""
        return event(notification)

    async def send(self, envelope: Envelope) -> Attempt:
        try:
            key = self._settings.key_source.read()
        except SecretError as error:
            return Attempt(Fate.FAILED, str(error))
        body = json.dumps({"routing_key": key, **json.loads(envelope.body)}, separators=(",", ":"))
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        try:
            attempt = verdict(await self._door.post(self._settings.url, body, headers), envelope.at)
        except DoorError as error:
            attempt = failed(error)
        return dataclasses.replace(attempt, detail=scrub(attempt.detail, [key]))

    async def close(self) -> None:
        await self._door.close()


def event(notification: Notification) -> str:
    """The body of one event. The key is the group's, so that sending it twice changes nothing."""
    action = "resolve" if notification.kind is NoticeKind.RESOLVED else "trigger"
    body: dict[str, object] = {"event_action": action, "dedup_key": dedup_key(notification)}
    if action == "trigger":
        body |= {
            "client": USER_AGENT,
            "links": _links(notification.alerts),
            "payload": {
                "summary": cut(_summary(notification), LONGEST_SUMMARY),
                "source": dict(notification.group_labels).get("target") or _first(notification, "target") or USER_AGENT,
                "severity": worst_severity(notification) or "warning",
                "timestamp": iso(notification.at),
                "component": _first(notification, "task") or _first(notification, "queue"),
                "group": cut(notification.group_key, LONGEST_KEY),
                "class": _first(notification, "alertname"),
                "custom_details": {"message": cut(full(notification), _LONGEST_DETAIL)},
            },
        }
    text = json.dumps(body, separators=(",", ":"))
    if len(text) > LARGEST_EVENT and isinstance(payload := body.get("payload"), dict):
        del payload["custom_details"]
        text = json.dumps(body, separators=(",", ":"))
    return text


def dedup_key(notification: Notification) -> str:
    """The incident that an event belongs to. A digest is one of its own: nothing resolves it."""
    subject = notification.id if notification.kind is NoticeKind.DIGEST else notification.group_key
    return hashlib.sha256(f"{notification.receiver}\x00{subject}".encode("utf-8", "surrogatepass")).hexdigest()


def _summary(notification: Notification) -> str:
    if len(notification.alerts) == 1:
        return f"{title(notification)}: {spoken(notification.alerts[0])[0]}"
    return title(notification)


def _first(notification: Notification, label: str) -> str:
    return next((alert.label(label) for alert in notification.alerts if alert.label(label)), "")


def _links(alerts: Sequence[AlertNotice]) -> list[dict[str, str]]:
    links: dict[str, str] = {}
    for alert in alerts[:10]:
        annotations = dict(alert.annotations)
        for name in ("runbook", "dashboard"):
            if annotations.get(name, "").startswith("http"):
                links.setdefault(annotations[name], name)
        for run in alert.evidence.runs[:3]:
            if run.url:
                links.setdefault(run.url, f"{run.id} {run.status}".strip())
    return [{"href": href, "text": text} for href, text in links.items()][:20]
