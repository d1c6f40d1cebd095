"""What a check says: a verdict, a sentence, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Verdict(StrEnum):
    """How a check ended, best first."""

    OK = "ok"
    UNKNOWN = "unknown"
    """It could not be made, because of something that another check tells."""
    WARNING = "warning"
    """It works, and less of it than one may think."""
    BROKEN = "broken"
    """It does not work. The exit code is 1."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    verdict: Verdict
    says: str
    remedy: str = ""
    """What to do; never empty for a warning and for what is broken."""


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """A row: what is asked, and the judgement."""

    name: str
    judge: Callable[[T], Finding]


@dataclass(frozen=True, slots=True)
class Result:
    """A finding with its check, and whom it is about: a target, a receiver, or nobody but this host."""

    check: str
    about: str
    finding: Finding


def ok(says: str) -> Finding:
    return Finding(Verdict.OK, says)


def unknown(says: str) -> Finding:
    return Finding(Verdict.UNKNOWN, says)


def warning(says: str, remedy: str) -> Finding:
    return Finding(Verdict.WARNING, says, remedy)


def broken(says: str, remedy: str) -> Finding:
    return Finding(Verdict.BROKEN, says, remedy)


def results(checks: Sequence[Check[T]], about: str, seen: T) -> list[Result]:
    """Every check of `checks` made on `seen`."""
    return [Result(check.name, about, check.judge(seen)) for check in checks]


def worst(found: Iterable[Result]) -> Verdict:
    order = list(Verdict)
    return max((one.finding.verdict for one in found), key=order.index, default=Verdict.OK)
