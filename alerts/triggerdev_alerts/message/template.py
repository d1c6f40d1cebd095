"""Templates that a person writes: ``{{ task }} fails: {{ value | percent }} of {{ sample }} runs``. Pure.

Logic-poor on purpose: a field, then filters. No attributes, no calls, no loops, no conditions. A template is parsed
before any data is known, and data is never parsed: a task called ``{{ owner }}`` shows as just that. Escaping for a
receiver happens afterwards, in the receiver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from triggerdev_alerts.documents.mistakes import suggestion
from triggerdev_alerts.message.filters import FILTERS, Argument

FIELDS: dict[str, str] = {
    "alertname": "the rule's name",
    "severity": "critical, warning or info",
    "target": "which project and environment",
    "task": "the task, where the rule splits by it",
    "queue": "the queue",
    "version": "the version of the deployment",
    "tag": "the tag",
    "schedule": "the schedule",
    "owner": "who owns the task",
    "collector": "the collector, for alerts about the source",
    "receiver": "the receiver, for alerts about notifications",
    "rule": "the rule, for alerts about rules",
    "group": "the group of the rule",
    "value": "what was measured, with its unit",
    "threshold": "what it is compared with",
    "sample": "of how many runs the value was made",
    "window": "how far back was looked, as the rule says it",
    "says": "value against threshold, in words",
    "status": "firing or resolved",
    "reason": "why it fires or resolved, in words",
    "since": "when it began to fire",
    "until": "when it resolved; empty while it fires",
    "lasted": "how long it has been firing",
    "held_since": "since when nothing can be read; empty while it can",
    "fingerprint": "16 hex digits that stand for this alert",
    "top_error": "the most frequent error",
    "top_error_count": "how often it was seen",
    "since_version": "the first version that fails, if it is one version that does",
    "run_id": "a run worth opening",
    "run_url": "its page in the dashboard",
}
"""What a template may name, with its meaning. Own labels besides: ``labels.team``."""

ALIASES = {"env": "target", "alert": "alertname"}

_OWN = re.compile(r"(?:labels\.|label:)([A-Za-z_][A-Za-z0-9_]*)")
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<end>\}\}) | (?P<pipe>\|) | (?P<colon>:) |
      (?P<text>"[^"\n]*"|'[^'\n]*') |
      (?P<number>-?[0-9]+) |
      (?P<word>(?:labels\.|label:)?[A-Za-z_][A-Za-z0-9_]*)
    )""",
    re.VERBOSE | re.ASCII,
)
_LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class _Step:
    filter: str
    argument: Argument


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    steps: tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class _Parsed:
    parts: tuple[str | _Field, ...]
    names: tuple[tuple[int, str], ...]
    """Columns and names of the fields, in order."""
    problems: tuple[tuple[int, str], ...]


def problems(text: str, fields: Iterable[str] = FIELDS) -> list[tuple[int, str]]:
    """What is wrong with the template: (column from 1, sentence), in order. Nothing: it can be used."""
    parsed = _parse(text)
    known = [*fields, *ALIASES]
    found = list(parsed.problems)
    for column, name in parsed.names:
        if name not in known and not _OWN.fullmatch(name):
            near = suggestion(name, known)
            found.append((column, f'unknown field "{name}" at column {column} of the template{near}'))
    return sorted(found)


def render(text: str, values: Mapping[str, object]) -> str:
    """The template with `values` in place. A field without a value is empty. Never raises.

    What cannot be parsed comes back as it was written: nobody wants a message that is not sent because of its text.
    """
    parsed = _parse(text)
    if parsed.problems:
        return text
    return "".join(part if isinstance(part, str) else _shown(part, values) for part in parsed.parts)


def parts(text: str) -> tuple[str | tuple[str, tuple[tuple[str, Argument], ...]], ...] | None:
    """Its pieces, for who writes it in another language: text, or a field with its filters. ``None``: unreadable."""
    parsed = _parse(text)
    if parsed.problems:
        return None
    return tuple(
        part
        if isinstance(part, str)
        else (ALIASES.get(part.name, part.name), tuple((step.filter, step.argument) for step in part.steps))
        for part in parsed.parts
    )


def fields(text: str) -> tuple[str, ...]:
    """The fields that it names, in order, and by the names that they have here."""
    return tuple(ALIASES.get(name, name) for _, name in _parse(text).names)


