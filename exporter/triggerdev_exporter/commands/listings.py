"""What the daemon answers, as text for a terminal. Pure; whatever comes from outside is tamed."""

from __future__ import annotations

import re
from datetime import datetime

from triggerdev_alerts.documents.mistakes import nearest
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.message.characters import tame_line
from triggerdev_alerts.message.values import show_duration, show_instant
from triggerdev_alerts.rules.words import TAKEN
from triggerdev_exporter.commands.columns import columns
from triggerdev_exporter.web.alert_views import (
    AlertList,
    AlertView,
    NotificationList,
    NotificationView,
    ReceiverList,
    SilenceAnswer,
    SilenceList,
    SilenceView,
)
from triggerdev_exporter.web.task_views import WhyList, WhyView


def alerts_text(found: AlertList, state: str = "") -> str:
    """A paragraph an alert: what it is, since when, what silences it."""
    if not found.alerts:
        return f"No alert is {state or 'pending or firing'}."
    now = _instant(found.at)
    heads = columns([(alert.state, _label(alert, "severity"), _label(alert, "alertname")) for alert in found.alerts])
    lines: list[str] = []
    for head, alert in zip(heads, found.alerts, strict=True):
        lines += [head, *(f"  {line}" for line in _about(alert, now))]
    left = found.total - len(found.alerts)
    return "\n".join([*lines, *([f"… and {left:,} more"] if left else [])])


def _label(alert: AlertView, name: str) -> str:
    return tame_line(alert.labels.get(name, ""))


def _about(alert: AlertView, now: Instant) -> list[str]:
    lines = [tame_line(alert.annotations.get("summary", "")), f"since {_since(alert.since, now)}"]
    told = {name: value for name, value in alert.labels.items() if name not in ("alertname", "severity")}
    lines.append(tame_line(" ".join(f"{name}={value}" for name, value in told.items())))
    if alert.stale_since is not None:
        lines.append(f"held without news since {_since(alert.stale_since, now)}")
    if alert.silenced_by:
        lines.append(tame_line(f"silenced by {', '.join(alert.silenced_by)}"))
    return [line for line in lines if line]


def silences_text(found: SilenceList, *, with_expired: bool) -> str:
    """A line a silence, and below it who wanted it and why."""
    silences = [each for each in found.silences if with_expired or each.state != "expired"]
    if not silences:
        return "There is no silence."
    now = _instant(found.at)
    heads = columns([(each.id, each.state, _span(each, now), tame_line(each.matchers)) for each in silences])
    lines: list[str] = []
    for head, silence in zip(heads, silences, strict=True):
        lines += [head, f"  {tame_line(silence.author)}: {tame_line(silence.comment)}"]
    left = found.total - len(found.silences)
    return "\n".join([*lines, *([f"… and {left:,} more, or over"] if left > 0 else [])])


def _span(silence: SilenceView, now: Instant) -> str:
    if silence.state == "pending":
        return f"from {show_instant(_instant(silence.starts_at))} to {show_instant(_instant(silence.ends_at))}"
    end = _instant(silence.ends_at)
    left = f" ({show_duration(end - now)} left)" if silence.state == "active" else ""
    return f"until {show_instant(end)}{left}"


def silence_added(made: SilenceAnswer) -> str:
    """The id, how long, and what it fits: a matcher with a typing error fits nothing."""
    silence = made.silence
    fits = {0: "no alert that is there now", 1: "one alert that is there now"}
    lasts = format_duration(_instant(silence.ends_at) - _instant(silence.starts_at))
    hint = "" if made.fits else _likely_slip(silence.matchers)
    return (
        f"{silence.id}: {tame_line(silence.matchers)} is silenced for {lasts}, "
        f"until {show_instant(_instant(silence.ends_at))}.\n"
        f"It fits {fits.get(made.fits, f'{made.fits:,} alerts that are there now')}.{hint} "
        f"To end it earlier: triggerdev-exporter silence expire {silence.id}"
    )


_MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)([!=]~|!?=)("(?:[^"\\]|\\.)*"|\S*)')
_KNOWN = (*sorted(TAKEN), "owner")


