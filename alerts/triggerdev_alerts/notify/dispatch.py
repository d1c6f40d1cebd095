"""Alerts that fired or ended are taken into the groups of their routes. When and what a group says is `flush`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Change, Labels, Reason, Transition
from triggerdev_alerts.book import ClockEntry, Draft, GroupEntry, Kind, Member
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.notification import AlertNotice
from triggerdev_alerts.notify.cadence import first_flush
from triggerdev_alerts.notify.fallback import recipients
from triggerdev_alerts.notify.flapping import note_change
from triggerdev_alerts.notify.routing import group_key, group_labels
from triggerdev_alerts.rules.model import Route, RuleSet

NoticeOf = Callable[[Alert, Instant | None, Reason], AlertNotice]
"""How an alert is told: (alert, when it ended, why it fires or ended)."""

FIRST_STEP = "first"
"""Key of the clock entry of the first step."""
BASELINE = 5 * MINUTE
"""How long after the first step of a new state alerts are taken for an old mess, and told together."""


def dispatch(draft: Draft, ruleset: RuleSet, transitions: Sequence[Transition], notice: NoticeOf, now: Instant) -> None:
    """Take what fired and what was resolved into groups, and note it for flapping. Call it at every step.

    What fires within `BASELINE` of the first step ever goes to one group a route instead of one a set of labels, where
    the route wants that; those groups wait, speak and end like all others. Without routes there are no groups.
    """
    settings = {rule.id: rule.flapping for rule in ruleset.rules} if transitions else {}
    is_baseline = _is_baseline(draft, now)
    joining: dict[str, tuple[Route, Labels, list[Transition]]] = {}
    ended: dict[str, Transition] = {}
    for transition in transitions:
        alert = transition.alert
        if transition.change is Change.FIRING:
            note_change(draft, alert.fingerprint, settings.get(alert.rule), transition.at)
            for route, labels in places_of(draft, ruleset, alert.labels, alert.fingerprint, is_baseline=is_baseline):
                joining.setdefault(group_key(route, labels), (route, labels, []))[2].append(transition)
        elif transition.change is Change.RESOLVED:
            note_change(draft, alert.fingerprint, settings.get(alert.rule), transition.at)
            ended[alert.fingerprint] = transition
    for route, labels, fired in joining.values():
        join(draft, route, labels, {each.alert.fingerprint: each.at for each in fired}, now)
    if ended:
        _end(draft, ended, notice)


def join(draft: Draft, route: Route, labels: Labels, fired: Mapping[str, Instant], now: Instant) -> None:
    """Make alerts (fingerprint → when it fired) members of one group, which begins if it is not there.

    What a member was told stays; it fires again, or still.
    """
    key = group_key(route, labels)
    first = first_flush(route, min(fired.values()), now)
    entry = draft.get(Kind.GROUP, key, GroupEntry) or GroupEntry(
        receiver=route.receiver, route=route.path, labels=labels, created_at=now, next_flush=first, seq=now
    )
    members = dict(entry.members)
    for fingerprint in sorted(fired):
        members[fingerprint] = replace(members.get(fingerprint, Member()), ended=None, leaving=False)
    waits = entry.seq == entry.created_at and not entry.told_at
    flush_at = min(entry.next_flush, first) if waits else entry.next_flush
    draft.put(Kind.GROUP, key, replace(entry, members=members, next_flush=flush_at))


def places_of(
    draft: Draft, ruleset: RuleSet, labels: Labels, fingerprint: str, *, is_baseline: bool = False
) -> Iterator[tuple[Route, Labels]]:
    """The groups of an alert: route and group labels. One that is in the baseline's group stays there."""
    for route in recipients(labels, ruleset):
        baseline = draft.get(Kind.GROUP, group_key(route, ()), GroupEntry)
        stays = baseline is not None and fingerprint in baseline.members
        together = stays or (is_baseline and route.startup_summarize)
        yield route, () if together else group_labels(route, labels)


def _is_baseline(draft: Draft, now: Instant) -> bool:
    clock = draft.get(Kind.CLOCK, "", ClockEntry) or ClockEntry()
    first = draft.get(Kind.CLOCK, FIRST_STEP, ClockEntry)
    if first is None and not clock.started:
        first = ClockEntry(stepped_at=now, started=True)
        draft.put(Kind.CLOCK, FIRST_STEP, first)
    return first is not None and now < first.stepped_at + BASELINE


def _end(draft: Draft, ended: Mapping[str, Transition], notice: NoticeOf) -> None:
    """Note the end with every group that holds the alert, worded now: the alert itself is gone after this step."""
    for key, entry in draft.all(Kind.GROUP, GroupEntry).items():
        mine = entry.members.keys() & ended.keys()
        if not mine:
            continue
        members = dict(entry.members)
        for fingerprint in sorted(mine):
            transition = ended[fingerprint]
            told = notice(transition.alert, transition.at, transition.reason)
            members[fingerprint] = replace(members[fingerprint], ended=told)
        draft.put(Kind.GROUP, key, replace(entry, members=members))
