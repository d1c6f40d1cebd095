"""Groups that are due say what is to be said: the pipeline from inhibition to the notification.

Inhibit → mute and active intervals → silence → flapping → dedup → ceiling. It sends nothing and renders nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Outcome, Reason
from triggerdev_alerts.book import Draft, Flap, GroupEntry, Kind, Member, Silence
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import AlertNotice, Notification, Why, notification_id
from triggerdev_alerts.notify.cadence import is_on_grid, is_repeat_due, next_flush, repeat_after
from triggerdev_alerts.notify.decision import FIRING, Decision, Saying, Standing, decide
from triggerdev_alerts.notify.dispatch import NoticeOf
from triggerdev_alerts.notify.flapping import flapping_changes, forget_quiet
from triggerdev_alerts.notify.flood import admit
from triggerdev_alerts.notify.routing import route_of, routes_by_path
from triggerdev_alerts.notify.silences import prune_silences
from triggerdev_alerts.notify.withholding import Withholding
from triggerdev_alerts.rules.model import OnNoData, Route, Rule, RuleSet

MOST_LISTED = 100
"""Alerts that a notification carries; the rest is a number."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all groups of one flush are judged by."""

    draft: Draft
    rules: dict[str, Rule]
    withholding: Withholding
    notice: NoticeOf
    now: Instant


def flush(draft: Draft, ruleset: RuleSet, notice: NoticeOf, now: Instant) -> list[Notification]:
    """Let every group that is due speak, and every receiver that has room again; what is to be sent, in order."""
    said = [notification for each in speak(draft, ruleset, notice, now) for notification in each]
    return settle(draft, ruleset, said, now)


def speak(draft: Draft, ruleset: RuleSet, notice: NoticeOf, now: Instant) -> Iterator[list[Notification]]:
    """Let every group that is due speak, one after the other, so that a flood of them can be taken in parts.

    It writes groups and what is known of flapping, and nothing else.
    """
    forget_quiet(draft, now)
    routes = routes_by_path(ruleset.routes)
    due = [
        (key, entry, route)
        for key, entry in sorted(draft.all(Kind.GROUP, GroupEntry).items())
        for route in [route_of(entry.receiver, entry.route, routes)]
        if is_on_grid(entry, route, now) or is_repeat_due(entry, now)
    ]
    if due:
        silences = draft.all(Kind.SILENCE, Silence)
        withholding = Withholding(ruleset, draft.all(Kind.ALERT, Alert).values(), silences, now)
        scene = _Scene(draft, {rule.id: rule for rule in ruleset.rules}, withholding, notice, now)
        for key, entry, route in due:
            yield _flush_group(scene, key, entry, route)


def settle(draft: Draft, ruleset: RuleSet, said: Sequence[Notification], now: Instant) -> list[Notification]:
    """What of `said` may be sent, and the digests whose time has come. It writes receivers and silences."""
    prune_silences(draft, now)
    return admit(draft, ruleset.flood_ceiling, said, now)


def _flush_group(scene: _Scene, key: str, entry: GroupEntry, route: Route) -> list[Notification]:
    now = scene.now
    standings = [
        standing
        for fingerprint, member in entry.members.items()
        if (standing := _standing(scene, fingerprint, member, route)) is not None
    ]
    decision = decide(
        standings,
        route,
        was_told=bool(entry.told_at),
        repeats=is_repeat_due(entry, now),
        on_grid=is_on_grid(entry, route, now),
        now=now,
    )
    said = [
        _notification(scene, key, entry, saying, entry.seq + number)
        for number, saying in enumerate(decision.sayings, start=1)
    ]
    if decision.members:
        after = replace(entry, members=decision.members, seq=entry.seq + len(said))
        scene.draft.put(Kind.GROUP, key, _timed(after, route, decision, now))
    else:
        scene.draft.drop(Kind.GROUP, key)
    return said


def _standing(scene: _Scene, fingerprint: str, member: Member, route: Route) -> Standing | None:
    """``None`` for an alert that neither fires nor ended: there is nothing left to say of it."""
    alert = scene.draft.get(Kind.ALERT, fingerprint, Alert)
    about = member.ended or (alert if alert is not None and alert.is_firing else None)
    if about is None:
        return None
    changes = flapping_changes(scene.draft.get(Kind.FLAP, fingerprint, Flap), scene.now)
    return Standing(fingerprint, member, about, scene.withholding.of(about.labels, route), changes)


def _timed(entry: GroupEntry, route: Route, decision: Decision, now: Instant) -> GroupEntry:
    """The group with its instants as they are after the flush."""
    following = next_flush(entry, route, now)
    spoke = next((saying for saying in decision.sayings if saying.why is not Why.FLAPPING), None)
    if not any(member.told == FIRING for member in decision.members.values()):
        return replace(entry, next_flush=following, repeat_at=0, told_at=now if spoke else entry.told_at)
    if spoke is not None:
        repeats = entry.repeats + 1 if spoke.why is Why.REPEAT else 0
        repeat_at = now + repeat_after(route, repeats)
        return replace(entry, next_flush=following, told_at=now, repeats=repeats, repeat_at=repeat_at)
    # A repetition that was withheld is looked at again with the grid.
    repeat_at = following if is_repeat_due(entry, now) else entry.repeat_at
    return replace(entry, next_flush=following, repeat_at=repeat_at)


def _notification(scene: _Scene, key: str, entry: GroupEntry, saying: Saying, seq: int) -> Notification:
    return Notification(
        id=notification_id(entry.receiver, key, seq),
        receiver=entry.receiver,
        group_key=key,
        group_labels=entry.labels,
        seq=seq,
        kind=saying.kind,
        why=saying.why,
        at=scene.now,
        alerts=tuple(_notice(scene, standing.about) for standing in saying.listed[:MOST_LISTED]),
        truncated=max(0, len(saying.listed) - MOST_LISTED),
        changes=saying.changes,
    )


def _notice(scene: _Scene, about: Alert | AlertNotice) -> AlertNotice:
    if isinstance(about, AlertNotice):
        return about
    rule = scene.rules.get(about.rule)
    fires_blind = about.previous is Outcome.NO_DATA and rule is not None and rule.on_no_data is OnNoData.FIRING
    return scene.notice(about, None, Reason.NO_DATA if fires_blind else Reason.CONDITION_MET)
