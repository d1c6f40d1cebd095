"""What a group says at a flush, and what its members are told by it: the dedup. Pure; instants and rules come in.

Compared is what fires now with what each member was told last, never with when something was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Labels
from triggerdev_alerts.book import Member
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Why
from triggerdev_alerts.notify.withholding import Withheld
from triggerdev_alerts.rules.model import Route

FIRING, FLAPPING = "firing", "flapping"
"""`Member.told`. A member that was told its end is none any more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one member stands at a flush."""

    fingerprint: str
    member: Member
    about: Alert | AlertNotice
    """The alert while it fires; how its end is told afterwards."""
    withheld: Withheld = Withheld.NO
    changes: int = 0
    """Within its window, while it flaps; else 0."""

    @property
    def is_firing(self) -> bool:
        return isinstance(self.about, Alert)

    @property
    def labels(self) -> Labels:
        return self.about.labels


@dataclass(frozen=True, slots=True)
class Saying:
    """One message: what it is and whom it lists, firing first, then resolved, each by labels."""

    kind: NoticeKind
    why: Why
    listed: tuple[Standing, ...]
    changes: int = 0
    """Flapping: the most that any of them made."""


@dataclass(frozen=True, slots=True)
class Decision:
    sayings: tuple[Saying, ...]
    members: dict[str, Member]
    """Those that stay, as they are afterwards."""


def decide(
    standings: Sequence[Standing], route: Route, *, was_told: bool, repeats: bool, on_grid: bool, now: Instant
) -> Decision:
    """What to say.

    `was_told`: the group spoke before. `repeats`: its repeat timer ran out. Off the grid a group speaks only if it has
    something to repeat, and then tells everything that is new as well.
    """
    members = {each.fingerprint: _seen(each, now) for each in standings if not _is_over(each, route)}
    quiet = [each for each in standings if not each.changes and not each.withheld]
    firing = [each for each in quiet if each.is_firing and not each.member.leaving]
    if not on_grid and not (repeats and any(_is_known(each) for each in firing)):
        return Decision((), {each.fingerprint: each.member for each in standings})
    sayings = []
    flapping = [each for each in standings if _starts_flapping(each)]
    if flapping:
        sayings.append(_flapping(flapping))
        members.update({each.fingerprint: _told(each, FLAPPING, now) for each in flapping})
    ended = [each for each in standings if _tells_end(each, route)]
    others_fire = any(each.is_firing for each in standings)
    why = _why(firing, ended, was_told=was_told, repeats=repeats, others_fire=others_fire)
    if why is not None:
        kind = NoticeKind.FIRING if firing else NoticeKind.RESOLVED
        sayings.append(Saying(kind, why, (*_sorted(firing), *_sorted(ended))))
        members.update({each.fingerprint: _told(each, FIRING, now) for each in firing})
        for each in ended:
            members.pop(each.fingerprint, None)
    return Decision(tuple(sayings), members)


def _why(
    firing: Sequence[Standing], ended: Sequence[Standing], *, was_told: bool, repeats: bool, others_fire: bool
) -> Why | None:
    news = [each for each in firing if not _is_known(each)]
    if news:
        if all(each.member.muted_since for each in news):
            return Why.MUTE_ENDED
        return Why.NEW_ALERTS if was_told else Why.FIRST
    if ended:
        return Why.SOME_RESOLVED if others_fire else Why.ALL_RESOLVED
    return Why.REPEAT if repeats and firing else None


def _is_known(standing: Standing) -> bool:
    """Told that it fires, and nothing was withheld since: no news."""
    return standing.member.told == FIRING and not standing.member.muted_since


def _is_over(standing: Standing, route: Route) -> bool:
    """It ended, and nobody is to be told: nobody knew, or the route wants no ends."""
    if standing.is_firing or standing.changes:
        return False
    return not standing.member.told or not route.send_resolved


def _tells_end(standing: Standing, route: Route) -> bool:
    """Whoever was told of the alert is told of its end, muted or not, unless the route says to wait for the mute."""
    if standing.is_firing or standing.changes or _is_over(standing, route):
        return False
    return not standing.withheld or route.send_resolved_when_muted


def _starts_flapping(standing: Standing) -> bool:
    member = standing.member
    return bool(standing.changes) and not standing.withheld and not member.leaving and member.told != FLAPPING


def _flapping(standings: Sequence[Standing]) -> Saying:
    firing = [each for each in standings if each.is_firing]
    ended = [each for each in standings if not each.is_firing]
    most = max(each.changes for each in standings)
    return Saying(NoticeKind.FLAPPING, Why.FLAPPING, (*_sorted(firing), *_sorted(ended)), most)


def _seen(standing: Standing, now: Instant) -> Member:
    """Notes since when it is withheld. An inhibition is not noted: what inhibits it tells the same."""
    member = standing.member
    if standing.withheld in (Withheld.MUTED, Withheld.SILENCED) and not member.muted_since:
        return replace(member, muted_since=now)
    return member


def _told(standing: Standing, what: str, now: Instant) -> Member:
    return replace(standing.member, told=what, told_at=now, muted_since=0)


def _sorted(standings: Sequence[Standing]) -> list[Standing]:
    return sorted(standings, key=lambda each: (each.labels, each.fingerprint))
