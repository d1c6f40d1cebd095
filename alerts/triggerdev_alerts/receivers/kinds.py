"""The kinds of receivers, a row each: what a person writes under a receiver's name is one of these words.

A new kind is a file beside this one with its `Settings` and its receiver, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triggerdev_alerts.documents.model import Model
from triggerdev_alerts.receivers import alertmanager, email, pagerduty, slack, webhook
from triggerdev_alerts.receivers.port import Receiver


@dataclass(frozen=True, slots=True)
class ReceiverKind:
    """A row."""

    name: str
    settings: type[Model]
    """What a person may write under the kind's name."""
    make: Callable[..., Receiver] | None
    """(the receiver's name, its settings, the `Door`, …) → the receiver. ``None``: see `holds_state`."""

    @property
    def holds_state(self) -> bool:
        """It groups and sends by itself: no letters are written to it, its alerts are asserted (`pushing/`)."""
        return self.make is None


_ROWS: tuple[ReceiverKind, ...] = (
    ReceiverKind("webhook", webhook.Settings, webhook.Webhook),
    ReceiverKind("slack", slack.Settings, slack.Slack),
    ReceiverKind("pagerduty", pagerduty.Settings, pagerduty.PagerDuty),
    ReceiverKind("email", email.Settings, lambda name, settings, _door: email.Email(name, settings)),
    ReceiverKind("alertmanager", alertmanager.Settings, None),
)

KINDS: dict[str, ReceiverKind] = {row.name: row for row in _ROWS}
