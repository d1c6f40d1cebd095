"""PromQL as text: strings, patterns, selectors, counts of a window. Pure; knows neither rules nor families."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from triggerdev_alerts.documents.units import format_duration

Series = Callable[[int], str]
"""An expression as of so many milliseconds ago."""

_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_NEVER = r"\b\B"
"""A pattern that no text matches."""


def quoted(text: str) -> str:
    """A string of PromQL."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        code = 0xFFFD
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def pattern(glob: str) -> str:
    """The regular expression (RE2, anchored as Prometheus does) that matches what the glob does."""
    parts: list[str] = []
    at = 0
    while at < len(glob):
        character = glob[at]
        at += 1
        if character == "*":
            parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "[" and (close := _closing(glob, at)) >= 0:
            parts.append(_set(glob[at:close]))
            at = close + 1
        else:
            parts.append("\\" + character if character in _SPECIAL else character)
    return "".join(parts)


def _closing(glob: str, at: int) -> int:
    """Where the set ends that began before `at`; -1 if it never does, and the bracket is a bracket."""
    first = at + 1 if glob[at : at + 1] == "!" else at
    return glob.find("]", first + 1)


def _set(inside: str) -> str:
    negative = inside.startswith("!")
    rest = inside[1:] if negative else inside
    items: list[str] = []
    at = 0
    while at < len(rest):
        low, high = rest[at], rest[at]
        at += 1
        if rest[at : at + 1] == "-" and at + 1 < len(rest):
            high = rest[at + 1]
            at += 2
        if low <= high:
            items.append(_in_set(low) if low == high else f"{_in_set(low)}-{_in_set(high)}")
    if not items:
        return "." if negative else _NEVER
    return f"[{'^' if negative else ''}{''.join(items)}]"


def _in_set(character: str) -> str:
    return "\\" + character if character in "\\]^-[&~|" else character


def any_of(label: str, globs: Sequence[str]) -> str:
    """The matcher of a label that fits one of `globs`."""
    if len(globs) == 1 and not any(character in globs[0] for character in "*?["):
        return f"{label}={quoted(globs[0])}"
    return f"{label}=~{quoted('|'.join(map(pattern, globs)))}"


def selector(name: str, matchers: Iterable[str] = ()) -> str:
    inside = ", ".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{inside}}}" if inside else name


def duration(millis: int) -> str:
    return format_duration(millis)


def ago(text: str, millis: int) -> str:
    """A selector as of that long ago."""
    return f"{text} offset {duration(millis)}" if millis else text


def aggregated(function: str, by: Sequence[str], text: str) -> str:
    return f"{function} by ({', '.join(by)}) {bracketed(text)}"


def on(labels: Sequence[str]) -> str:
    return f"on ({', '.join(labels)})"


def counted(series: Series, window: int, before: int = 0) -> str:
    """How much a counter grew in the window that ended `before` ago, exactly.

    Our counters do not reset while the state lives, so it is a difference, where ``increase()`` would extrapolate. What
    did not exist when the window began began at 0.
    """
    begun = f"{series(before + window)}\nor {series(before)} * 0"
    return f"{series(before)}\n- {bracketed(begun)}"


def number(value: float) -> str:
    text = repr(value)
    return text.removesuffix(".0")


def seconds(millis: float) -> str:
    return number(millis / 1000)


def indented(text: str, by: str = "  ") -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))


def bracketed(text: str, comment: str = "") -> str:
    """The expression in brackets, on lines of its own if it has several."""
    if "\n" not in text and not comment:
        return f"({text})"
    return f"({f'  # {comment}' if comment else ''}\n{indented(text)}\n)"
