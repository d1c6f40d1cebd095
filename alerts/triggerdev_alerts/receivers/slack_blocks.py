"""A notification as Slack's Block Kit, within Slack's limits whatever the data is. Pure: notification in, JSON out.

Limits that hold here: 45 blocks (Slack: 50), 2,900 characters a section after escaping (3,000), 10,000 in all blocks
(undocumented, seen at 13,200), and a ``text`` that says the same to phones and screen readers. Where there is no room,
details go first, and the number of alerts that are not listed is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.message import text
from triggerdev_alerts.message.characters import size
from triggerdev_alerts.message.values import show_duration
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why
from triggerdev_alerts.receivers.slack_text import date, escape, fence, lines, link, mrkdwn, plain, url

Json: TypeAlias = "str | int | bool | Mapping[str, Json] | Sequence[Json]"
Block = Mapping[str, Json]

MOST_LISTED = 30
_SECTION = 2_900
_HEADER = 150
_ALL_ALERTS = 6_000
"""Characters for the alerts; what surrounds them takes less than 4,000 more."""
_FALLBACK = 2_500
_PLAIN = 3_900
_LONGEST_SILENCE = 800
_MOST_BUTTONS, _LONGEST_BUTTON_URL = 5, 300
_COLOURS = {"critical": "#d7263d", "warning": "#f2a33a", "info": "#3b82d0"}
_GREEN, _VIOLET, _GREY = "#2eb67d", "#8e5cd9", "#6b7280"
_LINK_NAMES = {"runbook_url": "runbook", "dashboard_url": "dashboard"}
#: Messages that are worth a sound: not the ones that say that something ended.
_LOUD = frozenset({Why.FIRST, Why.NEW_ALERTS, Why.REPEAT, Why.MUTE_ENDED})


def payload(notification: Notification, *, listed: int = text.LISTED, mentions: Mapping[str, str] | None = None) -> str:
    """The message as JSON, without a channel. `mentions`: what to write for a severity so that somebody is pinged."""
    return _dump(
        {
            **_base(notification),
            "text": lines(text.brief(notification, listed), _FALLBACK),
            "blocks": [{"type": "header", "text": _plain(plain(text.title(notification), _HEADER))}],
            "attachments": [
                {"color": _colour(notification), "blocks": list(_blocks(notification, listed, mentions or {}))}
            ],
        }
    )


def plain_payload(notification: Notification, *, listed: int = text.LISTED, mentions: Mapping[str, str]) -> str:
    """The message without blocks, for a Slack that refused them."""
    ping = _mention(notification, mentions)
    body = lines(text.full(notification, listed), _PLAIN)
    return _dump({**_base(notification), "text": f"{ping} {body}" if ping else body})


def has_blocks(body: str) -> bool:
    """Whether it is a `payload`, and not a `plain_payload`."""
    return "attachments" in json.loads(body)


def _base(notification: Notification) -> dict[str, Json]:
    # No previews of links; no markup, names or channels found in the text that is not markup already.
    return {"unfurl_links": False, "unfurl_media": False, "mrkdwn": False}


def _blocks(notification: Notification, listed: int, mentions: Mapping[str, str]) -> Iterator[Block]:
    shown = notification.alerts[:listed]
    opening = [_mention(notification, mentions), *(mrkdwn(remark, 200) for remark in text.remarks(notification))]
    if any(opening):
        yield _section("\n".join(filter(None, opening)))
    if notification.kind is NoticeKind.DIGEST:
        shown = ()
        room = min(_ALL_ALERTS // max(listed, 1) - 3, 600)
        yield from _sections([f"• {mrkdwn(group, room)}" for group in notification.groups[:listed]])
    common = _common_links(shown)
    room = _ALL_ALERTS // max(len(shown), 1)
    for alert in shown:
        yield from _alert(alert, notification.at, room, common, is_alone=len(shown) == 1)
    left = text.more(notification, listed)
    if left:
        yield _section(f"… and *{left:,} more*")
    if common:
        yield {"type": "actions", "elements": [_button(name, address) for name, address in common.items()]}
    silence = text.silence_line(notification)
    if silence and size(escape(silence)) <= _LONGEST_SILENCE - 20:
        # Whole or not at all: half of it would silence something else.
        yield _section(f"Silence this for two hours:\n{fence([silence], _LONGEST_SILENCE)}")
    yield _context(notification)


def _alert(alert: AlertNotice, at: Instant, room: int, common: Mapping[str, str], *, is_alone: bool) -> Iterator[Block]:
    """One alert, together no longer than `room`: alone, a block for each part of it; among others, one block."""
    head = _head(alert, at, min(room, 1_500) - 8)
    parts = [head]
    room -= size(head) + 1
    details = _details(alert, room, common) if is_alone else _few_details(alert, room, common)
    for part in details if alert.status == "firing" else ():
        took = size(part) + 1
        if part and took <= min(room, _SECTION):
            parts.append(part)
            room -= took
    if is_alone:
        yield from (_section(part) for part in parts)
    else:
        yield _section("\n".join(parts))


def _details(alert: AlertNotice, room: int, common: Mapping[str, str]) -> Iterator[str]:
    """All that is known, the most useful first, for an alert that has the message for itself."""
    evidence = alert.evidence
    yield mrkdwn(dict(alert.annotations).get("description", ""), 1_500)
    yield "\n".join(mrkdwn(note, 300) for note in evidence.notes[:5])
    errors = fence((text.error_line(error) for error in evidence.errors[:10]), min(room // 3, 2_000))
    yield f"*Top errors*\n{errors}" if errors else ""
    runs = [f"{link(run.url, run.id)} {mrkdwn(run.status, 30)}".rstrip() for run in evidence.runs[:10]]
    yield _row("*Runs*  ", runs, room // 3)
    yield from _uncommon(alert, common)


def _few_details(alert: AlertNotice, room: int, common: Mapping[str, str]) -> Iterator[str]:
    """What helps to tell one alert from the next."""
    evidence = alert.evidence
    yield mrkdwn(evidence.notes[0], 200) if evidence.notes else ""
    yield fence((text.error_line(error) for error in evidence.errors[:2]), room // 2)
    runs = [link(run.url, run.id) for run in evidence.runs[:3]]
    yield _row("", [*_uncommon(alert, common), *runs], room // 2)


def _row(name: str, links: Sequence[str], room: int) -> str:
    """As many links as there is room for, on one line."""
    row = ""
    for one in links:
        longer = f"{row}  ·  {one}" if row else f"{name}{one}"
        if size(longer) > room:
            break
        row = longer
    return row


def _uncommon(alert: AlertNotice, common: Mapping[str, str]) -> Iterator[str]:
    """Annotations that are no button."""
    for name, value in _further(alert).items():
        if name not in common:
            address = url(value)
            yield link(address, name) if address else mrkdwn(f"{name}: {value}", 300)


def _head(alert: AlertNotice, at: Instant, room: int) -> str:
    """Summary, value against threshold, since when: always there."""
    summary, says = text.spoken(alert)
    severity = alert.label("severity")
    said = [f"*{mrkdwn(summary.replace('*', '∗'), min(room // 2, 700))}*"]
    if says:
        said.append(mrkdwn(says, min(room // 4, 500)))
    if alert.status == "resolved":
        said.append(f"R{mrkdwn(text.ending(alert), 200)[1:]}")
        return "\n".join(said)
    lasts = at - alert.starts_at
    told = [f"{mrkdwn(severity, 20)}, since" if severity else "since"]
    told.append(date(alert.starts_at) + (f" ({show_duration(lasts)})" if lasts >= MINUTE else ""))
    if alert.evidence.since_version:
        told.append(f" ·  began with version {mrkdwn(alert.evidence.since_version, 80)}")
    said.append(" ".join(told))
    return "\n".join(said)


def _further(alert: AlertNotice) -> dict[str, str]:
    """Annotations besides the texts: runbook, dashboard, what a person added."""
    return {
        _LINK_NAMES.get(name, name): value
        for name, value in alert.annotations
        if name not in ("summary", "description") and value
    }


def _common_links(alerts: Sequence[AlertNotice]) -> dict[str, str]:
    """Links that all firing alerts have: the buttons."""
    firing = [_further(alert) for alert in alerts if alert.status == "firing"]
    found = {}
    for name, value in firing[0].items() if firing else ():
        address = url(value)
        if 0 < len(address) <= _LONGEST_BUTTON_URL and all(other.get(name) == value for other in firing):
            found[name] = address
    # The well-known ones first.
    order = sorted(found, key=lambda name: (name != "runbook", name != "dashboard", name))
    return {name: found[name] for name in order[:_MOST_BUTTONS]}


def _button(name: str, address: str) -> Block:
    label = plain(name.replace("_", " ").capitalize(), 75)
    return {"type": "button", "text": _plain(label), "url": address}


def _context(notification: Notification) -> Block:
    labels = {name: text.common_label(notification, name) for name in ("target", "owner")}
    told = [f"{name} {mrkdwn(value, 100)}" for name, value in labels.items() if value]
    told += [date(notification.at), mrkdwn(notification.why, 60), mrkdwn(notification.id, 60)]
    line = "  ·  ".join(told)
    return {"type": "context", "elements": [_mrkdwn(line)]}


def _mention(notification: Notification, mentions: Mapping[str, str]) -> str:
    loud = notification.kind is NoticeKind.FIRING and notification.why in _LOUD and not notification.is_test
    return mentions.get(text.worst_severity(notification), "") if loud else ""


def _colour(notification: Notification) -> str:
    match notification.kind:
        case NoticeKind.DIGEST:
            return _GREY
        case NoticeKind.FLAPPING:
            return _VIOLET
        case NoticeKind.RESOLVED:
            return _GREEN
    return _COLOURS.get(text.worst_severity(notification), _COLOURS["warning"])


def _sections(written: Sequence[str]) -> Iterator[Block]:
    """Lines in as few sections as they fit into."""
    taken: list[str] = []
    for line in written:
        if taken and sum(size(known) + 1 for known in taken) + size(line) > _SECTION:
            yield _section("\n".join(taken))
            taken = []
        taken.append(line)
    if taken:
        yield _section("\n".join(taken))


def _section(markup: str) -> Block:
    return {"type": "section", "text": _mrkdwn(markup)}


def _mrkdwn(markup: str) -> Block:
    # verbatim: Slack must not look for names, channels and addresses in data.
    return {"type": "mrkdwn", "text": markup, "verbatim": True}


def _plain(words: str) -> Block:
    return {"type": "plain_text", "text": words, "emoji": False}


def _dump(body: Json) -> str:
    return json.dumps(body, separators=(",", ":"))
