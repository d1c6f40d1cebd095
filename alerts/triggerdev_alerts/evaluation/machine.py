"""The state machine of one alert: what an outcome does to it, and why. Pure.

Only time that was observed counts: towards `for`, `keep_firing_for` and `hold_insufficient_for`. An evaluation that
failed, a restart and a tick that was skipped leave a gap, and a gap is no evidence of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from triggerdev_alerts.alert import Alert, Change, Labels, Outcome, Reason, State, fingerprint
from triggerdev_alerts.evaluation.judge import Judged
from triggerdev_alerts.instants import HOUR, Instant
from triggerdev_alerts.rules.model import OnNoData, Rule
from triggerdev_alerts.signals import Key

MAX_GAP = HOUR
"""A pending alert that did not hold for longer begins anew."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One evaluation among the others of its rule."""

    now: Instant
    interval: int
    elapsed: int
    """Milliseconds since the evaluation before; 0 for the first."""

    @property
    def observed(self) -> int:
        """How much of that counts: all of it, unless evaluations are missing in between."""
        return self.elapsed if 2 * self.elapsed <= 3 * self.interval else 0


class Step(NamedTuple):
    """An alert as it is afterwards (at its end: as it was last), and what changed if anything did."""

    alert: Alert
    change: Change | None = None
    reason: Reason = Reason.CONDITION_MET

    @property
    def ended(self) -> bool:
        return self.change is Change.RESOLVED or self.change is Change.DROPPED


def begin(rule: Rule, labels: Labels, key: Key, target: str, judged: Judged | None, now: Instant) -> Step:
    """A series without an alert, and its condition holds; `judged` is ``None`` if it is its absence that fires."""
    alert = Alert(
        fingerprint=fingerprint(rule.id, labels),
        rule=rule.id,
        labels=labels,
        key=key,
        target=target,
        state=State.FIRING if rule.for_ == 0 else State.PENDING,
        active_at=now,
        fired_at=now if rule.for_ == 0 else 0,
        last_true=now,
        previous=Outcome.TRUE if judged is not None else Outcome.NO_DATA,
        missing=0 if judged is not None else 1,
    )
    reason = Reason.CONDITION_MET if judged is not None else Reason.NO_DATA
    return Step(_refreshed(alert, judged), Change.FIRING if rule.for_ == 0 else Change.PENDING, reason)


def move(rule: Rule, alert: Alert, outcome: Outcome, judged: Judged | None, beat: Beat) -> Step:
    """What an evaluation that could be done does. `judged` has the numbers, where the series was read."""
    acts = _acts(rule, outcome)
    observed = 0 if alert.previous is Outcome.ERROR else beat.observed
    # `previous` is still the old one in `alert`; what follows reads it there.
    after = replace(
        alert,
        previous=outcome,
        missing=alert.missing + 1 if outcome is Outcome.NO_DATA else 0,
        insufficient_since=_insufficient_since(alert, outcome, beat, observed),
        stale_since=0,
        stale_reason="",
    )
    if acts is Outcome.TRUE:
        return _holds(rule, alert, after, outcome, judged, beat)
    if outcome is Outcome.CLEARING:
        # It still fires, so its messages tell how it stands now. One that ends tells with which numbers it held last.
        after = _refreshed(after, judged)
    if alert.state is State.PENDING:
        return _pending(rule, after, acts, outcome)
    if alert.state is State.FIRING:
        return _firing(rule, after, acts, outcome, beat)
    return _recovering(rule, replace(after, recovered=alert.recovered + observed), acts, outcome)


def hold(alert: Alert, why: str, beat: Beat) -> Alert:
    """Nothing could be read: the alert stays as it is, for ever if need be, and all its clocks stand still."""
    return replace(
        alert,
        previous=Outcome.ERROR,
        insufficient_since=alert.insufficient_since and min(alert.insufficient_since + beat.elapsed, beat.now),
        stale_since=alert.stale_since or beat.now,
        stale_reason=why,
    )


