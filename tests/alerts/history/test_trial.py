"""`rules test` from file to text: what takes part, what is expected, and what is printed when it was not so."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggerdev_alerts.history.test_report import Result, report
from triggerdev_alerts.history.trial import run_tests
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile

GOLDEN = Path(__file__).parent / "golden"

RULES = """\
version: 1
receivers:
  ops: {webhook: {url_env: HOOK}}
routes: {receiver: ops, group_wait: 30s, group_interval: 5m, repeat_interval: 4h}
groups:
  - name: queues
    rules:
      - alert: QueueBacklog
        when: {queue_depth: {above: 10}}
        for: 2m
        keep_firing_for: 0s
  - name: runs
    rules:
      - alert: TaskFails
        when: {failure_rate: {window: 15m, above: 10%, min_sample: 20}}
        for: 0s
        keep_firing_for: 0s
      - alert: Noisy
        enabled: false
        when: {queue_depth: {above: 0}}
        for: 0s
"""
SHIPPED = """\
version: 1
groups:
  - name: shipped
    rules:
      - {alert: AnyDepth, when: {queue_depth: {above: 0}}, for: 0s}
"""
GOOD = """\
tests:
  - name: a backlog fires after two minutes, once
    only: true
    given:
      queues: [{queue: emails, depth: {0m: 20, 20m30s: 5}}]
    expect:
      - {at: 0m, alert: QueueBacklog, state: pending, value: 20}
      - {at: 2m, alert: QueueBacklog, state: firing, labels: {queue: emails}, count: 1}
      - {at: 2m30s, receiver: ops, kind: firing, alerts: QueueBacklog}
      - {at: 21m, alert: QueueBacklog, state: inactive, reason: condition_cleared}
      - {at: 22m30s, receiver: ops, kind: resolved, labels: {queue: emails}}
      - {receiver: ops, count: 2}
  - name: small samples never fire
    given: {runs: [{task: a, status: FAILED, count: 3, at: 0m}]}
    expect: [{at: 10m, alert: TaskFails, state: inactive}]
"""
BAD = """\
tests:
  - name: nothing here is so
    only: true
    given:
      queues: [{queue: emails, depth: {0m: 20, 20m30s: 5}}, {queue: video, depth: 1}]
      runs:
        - {task: a, status: FAILED, count: 3}
        - {task: b, every: 20s, until: 10m, status: COMPLETED}
        - {task: b, every: 1m, until: 10m, status: FAILED, error: "TypeError: x is null"}
      outages: [{from: 15m, until: 18m}]
    expect:
      - {at: 1m, alert: QueueBacklog, state: firing}
      - {at: 3m, alert: TaskFails, state: firing}
      - {at: 10m, alert: TaskFails, state: firing, labels: {task: b}, value: 33%}
      - {at: 2m30s, receiver: ops, kind: resolved}
      - {at: 3m, receiver: ops}
      - {at: 16m, alert: QueueBacklog, state: inactive}
      - {at: 21m, alert: QueueBacklog, state: inactive, reason: entity_gone}
      - {receiver: ops, count: 3, kind: resolved}
"""


async def tried(text: str, *, shipped: str = "") -> list[Result]:
    files = [RuleFile("queues.yml", RULES + text)]
    if shipped:
        files.append(RuleFile("shipped.yml", shipped, shipped=True))
    loaded = read_rules(files)
    return await run_tests(loaded.ruleset, [case for case in loaded.cases if not case.shipped])


def golden(name: str) -> str:
    return (GOLDEN / name).read_text("utf-8")


async def test_what_is_so_passes() -> None:
    results = await tried(GOOD)
    assert [result.unmet for result in results] == [(), ()]
    assert report(results) == golden("rules_test_passed.txt")


async def test_what_is_not_so_is_told_with_what_was() -> None:
    results = await tried(BAD + GOOD.removeprefix("tests:\n"))
    assert report(results) == golden("rules_test_failed.txt")


async def test_labels_that_no_alert_has_are_told_beside_those_that_there_are() -> None:
    (result,) = await tried(
        "tests: [{name: x, given: {queues: [{queue: mail, depth: 20}]}, "
        "expect: [{at: 2m, alert: QueueBacklog, labels: {queue: mial}, state: firing}]}]\n"
    )
    assert 'E   none has these labels; QueueBacklog{queue="mail"} is firing since 2m, 20, limit 10\n' in report(
        [result]
    )


async def test_verbose_is_a_line_a_test() -> None:
    text = report(await tried(BAD + GOOD.removeprefix("tests:\n")), verbose=True)
    assert text.splitlines()[:4] == [
        "queues.yml:23: nothing here is so FAILED",
        "queues.yml:41: a backlog fires after two minutes, once PASSED",
        "queues.yml:52: small samples never fire PASSED",
        "",
    ]


EXPECTED = "tests: [{name: x, given: {queues: [{queue: q, depth: 5}]}, expect: [{at: 1m, alert: %s, state: %s}]}]\n"


@pytest.mark.parametrize(
    ("alert", "state"),
    [("QueueBacklog", "inactive"), ("Noisy", "firing"), ("AnyDepth", "firing")],
    ids=["own", "own and off", "shipped"],
)
async def test_who_is_named_takes_part(alert: str, state: str) -> None:
    (result,) = await tried(EXPECTED % (alert, state), shipped=SHIPPED)
    assert result.unmet == ()
    assert {one.alert.label("alertname") for one in result.course.transitions} <= {alert}


async def test_a_long_timeline_is_told_around_what_failed() -> None:
    flips = ", ".join(f"{n}m: {20 * (n % 2)}" for n in range(60))
    (result,) = await tried(
        f"tests: [{{name: x, given: {{queues: [{{queue: q, depth: {{{flips}}}}}]}}, "
        "expect: [{at: 59m, alert: Noisy, state: pending}]}]\n"
    )
    text = report([result])
    assert "more, further away" in text
    assert "59m" in text
    assert len(text.splitlines()) < 50
