"""The page of /metrics: the rows of every family of every target as text, and what is kept of it from scrape to scrape.

It reads memory only. Series of one family stand together over all targets, each label set once. What runs and things
look like (the body) changes when the ledger or a sight does: until then its text is kept, and so is what gzip made of
it. What the exporter says of itself (the tail) is new in every scrape, and small.

A body is made in two steps. All numbers of a target are read at one instant, since they belong together. The text of
those that are new is written after that, in parts, so that a page of which much is new keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

from triggerdev_alerts.book import Book
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.metrics.alert_families import ALERT_FAMILIES
from triggerdev_exporter.metrics.catalogue import BODY
from triggerdev_exporter.metrics.family import PREFIX, Family, View
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.own_families import OWN_FAMILIES
from triggerdev_exporter.metrics.process_families import PROCESS_FAMILIES, Process, ProcessFamily
from triggerdev_exporter.metrics.series_text import SeriesText, Unwritten, header, write
from triggerdev_exporter.target import Target
from triggerdev_exporter.turns import in_turns

AT_A_TIME = 250
"""Label sets that are written before others may have a turn: two milliseconds, if each is new and a histogram."""
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
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever makes the body; who comes meanwhile most often finds it made."""


_Lines = list[list[bytes]]
"""Of one target: a list for each family, of a line (or a histogram) for each label set."""


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
        memory = self._memory(format_)
        for _ in self._make_body(memory, format_):
            pass
        return self._with_tail(memory, format_)

    async def text_in_turns(self, format_: Format, clock: Clock) -> Text:
        """The same, while others get their turns. All that is told of a target is of one instant of that time."""
        memory = self._memory(format_)
        async with memory.turn:
            await in_turns(self._make_body(memory, format_), clock)
            return self._with_tail(memory, format_)

    def _memory(self, format_: Format) -> _Memory:
        return self._kept.openmetrics if format_.is_openmetrics else self._kept.text

    def _make_body(self, memory: _Memory, format_: Format) -> Iterator[None]:
        """Put the body into `memory`, if what is there is not it: target by target, then `AT_A_TIME` texts a step."""
        if memory.body is not None and memory.body_of == tuple(map(_made_of, self._views)):
            return
        made_of: list[Hashable] = []
        unwritten: list[Unwritten] = []
        gathered: list[_Lines] = []
        for view in self._views:
            made_of.append(_made_of(view))
            gathered.append(_gather(BODY, view, memory, format_, unwritten))
            yield
        for start in range(0, len(unwritten), AT_A_TIME):
            write(unwritten[start : start + AT_A_TIME])
            yield
        series: dict[str, int] = {}
        memory.body = Body(b"".join(_together(BODY, gathered, series, format_)), series)
        memory.body_of = tuple(made_of)

    def _with_tail(self, memory: _Memory, format_: Format) -> Text:
        if memory.body is None:
            raise AssertionError  # pragma: no cover - it was just made
        return Text(memory.body, self._tail(memory, memory.body, format_))

    def _tail(self, memory: _Memory, body: Body, format_: Format) -> bytes:
        openmetrics_ = format_.is_openmetrics
        series = dict(body.series)
        unwritten: list[Unwritten] = []
        gathered = [_gather(OWN_FAMILIES, view, memory, format_, unwritten) for view in self._views]
        write(unwritten)
        lines = _together(OWN_FAMILIES, gathered, series, format_)
        process = Process(
            self._loaded_at, self._reloaded, self._state_bytes, series, self._folded(), self._book, self._stall
        )
        static_of = {view.target.name: view.target.config.labels for view in self._views}
        for family in (*ALERT_FAMILIES, *PROCESS_FAMILIES):
            place = len(lines)
            for target, rows in _by_target(family, process).items():
                static = static_of.get(target, {})
                text = memory.own_lines.get((family.name, target))
                if text is None or text.static != static:
                    text = SeriesText(family.full_name, family.labels, static, family.kind)
                    memory.own_lines[family.name, target] = text
                unwritten = []
                told = text.gather(rows, unwritten)
                write(unwritten)
                lines += told
            if len(lines) > place:
                lines.insert(place, header(family.full_name, family.help, family.kind, openmetrics=openmetrics_))
        by_library = openmetrics.generate_latest if openmetrics_ else exposition.generate_latest
        lines += [by_library(registry).removesuffix(b"# EOF\n") for registry in self._registries]
        if openmetrics_:
            lines.append(b"# EOF\n")
        return b"".join(lines)

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


def _gather(
    families: Iterable[Family], view: View, memory: _Memory, format_: Format, unwritten: list[Unwritten]
) -> _Lines:
    """What there is to say of a target at this instant, a list for each of `families`."""
    texts = _Texts(memory, view, format_)
    return [texts.of(family).gather(family.rows(view), unwritten) for family in families]


def _together(
    families: Iterable[Family], gathered: Sequence[_Lines], series: dict[str, int], format_: Format
) -> list[bytes]:
    """The lines of all targets, family by family; how many label sets each has is noted in `series`."""
    together: list[bytes] = []
    for number, family in enumerate(families):
        count = sum([len(of_target[number]) for of_target in gathered])
        if count:
            series[family.full_name] = count
            together.append(header(family.full_name, family.help, family.kind, openmetrics=format_.is_openmetrics))
            for of_target in gathered:
                together += of_target[number]
    return together


class _Texts:
    """What writes the families of one target in one format."""

    def __init__(self, memory: _Memory, view: View, format_: Format) -> None:
        self._texts = memory.lines.setdefault(view.target, {})
        self._static = {"target": view.target.name, **view.target.config.labels}
        self._openmetrics = format_.is_openmetrics
        # In text, created timestamps would be gauges of their own and double the page. They are the birth of the state,
        # so they survive restarts as the counters do.
        self._created = view.ledger.birth / 1000 if self._openmetrics and view.ledger is not None else None

    def of(self, family: Family) -> SeriesText:
        text = self._texts.get(family.name)
        if text is None or text.created != self._created:
            text = self._texts[family.name] = SeriesText(
                family.full_name, family.labels, self._static, family.kind, self._created, exemplars=self._openmetrics
            )
        return text


def _by_target(family: ProcessFamily, process: Process) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    """The rows of a family by the target they speak of, whose static labels they carry; under ``""`` the others."""
    place = family.labels.index("target") if "target" in family.labels else None
    found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for labels, value in family.read(process):
        found.setdefault("" if place is None else labels[place], []).append((labels, value))
    return found
