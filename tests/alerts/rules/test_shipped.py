"""The rules that come with the program: complete, tested, and on or off as the table here says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from alert_notices import NOW, told
from triggerdev_alerts.book import Kind, Letter, ReceiverEntry
from triggerdev_alerts.history.course import on_time_axis, take
from triggerdev_alerts.history.rehearsal import rehearse
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.history.test_report import report
from triggerdev_alerts.history.trial import run_tests
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.instants import MINUTE
from triggerdev_alerts.rules.files import gather_rules, shipped_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_alerts.rules.sources import RuleFile

ALERTS = Path(__file__).parents[3] / "alerts"

ON = {
    "critical": {
        "AuthFailing",
        "NotifierFailing",
        "QueueAgeCritical",
        "QueueStalled",
        "RunsCrashing",
        "RunsPendingVersion",
        "RunsStuckDequeued",
        "ScheduleMissedTwice",
        "SchedulerDown",
        "SourceUnreachable",
        "TaskFailureRateCritical",
    },
    "warning": {
        "BatchStuck",
        "ClockSkew",
        "ConsecutiveFailures",
        "DeployFailed",
        "DeployStuck",
        "OutboxStalled",
        "QueueAgeHigh",
        "QueuePaused",
        "QuotaLow",
        "RuleEvaluationFailing",
        "RunsExpired",
        "ScheduleMissed",
        "TaskFailureRateHigh",
        "ViewLagHigh",
    },
    "info": {"RuleNeverMatched"},
}
OFF = {
    "BatchItemsFailed",
    "QueueBacklog",
    "QueueSaturated",
    "RunSlow",
    "SpendHigh",
    "TaskNoRuns",
    "TaskNoSuccess",
    "WaitpointStale",
}
#: Delivery, and patterns that fit nothing: the language of tests has no words for them, the tests below show them.
TESTED_HERE = {"NotifierFailing", "OutboxStalled", "RuleNeverMatched"}


@pytest.fixture(scope="module")
def shipped() -> LoadedRules:
    return read_rules(shipped_rules())


def test_each_is_on_or_off_as_decided(shipped: LoadedRules) -> None:
    rules = shipped.ruleset.rules
    on = {severity: {r.name for r in rules if r.enabled and r.severity == severity} for severity in ON}
    assert (on, {rule.name for rule in rules if not rule.enabled}) == (ON, OFF)


def test_they_load_without_a_warning(shipped: LoadedRules) -> None:
    assert shipped.warnings == ()
    own = gather_rules([str(ALERTS / "rules" / "*.yml")])
    assert read_rules(own.files).warnings == (), "as files that a person wrote, too"


def test_each_says_what_it_means_and_what_to_do(shipped: LoadedRules) -> None:
    for rule in shipped.ruleset.rules:
        assert set(rule.annotations) == {"summary", "description", "runbook"}, rule.name
        assert rule.annotations["runbook"] == f"alerts/runbooks/{rule.name}.md"
        assert len(rule.annotations["description"]) < 160, rule.name
        assert rule.group.startswith("triggerdev-"), "a group of a person cannot have the name of a shipped one"


def test_each_has_a_test_that_fires_and_one_that_does_not(shipped: LoadedRules) -> None:
    seen: dict[str, set[str]] = {}
    for case in shipped.cases:
        for expected in case.test.expect:
            state = "off" if expected.state in ("inactive", "pending") else str(expected.state)
            seen.setdefault(str(expected.alert), set()).add(state)
    names = {rule.name for rule in shipped.ruleset.rules}
    assert {name for name in names if seen.get(name) != {"firing", "off"}} == TESTED_HERE


async def test_their_tests_pass(shipped: LoadedRules) -> None:
    results = await run_tests(shipped.ruleset, shipped.cases)
    assert all(result.passed for result in results), report(results)


RECEIVERS = """\
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops}
"""
TOLD_ONCE = (
    RECEIVERS
    + """\
