"""What one receiver of the kind ``alertmanager`` is to be told of the book, at an instant. Pure.

Prometheus stops sending when it cannot evaluate, and Alertmanager then takes every alert for resolved. Here an alert is
asserted for as long as it is in the book: also while nothing can be read, and while it recovers. Routes choose the
alerts. Groups, mutes, silences and inhibitions do not matter: Alertmanager has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from triggerdev_alerts.alert import Alert, Labels, Outcome, Reason
from triggerdev_alerts.book import KEPT_ENDED, Book, EndedAlert
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.compose import compose
from triggerdev_alerts.notification import AlertNotice
from triggerdev_alerts.notify.fallback import recipients
from triggerdev_alerts.receivers.alertmanager import Assertion
from triggerdev_alerts.rules.model import Group, OnNoData, Rule, RuleSet
from triggerdev_alerts.signals import NO_EVIDENCE, Evidence

LASTS = 4
"""How many periods what is said of a firing alert holds: three requests may fail."""
SAYS = "says"
"""The annotation with value against threshold in words, and since when the alert is held."""
_MOST_ROUTED = 50_000

EvidenceOf = Callable[[Rule, Alert, Instant], Evidence]


@dataclass(frozen=True, slots=True)
class Claim:
    """One alert that is to be asserted."""

    alert: Alert
    ended: EndedAlert | None = None
    """``None`` while it fires."""

    @property
    def state(self) -> tuple[Instant, bool]:
        """What must be told at once when it changes: since when it fires, and whether it ended."""
        return self.alert.fired_at, self.ended is not None


class Plan:
    """The rules as a pusher needs them: which rule an alert is of, how often it is told, and to whom it goes."""

    def __init__(self, ruleset: RuleSet, receiver: str, resend_delay: int) -> None:
        self._ruleset = ruleset
        self._receiver = receiver
        self._delay = resend_delay
        self._rules: Mapping[str, tuple[Rule, Group]] = {
            rule.id: (rule, group) for group in ruleset.groups for rule in group.rules
        }
        self._routed: dict[Labels, bool] = {}

    def rule_of(self, alert: Alert) -> Rule | None:
        """``None`` for one that is not loaded any more."""
        found = self._rules.get(alert.rule)
        return None if found is None else found[0]

    def period(self, alert: Alert) -> int:
        """After how long it is told again: the first multiple of its group's interval that is not below the delay."""
        found = self._rules.get(alert.rule)
        return self._delay if found is None else -(-self._delay // found[1].interval) * found[1].interval

    def lasts(self, alert: Alert) -> int:
        """How long it holds that the alert fires, if nothing more is heard."""
        found = self._rules.get(alert.rule)
        return LASTS * (self._delay if found is None else max(self._delay, found[1].interval))

    def goes_here(self, labels: Labels) -> bool:
        """Whether a route takes an alert with these labels to the receiver."""
        known = self._routed.get(labels)
        if known is None:
            if len(self._routed) >= _MOST_ROUTED:
                self._routed.clear()
            known = self._routed[labels] = any(
                route.receiver == self._receiver for route in recipients(labels, self._ruleset)
            )
        return known


def claims(book: Book, plan: Plan, now: Instant) -> dict[str, Claim]:
    """Fingerprint → what is to be asserted: all that fires or recovers, and what ended not long ago. Never pending."""
    found = {
        alert.fingerprint: Claim(alert)
        for alert in book.alerts.values()
        if alert.is_firing and plan.goes_here(alert.labels)
    }
    # Alertmanager knows an alert by its labels alone. An end must not be repeated behind a new beginning, which it
    # would be where a rule has moved to another group.
    taken = {claim.alert.labels for claim in found.values()}
    for one in sorted(book.ended.values(), key=lambda ended: -ended.at):
        alert = one.alert
        if now - one.at < KEPT_ENDED and alert.labels not in taken and plan.goes_here(alert.labels):
            taken.add(alert.labels)
            found[alert.fingerprint] = Claim(alert, one)
    return found


def assertion(claim: Claim, plan: Plan, now: Instant, evidence_of: EvidenceOf | None = None) -> Assertion:
    """What is said of one alert at `now`."""
    alert, ended = claim.alert, claim.ended
    rule = plan.rule_of(alert)
    evidence = NO_EVIDENCE
    if rule is not None and ended is None and evidence_of is not None:
        evidence = evidence_of(rule, alert, now)
    notice = compose(
        rule,
        alert,
        ended_at=None if ended is None else ended.at,
        reason=_reason(alert, rule) if ended is None else ended.reason,
        evidence=evidence,
        now=now,
    )
    return of_notice(notice, plan.lasts(alert), now)


def of_notice(notice: AlertNotice, lasts: int, now: Instant) -> Assertion:
    """What is said at `now` of an alert as it is told to others too; while it fires, it holds for `lasts`."""
    says = {SAYS: notice.says} if notice.says else {}
    # A clock that was set back must not make an alert that ends before it begins: it would be refused.
    starts_at = min(notice.starts_at, now)
    ends_at = now + lasts if notice.ends_at is None else max(notice.ends_at, starts_at)
    return Assertion(notice.labels, tuple(sorted((says | dict(notice.annotations)).items())), starts_at, ends_at)


def assertions(
    book: Book, ruleset: RuleSet, receiver: str, resend_delay: int, now: Instant, evidence_of: EvidenceOf | None = None
) -> Iterator[Assertion]:
    """All that is to be said at `now`."""
    plan = Plan(ruleset, receiver, resend_delay)
    return (assertion(claim, plan, now, evidence_of) for claim in claims(book, plan, now).values())


def _reason(alert: Alert, rule: Rule | None) -> Reason:
    fires_blind = alert.previous is Outcome.NO_DATA and rule is not None and rule.on_no_data is OnNoData.FIRING
    return Reason.NO_DATA if fires_blind else Reason.CONDITION_MET
