"""The ceiling of a receiver: so many messages in ten minutes, and the rest together in one digest. Nothing is dropped.

The digest goes out as soon as the window has room, before anything newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from triggerdev_alerts.book import Collapsed, Draft, Kind, ReceiverEntry
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why, notification_id
from triggerdev_alerts.rules.model import SEVERITIES
from triggerdev_alerts.signals import Evidence

WINDOW = 10 * MINUTE
MOST_LINES = 100
"""Groups that a digest names; of the others it says how many there are."""
LONGEST_LINE = 300


def admit(draft: Draft, ceiling: int, said: Sequence[Notification], now: Instant) -> list[Notification]:
    """What may be sent of `said`, the most severe first, and the digests whose time has come. 0 is no ceiling."""
    by_receiver: dict[str, list[Notification]] = {}
    for notification in said:
        by_receiver.setdefault(notification.receiver, []).append(notification)
    entries = draft.all(Kind.RECEIVER, ReceiverEntry)
    waiting = (name for name, entry in entries.items() if entry.collapsed)
    admitted: list[Notification] = []
    for name in sorted({*by_receiver, *waiting}):
        entry = entries.get(name, ReceiverEntry())
        entry, passed = _admit_to(name, entry, ceiling, sorted(by_receiver.get(name, ()), key=_rank), now)
        draft.put(Kind.RECEIVER, name, entry)
        admitted += passed
    return admitted


def _admit_to(
    name: str, entry: ReceiverEntry, ceiling: int, said: Sequence[Notification], now: Instant
) -> tuple[ReceiverEntry, list[Notification]]:
    sent = [instant for instant in entry.sent if now - WINDOW < instant <= now]
    collapsed = {each.group_key: each for each in entry.collapsed}
    passed: list[Notification] = []
    if collapsed and _has_room(len(sent), ceiling):
        passed.append(_digest(name, tuple(collapsed.values()), now))
        collapsed = {}
    for notification in said:
        if _has_room(len(sent) + len(passed), ceiling):
            passed.append(notification)
        else:
            # Beyond what a digest shows, a number is enough: a flood must not grow what is stored.
            known = collapsed.get(notification.group_key)
            is_shown = len(collapsed) < MOST_LINES if known is None else bool(known.line)
            collapsed[notification.group_key] = _collapse(notification, is_shown=is_shown)
    sent += [now] * len(passed)
    return replace(entry, sent=tuple(sent), collapsed=tuple(collapsed.values())), passed


def _has_room(sent: int, ceiling: int) -> bool:
    return ceiling <= 0 or sent < ceiling


def digest_at(entry: ReceiverEntry, ceiling: int) -> Instant | None:
    """When the receiver has room for its digest; ``None`` if none waits."""
    if not entry.collapsed:
        return None
    if ceiling <= 0 or len(entry.sent) < ceiling:
        return 0
    return sorted(entry.sent)[-ceiling] + WINDOW


def _rank(notification: Notification) -> tuple[int, str, int]:
    """The most severe first: when room is short, a page goes before a warning."""
    known = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    ranks = (known.get(alert.label("severity"), len(known)) for alert in notification.alerts)
    return min(ranks, default=len(known)), notification.group_key, notification.seq


def _collapse(notification: Notification, *, is_shown: bool) -> Collapsed:
    count = len(notification.alerts) + notification.truncated
    if not is_shown:
        return Collapsed(group_key=notification.group_key, line="", alerts=count)
    alert = replace(notification.alerts[0], evidence=Evidence()) if notification.alerts else None
    return Collapsed(group_key=notification.group_key, line=_line(notification), alert=alert, alerts=count)


def _line(notification: Notification) -> str:
    """``alertname=QueueStalled target=shop: firing, 3 alerts (new alerts added): what the first one says``."""
    labels = " ".join(f"{name}={value}" for name, value in notification.group_labels)
    count = len(notification.alerts) + notification.truncated
    text = f"{labels or notification.group_key}: {notification.kind}, {count} alert{'' if count == 1 else 's'}"
    if str(notification.why) != str(notification.kind):
        text += f" ({notification.why})"
    if notification.alerts:
        summary = dict(notification.alerts[0].annotations).get("summary", "")
        text += f": {summary}" if summary else ""
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1] + "…"


def _digest(receiver: str, collapsed: Sequence[Collapsed], now: Instant) -> Notification:
    key = f"{receiver}/digest"
    lines = [each.line for each in collapsed[:MOST_LINES]]
    if len(collapsed) > MOST_LINES:
        lines.append(f"and {len(collapsed) - MOST_LINES} more groups")
    alerts = _in_order(each.alert for each in collapsed[:MOST_LINES] if each.alert is not None)
    return Notification(
        id=notification_id(receiver, key, now),
        receiver=receiver,
        group_key=key,
        group_labels=(),
        # One receiver has one digest an instant, and later ones have greater numbers.
        seq=now,
        kind=NoticeKind.DIGEST,
        why=Why.DIGEST,
        at=now,
        alerts=alerts,
        truncated=sum(each.alerts for each in collapsed) - len(alerts),
        groups=tuple(lines),
    )


def _in_order(alerts: Iterable[AlertNotice]) -> tuple[AlertNotice, ...]:
    return tuple(sorted(alerts, key=lambda alert: (alert.status != "firing", alert.labels, alert.fingerprint)))
