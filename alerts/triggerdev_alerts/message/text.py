"""A notification as plain text: for logs, e-mail, and where a receiver's own form is refused. Pure.

Also the sentences that all receivers share: the title, what the kind of the message means, how an alert ended, and
the line that silences it. Nothing here is escaped for anybody; everything is free of control characters.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.message.characters import cut, tame, tame_line
from triggerdev_alerts.message.values import show_duration, show_instant
from triggerdev_alerts.message.words import HELD, reason_in_words
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why
from triggerdev_alerts.rules.model import SEVERITIES
from triggerdev_alerts.signals import ErrorCount

LISTED = 10
"""How many alerts are listed; the rest is a number."""
_SHOWN_ERRORS, _SHOWN_RUNS = 5, 5
_LONGEST_LINE, _LONGEST_DESCRIPTION = 500, 1_500


def title(notification: Notification) -> str:
    """Status, counts, severity and what it is about: ``[FIRING 3, critical] TaskFailureRateHigh in shop-prod``."""
    words = ["TEST"] if notification.is_test else []
    firing, resolved = counts(notification)
    match notification.kind:
        case NoticeKind.DIGEST:
            words.append("DIGEST")
        case NoticeKind.FLAPPING:
            words.append("FLAPPING")
        case NoticeKind.RESOLVED:
            words.append(f"RESOLVED {resolved}" if resolved > 1 else "RESOLVED")
        case NoticeKind.FIRING:
            words.append(f"FIRING {firing}" if firing > 1 else "FIRING")
            words += [f"RESOLVED {resolved}"] if resolved else []
    severity = worst_severity(notification)
    words += [severity] if severity else []
    return tame_line(f"[{', '.join(words)}] {about(notification)}")


def counts(notification: Notification) -> tuple[int, int]:
    """(firing, resolved). Those that were truncated are as most are: firing, unless the whole message is resolved."""
    firing = sum(alert.status == "firing" for alert in notification.alerts)
    resolved = len(notification.alerts) - firing
    if notification.kind is NoticeKind.RESOLVED:
        return firing, resolved + notification.truncated
    return firing + notification.truncated, resolved


def about(notification: Notification) -> str:
    """The group in words: ``TaskFailureRateHigh in shop-prod, owner payments``."""
    if notification.kind is NoticeKind.DIGEST:
        return f"{len(notification.groups):,} messages in one"
    labels = {"alertname": common_label(notification, "alertname"), "target": common_label(notification, "target")}
    labels |= dict(notification.group_labels)
    name = labels.pop("alertname") or "several alerts"
    target = labels.pop("target")
    labels.pop("severity", None)
    told = [f"{name} in {target}" if target else name, *(f"{key} {value}" for key, value in labels.items() if value)]
    return tame_line(", ".join(told))


def common_label(notification: Notification, name: str) -> str:
    """Its value where all alerts have the same; else empty."""
    values = {alert.label(name) for alert in notification.alerts}
    return values.pop() if len(values) == 1 else ""


def worst_severity(notification: Notification) -> str:
    """The worst one that still fires; empty where nothing does."""
    firing = {alert.label("severity") for alert in notification.alerts if alert.status == "firing"}
    return next((severity for severity in SEVERITIES if severity in firing), "")


def remarks(notification: Notification) -> list[str]:
    """What the reader must know about this message as a whole, in sentences."""
    told = []
    if notification.is_test:
        told.append("This is a test: nothing is wrong.")
    match notification.kind:
        case NoticeKind.FLAPPING:
            times = f" {notification.changes} times" if notification.changes else ""
            told.append(f"It changed between firing and resolved{times}. Nothing more is sent until it is stable.")
        case NoticeKind.DIGEST:
            told.append("There were more messages than this receiver may get in ten minutes. Instead of them:")
    if notification.missed_firing:
        told.append("It fired and resolved while this receiver could not be reached: nobody was told that it fired.")
    match notification.why:
        case Why.REPEAT:
            told.append("Still firing: this is a reminder.")
        case Why.MUTE_ENDED:
            told.append("It began while this was muted, and still fires.")
    return told


def spoken(alert: AlertNotice) -> tuple[str, str]:
    """Its summary, and value against threshold if the summary does not say that already. Each one line."""
    summary = tame_line(dict(alert.annotations).get("summary", "") or alert.label("alertname"))
    if alert.status == "resolved":
        return summary, ""
    says, held, why = tame_line(alert.says).partition(HELD)
    told = says.removesuffix("; ")
    sentence = told.split(" (", 1)[0]
    if sentence and summary.endswith(sentence):
        return summary + told.removeprefix(sentence), held + why
    return summary, says + held + why


def since(alert: AlertNotice, at: Instant) -> str:
    """When it began, and for how long: ``since 2026-11-24 12:02 UTC (18 min)``."""
    lasts = at - alert.starts_at
    return f"since {show_instant(alert.starts_at)}" + (f" ({show_duration(lasts)})" if lasts >= MINUTE else "")


def ending(alert: AlertNotice) -> str:
    """How a resolved alert ended: ``resolved after 19 min: the condition is no longer true``."""
    lasted = max((alert.ends_at or alert.starts_at) - alert.starts_at, 0)
    return tame_line(f"resolved after {show_duration(lasted)}: {reason_in_words(alert.reason)}")


def error_line(error: ErrorCount) -> str:
    """``14 × SmtpError: 550 mailbox full``."""
    return cut(tame_line(f"{error.count:,} × {': '.join(filter(None, (error.name, error.message)))}"), _LONGEST_LINE)


def silence_line(notification: Notification) -> str:
    """The command that silences the group for two hours, to copy; empty where nothing tells the group apart."""
    if notification.kind is NoticeKind.DIGEST:
        return ""
    labels = dict(notification.group_labels)
    if len(notification.alerts) == 1 and not notification.truncated:
        # The others tell it apart already, and it stays silenced if its owner or severity is changed.
        labels = {name: value for name, value in notification.alerts[0].labels if name not in ("severity", "owner")}
    labels = {name: value for name, value in labels.items() if value}
    told = notification.is_firing or notification.kind is NoticeKind.FLAPPING
    if not told or not labels or notification.is_test:
        return ""
    if any(tame_line(value) != value for value in labels.values()):
        # It could not be copied as it is, and a line without it would silence more than this.
        return ""
    matchers = [f"{name}={value}" for name, value in labels.items()]
    return shlex.join(["triggerdev-exporter", "silence", "add", *matchers, "--for", "2h"])


def brief(notification: Notification, listed: int = LISTED) -> str:
    """The title and a line an alert: what a phone shows."""
    lines = [title(notification)]
    lines += (cut(tame_line(line), _LONGEST_LINE) for line in notification.groups[:listed])
    for alert in notification.alerts[:listed]:
        lines.append(cut(_marked(alert, spoken(alert)[0]), _LONGEST_LINE))
    return "\n".join([*lines, *_more(notification, listed)])


def full(notification: Notification, listed: int = LISTED) -> str:
    """Everything, in lines."""
    lines = [title(notification), *remarks(notification)]
    lines += (f"- {cut(tame_line(line), _LONGEST_LINE)}" for line in notification.groups[:listed])
    for alert in notification.alerts[:listed]:
        first, *others = _alert_lines(alert, notification.at)
        lines += ["", f"- {first}", *(f"  {line}" for line in others)]
    lines += _more(notification, listed)
    silence = silence_line(notification)
    lines += ["", f"silence: {silence}"] if silence else []
    return "\n".join([*lines, "", tame_line(notification.id), ""])


def more(notification: Notification, listed: int) -> int:
    """How many alerts (of a digest: groups) are not listed."""
    things = notification.groups if notification.kind is NoticeKind.DIGEST else notification.alerts
    return notification.truncated + max(len(things) - listed, 0)


def _more(notification: Notification, listed: int) -> list[str]:
    left = more(notification, listed)
    return [f"… and {left:,} more"] if left else []


def _marked(alert: AlertNotice, line: str) -> str:
    return f"resolved: {line}" if alert.status == "resolved" else line


def _alert_lines(alert: AlertNotice, at: Instant) -> Iterator[str]:
    summary, says = spoken(alert)
    yield cut(_marked(alert, summary), _LONGEST_LINE)
    if says:
        yield cut(says, _LONGEST_LINE)
    yield ending(alert) if alert.status == "resolved" else since(alert, at)
    labels = dict(alert.labels)
    told = [labels.pop("severity", ""), f"target {labels.pop('target')}" if labels.get("target") else ""]
    told += [f"{name} {value}" for name, value in labels.items() if name != "alertname"]
    yield cut(tame_line(", ".join(filter(None, told))), _LONGEST_LINE)
    if alert.status == "resolved":
        return
    annotations = dict(alert.annotations)
    for line in cut(tame(annotations.get("description", "")), _LONGEST_DESCRIPTION).splitlines():
        yield line.rstrip()
    evidence = alert.evidence
    if evidence.since_version:
        yield tame_line(f"began with version {evidence.since_version}")
    for note in evidence.notes:
        yield cut(tame_line(note), _LONGEST_LINE)
    for error in evidence.errors[:_SHOWN_ERRORS]:
        yield error_line(error)
    for run in evidence.runs[:_SHOWN_RUNS]:
        yield tame_line(f"run {run.id} {run.status} {run.url}")
    for name in annotations:
        if name not in ("summary", "description") and annotations[name]:
            yield cut(tame_line(f"{name}: {annotations[name]}"), _LONGEST_LINE)
