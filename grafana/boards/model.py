"""What a dashboard is made of: frozen records, free of Grafana's JSON. Nothing here writes or reads anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

WIDTH = 24
"""Grafana's grid."""


class Look(StrEnum):
    """How a panel is drawn: the panel types of Grafana that we use."""

    LINES = "timeseries"
    STAT = "stat"
    TABLE = "table"
    BARS = "bargauge"


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a colour begins."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    expr: str
    legend: str = ""
    column: str = ""
    """In a table: the heading over its values; none: they are not shown."""
    unit: str = ""
    """In a table: the unit of that column."""
    limits: tuple[Limit, ...] = ()
    """In a table: where colours begin in that column."""
    exemplars: bool = False
    colour: str = ""
    """In a graph: of the line, where the next one's colour is fixed and would be the same."""


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str
    new_tab: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Its place follows from its order and size."""

    title: str
    description: str
    """What it shows; why that matters; what to do."""
    look: Look
    queries: tuple[Query, ...]
    unit: str
    width: int = 12
    height: int = 8
    limits: tuple[Limit, ...] = ()
    """Where colours begin; in a table a query has its own."""
    best: str = "green"
    """The colour below the first limit."""
    stacked: bool = False
    columns: tuple[str, ...] = ()
    """In a table: the labels that are shown, in order, under their own names unless `headings` says otherwise."""
    headings: Mapping[str, str] = field(default_factory=dict, hash=False)
    widths: Mapping[str, int] = field(default_factory=dict, hash=False)
    """In a table: pixels of a column, by its heading; the others share what is left."""
    words: Mapping[float, tuple[str, str]] = field(default_factory=dict, hash=False)
    """Words and colours instead of values that mean something: 0, 1."""
    name_only: bool = False
    """A stat that shows the legend, since the value is always 1."""
    most: float | None = None
    decimals: int | None = None
    links: tuple[Link, ...] = ()
    column_links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict, hash=False)
    column_colours: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    """In a table: colours of texts, by heading."""
    ascending: str = ""
    """In a table: the column by which it is sorted first."""
    descending: str = ""
    """In a table: the column by which it is sorted (then), the largest first."""
    quiet: str = ""
    """Why it is empty while all is well; empty text: it never is."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading, from left to right, breaking where the grid ends."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top: the values of a label, several or all."""

    name: str
    label: str
    query: str
    all_value: str = ".+"
    description: str = ""
    several: bool = True
    """Whether several, and all, can be chosen."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A text at the top that people may edit."""

    name: str
    label: str
    value: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Lines in every graph: an annotation."""

    name: str
    expr: str
    title: str
    text: str
    colour: str
    value_is_time: bool = False
    enabled: bool = True
    quiet: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable | Constant, ...] = ()
    marks: tuple[Mark, ...] = ()
    since: str = "now-3h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)
