"""One alert as it is told: annotations rendered, value against threshold in words. Pure, and never raises for data.

Nothing is escaped here: each receiver escapes for itself. What comes from outside is only capped in length.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from triggerdev_alerts.alert import Alert, Reason
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import Kind
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message import template
from triggerdev_alerts.message.values import Moment, Quantity, show_duration, show_instant, show_key, show_pair
from triggerdev_alerts.message.words import HELD, blindness_in_words, reason_in_words
from triggerdev_alerts.notification import AlertNotice
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Evidence, RunLink, Unit

LONGEST_ANNOTATION = 2_000
LONGEST_EVIDENCE = 500
_MOST_ITEMS = 20

#: Dimensions that name themselves; the others are told with their name.
_PLAIN = ("task",)
_SUBJECTS = ("task", "queue", "version", "tag", "schedule", "collector", "receiver", "rule")


def compose(
    rule: Rule | None,
    alert: Alert,
    *,
    ended_at: Instant | None,
    reason: Reason,
    evidence: Evidence,
    now: Instant,
) -> AlertNotice:
    """What is told of `alert` at `now`. It is resolved iff `ended_at` is given.

    `rule` is ``None`` where it is not loaded any more; then only the labels can be told.
    """
    unit = unit_of(rule)
    evidence = _capped(evidence)
    sentence, limit = ("there is no data", "")
    if reason is not Reason.NO_DATA:
        sentence, limit = told(rule, alert.value, alert.threshold, alert.sample)
    if limit.startswith("above ") and alert.value <= alert.threshold:
        # In the band of `clear_below`.
        limit = f"no longer {limit}"
    notice = AlertNotice(
        fingerprint=alert.fingerprint,
        status="firing" if ended_at is None else "resolved",
        labels=alert.labels,
        annotations=(),
        starts_at=alert.fired_at or alert.active_at,
        ends_at=ended_at,
        value=alert.value,
        threshold=alert.threshold,
        sample=alert.sample,
        unit=unit,
        reason=reason,
        held_since=alert.stale_since if ended_at is None else 0,
        evidence=evidence,
        says=f"{sentence}{f' ({limit})' if limit else ''}{_held(alert, ended_at)}",
    )
    values = _values(rule, notice, now)
    annotations = {} if rule is None else {n: _annotation(t, values) for n, t in rule.annotations.items()}
    if not annotations.get("summary"):
        annotations["summary"] = _default_summary(notice, sentence)
    shown = tuple(sorted((name, text) for name, text in annotations.items() if text))
    return msgspec.structs.replace(notice, annotations=shown)


def unit_of(rule: Rule | None) -> str:
    """What the numbers of its alerts count (`signals.Unit`)."""
    row = None if rule is None else CONDITIONS.get(rule.when.type)
    if rule is None or row is None:
        return Unit.COUNT
    # ``expired_runs: {above: 5}`` counts, ``above: 5%`` is a share: the same row.
    is_either = any(key.name == "above" and key.kind is Kind.PERCENT_OR_COUNT for key in row.keys)
    return Unit.COUNT if is_either and not isinstance(rule.when.values.get("above"), float) else row.unit


def told(rule: Rule | None, value: float, threshold: float, sample: int | None) -> tuple[str, str]:
    """What a condition that holds says, and its limit (``above 10%``; empty where it has none).

    What is filled in comes from rules and numbers, never from data.
    """
    row = None if rule is None else CONDITIONS.get(rule.when.type)
    if rule is None or row is None:
        return "", ""
    shown, limit_shown = show_pair(value, threshold, unit_of(rule))
    words = {key.name: show_key(key.kind, rule.when.values.get(key.name)) for key in row.keys}
    words |= {"value": shown, "threshold": limit_shown, "sample": "some" if sample is None else f"{sample:,}"}
    text = row.says_one if row.says_one and shown == "1" else row.says
    limit = row.limit if threshold else ""
    for name, word in words.items():
        text, limit = text.replace(f"{{{name}}}", word), limit.replace(f"{{{name}}}", word)
    return text, limit


def _held(alert: Alert, ended_at: Instant | None) -> str:
    if not alert.stale_since or ended_at is not None:
        return ""
    why = blindness_in_words(alert.stale_reason) or "nothing can be read"
    return f"; {HELD} {show_instant(alert.stale_since)}: {why}"


def _default_summary(notice: AlertNotice, sentence: str) -> str:
    subject = subject_of(notice)
    if not sentence:
        sentence = notice.label("alertname")
    return _cut(f"{subject}: {sentence}" if subject else sentence, LONGEST_ANNOTATION)


def subject_of(notice: AlertNotice) -> str:
    """What an alert is about, shortly: ``send-email in shop-prod``, ``queue emails in shop-prod``, ``shop-prod``."""
    told = [value if name in _PLAIN else f"{name} {value}" for name, value in notice.labels if name in _SUBJECTS]
    target = notice.label("target")
    return " in ".join(part for part in (", ".join(told), target) if part)


def _annotation(text: str, values: dict[str, object]) -> str:
    # A template that cannot be used was reported when the rules were read; the message goes out all the same.
    return _cut(template.render(text, values), LONGEST_ANNOTATION)


def _values(rule: Rule | None, notice: AlertNotice, now: Instant) -> dict[str, object]:
    errors, runs = notice.evidence.errors, notice.evidence.runs
    ended = notice.ends_at
    window = 0 if rule is None else rule.window
    values: dict[str, object] = {f"labels.{name}": value for name, value in notice.labels}
    values |= {name: value for name, value in notice.labels if name in template.FIELDS}
    return values | {
        "group": "" if rule is None else rule.group,
        "value": Quantity(notice.value, notice.unit),
        "threshold": Quantity(notice.threshold, notice.unit),
        "sample": None if notice.sample is None else Quantity(notice.sample, Unit.COUNT),
        "window": Quantity(window, Unit.MILLIS) if window else None,
        "says": notice.says,
        "status": notice.status,
        "reason": reason_in_words(notice.reason),
        "since": Moment(notice.starts_at),
        "until": None if ended is None else Moment(ended),
        "lasted": show_duration(max((now if ended is None else ended) - notice.starts_at, 0)),
        "held_since": Moment(notice.held_since) if notice.held_since else None,
        "fingerprint": notice.fingerprint,
        "top_error": " ".join(filter(None, (errors[0].name, errors[0].message))) if errors else None,
        "top_error_count": Quantity(errors[0].count, Unit.COUNT) if errors else None,
        "since_version": notice.evidence.since_version,
        "run_id": runs[0].id if runs else None,
        "run_url": runs[0].url if runs else None,
    }


def _capped(evidence: Evidence) -> Evidence:
    return Evidence(
        tuple(
            replace(error, name=_cut(error.name, 200), message=_cut(error.message, LONGEST_EVIDENCE))
            for error in evidence.errors[:_MOST_ITEMS]
        ),
        tuple(
            RunLink(_cut(run.id, 200), run.url if len(run.url) <= 2_000 else "", _cut(run.status, 50))
            for run in evidence.runs[:_MOST_ITEMS]
        ),
        _cut(evidence.since_version, 200),
        tuple(_cut(note, LONGEST_EVIDENCE) for note in evidence.notes[:_MOST_ITEMS]),
    )


def _cut(text: str, most: int) -> str:
    """At most that many characters, and none that cannot be stored: half a surrogate pair becomes a question mark."""
    text = text[: most + 1].encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= most else text[: most - 1] + "…"
