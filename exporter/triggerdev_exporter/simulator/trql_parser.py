"""A statement of TRQL, from text to functions over rows. As much of the language as our clients may use."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.simulator.spellings import SPELLINGS
from triggerdev_exporter.simulator.trql_rows import COLUMNS, Row

UNIT_MS = {"SECOND": SECOND, "MINUTE": MINUTE, "HOUR": HOUR, "DAY": DAY, "WEEK": 7 * DAY}
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)|(?P<mark><=|>=|!=|<>|[-+*(),=<>;]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_AGGREGATES = {"count", "countif", "min", "max", "sum", "sumif", "avg", "quantile", "uniq", "any"}

Value = Callable[[Row], Any]


class Mistake(Exception):
    """A statement that the server refuses; the text is its answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the answer: computed from the rows of a group."""

    name: str
    value: Callable[[Sequence[Row]], Any]
    is_date: bool
    aggregate: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, ready to run."""

    items: tuple[Item, ...]
    where: Value | None
    group: tuple[Value, ...]
    order: tuple[tuple[Callable[[Sequence[Row]], Any], bool], ...]
    """What to sort groups by, and whether it descends."""
    limit: int
    mentions_time: bool

    @property
    def aggregate(self) -> bool:
        return bool(self.group) or any(item.aggregate for item in self.items)

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items]


def parse(text: str, now: Instant) -> Statement:
    """The statement that `text` spells, or `Mistake`."""
    return _Parser(text, now).statement()


