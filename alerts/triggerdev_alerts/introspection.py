"""What alerting says about itself, as signals: receivers and rules that fail, letters that wait. Reads the book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from triggerdev_alerts.book import Book
from triggerdev_alerts.instants import HOUR, Instant
from triggerdev_alerts.signals import SELF, SELF_SIGNALS, Answer, Blind, Key, Question, Readings, Signals, Unknown

DEAD_FOR = HOUR
"""How long a letter that was given up is news."""


class WithSelf:
    """`signals`, and the answers of `SELF_SIGNALS` for the target `SELF`."""

    def __init__(self, signals: Signals, book: Book) -> None:
        self._signals = signals
        self._book = book

    def targets(self) -> tuple[str, ...]:
        """Those that are watched; `SELF` is not among them."""
        return self._signals.targets()

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        if target != SELF:
            return self._signals.read(question, target, at)
        answer = _ANSWERS.get(question.signal)
        if answer is None:
            return Unknown(Blind.UNSUPPORTED, f"{question.signal} is not about alerting itself")
        return Readings(answer(self._book, at))


def _receivers_failing(book: Book, at: Instant) -> dict[Key, float]:
    return {(name,): at - entry.failing_since for name, entry in book.receivers.items() if entry.failing_since}


def _dead_letters(book: Book, at: Instant) -> dict[Key, float]:
    given_up: Counter[Key] = Counter()
    for name, entry in book.receivers.items():
        recent = sum(1 for instant in entry.dead if instant > at - DEAD_FOR)
        if recent:
            given_up[name,] = recent
    return {key: float(count) for key, count in given_up.items()}


def _outbox_age(book: Book, at: Instant) -> dict[Key, float]:
    return _oldest(((letter.receiver, letter.created_at) for letter in book.letters.values()), at)


def _rule_errors(book: Book, at: Instant) -> dict[Key, float]:
    return _oldest(((rule, entry.error_since) for rule, entry in book.rules.items() if entry.error), at)


def _rules_unmatched(book: Book, at: Instant) -> dict[Key, float]:
    return _oldest(
        ((rule, entry.known_since) for rule, entry in book.rules.items() if not entry.ever_matched and not entry.error),
        at,
    )


def _oldest(things: Iterable[tuple[str, Instant]], at: Instant) -> dict[Key, float]:
    ages: dict[Key, float] = {}
    for name, since in things:
        ages[name,] = max(ages.get((name,), 0), at - since)
    return ages


_ANSWERS: dict[str, Callable[[Book, Instant], dict[Key, float]]] = {
    "receiver_failing_age": _receivers_failing,
    "dead_letters": _dead_letters,
    "outbox_age": _outbox_age,
    "rule_error_age": _rule_errors,
    "rule_unmatched_age": _rules_unmatched,
}
if (
    _ANSWERS.keys() != SELF_SIGNALS.keys()
):  # pragma: no cover - a row without an answer never gets past the first import
    raise AssertionError(_ANSWERS.keys() ^ SELF_SIGNALS.keys())
