"""The bodies of webhooks: our own format, version 1, and Alertmanager's, version 4. Pure: notification in, JSON out.

`webhook.schema.json` beside this file describes the first; https://prometheus.io/docs/alerting/latest/configuration/
#webhook_config the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.instants import Instant, iso
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification

Json = Mapping[str, "str | int | float | bool | Json | Sequence[Json] | Sequence[str] | None"]

_NEVER = "0001-01-01T00:00:00Z"
LONGEST_TEXT = 4_000
"""Characters of any one text. The rest of a message is as it was decided."""


def native(notification: Notification, max_alerts: int) -> str:
    """Our own format."""
    shown = notification.alerts[:max_alerts]
    return _dump(
        {
            "version": "1",
            "id": notification.id,
            "type": f"alert.{notification.kind.value}",
            "timestamp": iso(notification.at),
            "receiver": notification.receiver,
            "status": "firing" if notification.is_firing or notification.kind is NoticeKind.DIGEST else "resolved",
            "why": notification.why.value,
            "group": {"key": notification.group_key, "labels": dict(notification.group_labels)},
            "truncated": notification.truncated + len(notification.alerts) - len(shown),
            "missed_firing": notification.missed_firing,
            "test": notification.is_test,
            "groups": [_cut(line) for line in notification.groups],
            "alerts": [_native_alert(alert) for alert in shown],
        }
    )


def _native_alert(alert: AlertNotice) -> Json:
    return {
        "fingerprint": alert.fingerprint,
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": {name: _cut(text) for name, text in alert.annotations},
        "startsAt": iso(alert.starts_at),
        "endsAt": _optional(alert.ends_at),
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": alert.unit,
        "sample": alert.sample,
        "says": _cut(alert.says),
        "reason": alert.reason,
        "heldSince": _optional(alert.held_since or None),
        "evidence": {
            "errors": [
                {"name": error.name, "message": _cut(error.message), "count": error.count}
                for error in alert.evidence.errors
            ],
            "runs": [{"id": run.id, "url": run.url, "status": run.status} for run in alert.evidence.runs],
            "sinceVersion": alert.evidence.since_version or None,
            "notes": [_cut(note) for note in alert.evidence.notes],
        },
    }


def alertmanager(notification: Notification, max_alerts: int, external_url: str) -> str:
    """Alertmanager's webhook payload, so that what receives Alertmanager's messages receives ours."""
    shown = notification.alerts[:max_alerts]
    return _dump(
        {
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": notification.truncated + len(notification.alerts) - len(shown),
            "status": "firing" if notification.is_firing else "resolved",
            # Alertmanager quotes the name like a regular expression; so do those who compare it.
            "receiver": notification.receiver.replace(".", "\\."),
            "notification_reason": notification.why.value,
            "groupLabels": dict(notification.group_labels),
            "commonLabels": _common(alert.labels for alert in notification.alerts),
            "commonAnnotations": _common(alert.annotations for alert in notification.alerts),
            "externalURL": external_url,
            "alerts": [
                {
                    "status": alert.status,
                    "labels": dict(alert.labels),
                    "annotations": {name: _cut(text) for name, text in alert.annotations},
                    "startsAt": iso(alert.starts_at),
                    "endsAt": _optional(alert.ends_at) or _NEVER,
                    "generatorURL": external_url,
                    "fingerprint": alert.fingerprint,
                }
                for alert in shown
            ],
        }
    )


def _common(all_pairs: Iterable[Labels]) -> dict[str, str]:
    """What all have, with the same value."""
    common: dict[str, str] | None = None
    for pairs in all_pairs:
        mine = dict(pairs)
        common = mine if common is None else {k: v for k, v in common.items() if mine.get(k) == v}
    return common or {}


def _optional(instant: Instant | None) -> str | None:
    return None if instant is None else iso(instant)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _dump(body: Json) -> str:
    # ASCII: lone surrogates of a hostile text must not break the sending.
    return json.dumps(body, ensure_ascii=True, separators=(",", ":"))
