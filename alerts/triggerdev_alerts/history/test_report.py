"""What `rules test` prints: a letter a test, then each failure with its timeline, then the sum. Pure text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from triggerdev_alerts.alert import Change, Transition
from triggerdev_alerts.history.course import Course
from triggerdev_alerts.history.expectations import Units, Unmet, message_in_words, numbers, offset, series
from triggerdev_alerts.instants import Instant, iso
from triggerdev_alerts.rules.load import Case

WIDTH = 100
MOST_LINES = 30
"""Of one timeline: those nearest to what failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went."""

    case: Case
    unmet: tuple[Unmet, ...]
    course: Course
    units: Units

    @property
    def passed(self) -> bool:
        return not self.unmet


def report(results: Sequence[Result], *, verbose: bool = False) -> str:
    """The whole text, with a line end behind the last line."""
    lines = [*_progress(results, verbose=verbose)]
    failed = [result for result in results if not result.passed]
    if failed:
        lines += ["", _rule("FAILURES", "=")]
        for result in failed:
            lines += _failure(result)
    if failed:
        lines += ["", _rule("short test summary", "=")]
        lines += [f"FAILED {_where(result.case)}: {result.case.test.name}" for result in failed]
    lines.append(_rule(_sum(len(failed), len(results) - len(failed)), "="))
    return "\n".join(lines) + "\n"


def _progress(results: Sequence[Result], *, verbose: bool) -> Iterator[str]:
    if verbose:
        for result in results:
            yield f"{_where(result.case)}: {result.case.test.name} {'PASSED' if result.passed else 'FAILED'}"
        return
    for file in dict.fromkeys(result.case.place.name for result in results):
        letters = "".join("." if one.passed else "F" for one in results if one.case.place.name == file)
        yield f"{file} {letters}"


def _failure(result: Result) -> Iterator[str]:
    case, course = result.case, result.course
    yield _rule(f"{_where(case)}: {case.test.name}", "_")
    for one in result.unmet:
        yield ""
        place = case.place if one.index is None else case.expected[one.index]
        yield f"{place.name}:{place.line}: expected {one.expected}"
        yield from (f"E   {line}" for line in one.was.split("\n"))
    yield ""
    yield f"What happened (0m is {iso(course.start)}):"
    yield from _timeline(course, [one.at for one in result.unmet], result.units)


def _timeline(course: Course, failed: Sequence[Instant], units: Units) -> Iterator[str]:
    happened = [(one.at, 0, transition_in_words(one, course.start, units)) for one in course.transitions]
    happened += [(one.at, 1, "  -> " + _behind(message_in_words(one, course.start))) for one in course.notifications]
    if not happened:
        yield "  nothing: no alert changed its state, and nobody was told anything"
        return
    ordered = sorted(happened, key=lambda line: line[:2])
    shown = ordered
    if len(ordered) > MOST_LINES:
        near = sorted(range(len(ordered)), key=lambda n: (min(abs(ordered[n][0] - at) for at in failed), n))
        shown = [ordered[n] for n in sorted(near[:MOST_LINES])]
    yield from (f"  {offset(at - course.start):>9}  {text}" for at, _, text in shown)
    if len(shown) < len(ordered):
        yield f"  … and {len(ordered) - len(shown)} more, further away"


def _behind(text: str) -> str:
    """Without the instant, which stands in the margin."""
    return text.partition(" ")[2]


def transition_in_words(one: Transition, start: Instant, units: Units) -> str:
    """``QueueBacklog{queue="emails"} pending (condition_met): 20, limit 10``."""
    alert = one.alert
    since = f", fired {offset(alert.fired_at - start)}" if one.change is Change.RESOLVED and alert.fired_at else ""
    return (
        f"{alert.label('alertname')}{series(alert.labels)} {one.change} ({one.reason}): {numbers(alert, units)}{since}"
    )


def _where(case: Case) -> str:
    return f"{case.place.name}:{case.place.line}"


def _rule(text: str, sign: str) -> str:
    return f" {text} ".center(WIDTH, sign)


def _sum(failed: int, passed: int) -> str:
    parts = [f"{failed} failed"] * bool(failed) + [f"{passed} passed"] * bool(passed)
    return ", ".join(parts) or "no tests"