tests:
  - name: what is told as critical is not told as a warning too
    lasts: 10m
    only: true
    given: {runs: [{task: down, status: FAILED, count: 20}]}
    expect:
      - {at: 1m, alert: TaskFailureRateCritical, state: firing}
      - {at: 1m, alert: TaskFailureRateHigh, state: firing}
      - {at: 2m, alert: ConsecutiveFailures, state: firing}
      - {at: 1m30s, receiver: ops, kind: firing, alerts: TaskFailureRateCritical}
  - name: nor is a refused key told as an API that cannot be reached
    lasts: 35m
    only: true
    given: {outages: [{from: 1m, reason: auth}]}
    expect:
      - {at: 30m, alert: SourceUnreachable, state: firing}
      - {at: 6m30s, receiver: ops, kind: firing, alerts: AuthFailing}
  - name: nor a dead scheduler as many schedules
    lasts: 40m
    only: true
    given:
      schedules: [{schedule: a, task: a, slots: [5m, 15m, 25m]}, {schedule: b, task: b, slots: [10m]}]
      runs: [{task: b, at: 10m}]
    expect:
      - {at: 10m30s, receiver: ops, kind: firing, alerts: ScheduleMissed}
      - {at: 20m30s, receiver: ops, kind: firing, alerts: ScheduleMissedTwice}
      - {at: 40m, alert: ScheduleMissed, state: firing}
      - {at: 40m, alert: SchedulerDown, state: inactive}
"""
)


async def test_nothing_is_told_twice() -> None:
    loaded = read_rules([*shipped_rules(), RuleFile("own.yml", TOLD_ONCE)])
    results = await run_tests(loaded.ruleset, [case for case in loaded.cases if not case.shipped])
    assert all(result.passed for result in results), report(results)


OWN = """\
groups:
  - name: own
    rules:
      - {alert: Misspelt, when: {failure_rate: {window: 15m, above: 10%, task: send-emial}}}
      - {alert: Fits, when: {failure_rate: {window: 15m, above: 10%, task: send-email}}}
tests:
  - name: a rule whose patterns fit nothing for a day
    given: {runs: [{task: send-email}]}
    expect:
      - {at: 24h, alert: Misspelt, state: inactive}
      - {at: 24h, alert: Fits, state: inactive}
      - {at: 24h, alert: RuleNeverMatched, state: inactive}
      - {at: 24h1m, alert: RuleNeverMatched, state: firing, labels: {rule: own/Misspelt, severity: info}, count: 1}
"""


async def test_a_rule_whose_patterns_fit_nothing() -> None:
    loaded = read_rules([*shipped_rules(), RuleFile("own.yml", OWN)])
    results = await run_tests(loaded.ruleset, [case for case in loaded.cases if not case.shipped])
    assert all(result.passed for result in results), report(results)


async def fires(shipped: LoadedRules, alert: str, *, given: ReceiverEntry | Letter) -> list[int]:
    """The minutes in which the alert fires about the receiver `hook`, of the first hour and a half."""
    story = Story(start=NOW)
    signals = StorySignals(story)
    rules = on_time_axis(shipped.ruleset, named=[alert])
    engine, book = rehearse(rules, signals, StoryWitness(story), started_at=NOW)
    if isinstance(given, Letter):
        book.set_letter(given)
    else:
        book.set_entry(Kind.RECEIVER, "hook", given)
    stops = range(NOW, NOW + 90 * MINUTE, MINUTE)
    course = await take(engine, book, start=NOW, end=stops[-1], stops=stops, before=signals.look)
    found = {at: [one for one in course.snapshots[at].alerts if one.is_firing] for at in stops}
    assert {one.label("receiver") for alerts in found.values() for one in alerts} == {"hook"}
    return [(at - NOW) // MINUTE for at in stops if found[at]]


#: Ticks are multiples of the interval, and `NOW` is none.
LATE = MINUTE - NOW % MINUTE


async def test_a_receiver_that_takes_nothing_for_five_minutes(shipped: LoadedRules) -> None:
    entry = ReceiverEntry(failing_since=NOW + LATE - MINUTE)
    assert await fires(shipped, "NotifierFailing", given=entry) == list(range(6, 90))


async def test_a_message_that_was_given_up_is_news_for_an_hour(shipped: LoadedRules) -> None:
    entry = ReceiverEntry(dead=(NOW,))
    assert await fires(shipped, "NotifierFailing", given=entry) == list(range(1, 61))


async def test_a_message_that_waits_for_a_quarter_of_an_hour(shipped: LoadedRules) -> None:
    letter = Letter(
        id="msg_1", receiver="hook", group_key="g", seq=1, notification=told(), body="{}", created_at=NOW + LATE
    )
    assert await fires(shipped, "OutboxStalled", given=letter) == list(range(17, 90))


def test_the_wheel_holds_them(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ALERTS.parent, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(ZipFile(wheel).namelist())
    for folder in ("rules", "runbooks"):
        lying = {f"triggerdev_alerts/shipped/{folder}/{path.name}" for path in (ALERTS / folder).iterdir()}
        assert lying <= held
        assert lying