def ending(alert: Alert) -> Change:
    """How an alert ends for a reason outside of its condition: a pending one is only dropped."""
    return Change.RESOLVED if alert.is_firing else Change.DROPPED


def _acts(rule: Rule, outcome: Outcome) -> Outcome:
    """What an outcome counts as: `on_no_data` may make true or false of a series that is gone."""
    if outcome is Outcome.NO_DATA:
        if rule.on_no_data is OnNoData.FIRING:
            return Outcome.TRUE
        if rule.on_no_data is OnNoData.OK:
            return Outcome.FALSE
    return outcome


def _holds(rule: Rule, before: Alert, after: Alert, outcome: Outcome, judged: Judged | None, beat: Beat) -> Step:
    after = replace(_refreshed(after, judged), last_true=beat.now, recovered=0, insufficient_since=0)
    reason = Reason.NO_DATA if outcome is Outcome.NO_DATA else Reason.CONDITION_MET
    if before.state is State.FIRING:
        return Step(after)
    if before.state is State.RECOVERING:
        return Step(replace(after, state=State.FIRING), Change.RESUMED, reason)
    if beat.now - before.last_true > MAX_GAP:
        after = replace(after, active_at=beat.now, credit=0)
    elif _acts(rule, before.previous) is Outcome.TRUE:
        after = replace(after, credit=before.credit + beat.observed)
    if after.credit < rule.for_:
        return Step(after)
    return Step(replace(after, state=State.FIRING, fired_at=beat.now), Change.FIRING, reason)


def _pending(rule: Rule, after: Alert, acts: Outcome, outcome: Outcome) -> Step:
    if acts is Outcome.CLEARING or (acts is Outcome.NO_DATA and after.missing < rule.missing_after):
        return Step(after)
    return Step(after, Change.DROPPED, _why(outcome))


def _firing(rule: Rule, after: Alert, acts: Outcome, outcome: Outcome, beat: Beat) -> Step:
    if acts is Outcome.FALSE and rule.keep_firing_for:
        return Step(replace(after, state=State.RECOVERING), Change.RECOVERING, _why(outcome))
    stays = (
        acts is Outcome.CLEARING
        or (acts is Outcome.NO_DATA and after.missing < rule.missing_after)
        or (acts is Outcome.INSUFFICIENT and beat.now - after.insufficient_since < rule.hold_insufficient_for)
    )
    return Step(after) if stays else Step(after, Change.RESOLVED, _why(outcome))


def _recovering(rule: Rule, after: Alert, acts: Outcome, outcome: Outcome) -> Step:
    """In the band it stays for good. One that is gone stays at least as long as one whose condition is false."""
    stays = (
        acts is Outcome.CLEARING
        or after.recovered < rule.keep_firing_for
        or (acts is Outcome.NO_DATA and after.missing < rule.missing_after)
    )
    if stays:
        return Step(after)
    # It recovers because the condition was false; too few runs afterwards are not what ended it.
    return Step(after, Change.RESOLVED, _why(Outcome.FALSE if outcome is Outcome.INSUFFICIENT else outcome))


def _why(outcome: Outcome) -> Reason:
    if outcome is Outcome.INSUFFICIENT:
        return Reason.INSUFFICIENT_SAMPLE
    return Reason.ENTITY_GONE if outcome is Outcome.NO_DATA else Reason.CONDITION_CLEARED


def _insufficient_since(alert: Alert, outcome: Outcome, beat: Beat, observed: int) -> Instant:
    """Since when its sample is too small, moved on by what was not observed."""
    if outcome is Outcome.INSUFFICIENT and not alert.insufficient_since:
        return beat.now
    if outcome in (Outcome.INSUFFICIENT, Outcome.NO_DATA) and alert.insufficient_since:
        return min(alert.insufficient_since + beat.elapsed - observed, beat.now)
    return 0


def _refreshed(alert: Alert, judged: Judged | None) -> Alert:
    if judged is None:
        return alert
    return replace(alert, value=judged.value, threshold=judged.threshold, sample=judged.sample)
