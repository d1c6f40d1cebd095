"""What keeps an alert from being told at an instant: inhibition, mute and active intervals, silences. In that order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from triggerdev_alerts.alert import Alert, Labels
from triggerdev_alerts.book import Silence
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notify.calendar import is_inside
from triggerdev_alerts.notify.matching import label_value, matches_all
from triggerdev_alerts.rules.model import Inhibition, Matcher, Route, RuleSet


class Withheld(StrEnum):
    """Why an alert is not told now."""

    NO = ""
    INHIBITED = "inhibited"
    """What explains it is told already, so its end is no news: nothing is caught up with."""
    MUTED = "muted"
    SILENCED = "silenced"


@dataclass(frozen=True, slots=True)
class _Sources:
    """What fires on the source side of one inhibition, by the values of its `equal` labels."""

    inhibition: Inhibition
    one_sided: frozenset[tuple[str, ...]]
    any_sided: frozenset[tuple[str, ...]]
    """Those included that match the target side too; they cannot inhibit one another."""

    def inhibits(self, labels: Labels) -> bool:
        if not matches_all(self.inhibition.target, labels):
            return False
        values = _equal_values(self.inhibition, labels)
        is_source = matches_all(self.inhibition.source, labels)
        return values in (self.one_sided if is_source else self.any_sided)


class Withholding:
    """Everything that withholds alerts at one instant. `alerts` are all that are in the book."""

    def __init__(
        self, ruleset: RuleSet, alerts: Iterable[Alert], silences: Mapping[str, Silence], now: Instant
    ) -> None:
        firing = [alert.labels for alert in alerts if alert.is_firing] if ruleset.inhibitions else []
        self._sources = [_sources(inhibition, firing) for inhibition in ruleset.inhibitions]
        self._silences = [matchers_of(silence) for silence in silences.values() if is_active(silence, now)]
        self._inside = {name: is_inside(ranges, now) for name, ranges in ruleset.time_intervals.items()}

    def of(self, labels: Labels, route: Route) -> Withheld:
        """Why an alert with these labels is withheld on this route."""
        if any(sources.inhibits(labels) for sources in self._sources):
            return Withheld.INHIBITED
        if self.is_muted(route):
            return Withheld.MUTED
        if any(matches_all(matchers, labels) for matchers in self._silences):
            return Withheld.SILENCED
        return Withheld.NO

    def is_muted(self, route: Route) -> bool:
        """Inside a mute interval, or outside of all active ones."""
        if any(self._inside.get(name, False) for name in route.mute):
            return True
        return bool(route.active) and not any(self._inside.get(name, False) for name in route.active)


def is_active(silence: Silence, now: Instant) -> bool:
    return silence.starts_at <= now < silence.ends_at


def matchers_of(silence: Silence) -> tuple[Matcher, ...]:
    return tuple(Matcher(label, values, negative) for label, negative, values in silence.matchers)


def _sources(inhibition: Inhibition, firing: Iterable[Labels]) -> _Sources:
    one_sided: set[tuple[str, ...]] = set()
    any_sided: set[tuple[str, ...]] = set()
    for labels in firing:
        if matches_all(inhibition.source, labels):
            values = _equal_values(inhibition, labels)
            any_sided.add(values)
            if not matches_all(inhibition.target, labels):
                one_sided.add(values)
    return _Sources(inhibition, frozenset(one_sided), frozenset(any_sided))


def _equal_values(inhibition: Inhibition, labels: Labels) -> tuple[str, ...]:
    return tuple(label_value(name, labels) for name in inhibition.equal)
