"""The keys of conditions: name, unit, default, help. The reader, the JSON Schema and the docs come from these rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from triggerdev_alerts.signals import EVERYTHING, Where

Value = int | float | bool | str | tuple[str, ...] | None


class Kind(StrEnum):
    """How a key is written, and what number it becomes."""

    DURATION = "duration"
    """``15m`` → milliseconds."""
    PERCENT = "percent"
    """``10%`` or ``0.1`` → a fraction."""
    COUNT = "count"
    """A whole number ≥ 0."""
    PERCENT_OR_COUNT = "percent_or_count"
    """``5%`` → 0.05 (float), ``5`` → 5 (int)."""
    TIMES = "times"
    """``3x`` or ``3`` → 3.0."""
    MONEY = "money"
    """``50 USD`` → dollars."""
    QUANTILE = "quantile"
    """``0.95`` or ``p95``."""
    FLAG = "flag"
    STATUSES = "statuses"
    """A list out of `Key.choices`; one word is a list of one."""
    WORD = "word"
    """One of `Key.choices`."""


class Missing(StrEnum):
    REQUIRED = "required"


REQUIRED = Missing.REQUIRED


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a condition."""

    name: str
    kind: Kind
    help: str
    default: Value | Missing = REQUIRED
    """In parsed form. ``None``: not set. `REQUIRED`: must be written."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    example: str = ""
    from_defaults: bool = False
    """The file's ``defaults`` may set it for all rules (``min_sample``)."""
    never: Value = None
    """A value with which the condition is never true, since nothing can be beyond it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``when``, read and complete: every key of its row has a value."""

    type: str
    """Name of the row in `catalogue.CONDITIONS`."""
    by: tuple[str, ...]
    """Dimensions besides the target, which every series has."""
    targets: tuple[str, ...] = ()
    """Globs; empty means all."""
    where: Where = EVERYTHING
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def number(self, key: str) -> float:
        """A numeric key that has a value."""
        return cast("float", self.values[key])

    def millis(self, key: str) -> int:
        return cast("int", self.values[key])

    def words(self, key: str) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self.values[key])