def _likely_slip(matchers: str) -> str:
    """Why matchers that can be read may fit nothing. They fit alerts still to come too, so it is no mistake."""
    for name, sign, value in _MATCHER.findall(matchers):
        near = None if name in _KNOWN else nearest(name, _KNOWN)
        if near is not None:
            return f" Only a rule's own label is called {name}; did you mean {near}?"
        if "~" in sign and re.search(r"\.[*+]|\\|\(", value):
            return " Patterns are globs and no regular expressions: * alone is any text."
        # ``task=mail-*`` means that very name, and whoever writes it seldom does.
        if "~" not in sign and "*" in value:
            return " For a pattern write =~ instead of =."
    return ""


def notifications_text(found: NotificationList, status: str = "") -> str:
    """A line a notification, and below it why it did not arrive."""
    if not found.notifications:
        return f"No notification is {status}." if status else "There is no notification."
    now = _instant(found.at)
    heads = columns([_notification(each) for each in found.notifications])
    lines: list[str] = []
    for head, each in zip(heads, found.notifications, strict=True):
        lines.append(head)
        if each.error:
            again = f"; again in {show_duration(max(_instant(each.next_at) - now, 0))}" if each.next_at else ""
            lines.append(f"  {tame_line(each.error)}{again}")
    return "\n".join([*lines, *(["… and older ones; --limit shows more"] if found.next_cursor else [])])


def _notification(each: NotificationView) -> tuple[str, ...]:
    attempts = "1 attempt" if each.attempts == 1 else f"{each.attempts} attempts"
    when = show_instant(_instant(each.created_at))
    return each.id, each.status, tame_line(each.receiver), when, attempts, tame_line(each.title)


def receivers_text(found: ReceiverList) -> str:
    if not found.receivers:
        return "No receiver is configured."
    now = _instant(found.at)
    rows = []
    for each in found.receivers:
        since = f"since {_since(each.failing_since, now)}" if each.failing_since else ""
        until = f"until {show_instant(_instant(each.paused_until))}" if each.paused_until else ""
        waiting = f"{each.pending:,} waiting" if each.pending else ""
        dead = f"{each.given_up:,} given up in the last hour" if each.given_up else ""
        told = ", ".join(filter(None, (since, until, waiting, dead, tame_line(each.error or ""))))
        rows.append((tame_line(each.name), each.kind, each.state, told))
    return "\n".join(columns(rows))


def why_text(found: WhyList) -> str:
    """A paragraph a target: the answer, what else is to be said, and what is known."""
    now = _instant(found.at)
    return "\n\n".join("\n".join(_why_lines(each, now)) for each in found.answers)


def _why_lines(each: WhyView, now: Instant) -> list[str]:
    lines = [tame_line(f"{each.task} in {each.target}: {each.cause.leaf.replace('_', ' ')}")]
    lines.append(f"  {tame_line(each.cause.says)}")
    lines += [f"  alert: {tame_line(_alert(alert, now))}" for alert in each.alerts]
    lines += [f"  also: {tame_line(cause.says)}" for cause in each.also]
    lines += [f"  not seen: {tame_line(text)}" for text in each.unseen]
    facts = [
        f"last success {show_instant(_instant(each.last_success))}" if each.last_success else "",
        f"{each.failures_in_a_row:,} failed in a row" if each.failures_in_a_row else "",
        *(f"{one.count:,} {one.status} (oldest {_age(one.oldest, now)})" for one in each.open),
        f"queue {each.queue}" if each.queue else "",
        f"version {each.version}" if each.version else "",
    ]
    lines.append(f"  known: {tame_line(', '.join(filter(None, facts))) or 'nothing else'}")
    lines += [f"  do: {tame_line(each.cause.do)}"] if each.cause.do else []
    return lines


def _alert(alert: AlertView, now: Instant) -> str:
    """Whether somebody is told already, and by which rule."""
    is_ = {"firing": "fires", "pending": "is pending"}.get(alert.state, f"is {alert.state}")
    silenced = ", silenced" if alert.silenced_by else ""
    says = alert.annotations.get("summary") or alert.says
    return f"{_label(alert, 'alertname')} {is_} since {_since(alert.since, now)}{silenced}: {says}"


def _age(text: str, now: Instant) -> str:
    return show_duration(max(0, now - _instant(text)))


def _since(text: str, now: Instant) -> str:
    at = _instant(text)
    lasts = now - at
    return show_instant(at) + (f" ({show_duration(lasts)})" if lasts >= MINUTE else "")


def _instant(text: str) -> Instant:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
