"""The page of /metrics: the rows of every family of every target as text, and what is kept of it from scrape to scrape.

It reads memory only. Series of one family stand together over all targets, each label set once. What runs and things
look like (the body) changes when the ledger or a sight does: until then its text is kept, and so is what gzip made of
it. What the exporter says of itself (the tail) is new in every scrape, and small.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

from triggerdev_alerts.book import Book
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.metrics.alert_families import ALERT_FAMILIES
from triggerdev_exporter.metrics.catalogue import BODY
from triggerdev_exporter.metrics.family import PREFIX, Family, View
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.own_families import OWN_FAMILIES
from triggerdev_exporter.metrics.process_families import PROCESS_FAMILIES, Process, ProcessFamily
from triggerdev_exporter.metrics.series_text import SeriesText, header
from triggerdev_exporter.target import Target

GZIP_LEVEL = 1
"""Higher levels take three times as long, for a page that is a fifth smaller."""
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class Body:
    """The unchanging part of a page: its text, and gzip in the state after that text."""

    text: bytes
    series: dict[str, int]
    """Label sets, by full family name."""
    _packer: zlib._Compress | None = None
    _packed: bytes = b""

    def pack(self, tail: bytes) -> bytes:
        """The body with `tail` behind it as one gzip stream. Slow the first time; may be called from any thread."""
        packer = self._packer
        if packer is None:
            packer = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP)
            self._packed = packer.compress(self.text) + packer.flush(zlib.Z_SYNC_FLUSH)
            # Set last: another thread that sees it also sees what was packed.
            self._packer = packer
        packer = packer.copy()
        return self._packed + packer.compress(tail) + packer.flush()


@dataclass(frozen=True, slots=True)
class Text:
    """A page as it is sent."""

    body: Body
    tail: bytes

    def plain(self) -> bytes:
        return self.body.text + self.tail

    def packed(self) -> bytes:
        """By gzip. CPU work without the interpreter's lock: for a thread."""
        return self.body.pack(self.tail)


@dataclass(slots=True)
class _Memory:
    """What is kept for one of the two syntaxes."""

    lines: WeakKeyDictionary[Target, dict[str, SeriesText]] = field(default_factory=WeakKeyDictionary)
    own_lines: dict[tuple[str, str], SeriesText] = field(default_factory=dict)
    body: Body | None = None
    body_of: Hashable = None
    """What `body` was made of."""


class Kept:
    """What outlives a scrape: the words of every series, and the last body. One a process."""

    def __init__(self) -> None:
        self.text = _Memory()
        self.openmetrics = _Memory()


class Page:
    """One scrape. `registries` are the library's own collectors about the process and Python."""

    def __init__(
        self,
        targets: Sequence[Target],
        now: Instant,
        *,
        loaded_at: Instant,
        state_bytes: int,
        reloaded: bool = True,
        book: Book | None = None,
        stall: float | None = None,
        registries: Iterable[CollectorRegistry] = (),
        kept: Kept | None = None,
    ) -> None:
        self._views = [View(target, now) for target in targets]
        self._loaded_at = loaded_at
        self._reloaded = reloaded
        self._state_bytes = state_bytes
        self._book = book or Book()
        self._stall = stall
        self._registries = tuple(registries)
        self._kept = kept or Kept()

    def write(self, format_: Format) -> bytes:
        """The page in `format_`, not compressed."""
        return self.text(format_).plain()

    def text(self, format_: Format) -> Text:
        """The page in `format_`, to be sent plain or packed. Families without a series are left out."""
        openmetrics_ = format_.is_openmetrics
        memory = self._kept.openmetrics if openmetrics_ else self._kept.text
        made_of = tuple(_made_of(view) for view in self._views)
        if memory.body is None or memory.body_of != made_of:
            series: dict[str, int] = {}
            lines = self._families(BODY, memory, series, openmetrics_)
            memory.body, memory.body_of = Body("".join(lines).encode(), series), made_of
        return Text(memory.body, self._tail(memory, openmetrics_))

    def _families(
        self, families: Iterable[Family], memory: _Memory, series: dict[str, int], openmetrics_: bool
    ) -> list[str]:
        """The lines of `families`; how many label sets each has is noted in `series`."""
        lines: list[str] = []
        for family in families:
            place = len(lines)
            lines.append(header(family.full_name, family.help, family.kind, openmetrics=openmetrics_))
            count = sum(
                _series_text(memory, family, view, openmetrics_).write(family.rows(view), lines) for view in self._views
            )
            if count:
                series[family.full_name] = count
            else:
                del lines[place:]
        return lines

    def _tail(self, memory: _Memory, openmetrics_: bool) -> bytes:
        series = dict(memory.body.series) if memory.body is not None else {}
        lines = self._families(OWN_FAMILIES, memory, series, openmetrics_)
        process = Process(
            self._loaded_at, self._reloaded, self._state_bytes, series, self._folded(), self._book, self._stall
        )
        static_of = {view.target.name: view.target.config.labels for view in self._views}
        for family in (*ALERT_FAMILIES, *PROCESS_FAMILIES):
            place = len(lines)
            lines.append(header(family.full_name, family.help, family.kind, openmetrics=openmetrics_))
            count = 0
            for target, rows in _by_target(family, process).items():
                static = static_of.get(target, {})
                text = memory.own_lines.get((family.name, target))
                if text is None or text.static != static:
                    text = SeriesText(family.full_name, family.labels, static, family.kind)
                    memory.own_lines[family.name, target] = text
                count += text.write(rows, lines)
            if not count:
                del lines[place:]
        write = openmetrics.generate_latest if openmetrics_ else exposition.generate_latest
        library = b"".join(write(registry).removesuffix(b"# EOF\n") for registry in self._registries)
        return "".join(lines).encode() + library + (b"# EOF\n" if openmetrics_ else b"")

    def _folded(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for view in self._views:
            if view.ledger is not None:
                total += view.ledger.overflow
        return {PREFIX + family: count for family, count in total.items()}


def _made_of(view: View) -> Hashable:
    """All that the body's rows of one target come from: two pages with equal answers have equal bodies."""
    target, ledger, sights = view.target, view.ledger, view.target.sights
    return (
        target.name,
        tuple(target.config.labels.items()),
        None if ledger is None else (ledger.birth, ledger.changes),
        sights.queues,
        sights.schedules,
        sights.deployment,
        sights.deployed_tasks,
        tuple((state.is_stale(view.now), state.last_success is None) for state in target.states.values()),
    )


def _series_text(memory: _Memory, family: Family, view: View, openmetrics_: bool) -> SeriesText:
    target = view.target
    texts = memory.lines.setdefault(target, {})
    # In text, created timestamps would be gauges of their own and double the page. They are the birth of the state, so
    # they survive restarts as the counters do.
    created = view.ledger.birth / 1000 if openmetrics_ and view.ledger is not None else None
    text = texts.get(family.name)
    if text is None or text.created != created:
        static = {"target": target.name, **target.config.labels}
        text = texts[family.name] = SeriesText(
            family.full_name, family.labels, static, family.kind, created, exemplars=openmetrics_
        )
    return text


def _by_target(family: ProcessFamily, process: Process) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """The rows of a family by the target they speak of, whose static labels they carry; under ``""`` the others."""
    place = family.labels.index("target") if "target" in family.labels else None
    found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for labels, value in family.read(process):
        found.setdefault("" if place is None else labels[place], []).append((labels, value))
    return found
