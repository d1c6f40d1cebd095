"""Recordings: what a live session asked and was answered, a JSON line each, and the way back.

The first line names the format. Then, in the order in which things happened: ``step`` (the engine stepped at that
instant), ``targets`` (whenever they change), ``question`` (each once, with a number), ``answer`` and ``evidence``.
A recording that ends in the middle of a line was cut off there; what stands before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from triggerdev_alerts.errors import AlertsError
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import (
    NO_EVIDENCE,
    Answer,
    Blind,
    Evidence,
    Question,
    Readings,
    Signals,
    Unknown,
    Wanted,
    Witness,
)

FORMAT, VERSION = "triggerdev-alerts recording", 1


class RecordingError(AlertsError):
    """A recording cannot be used: where and why."""

    exit_code = 2


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line; which fields are there says what it is."""

    format: str = ""
    version: int = 0
    step: int | None = None
    steady: float | None = None
    targets: tuple[str, ...] | None = None
    question: Question | None = None
    number: int | None = None
    at: int | None = None
    target: str = ""
    values: tuple[tuple[tuple[str, ...], float], ...] | None = None
    samples: tuple[tuple[tuple[str, ...], int], ...] = ()
    error: float | None = None
    unknown: Blind | None = None
    text: str = ""
    wanted: Wanted | None = None
    evidence: Evidence | None = None


class Recorder:
    """`signals.Signals` and `signals.Witness` that pass everything through and write it down.

    `sink` gets one line at a time, without its end. Tell `stepping` of each step before it, so that a replay steps at
    the same instants. What the engine remembers from before the recording is not in it.
    """

    def __init__(self, signals: Signals, witness: Witness | None, sink: Callable[[str], None]) -> None:
        self._signals = signals
        self._witness = witness
        self._sink = sink
        self._numbers: dict[Question, int] = {}
        self._told: tuple[str, ...] | None = None
        self._write(_Line(format=FORMAT, version=VERSION))

    def stepping(self, now: Instant, steady: float | None = None) -> None:
        """The engine is about to step."""
        self._write(_Line(step=now, steady=steady))

    def targets(self) -> tuple[str, ...]:
        targets = self._signals.targets()
        if targets != self._told:
            self._told = targets
            self._write(_Line(targets=targets))
        return targets

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        answer = self._signals.read(question, target, at)
        number = self._numbers.get(question)
        if number is None:
            number = self._numbers[question] = len(self._numbers)
            self._write(_Line(question=question, number=number))
        if isinstance(answer, Unknown):
            self._write(_Line(number=number, at=at, target=target, unknown=answer.reason, text=answer.text))
        else:
            values, samples = tuple(answer.values.items()), tuple(answer.samples.items())
            self._write(
                _Line(number=number, at=at, target=target, values=values, samples=samples, error=answer.error or None)
            )
        return answer

    def prepare(self, wanted: Wanted) -> None:
        if self._witness is not None:
            self._witness.prepare(wanted)

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence:
        evidence = NO_EVIDENCE if self._witness is None else self._witness.evidence(wanted, at)
        self._write(_Line(wanted=wanted, at=at, evidence=evidence))
        return evidence

    def _write(self, line: _Line) -> None:
        self._sink(msgspec.json.encode(line).decode())


class RecordedSignals:
    """`signals.Signals` and `signals.Witness` out of a recording. What it does not hold is Unknown, never empty."""

    def __init__(self, lines: Iterable[str], name: str = "the recording") -> None:
        """Raises `RecordingError` for lines that are no recording."""
        self.steps: list[tuple[Instant, float | None]] = []
        """When the engine stepped: wall time and steady time."""
        self._targets: list[tuple[str, ...]] = []
        self._answers: dict[tuple[str, Instant, Question], Answer] = {}
        self._evidence: dict[tuple[Wanted, Instant], Evidence] = {}
        self._at = 0
        questions: dict[int, Question] = {}
        targets: tuple[str, ...] = ()
        for line in _read(lines, name):
            match line:
                case _Line(step=int(now)):
                    self.steps.append((now, line.steady))
                    self._targets.append(targets)
                case _Line(targets=tuple(targets)):
                    # They are asked for within a step, and hold from it on.
                    if self._targets:
                        self._targets[-1] = targets
                case _Line(question=Question() as question, number=int(number)):
                    questions[number] = question
                case _Line(number=int(number), at=int(at)):
                    if number not in questions:
                        raise RecordingError(f"{name}: an answer to a question that stands nowhere before it")
                    self._answers[line.target, at, questions[number]] = _answer(line)
                case _Line(wanted=Wanted() as wanted, at=int(at), evidence=Evidence() as evidence):
                    self._evidence[wanted, at] = evidence

    def look(self, now: Instant) -> None:
        """The replay steps at `now`: the targets of that step are those that hold."""
        while self._at + 1 < len(self.steps) and self.steps[self._at + 1][0] <= now:
            self._at += 1

    def targets(self) -> tuple[str, ...]:
        return self._targets[self._at] if self._targets else ()

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        answer = self._answers.get((target, at, question))
        return Unknown(Blind.NOT_RECORDED, f"{question.signal} was not asked like that") if answer is None else answer

    def prepare(self, wanted: Wanted) -> None:
        """Everything that was known is here."""

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence:
        return self._evidence.get((wanted, at), NO_EVIDENCE)


def _answer(line: _Line) -> Answer:
    if line.unknown is not None:
        return Unknown(line.unknown, line.text)
    return Readings(dict(line.values or ()), dict(line.samples), line.error or 0.0)


def _read(lines: Iterable[str], name: str) -> Iterator[_Line]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Line)
    broken: int | None = None
    number = 0
    for number, text in enumerate(lines, 1):
        if broken is not None:
            raise RecordingError(f"{name}:{broken}: this is not a line of a recording")
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            broken = number
            continue
        if number == 1 and line.format != FORMAT:
            break
        if number == 1 and line.version > VERSION:
            raise RecordingError(f"{name}: it was written by a newer version ({line.version}); use that one")
        yield line
    else:
        # The last line may be cut off; the first may not.
        if number and broken != 1:
            return
    raise RecordingError(f"{name}: this is not a recording of alert signals")
