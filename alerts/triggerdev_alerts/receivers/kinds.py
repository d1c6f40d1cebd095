"""The kinds of receivers, a row each: what a person writes under a receiver's name is one of these words.

A new kind is a file beside this one with its `Settings` and its receiver, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triggerdev_alerts.documents.model import Model
from triggerdev_alerts.receivers import email, pagerduty, slack, webhook
from triggerdev_alerts.receivers.port import Receiver


@dataclass(frozen=True, slots=True)
class ReceiverKind:
    """A row."""

    name: str
    settings: type[Model]
    """What a person may write under the kind's name."""
    make: Callable[..., Receiver]
    """(the receiver's name, its settings, the `Door`, …) → the receiver."""


_ROWS: tuple[ReceiverKind, ...] = (
    ReceiverKind("webhook", webhook.Settings, webhook.Webhook),
    ReceiverKind("slack", slack.Settings, slack.Slack),
    ReceiverKind("pagerduty", pagerduty.Settings, pagerduty.PagerDuty),
    ReceiverKind("email", email.Settings, lambda name, settings, _door: email.Email(name, settings)),
)

KINDS: dict[str, ReceiverKind] = {row.name: row for row in _ROWS}
