"""Whether a target can be asked something now, and in words why not. Pure: reads states and coverage."""

from __future__ import annotations

from triggerdev_alerts.signals import SIGNALS, Blind, Question, Unknown, aligned
from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.strips import Family
from triggerdev_exporter.readings.needs import need_of
from triggerdev_exporter.target import Target


def blindness(target: Target, question: Question, now: Instant, at: Instant) -> Unknown | None:
    """Why `question` cannot be answered at `now` (our clock), as of `at` (the server's). ``None``: it can."""
    row = SIGNALS[question.signal]
    if not row.source:
        return None
    blind = _of_collector(target, row.source, now)
    if blind is None and row.source == "batches" and failing_for(target, "runs", now) not in (None, Blind.UNSUPPORTED):
        # They are found through their runs: one that nobody heard of is not asked for.
        blind = _of_collector(target, "runs", now)
    if blind is not None:
        return blind
    ledger = target.ledger
    if ledger is None:
        return Unknown(Blind.STARTING, "nothing was read yet")
    return _of_window(ledger, question, at) if row.windowed else None


def failing_for(target: Target, collector: str, now: Instant) -> Blind | None:
    """What keeps a collector from seeing now; ``None`` while it sees, or before its first tick."""
    state = target.states[collector]
    if state.supported is False:
        return Blind.UNSUPPORTED
    if state.up is False:
        reason, _, detail = (state.trouble or "").partition(":")
        if reason == "auth" or target.is_refused:
            return Blind.AUTH
        if reason == "truncated" and "list is" in detail:
            # `collect/suspicion.py`, and the empty list of runs: everything gone at once is not believed.
            return Blind.VANISHED
        return Blind.FAILING
    if state.up is not None and state.is_stale(now):
        return Blind.FAILING
    return None


def _of_collector(target: Target, name: str, now: Instant) -> Unknown | None:
    state = target.states[name]
    reason = failing_for(target, name, now)
    if reason is None:
        return Unknown(Blind.STARTING, f"{name} were not read yet") if state.up is None else None
    if reason is Blind.FAILING and state.up is not False:
        return Unknown(reason, f"{name} were not read for three intervals")
    return Unknown(reason, f"{name}: {state.trouble or 'not available'}")


def _of_window(ledger: Ledger, question: Question, at: Instant) -> Unknown | None:
    need = need_of(question)
    if need is None:
        return None
    strip, _ = need
    window = question.window or 0
    end = aligned(at - question.ago, window)
    kept = ledger.kept_strips.get(strip.key)
    if kept is None:
        return Unknown(Blind.UNFILLED, "counting for this window has not begun")
    if end - window < kept.since:
        return Unknown(Blind.UNFILLED, f"the window reaches back beyond {iso(kept.since)}, when counting for it began")
    if strip.family is not Family.BATCHES and _is_open(ledger, strip.family, end - window, end):
        return Unknown(Blind.CATCHING_UP, "runs of that time are still being read")
    return None


def _is_open(ledger: Ledger, family: Family, after: Instant, until: Instant) -> bool:
    """Whether something of the window may stand in runs that nobody has read yet."""
    coverage = ledger.coverage
    if coverage is None or not coverage.walked_at:
        return True
    # A run may end long after it was created, but never before.
    return any(
        begins < until and (ends > after or family is not Family.TRIGGERED) for begins, ends in cover.unread(coverage)
    )
