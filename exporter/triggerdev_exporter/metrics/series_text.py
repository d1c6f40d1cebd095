"""The text of series, in the text format or OpenMetrics: one line or one histogram a label set. No I/O.

What a label set looks like is kept beside its value: on the next page it costs a comparison, and work only where the
value is another. That work can be left for later, once all numbers of a page are known. Only syntax lives here: which
series there are is said by the families.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import accumulate

from triggerdev_exporter.ledger.exemplars import Exemplar
from triggerdev_exporter.metrics.family import Buckets, Kind, Row, Rows, Value

INFINITY = float("inf")
_LONGEST_EXEMPLAR = 128


class SeriesText:
    """The lines of one family with one set of static labels, which are the same on all of them.

    `created` (Unix seconds) is written beside counters and histograms where it is not ``None``, exemplars beside their
    buckets if they are wanted: OpenMetrics alone knows them. Where a family and the static labels have a name in
    common, the static one wins.
    """

    def __init__(
        self,
        name: str,
        labels: tuple[str, ...],
        static: Mapping[str, str],
        kind: Kind,
        created: float | None = None,
        *,
        exemplars: bool = False,
    ) -> None:
        self.static = dict(static)
        self.created = created
        self._name = name.removesuffix("_total") if kind is Kind.COUNTER else name
        self._sample = name
        self._labels = labels
        self._exemplars = exemplars
        self._counts = kind is not Kind.GAUGE
        self._static_words = [f'{name}="{escape(value)}"' for name, value in static.items()]
        self._rows: list[Row | None] = []
        """What `_lines` say; ``None``: what is there is not written yet."""
        self._lines: list[bytes] = []

    def gather(self, rows: Rows, unwritten: list[Unwritten]) -> list[bytes]:
        """The lines of `rows`, in their order; they are this object's own, until the next page is gathered.

        Where a label set is new, or its value is another, `unwritten` is to put the line into its place.
        """
        now, before = list(rows), self._rows
        if len(now) != len(before):
            return self._gather_anew(now, unwritten)
        # Most often the same label sets are there again: side by side they need no look-up.
        changed = [place for place, (new, old) in enumerate(zip(now, before, strict=True)) if new != old]
        for place in changed:
            old = before[place]
            if old is not None and old[0] != now[place][0]:
                return self._gather_anew(now, unwritten)
        for place in changed:
            before[place] = None
            unwritten.append((self, place, *now[place]))
        return self._lines

    def _gather_anew(self, now: list[Row], unwritten: list[Unwritten]) -> list[bytes]:
        """The same where other label sets are there: each is looked for among those of the page before."""
        known = {row[0]: (row[1], line) for row, line in zip(self._rows, self._lines, strict=True) if row is not None}
        self._rows, self._lines = list(now), []
        for place, (labels, value) in enumerate(now):
            found = known.get(labels)
            if found is not None and found[0] == value:
                self._lines.append(found[1])
            else:
                self._rows[place] = None
                self._lines.append(b"")
                unwritten.append((self, place, labels, value))
        return self._lines

    def put(self, place: int, labels: tuple[str, ...], value: Value) -> None:
        """Write the line of a label set into its place."""
        self._lines[place] = self._text(labels, value).encode()
        self._rows[place] = (labels, value)

    def _text(self, labels: tuple[str, ...], value: Value) -> str:
        name, inner = self._name, self._inner(labels)
        if isinstance(value, Buckets):
            begin = f"{name}_bucket{{{inner}{',' if inner else ''}le="
            below = list(accumulate(value.cells))
            buckets = zip(_bounds(value.bounds), below, strict=True)
            if self._exemplars and value.exemplars:
                beside = map(exemplar_text, value.exemplars)
                lines = [f"{begin}{bound} {cell}{run}\n" for (bound, cell), run in zip(buckets, beside, strict=True)]
            else:
                lines = [f"{begin}{bound} {cell}\n" for bound, cell in buckets]
            lines.append(f"{_head(f'{name}_count', inner)}{below[-1]}\n")
            lines.append(f"{_head(f'{name}_sum', inner)}{number(value.sum)}\n")
        else:
            lines = [f"{_head(self._sample, inner)}{number(value)}\n"]
        if self._counts and self.created is not None:
            lines.append(f"{_head(f'{name}_created', inner)}{number(self.created)}\n")
        return "".join(lines)

    def _inner(self, labels: tuple[str, ...]) -> str:
        own = [
            f'{name}="{escape(value)}"'
            for name, value in zip(self._labels, labels, strict=True)
            if name not in self.static
        ]
        return ",".join([*self._static_words, *own])


Unwritten = tuple[SeriesText, int, tuple[str, ...], Value]
"""A label set that has no text yet: whose it is, its place there, and what it says."""


def write(unwritten: Iterable[Unwritten]) -> None:
    """Put the lines of label sets into their places."""
    for text, place, labels, value in unwritten:
        text.put(place, labels, value)


def exemplar_text(exemplar: Exemplar | None) -> str:
    """What follows the number of a bucket. The format allows 128 characters of labels, names included."""
    if exemplar is None:
        return ""
    labels = {"run_id": exemplar.run_id, "trace_id": exemplar.trace_id, "span_id": exemplar.span_id}
    told = {name: value for name, value in labels.items() if value}
    if sum(len(name) + len(value) for name, value in told.items()) > _LONGEST_EXEMPLAR:
        return ""
    inner = ",".join(f'{name}="{escape(value)}"' for name, value in told.items())
    return f" # {{{inner}}} {number(exemplar.value / 1000)} {number(exemplar.at / 1000)}"


@cache
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """What follows ``le=`` in the buckets of a layout, up to the number."""
    return tuple(f'"{number(bound)}"}}' for bound in (*bounds, INFINITY))


def _head(sample: str, inner: str) -> str:
    return f"{sample}{{{inner}}} " if inner else f"{sample} "


@cache
def header(name: str, help_: str, kind: Kind, *, openmetrics: bool) -> bytes:
    """The HELP and TYPE lines of a family; OpenMetrics calls a counter's family without its ``_total``."""
    text = help_.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
        name = name.removesuffix("_total") if kind is Kind.COUNTER else name
    return f"# HELP {name} {text}\n# TYPE {name} {kind.value}\n".encode()


def escape(value: str) -> str:
    """A label's value between its quotes."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """A number as both formats and Go read it; a whole one from an integer stands without a point."""
    if isinstance(value, int):
        return str(int(value))
    text = repr(value)
    match text:
        case "inf":
            return "+Inf"
        case "-inf":
            return "-Inf"
        case "nan":
            return "NaN"
    return text
