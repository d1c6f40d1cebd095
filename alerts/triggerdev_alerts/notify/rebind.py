"""Groups after the routes changed: every alert is where the new tree wants it, and nobody is told anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Labels
from triggerdev_alerts.book import Draft, GroupEntry, Kind, Member, ReceiverEntry
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notify.cadence import repeat_after
from triggerdev_alerts.notify.dispatch import join, places_of
from triggerdev_alerts.notify.routing import every_route, group_key, route_of, routes_by_path
from triggerdev_alerts.rules.model import Route, RuleSet


def rebind(draft: Draft, ruleset: RuleSet, now: Instant) -> None:
    """Move what is in groups to where `ruleset` routes it. Call it after a reload, and at the start of a process.

    What stays where it was keeps its instants and numbers, so unchanged routes change nothing. What moves within a
    receiver takes along what was told. A receiver that was told of an alert which is now another's is told its end
    later and nothing else. What belongs to receivers that are gone is dropped.
    """
    groups = draft.all(Kind.GROUP, GroupEntry)
    if ruleset.routes is None:
        for key in groups:
            draft.drop(Kind.GROUP, key)
        return
    firing = {key: alert for key, alert in draft.all(Kind.ALERT, Alert).items() if alert.is_firing}
    moves = _Moves(draft, ruleset, firing)
    for key, entry in sorted(groups.items()):
        moves.sort_members(key, entry)
    moves.write(groups, now)
    _join_missing(draft, ruleset, firing, now)
    _forget_receivers(draft, ruleset)


@dataclass(slots=True)
class _Arrival:
    """A group to which members move, and the first group that they come from."""

    route: Route
    labels: Labels
    source: GroupEntry
    members: dict[str, Member] = field(default_factory=dict)


class _Moves:
    """Where every member of every group goes."""

    def __init__(self, draft: Draft, ruleset: RuleSet, firing: dict[str, Alert]) -> None:
        self._draft = draft
        self._ruleset = ruleset
        self._firing = firing
        self._receivers = _receivers(ruleset)
        self._staying: dict[str, dict[str, Member]] = {}
        self._arriving: dict[str, _Arrival] = {}

    def sort_members(self, key: str, entry: GroupEntry) -> None:
        staying: dict[str, Member] = {}
        for fingerprint, member in entry.members.items():
            alert = self._firing.get(fingerprint)
            labels = alert.labels if alert is not None else member.ended.labels if member.ended is not None else None
            if labels is None:
                continue
            homes = {
                group_key(route, group): (route, group)
                for route, group in places_of(self._draft, self._ruleset, labels, fingerprint)
            }
            mine = {home: place for home, place in homes.items() if place[0].receiver == entry.receiver}
            if key in homes:
                staying[fingerprint] = replace(member, leaving=False)
            elif mine:
                for home, place in mine.items():
                    arrival = self._arriving.setdefault(home, _Arrival(*place, entry))
                    arrival.members.setdefault(fingerprint, replace(member, leaving=False))
            elif member.told and entry.receiver in self._receivers:
                staying[fingerprint] = replace(member, leaving=True)
        self._staying[key] = staying

    def write(self, groups: dict[str, GroupEntry], now: Instant) -> None:
        routes = routes_by_path(self._ruleset.routes)
        for key, members in self._staying.items():
            entry = groups[key]
            if members:
                kept = replace(entry, members=members)
                self._draft.put(Kind.GROUP, key, _retimed(kept, route_of(entry.receiver, entry.route, routes), now))
            else:
                self._draft.drop(Kind.GROUP, key)
        for key, arrival in self._arriving.items():
            entry = self._draft.get(Kind.GROUP, key, GroupEntry) or _moved(arrival, now)
            moved = replace(entry, members={**arrival.members, **entry.members})
            self._draft.put(Kind.GROUP, key, _retimed(moved, arrival.route, now))


def _moved(arrival: _Arrival, now: Instant) -> GroupEntry:
    """A group that goes on under another key: its instants stay, its numbers begin anew."""
    return replace(arrival.source, route=arrival.route.path, labels=arrival.labels, members={}, created_at=now, seq=now)


def _retimed(entry: GroupEntry, route: Route, now: Instant) -> GroupEntry:
    """The repeat timer by the settings of its route; one that ran out meanwhile rings at the next instant of the grid.

    A timer that ran out before is left alone: it is due, or waits for a mute to end.
    """
    if not entry.repeat_at or entry.repeat_at <= now or not entry.told_at:
        return entry
    wanted = entry.told_at + repeat_after(route, entry.repeats)
    return replace(entry, repeat_at=wanted if wanted > now else entry.next_flush)


def _join_missing(draft: Draft, ruleset: RuleSet, firing: dict[str, Alert], now: Instant) -> None:
    """Whoever gets an alert only by the new routes is told as of a new one."""
    for fingerprint, alert in sorted(firing.items()):
        for route, labels in places_of(draft, ruleset, alert.labels, fingerprint):
            entry = draft.get(Kind.GROUP, group_key(route, labels), GroupEntry)
            if entry is None or fingerprint not in entry.members:
                join(draft, route, labels, {fingerprint: alert.fired_at}, now)


def _forget_receivers(draft: Draft, ruleset: RuleSet) -> None:
    """Nothing can be told to a receiver that is gone: neither a digest that waits."""
    known = _receivers(ruleset)
    for name, entry in draft.all(Kind.RECEIVER, ReceiverEntry).items():
        if name not in known and entry.collapsed:
            draft.put(Kind.RECEIVER, name, replace(entry, collapsed=()))


def _receivers(ruleset: RuleSet) -> set[str]:
    return {*ruleset.receivers, *_routed(ruleset.routes)}


def _routed(root: Route | None) -> Iterator[str]:
    return iter(()) if root is None else (route.receiver for route in every_route(root))
