"""What `rules replay` prints: each rule with its incidents, what nobody can know of the past, and the sum. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.history.expectations import series
from triggerdev_alerts.history.replay import Incident, Replayed, by_receiver
from triggerdev_alerts.instants import Instant, iso
from triggerdev_alerts.message.values import show, show_duration
from triggerdev_alerts.message.words import reason_in_words
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.signals import Unit

MOST_INCIDENTS = 20
"""Of one rule, as text; JSON holds all."""


def as_text(replayed: Replayed, *, about: str, caveats: Sequence[str] = ()) -> str:
    """The whole text. `about` says what was replayed, `caveats` what could not be known of the past."""
    course = replayed.course
    span = f"{_instant(course.start)} to {_instant(course.end)} ({show_duration(course.end - course.start)})"
    lines = [f"Replayed {about}", f"from {span}.", ""]
    quiet: list[str] = []
    for rule in replayed.rules:
        incidents = replayed.incidents_of(rule.name)
        if incidents:
            lines += [*_rule(replayed, rule.name, incidents), ""]
        elif rule.name not in replayed.untold:
            quiet.append(rule.name)
    if quiet:
        lines += _wrapped("Would not have fired: ", quiet)
    if replayed.untold:
        lines.append("Not replayed:")
        lines += [f"  {name}: {why}" for name, why in sorted(replayed.untold.items())]
    if replayed.partly:
        lines.append("Not known at some evaluations:")
        lines += [f"  {name}: {number} times" for name, number in sorted(replayed.partly.items())]
    if caveats:
        lines.append("What the past does not tell:")
        lines += [f"  {caveat}" for caveat in caveats]
    if lines[-1]:
        lines.append("")
    times, messages = _count(len(replayed.incidents), "alert"), _messages(replayed, course.notifications)
    if replayed.why_nobody:
        lines.append(f"In all: {times}. Nothing would be sent: {replayed.why_nobody}.")
        lines.append(f"With a receiver that gets everything there would be {messages}.")
    else:
        lines.append(f"In all: {times}, {messages}.")
    return "\n".join(lines) + "\n"


def as_json(replayed: Replayed, *, about: str, caveats: Sequence[str] = ()) -> str:
    """The same for machines: instants in RFC 3339, one object, indented."""
    course = replayed.course
    sent = () if replayed.why_nobody else course.notifications
    told = {
        "about": about,
        "from": iso(course.start),
        "to": iso(course.end),
        "rules": [
            {
                "alert": rule.name,
                "group": rule.group,
                "fired": len(incidents := replayed.incidents_of(rule.name)),
                "messages": {} if replayed.why_nobody else _by_receiver(replayed.messages_about(rule.name)),
                "replayed": rule.name not in replayed.untold,
                "why_not": replayed.untold.get(rule.name, ""),
                "unknown_evaluations": replayed.partly.get(rule.name, 0),
                "incidents": [_incident(one) for one in incidents],
            }
            for rule in replayed.rules
        ],
        "messages": [_message(one) for one in sent],
        "caveats": list(caveats),
        "total": {
            "fired": len(replayed.incidents),
            "messages": len(sent),
            "nobody_is_told": replayed.why_nobody,
            "messages_to_one_receiver": len(course.notifications) if replayed.why_nobody else None,
        },
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


def _rule(replayed: Replayed, name: str, incidents: Sequence[Incident]) -> Iterator[str]:
    messages = _messages(replayed, replayed.messages_about(name))
    told = f"{messages} if anybody were told" if replayed.why_nobody else messages
    unit = next(CONDITIONS[rule.when.type].unit for rule in replayed.rules if rule.name == name)
    yield f"{name} would have fired {_count(len(incidents), 'time')}, {told}:"
    for one in incidents[:MOST_INCIDENTS]:
        yield f"  {_instant(one.fired_at)}  {_labels(one)}{_numbers(one, unit)}; {_end(one)}"
    if len(incidents) > MOST_INCIDENTS:
        yield f"  … and {len(incidents) - MOST_INCIDENTS} more"


def _labels(one: Incident) -> str:
    target = dict(one.labels).get("target", "")
    return " ".join(part for part in (target, series(one.labels)) if part) + ": "


def _numbers(one: Incident, unit: Unit) -> str:
    if unit is Unit.FLAG:
        return "fired"
    sample = "" if one.sample is None else f" of {one.sample}"
    return f"{show(one.value, unit)}{sample}, limit {show(one.threshold, unit)}"


def _end(one: Incident) -> str:
    if one.ended_at is None:
        return "still firing at the end"
    return f"ended after {format_duration(one.ended_at - one.fired_at)}: {reason_in_words(one.reason)}"


def _by_receiver(messages: Sequence[Notification]) -> dict[str, int]:
    return dict(sorted(by_receiver(messages).items()))


def _messages(replayed: Replayed, messages: Sequence[Notification]) -> str:
    counts = list(_by_receiver(messages).items())
    number = _count(len(messages), "message")
    if replayed.why_nobody:
        return number
    if len(counts) == 1:
        return f"{number} to {counts[0][0]}"
    return number + (f" ({', '.join(f'{count} to {name}' for name, count in counts)})" if counts else "")


def _incident(one: Incident) -> dict[str, object]:
    return {
        "labels": dict(one.labels),
        "fired_at": iso(one.fired_at),
        "ended_at": None if one.ended_at is None else iso(one.ended_at),
        "reason": one.reason,
        "value": one.value,
        "threshold": one.threshold,
        "sample": one.sample,
    }


def _message(one: Notification) -> dict[str, object]:
    return {
        "at": iso(one.at),
        "receiver": one.receiver,
        "kind": one.kind.value,
        "why": one.why.value,
        "alerts": [{"status": notice.status, "labels": dict(notice.labels)} for notice in one.alerts],
    }


def _instant(at: Instant) -> str:
    """To the second; replays are read beside logs."""
    return iso(at)[:19] + "Z"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _wrapped(head: str, words: Sequence[str]) -> list[str]:
    lines, line = [], head
    for n, word in enumerate(words):
        text = word + ("," if n + 1 < len(words) else ".")
        if len(line) + len(text) > 100:
            lines.append(line.rstrip())
            line = "  "
        line += text + " "
    return [*lines, line.rstrip()]
