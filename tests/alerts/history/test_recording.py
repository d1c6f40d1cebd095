"""Recordings: what went through comes back, and what did not is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggerdev_alerts.history.recording import RecordedSignals, Recorder, RecordingError
from triggerdev_alerts.signals import (
    Answer,
    Blind,
    ErrorCount,
    Evidence,
    Question,
    Readings,
    RunLink,
    Unknown,
    Wanted,
    Where,
)

WANTED = Wanted("queue_depth", "prod", (("alertname", "A"),), 60_000)
EVIDENCE = Evidence((ErrorCount("E", "m", 3),), (RunLink("run_1", "https://x.test/1", "FAILED"),), "v1", ("a note",))


class Told:
    """Signals and a witness that say what they were given."""

    def __init__(self, answers: dict[tuple[Question, str, int], Answer], targets: tuple[str, ...] = ("prod",)) -> None:
        self.answers = answers
        self.named = targets

    def targets(self) -> tuple[str, ...]:
        return self.named

    def read(self, question: Question, target: str, at: int) -> Answer:
        return self.answers[question, target, at]

    def prepare(self, wanted: Wanted) -> None:
        return

    def evidence(self, wanted: Wanted, at: int) -> Evidence:
        return EVIDENCE


texts = st.text(max_size=8)
keys = st.tuples(texts, texts)
answers = st.builds(
    lambda values, samples, error: Readings(values, samples, error),
    st.dictionaries(keys, st.floats(allow_nan=False, allow_infinity=False)),
    st.dictionaries(keys, st.integers(0, 2**40)),
    st.sampled_from([0.0, 0.01]),
) | st.builds(Unknown, st.sampled_from(Blind), texts)
questions = st.builds(
    Question,
    texts,
    st.tuples(texts),
    st.builds(Where, st.tuples(texts), include_test=st.booleans()),
    st.none() | st.integers(0, 2**40),
    statuses=st.tuples(texts),
    quantile=st.floats(0, 1),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.tuples(questions, texts, st.integers(0, 2**45)), answers, max_size=5))
def test_every_answer_comes_back(told: dict[tuple[Question, str, int], Answer]) -> None:
    lines: list[str] = []
    recorder = Recorder(Told(told), None, lines.append)
    for place, answer in told.items():
        assert recorder.read(*place) == answer
    recorded = RecordedSignals(lines)
    for place, answer in told.items():
        assert recorded.read(*place) == answer


def session() -> list[str]:
    question = Question("queue_depth", ("queue",))
    told = Told({(question, "prod", at): Readings({("q",): at}) for at in (1_000, 2_000)})
    lines: list[str] = []
    recorder = Recorder(told, told, lines.append)
    for at in (1_000, 2_000):
        recorder.stepping(at, at / 1000)
        recorder.targets()
        recorder.read(question, "prod", at)
        told.named = ("prod", "stg")
    recorder.prepare(WANTED)
    recorder.evidence(WANTED, 2_000)
    return lines


def test_a_recording_is_a_line_an_answer() -> None:
    assert session() == [
        '{"format":"triggerdev-alerts recording","version":1}',
        '{"step":1000,"steady":1.0}',
        '{"targets":["prod"]}',
        '{"question":{"signal":"queue_depth","by":["queue"],"where":{"task":[],"queue":[],"version":[],"tag":[],'
        '"include_test":false},"window":null,"ago":0,"statuses":[],"older_than":0,"quantile":0.0,"times":0.0,'
        '"floor":0,"grace":0,"early":0,"reason":"","queues":""},"number":0}',
        '{"number":0,"at":1000,"target":"prod","values":[[["q"],1000]]}',
        '{"step":2000,"steady":2.0}',
        '{"targets":["prod","stg"]}',
        '{"number":0,"at":2000,"target":"prod","values":[[["q"],2000]]}',
        '{"at":2000,"wanted":{"condition":"queue_depth","target":"prod","labels":[["alertname","A"]],"window":60000,'
        '"where":{"task":[],"queue":[],"version":[],"tag":[],"include_test":false},"statuses":[],"older_than":0,'
        '"errors":3,"runs":5,"texts":"message"},"evidence":{"errors":[{"name":"E","message":"m","count":3}],'
        '"runs":[{"id":"run_1","url":"https://x.test/1","status":"FAILED"}],"since_version":"v1","notes":["a note"]}}',
    ]


def test_steps_targets_and_evidence_come_back() -> None:
    recorded = RecordedSignals(session())
    assert recorded.steps == [(1_000, 1.0), (2_000, 2.0)]
    assert recorded.targets() == ("prod",)
    recorded.look(2_000)
    assert recorded.targets() == ("prod", "stg")
    assert recorded.evidence(WANTED, 2_000) == EVIDENCE
    assert recorded.evidence(WANTED, 1_000) == Evidence()


def test_what_was_not_asked_is_unknown() -> None:
    recorded = RecordedSignals(session())
    question = Question("queue_depth", ("queue",))
    for asked, target, at in ((Question("view_lag"), "prod", 1_000), (question, "x", 1_000), (question, "prod", 3)):
        answer = recorded.read(asked, target, at)
        assert isinstance(answer, Unknown)
        assert answer.reason is Blind.NOT_RECORDED


def test_a_recording_that_was_cut_off_counts_up_to_there() -> None:
    lines = session()
    assert RecordedSignals([*lines[:5], lines[5][:7]]).steps == [(1_000, 1.0)]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "r.jsonl: this is not a recording of alert signals"),
        (["{"], "r.jsonl: this is not a recording of alert signals"),
        (['{"some": "json"}'], "r.jsonl: this is not a recording of alert signals"),
        (
            ['{"format":"triggerdev-alerts recording","version":2}'],
            "r.jsonl: it was written by a newer version (2); use that one",
        ),
        ([session()[0], "{", session()[1]], "r.jsonl:2: this is not a line of a recording"),
        ([session()[0], session()[4]], "r.jsonl: an answer to a question that stands nowhere before it"),
    ],
)
def test_what_is_no_recording(lines: list[str], told: str) -> None:
    with pytest.raises(RecordingError) as refused:
        RecordedSignals(lines, "r.jsonl")
    assert str(refused.value) == told
    assert refused.value.exit_code == 2
