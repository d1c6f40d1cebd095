"""Runs the tests of rules: each story through an engine of its own, and what was expected against what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from triggerdev_alerts.history.course import on_time_axis, take
from triggerdev_alerts.history.expectations import instants, names, units_of, unmet
from triggerdev_alerts.history.rehearsal import rehearse
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.telling import end_of, tell
from triggerdev_alerts.history.test_report import Result
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.rules.load import Case
from triggerdev_alerts.rules.model import RuleSet


async def run_tests(ruleset: RuleSet, cases: Sequence[Case]) -> list[Result]:
    """Each case by itself, in order. Nothing is sent; the clock is the story's."""
    return [await run_case(ruleset, case) for case in cases]


async def run_case(ruleset: RuleSet, case: Case) -> Result:
    """One test. Own rules take part, and those that the test names: shipped ones, and ones that are off."""
    test = case.test
    story = tell(test)
    signals = StorySignals(story)
    engine, book = rehearse(
        on_time_axis(ruleset, named=names(test)), signals, StoryWitness(story), started_at=test.start
    )
    course = await take(engine, book, start=test.start, end=end_of(test), stops=instants(test), before=signals.look)
    units = units_of(ruleset)
    return Result(case, tuple(unmet(test, course, units)), course, units)