def own_label(name: str) -> str | None:
    """The label that ``labels.NAME`` names; ``None`` for a field."""
    match = _OWN.fullmatch(name)
    return match[1] if match else None


def _shown(field: _Field, values: Mapping[str, object]) -> str:
    own = own_label(field.name)
    value = values.get(ALIASES.get(field.name, field.name) if own is None else f"labels.{own}")
    for step in field.steps:
        value = FILTERS[step.filter].apply(value, step.argument)
    return "" if value is None else str(value)


@lru_cache(maxsize=1024)
def _parse(text: str) -> _Parsed:
    if len(text) > _LONGEST:
        return _Parsed((), (), ((1, f"a template is at most {_LONGEST:,} characters long"),))
    parts: list[str | _Field] = []
    names: list[tuple[int, str]] = []
    wrong: list[tuple[int, str]] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        parts.append(text[at:start])
        reader = _Reader(text, start + 2)
        try:
            parts.append(reader.expression(names, wrong))
        except _UnreadableError as error:
            wrong.append((error.column, error.text))
            # Go on behind this expression, so that every mistake is told at once.
            close = text.find("}}", start)
            at = len(text) if close < 0 else close + 2
        else:
            at = reader.at
    parts.append(text[at:])
    return _Parsed(tuple(part for part in parts if part != ""), tuple(names), tuple(wrong))


class _UnreadableError(Exception):
    def __init__(self, column: int, text: str) -> None:
        super().__init__(text)
        self.column = column
        self.text = text


class _Reader:
    """Reads one expression, from behind its ``{{`` to behind its ``}}``."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._open = at - 1  # column of the first brace, from 1
        self.at = at

    def expression(self, names: list[tuple[int, str]], wrong: list[tuple[int, str]]) -> str | _Field:
        kind, word, column = self._next()
        if kind == "text":
            # A literal: the way to write two braces.
            name, literal = "", word[1:-1]
        elif kind == "word":
            names.append((column, word))
            name, literal = word, ""
        else:
            raise self._expected("a field", kind, word, column)
        steps = []
        kind, word, column = self._next()
        while kind == "pipe":
            step, (kind, word, column) = self._step(wrong)
            steps.append(step)
        if kind != "end":
            raise self._expected('"|" or "}}"', kind, word, column)
        return _Field(name, tuple(step for step in steps if step)) if name else literal

    def _step(self, wrong: list[tuple[int, str]]) -> tuple[_Step | None, tuple[str, str, int]]:
        kind, name, column = self._next()
        if kind != "word":
            raise self._expected("a filter", kind, name, column)
        argument: Argument = None
        following = self._next()
        if following[0] == "colon":
            kind, word, at = self._next()
            if kind not in ("text", "number"):
                raise self._expected(f'a number or a "text" for {name}', kind, word, at)
            argument = word[1:-1] if kind == "text" else int(word[:10])
            following = self._next()
        row = FILTERS.get(name)
        if row is None:
            near = suggestion(name, FILTERS)
            wrong.append((column, f'unknown filter "{name}" at column {column} of the template{near}'))
            return None, following
        if (problem := row.problem(argument)) is not None:
            wrong.append((column, f'filter "{name}" at column {column} of the template {problem}'))
            return None, following
        return _Step(name, argument), following

    def _next(self) -> tuple[str, str, int]:
        match = _TOKEN.match(self._text, self.at)
        if match is None:
            rest = self._text[self.at :].lstrip()
            if not rest:
                raise _UnreadableError(self._open, f'"{{{{" at column {self._open} of the template is never closed')
            column = len(self._text) - len(rest) + 1
            # As Prometheus and Alertmanager write it.
            like = "; a field is a plain word, like {{ task }} or {{ labels.team }}" if rest[0] in "$." else ""
            raise _UnreadableError(column, f'unexpected "{rest[0]}" at column {column} of the template{like}')
        self.at = match.end()
        kind = str(match.lastgroup)
        return kind, match[kind], match.start(kind) + 1

    def _expected(self, what: str, kind: str, word: str, column: int) -> _UnreadableError:
        if kind == "end":
            return _UnreadableError(column, f"{what} is missing at column {column} of the template")
        return _UnreadableError(column, f'expected {what} instead of "{word}" at column {column} of the template')