class _Parser:
    """Recursive descent over the tokens of one statement."""

    def __init__(self, text: str, now: Instant) -> None:
        self._text, self._now = text, now
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        self._columns: set[str] = set()
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self._syntax(place, text)
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind], match.start(kind)))
            place = match.end()

    # ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _syntax(self, column: int, seen: str) -> Mistake:
        return Mistake(f"Syntax error at line 1:{column}: no viable alternative at input '{seen}'")

    def _fail(self) -> Mistake:
        if self._at < len(self._tokens):
            _, word, place = self._tokens[self._at]
            return self._syntax(place, self._text[: place + len(word)])
        return self._syntax(len(self._text), self._text + "<EOF>")

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self._at + ahead
        return self._tokens[at][:2] if at < len(self._tokens) else ("", "")

    def _is(self, *words: str) -> bool:
        """Whether the next tokens are these words or marks."""
        return all(self._peek(i)[0] in {"word", "mark"} and self._peek(i)[1].upper() == w for i, w in enumerate(words))

    def _accept(self, *words: str) -> bool:
        if self._is(*words):
            self._at += len(words)
            return True
        return False

    def _expect(self, *words: str) -> None:
        if not self._accept(*words):
            raise self._fail()

    def _take(self, kind: str) -> str:
        found, word = self._peek()
        if found != kind:
            raise self._fail()
        self._at += 1
        return word

    # ── the statement ─────────────────────────────────────────────────────────────────────────────────────────────

    def statement(self) -> Statement:
        self._expect("SELECT")
        items = [self._item()]
        while self._accept(","):
            items.append(self._item())
        self._expect("FROM")
        table = self._take("word")
        if table.lower() != "runs":
            raise Mistake(f'Table "{table}" is not accessible. Available tables: runs')
        self._check_columns()
        before = set(self._columns)
        self._columns.clear()
        where = self._either() if self._accept("WHERE") else None
        self._check_columns()
        mentions_time = "triggered_at" in self._columns
        self._columns |= before
        aliases = {item.name: item for item in items}
        group = self._group(aliases) if self._accept("GROUP", "BY") else ()
        order = self._order(aliases) if self._accept("ORDER", "BY") else ()
        self._check_columns()
        limit = int(self._take("number")) if self._accept("LIMIT") else 10_000
        self._accept(";")
        if self._at < len(self._tokens):
            raise self._fail()
        return Statement(tuple(items), where, group, order, limit, mentions_time)

    def _check_columns(self) -> None:
        for name in sorted(self._columns):
            if name.partition(".")[0] not in COLUMNS:
                raise Mistake(f'Unknown column "{name}". Available columns: {", ".join(sorted(COLUMNS))}')

    def _item(self) -> Item:
        begin = self._at
        if self._peek()[1].lower() in _AGGREGATES and self._peek(1)[1] == "(":
            value, is_date = self._aggregate()
            aggregate = True
        elif self._is("TOUNIXTIMESTAMP", "(") and self._peek(2)[1].lower() in _AGGREGATES:
            self._at += 2
            inner, _ = self._aggregate()
            self._expect(")")
            value, is_date, aggregate = (lambda rows: _seconds(inner(rows))), False, True
        else:
            scalar, is_date = self._operand()
            value, aggregate = _of_first(scalar), False
        name = "".join(word for _, word, _ in self._tokens[begin : self._at])
        if self._accept("AS"):
            name = self._take("word")
        return Item(name, value, is_date, aggregate)

    def _group(self, aliases: dict[str, Item]) -> tuple[Value, ...]:
        columns: list[Value] = []
        while True:
            word = self._take("word")
            item = aliases.get(word)
            columns.append(_first(item) if item is not None else self._column(word))
            if not self._accept(","):
                return tuple(columns)

    def _order(self, aliases: dict[str, Item]) -> tuple[tuple[Callable[[Sequence[Row]], Any], bool], ...]:
        keys: list[tuple[Callable[[Sequence[Row]], Any], bool]] = []
        while True:
            word = self._take("word")
            item = aliases.get(word)
            value = _of_first(self._column(word)) if item is None else item.value
            descending = self._accept("DESC")
            if not descending:
                self._accept("ASC")
            keys.append((value, descending))
            if not self._accept(","):
                return tuple(keys)

    # ── values ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aggregate(self) -> tuple[Callable[[Sequence[Row]], Any], bool]:
        name = self._take("word").lower()
        self._expect("(")
        if name == "quantile":
            share = float(self._take("number"))
            self._expect(")", "(")
            column, _ = self._operand()
            self._expect(")")
            return (lambda rows: _quantile(share, _present(column, rows))), False
        if name == "countif":
            condition = self._either()
            self._expect(")")
            return (lambda rows: sum(1 for row in rows if condition(row))), False
        if name == "count" and self._accept(")"):
            return len, False
        column, is_date = self._operand()
        self._expect(")")
        fold: dict[str, Callable[[list[Any]], Any]] = {
            "count": len,
            "min": lambda values: min(values, default=None),
            "max": lambda values: max(values, default=None),
            "sum": sum,
            "avg": lambda values: sum(values) / len(values) if values else None,
            "uniq": lambda values: len(set(values)),
            "any": lambda values: values[0] if values else None,
        }
        if name not in fold:
            raise self._fail()
        return (lambda rows: fold[name](_present(column, rows))), is_date and name in {"min", "max", "any"}

    def _operand(self) -> tuple[Value, bool]:
        """A scalar and whether it is a date."""
        kind, word = self._peek()
        if kind == "text":
            self._at += 1
            return _constant(word[1:-1].replace("\\'", "'")), False
        if kind == "number":
            self._at += 1
            return _constant(float(word) if "." in word else int(word)), False
        if self._accept("NOW", "(", ")"):
            return _constant(self._now + self._interval()), True
        if self._accept("TOUNIXTIMESTAMP", "("):
            inner, _ = self._operand()
            self._expect(")")
            return (lambda row: _seconds(inner(row))), False
        if self._accept("TOSTARTOFMINUTE", "("):
            inner, _ = self._operand()
            self._expect(")")
            return (lambda row: _floor(inner(row))), True
        name = self._take("word")
        if self._peek()[1] == "(":
            raise Mistake(f"Unknown function: {name}")
        return self._column(name), name in COLUMNS and COLUMNS[name].is_date

    def _interval(self) -> Instant:
        """``- INTERVAL 60 MINUTE`` behind now(), in milliseconds; 0 where there is none."""
        sign = -1 if self._accept("-") else 1 if self._accept("+") else 0
        if sign == 0:
            return 0
        self._expect("INTERVAL")
        amount, unit = int(self._take("number")), self._take("word").upper().rstrip("S")
        if unit not in UNIT_MS:
            raise self._fail()
        return sign * amount * UNIT_MS[unit]

    def _column(self, name: str) -> Value:
        self._columns.add(name)
        column, _, inner = name.partition(".")
        if inner:
            return lambda row: (row[column] or {}).get(inner)
        return lambda row: row[name]

    # ── conditions ────────────────────────────────────────────────────────────────────────────────────────────────

    def _either(self) -> Value:
        sides = [self._both()]
        while self._accept("OR"):
            sides.append(self._both())
        return sides[0] if len(sides) == 1 else lambda row: any(side(row) for side in sides)

    def _both(self) -> Value:
        sides = [self._condition()]
        while self._accept("AND"):
            sides.append(self._condition())
        return sides[0] if len(sides) == 1 else lambda row: all(side(row) for side in sides)

    def _condition(self) -> Value:
        if self._accept("NOT"):
            inner = self._condition()
            return lambda row: not inner(row)
        if self._accept("("):
            grouped = self._either()
            self._expect(")")
            return grouped
        is_status = self._peek()[1] == "status"
        left, _ = self._operand()
        if self._accept("IS"):
            wanted_null = not self._accept("NOT")
            self._expect("NULL")
            return lambda row: (left(row) is None) == wanted_null
        negated = self._accept("NOT")
        if self._accept("IN"):
            return self._among(left, is_status, negated)
        if negated:
            raise self._fail()
        compare = _COMPARE.get(self._take("mark"))
        if compare is None:
            self._at -= 1
            raise self._fail()
        right, _ = self._operand()
        return lambda row: _holds(compare, left(row), right(row), is_status)

    def _among(self, left: Value, is_status: bool, negated: bool) -> Value:
        self._expect("(")
        options = [self._operand()[0]({})]
        while self._accept(","):
            options.append(self._operand()[0]({}))
        self._expect(")")
        return lambda row: any(_holds(operator.eq, left(row), option, is_status) for option in options) != negated


def _constant(value: Any) -> Value:
    return lambda row: value


def _of_first(column: Value) -> Callable[[Sequence[Row]], Any]:
    return lambda rows: column(rows[0] if rows else {})


def _first(item: Item) -> Value:
    return lambda row: item.value([row])


def _present(column: Value, rows: Sequence[Row]) -> list[Any]:
    return [value for row in rows if (value := column(row)) is not None]


def _seconds(at: Instant | None) -> int | None:
    return None if at is None else at // SECOND


def _floor(at: Instant | None) -> Instant | None:
    return None if at is None else at - at % MINUTE


def _quantile(share: float, values: list[Any]) -> Any:
    """Of no rows it is null."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def _holds(compare: Callable[[Any, Any], bool], left: Any, right: Any, is_status: bool) -> bool:
    """A comparison with null is false; a status matches by title in any case, or by its database name."""
    if left is None or right is None:
        return False
    if is_status and isinstance(right, str):
        known = SPELLINGS.get(right)
        return compare(str(left).casefold(), (known.title if known else right).casefold())
    try:
        return compare(left, right)
    except TypeError:
        return False
