"""What the API answers, as a closed set of structs, and how each is made of what the book holds. Pure.

No settings of receivers and no bodies of messages are here: both may hold secrets. Instants are RFC 3339 in UTC.
Fields are only ever added within a major version.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from triggerdev_alerts.alert import Alert, Reason, State
from triggerdev_alerts.book import Book, Letter, ReceiverEntry, RuleEntry, Silence
from triggerdev_alerts.instants import HOUR, Instant, iso, iso_or_none
from triggerdev_alerts.message.compose import compose
from triggerdev_alerts.message.text import title
from triggerdev_alerts.notify.matcher_text import format_matchers
from triggerdev_alerts.notify.matching import matches_all
from triggerdev_alerts.notify.withholding import is_active, matchers_of
from triggerdev_alerts.receivers.port import Attempt, Fate
from triggerdev_alerts.receivers.tryout import in_words
from triggerdev_alerts.rules.model import SEVERITIES, Matcher, Rule
from triggerdev_alerts.signals import NO_EVIDENCE, Evidence
from triggerdev_exporter.web.rule_reasons import condition_in_words


class ErrorText(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    """``bad_request not_found wrong_method conflict too_large not_json cross_site unavailable broken``."""
    message: str
    """What is wrong and what to do about it, in a sentence."""


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: ErrorText


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    url: str | None
    """In the dashboard; ``None`` while the project is not known."""


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    message: str
    count: int
    """In the runs that were looked at."""


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    since_version: str | None
    """The version that all failures are of, if an older one succeeded."""
    notes: list[str]
    errors: list[ErrorView]
    runs: list[RunView]


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: str
    rule: str
    state: str
    """``pending``, ``firing`` or ``recovering``."""
    labels: dict[str, str]
    annotations: dict[str, str]
    since: str
    """Since when it fires; for a pending one, since when its condition holds."""
    value: float | None
    """``None``: not a number."""
    threshold: float | None
    sample: int | None
    unit: str
    says: str
    """Value against threshold in words."""
    stale_since: str | None
    """Since when nothing can be read and it is held; ``None`` while all is well."""
    silenced_by: list[str]
    evidence: EvidenceView | None = None
    """Only where it was asked for."""


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    total: int
    """How many there are, also where fewer are listed."""
    alerts: list[AlertView]


class SilenceView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    """``pending``, ``active`` or ``expired``."""
    matchers: str
    starts_at: str
    ends_at: str
    author: str
    comment: str
    created_at: str


class SilenceList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    total: int = 0
    """How many there are, also where fewer are listed."""
    silences: list[SilenceView]


class SilenceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    silence: SilenceView
    fits: int
    """How many of the alerts that are there now it fits."""


class SilenceWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is posted to make a silence."""

    matchers: str
    """``alertname=QueueStalled task=~"billing-*"``."""
    duration: str = ""
    """``2h``; this or `ends_at`."""
    ends_at: str = ""
    starts_at: str = ""
    """Default: now."""
    author: str
    comment: str


class NotificationView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str
    """``queued``, ``sending``, ``sent``, ``dead`` or ``superseded``."""
    receiver: str
    group: str
    kind: str
    why: str
    title: str
    alerts: int
    attempts: int
    created_at: str
    next_at: str | None
    """When it is tried again; only while it is queued."""
    done_at: str | None
    error: str | None
    """What the last attempt that failed was told."""


class NotificationList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    notifications: list[NotificationView]
    next_cursor: str | None
    """What to send back as `cursor` for older ones; ``None`` at the end."""


class NotificationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    notification: NotificationView


class ReceiverView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    state: str
    """``ok``, ``paused`` (it asked for it), ``failing`` or ``disabled`` (until a reload)."""
    pending: int
    """Notifications that wait for it."""
    given_up: int
    """Notifications that were given up in the last hour."""
    paused_until: str | None
    failing_since: str | None
    error: str | None


class ReceiverList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    receivers: list[ReceiverView]


class TryoutAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test of a receiver."""

    receiver: str
    delivered: bool
    fate: str
    message: str


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    group: str
    severity: str
    condition: str
    shipped: bool
    outcome: str
    """The worst that its last evaluation left: ``off``, ``waiting`` (not evaluated yet), ``error``, ``firing``,
    ``pending``, ``no_data`` (it never read any series) or ``ok``."""
    evaluated_at: str | None
    error: str | None
    error_since: str | None
    alerts: dict[str, int]
    """State → how many."""
    when: str = ""
    """The condition in words."""
    reason: str | None = None
    """How near it is to firing, or what keeps it from being judged; only where it was asked for."""


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    total: int
    """How many there are, also where fewer are listed."""
    rules: list[RuleView]


ActiveSilences = Sequence[tuple[str, tuple[Matcher, ...]]]
"""(id, matchers) of those that hold now."""
_STATES = (State.FIRING, State.RECOVERING, State.PENDING)


def active_silences(silences: Iterable[Silence], now: Instant) -> ActiveSilences:
    return [(silence.id, matchers_of(silence)) for silence in silences if is_active(silence, now)]


def sorted_alerts(alerts: Iterable[Alert], state: str | None) -> list[Alert]:
    """Those in `state`, firing ones first; of these the most severe, then the oldest."""
    return sorted(
        (alert for alert in alerts if state in (None, alert.state)),
        key=lambda alert: (_STATES.index(alert.state), _severity(alert), _since(alert), alert.fingerprint),
    )


def _severity(alert: Alert) -> int:
    name = alert.label("severity")
    return SEVERITIES.index(name) if name in SEVERITIES else len(SEVERITIES)


def alert_view(
    rule: Rule | None, alert: Alert, silences: ActiveSilences, now: Instant, evidence: Evidence | None = None
) -> AlertView:
    """`rule` is ``None`` for an alert whose rule is not loaded any more."""
    notice = compose(rule, alert, ended_at=None, reason=Reason.CONDITION_MET, evidence=evidence or NO_EVIDENCE, now=now)
    return AlertView(
        fingerprint=alert.fingerprint,
        rule=alert.rule,
        state=alert.state.value,
        labels=dict(alert.labels),
        annotations=dict(notice.annotations),
        since=iso(_since(alert)),
        value=_number(alert.value),
        threshold=_number(alert.threshold),
        sample=alert.sample,
        unit=notice.unit,
        says=notice.says,
        stale_since=iso_or_none(alert.stale_since),
        silenced_by=silencing(silences, alert),
        evidence=None if evidence is None else _evidence(notice.evidence),
    )


def silencing(silences: ActiveSilences, alert: Alert) -> list[str]:
    """The ids of those that silence it."""
    return [name for name, matchers in silences if matches_all(matchers, alert.labels)]


def _evidence(evidence: Evidence) -> EvidenceView:
    return EvidenceView(
        since_version=evidence.since_version or None,
        notes=list(evidence.notes),
        errors=[ErrorView(name=one.name, message=one.message, count=one.count) for one in evidence.errors],
        runs=[RunView(id=one.id, status=one.status, url=one.url or None) for one in evidence.runs],
    )


def _since(alert: Alert) -> Instant:
    return alert.fired_at if alert.is_firing and alert.fired_at else alert.active_at


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def silence_view(silence: Silence, now: Instant) -> SilenceView:
    state = "expired" if silence.ends_at <= now else "active" if silence.starts_at <= now else "pending"
    return SilenceView(
        id=silence.id,
        state=state,
        matchers=format_matchers(matchers_of(silence)),
        starts_at=iso(silence.starts_at),
        ends_at=iso(silence.ends_at),
        author=silence.author,
        comment=silence.comment,
        created_at=iso(silence.created_at),
    )


def silence_list(silences: Iterable[Silence], now: Instant, limit: int, offset: int = 0) -> SilenceList:
    """Those that hold first, then those that will, then those that are over; each by its end."""
    order = ("active", "pending", "expired")
    views = [silence_view(silence, now) for silence in silences]
    views.sort(key=lambda view: (order.index(view.state), view.ends_at, view.id))
    return SilenceList(at=iso(now), total=len(views), silences=views[offset : offset + limit])


def silence_answer(silence: Silence, alerts: Iterable[Alert], now: Instant) -> SilenceAnswer:
    matchers = matchers_of(silence)
    fits = sum(matches_all(matchers, alert.labels) for alert in alerts)
    return SilenceAnswer(at=iso(now), silence=silence_view(silence, now), fits=fits)


def notification_view(letter: Letter) -> NotificationView:
    notification = letter.notification
    return NotificationView(
        id=letter.id,
        status=letter.status.value,
        receiver=letter.receiver,
        group=letter.group_key,
        kind=notification.kind.value,
        why=notification.why.value,
        title=title(notification),
        alerts=len(notification.alerts) + notification.truncated,
        attempts=letter.attempts,
        created_at=iso(letter.created_at),
        next_at=iso(letter.next_at) if letter.status == "queued" else None,
        done_at=iso_or_none(letter.done_at),
        error=letter.last_error or None,
    )


def receiver_list(kinds: Mapping[str, str], book: Book, now: Instant) -> ReceiverList:
    """`kinds`: name → kind of those that are configured."""
    waiting = Counter(letter.receiver for letter in book.letters.values())
    return ReceiverList(
        at=iso(now),
        receivers=[
            _receiver(name, kind, book.receivers.get(name, ReceiverEntry()), waiting[name], now)
            for name, kind in kinds.items()
        ],
    )


def _receiver(name: str, kind: str, entry: ReceiverEntry, waiting: int, now: Instant) -> ReceiverView:
    paused = entry.paused_until > now
    state = "disabled" if entry.disabled else "failing" if entry.failing_since else "paused" if paused else "ok"
    return ReceiverView(
        name=name,
        kind=kind,
        state=state,
        pending=waiting,
        given_up=sum(at > now - HOUR for at in entry.dead),
        paused_until=iso(entry.paused_until) if paused else None,
        failing_since=iso_or_none(entry.failing_since),
        error=(entry.disabled or entry.last_error or None) if state != "ok" else None,
    )


def tryout_answer(receiver: str, attempt: Attempt) -> TryoutAnswer:
    return TryoutAnswer(
        receiver=receiver,
        delivered=attempt.fate is Fate.DELIVERED,
        fate=attempt.fate.value,
        message=in_words(attempt),
    )


def rule_view(rule: Rule, book: Book, reason: str | None = None) -> RuleView:
    entry = book.rules.get(rule.id)
    states = Counter(alert.state.value for alert in book.alerts_by_rule.get(rule.id, {}).values())
    return RuleView(
        name=rule.name,
        group=rule.group,
        severity=rule.severity,
        condition=rule.when.type,
        shipped=rule.shipped,
        outcome=_outcome(rule, entry, states),
        evaluated_at=None if entry is None else iso_or_none(entry.evaluated_at),
        error=None if entry is None else entry.error or None,
        error_since=None if entry is None else iso_or_none(entry.error_since),
        alerts=dict(states),
        when=condition_in_words(rule),
        reason=reason,
    )


def sorted_rules(rules: Iterable[Rule], book: Book) -> list[Rule]:
    """What is wrong or fires first, what is off last; else as they are written."""
    order = ("error", "firing", "pending", "waiting", "no_data", "ok", "off")
    return sorted(rules, key=lambda rule: order.index(rule_view(rule, book).outcome))


def _outcome(rule: Rule, entry: RuleEntry | None, states: Mapping[str, int]) -> str:
    if not rule.enabled:
        return "off"
    if entry is None or not entry.evaluated_at:
        return "waiting"
    if entry.error:
        return "error"
    if states.get(State.FIRING) or states.get(State.RECOVERING):
        return "firing"
    if states.get(State.PENDING):
        return "pending"
    return "ok" if entry.ever_matched else "no_data"
