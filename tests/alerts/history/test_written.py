"""Mistakes in tests of rules: where, what, and what to write instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.documents.positions import read_yaml
from triggerdev_alerts.documents.wording import Wording
from triggerdev_alerts.history.written import WrittenTest, parse_offset, parse_value

HEAD = "name: x\nexpect: [{at: 1m, alert: A, state: firing}]\n"


def mistakes(text: str) -> list[str]:
    document = read_yaml(text, "t.yml")
    try:
        WrittenTest.model_validate(document.data, context=WRITTEN)
    except ValidationError as error:
        found = Wording(WrittenTest, "a test").mistakes(
            error.errors(include_url=False), lambda path, key: document.place(path, key=key)
        )
        return [render(mistake).splitlines()[0] for mistake in found]
    return []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("runs: [{status: FAILED}]", '"task" is required in runs; write it like task: send-email'),
        ("runs: [{task: a, every: 30}]", '30 is not a duration; write "30s" for seconds, "30m" for minutes'),
        ("runs: [{task: a, every: 30s}]", "a series needs an end: until an instant, or a count"),
        ("runs: [{task: a, until: 30s}]", "until ends a series; say how often with every"),
        ("runs: [{task: a, every: 1s, at: 2m, until: 1m}]", "the series ends (1m) before it begins"),
        ("runs: [{task: a, every: 1ms, until: 1h}]", "that are more than 100000 runs; a test does not need so many"),
        ("runs: [{task: a, status: QUEUED, duration: 1m}]", "a run that stays QUEUED has no duration; use ends_at"),
        ("runs: [{task: a, ends_at: 1m}]", "ends_at is for runs that stay in an open status; use duration"),
        ("runs: [{task: a, cost: 3}]", '3 is not an amount of money; write "3 USD"'),
        ("runs: [{task: a, wat: 3s}]", 'unknown key "wat" in runs; did you mean "wait"?'),
        ("queues: [{queue: q, depth: x}]", 'a depth is a whole number of runs that wait, not "x"'),
        ("queues: [{queue: q, depth: {20: 5}}]", '"20" is not a duration; write it like "30s", "5m" or "1h30m"'),
        ("schedules: [{schedule: s, task: a}]", "a schedule is due by cron or at slots; write one of them"),
        (
            'schedules: [{schedule: s, task: a, cron: "* x"}]',
            '"* x" is not a cron expression; write it like "0 3 * * *"',
        ),
        (
            'schedules: [{schedule: s, task: a, cron: "* * * * *", timezone: Mars}]',
            '"Mars" is not a time zone; write it like "Europe/Berlin"',
        ),
        ("batches: [{items: 1, failed: 2}]", "2 of 1 items cannot fail"),
        ("outages: [{from: 5m, until: 5m}]", "an outage ends after it began"),
        (
            "outages: [{collector: run}]",
            '"run" is not a collector; one of runs, queues, batches, schedules, deployments, waitpoints'
            ' – did you mean "runs"?',
        ),
        ("outages: [{from: -400d}]", '"-400d" is too far from the start of the test; at most 366d'),
    ],
)
def test_what_is_given(given: str, told: str) -> None:
    (line,) = mistakes(f"{HEAD}given:\n  {given}\n")
    assert line.startswith("t.yml:4:")
    assert line.partition("]: ")[2] == told


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("{alert: A, state: firing}", "when is the alert in that state? write it like at: 10m"),
        ("{at: 1m, alert: A}", "the state is required; one of inactive, pending, firing, recovering"),
        ("{at: 1m, alert: A, state: firing, kind: firing}", "kind is about messages; name a receiver instead"),
        ("{at: 1m, alert: A, state: inactive, value: 3}", "an alert that is inactive has no value"),
        ("{at: 1m, receiver: r, state: firing}", "state is about an alert; name it instead of a receiver"),
        ("{receiver: r}", "when is the message sent? write it like at: 10m30s, or count them"),
        ("{receiver: r, count: 2, alerts: A}", "messages are counted by receiver and kind; alerts needs one message"),
        ("{at: 1m}", "an expectation is about an alert or about a receiver: "),
        ("{at: -1m, alert: A, state: firing}", "a test expects nothing before its start"),
        ("{at: 1m, alert: A, state: firing, value: x}", '"x" is not a value; write it like 12, "42%", "10m"'),
        ("{at: 1m, receiver: r, kind: fired}", '"fired" is not a kind of message; one of firing, resolved, flapping'),
    ],
)
def test_what_is_expected(expected: str, told: str) -> None:
    (line,) = mistakes(f"name: x\nexpect: [{expected}]\n")
    assert line.startswith("t.yml:2:")
    assert line.partition("]: ")[2].startswith(told)


def test_a_test_expects_something_and_starts_somewhere() -> None:
    assert mistakes("name: x\nexpect: []\n") == [
        "t.yml:2:9: error[empty]: a test that expects nothing passes always; write an expectation"
    ]
    assert mistakes(f"{HEAD}start: 2026-01-05\n") == [
        't.yml:3:8: error[instant]: "2026-01-05" is not an instant; write it like "2026-01-05T12:00:00Z"'
    ]


@pytest.mark.parametrize(("text", "millis"), [("10m", 600_000), ("-2h", -7_200_000), (0, 0), ("12m30s", 750_000)])
def test_offsets(text: object, millis: int) -> None:
    assert parse_offset(text) == millis


@pytest.mark.parametrize(("text", "value"), [("42%", 0.42), ("10m", 600_000), ("50 USD", 50), (12, 12), (0.5, 0.5)])
def test_values(text: object, value: float) -> None:
    assert parse_value(text) == value


EXAMPLE: dict[str, Any] = {
    "name": "everything",
    "start": "2026-03-29T00:30:00Z",
    "lasts": "1h",
    "only": True,
    "given": {
        "runs": [{"task": "a", "status": "FAILED", "every": "30s", "until": "20m", "wait": "-28s", "tags": "x"}],
        "queues": [{"queue": "q", "depth": {"0m": 20, "20m30s": 5}}, {"queue": "q", "at": "1h", "gone": True}],
        "outages": [{"from": 0, "collector": "runs", "reason": "empty"}],
    },
    "expect": [
        {"at": "10m", "alert": "A", "state": "firing", "labels": {"task": "a"}, "value": "42%"},
        {"at": "12m30s", "receiver": "ops", "kind": "firing", "alerts": ["A"]},
        {"receiver": "ops", "count": 2},
    ],
}


def test_the_schema_takes_what_the_reader_takes() -> None:
    validator = Draft202012Validator(WrittenTest.model_json_schema())
    validator.validate(EXAMPLE)
    WrittenTest.model_validate(json.loads(json.dumps(EXAMPLE), object_hook=_plain), context=WRITTEN)
    assert list(validator.iter_errors({**EXAMPLE, "onyl": True}))


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    """Lists as the reader of YAML hands them over."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
