"""Which expectations of a test were not met, with what was instead. Pure; how that is printed is `test_report.py`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from triggerdev_alerts.alert import Alert, Labels, Transition
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.history.course import Course, Snapshot
from triggerdev_alerts.history.written import Expected, WrittenTest
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.values import show, show_pair
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.signals import Unit

Units = Mapping[str, Unit]
"""Alert name → what its numbers count."""

_NEAR = 5
"""How many messages are told where the expected one did not come."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """One expectation that was not met, or a message that nobody expected."""

    index: int | None
    """Its place in ``expect``; ``None``: not about one of them."""
    at: Instant
    expected: str
    was: str


def instants(test: WrittenTest) -> list[Instant]:
    """When the states that the test expects are looked at."""
    return [test.start + expected.at for expected in test.expect if expected.is_state and expected.at is not None]


def names(test: WrittenTest) -> set[str]:
    """The alerts that the test names."""
    named = {expected.alert for expected in test.expect if expected.alert is not None}
    return named | {alert for expected in test.expect for alert in expected.alerts or ()}


def unmet(test: WrittenTest, course: Course, units: Units) -> list[Unmet]:
    """All of them, by instant."""
    judged = (_judge(index, expected, test, course, units) for index, expected in enumerate(test.expect))
    missing = [one for one in judged if one is not None]
    if test.only:
        missing += _unexpected(test, course)
    return sorted(missing, key=lambda one: (one.at, -1 if one.index is None else one.index))


def _judge(index: int, expected: Expected, test: WrittenTest, course: Course, units: Units) -> Unmet | None:
    at = course.end if expected.at is None else test.start + expected.at
    if expected.is_state:
        was = _state_was(expected, course, at, test.start, units)
    elif expected.is_total:
        was = _total_was(expected, course, at, test.start)
    else:
        was = _message_was(expected, course, at, test.start)
    return None if was is None else Unmet(index, at, describe(expected, units), was)


def describe(expected: Expected, units: Units) -> str:
    """What was expected, in a sentence."""
    when = "" if expected.at is None else f"at {offset(expected.at)}: "
    if expected.alert is not None:
        text = f"{when}{expected.alert}{_braced(expected.labels)} is {expected.state}"
        if expected.count is not None:
            text += f", {expected.count} of them"
        if expected.value is not None:
            text += f", with the value {show(expected.value, units.get(expected.alert, Unit.COUNT))}"
        return text + (f", because of {expected.reason}" if expected.reason else "")
    kind = f" {expected.kind}" if expected.kind else ""
    if expected.is_total:
        by = "" if expected.at is None else f" by {offset(expected.at)}"
        return f"{expected.receiver} gets {expected.count}{kind} {'message' if expected.count == 1 else 'messages'}{by}"
    about = f" about {', '.join(expected.alerts)}" if expected.alerts is not None else ""
    return f"{when}{expected.receiver} gets a{kind} message{about}{_braced(expected.labels)}"


def offset(millis: int) -> str:
    """``12m30s`` from the start of the test."""
    return format_duration(millis) if millis >= 0 else f"-{format_duration(-millis)}"


def _braced(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def series(labels: Labels) -> str:
    """The labels that tell the alerts of one rule apart."""
    return _braced({name: value for name, value in labels if name not in ("alertname", "severity", "target", "owner")})


def has(labels: Labels, wanted: Mapping[str, str]) -> bool:
    mine = dict(labels)
    return all(mine.get(name, "") == value for name, value in wanted.items())


def _state_was(expected: Expected, course: Course, at: Instant, start: Instant, units: Units) -> str | None:
    snapshot = course.snapshots[at]
    alerts = [
        alert
        for alert in snapshot.alerts
        if alert.label("alertname") == expected.alert and has(alert.labels, expected.labels)
    ]
    if expected.state == "inactive":
        good = not alerts
    else:
        good = bool(alerts) and all(alert.state == expected.state for alert in alerts)
    good = good and (expected.count is None or len(alerts) == expected.count)
    good = good and (expected.value is None or all(_reads(alert, expected.value, units) for alert in alerts))
    reasons = _reasons(expected, course, at)
    if good and (expected.reason is None or reasons == {expected.reason}):
        return None
    others = [one for one in snapshot.alerts if one.label("alertname") == expected.alert]
    if not alerts and others:
        words = "; ".join(_alert_in_words(alert, start, units) for alert in others[:_NEAR])
        told = f"none has these labels; {words}"
    elif not alerts:
        told = f"it is inactive; {_evaluations(str(expected.alert), snapshot)}"
    else:
        told = "; ".join(_alert_in_words(alert, start, units) for alert in alerts)
    because = f"; it came there because of {', '.join(sorted(reasons)) or 'nothing'}" if expected.reason else ""
    return told + because


def _reads(alert: Alert, wanted: float, units: Units) -> bool:
    """Whether a person reads `wanted` in a message: nobody writes a third as a decimal."""
    unit = units.get(alert.label("alertname"), Unit.COUNT)
    return alert.value == wanted or show(alert.value, unit) == show(wanted, unit)


def _reasons(expected: Expected, course: Course, at: Instant) -> set[str]:
    """Why each series made its last transition."""
    last: dict[str, Transition] = {}
    for transition in course.transitions:
        alert = transition.alert
        if transition.at <= at and alert.label("alertname") == expected.alert and has(alert.labels, expected.labels):
            last[alert.fingerprint] = transition
    return {transition.reason.value for transition in last.values()}


def _alert_in_words(alert: Alert, start: Instant, units: Units) -> str:
    since = alert.fired_at if alert.is_firing else alert.active_at
    text = f"{alert.label('alertname')}{series(alert.labels)} is {alert.state} since {offset(since - start)}"
    text += f", {numbers(alert, units)}"
    if alert.stale_since:
        text += f", held since {offset(alert.stale_since - start)} ({alert.stale_reason})"
    return text


def numbers(alert: Alert, units: Units) -> str:
    """``31.8% of 44, limit 10%``."""
    unit = units.get(alert.label("alertname"), Unit.COUNT)
    value, threshold = show_pair(alert.value, alert.threshold, unit)
    sample = "" if alert.sample is None else f" of {alert.sample}"
    return f"{value}{sample}, limit {threshold}"


def units_of(ruleset: RuleSet) -> Units:
    return {rule.name: CONDITIONS[rule.when.type].unit for rule in ruleset.rules}


def _evaluations(alert: str, snapshot: Snapshot) -> str:
    outcomes = snapshot.outcomes.get(alert, {})
    told = ", ".join(f"{number} × {outcome}" for outcome, number in sorted(outcomes.items()))
    text = f"its evaluations so far: {told}" if told else "it was not evaluated, or read no series at all"
    error = snapshot.errors.get(alert)
    return f"{text}; the rule has an error: {error}" if error else text


def _total_was(expected: Expected, course: Course, at: Instant, start: Instant) -> str | None:
    mine = [
        one
        for one in course.notifications
        if one.at <= at and one.receiver == expected.receiver and expected.kind in (None, one.kind)
    ]
    if len(mine) == expected.count:
        return None
    return f"there {'is' if len(mine) == 1 else 'are'} {len(mine)}{_listed(mine, start)}"


def _message_was(expected: Expected, course: Course, at: Instant, start: Instant) -> str | None:
    if any(_is_expected(one, expected, start) for one in course.notifications):
        return None
    mine = [one for one in course.notifications if one.receiver == expected.receiver]
    then = [one for one in mine if one.at == at]
    if then:
        return f"the message then is another one{_listed(then, start)}"
    near = sorted(sorted(mine, key=lambda one: abs(one.at - at))[:_NEAR], key=lambda one: one.at)
    return f"there is none then; its messages are{_listed(near, start)}" if near else "it gets no message at all"


def _is_expected(one: Notification, expected: Expected, start: Instant) -> bool:
    if expected.at is None or expected.receiver != one.receiver or one.at != start + expected.at:
        return False
    about = {notice.label("alertname") for notice in one.alerts}
    return (
        expected.kind in (None, one.kind)
        and (expected.alerts is None or set(expected.alerts) == about)
        and (not expected.labels or any(has(notice.labels, expected.labels) for notice in one.alerts))
    )


def _unexpected(test: WrittenTest, course: Course) -> Iterator[Unmet]:
    wanted = [expected for expected in test.expect if not expected.is_state and not expected.is_total]
    for one in course.notifications:
        if not any(_is_expected(one, expected, test.start) for expected in wanted):
            yield Unmet(
                None, one.at, "only the messages that are named", f"one more: {message_in_words(one, test.start)}"
            )


def _listed(messages: Sequence[Notification], start: Instant) -> str:
    return "".join(f"\n  {message_in_words(one, start)}" for one in messages)


def message_in_words(one: Notification, start: Instant) -> str:
    """``12m30s ops firing (first notification): QueueBacklog{queue="emails"}``."""
    about = ", ".join(
        f"{notice.label('alertname')}{series(notice.labels)}"
        + (" resolved" if notice.status == "resolved" and one.is_firing else "")
        for notice in one.alerts
    )
    return f"{offset(one.at - start)} {one.receiver} {one.kind} ({one.why}): {about or ', '.join(one.groups) or '-'}"
