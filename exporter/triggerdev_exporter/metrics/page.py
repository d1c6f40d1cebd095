"""The page of /metrics: the rows of every family of every target, written by prometheus-client.

It reads memory only. Series of one family stand together over all targets, each label set once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import Metric, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from triggerdev_alerts.book import Book
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.metrics.alert_families import ALERT_FAMILIES
from triggerdev_exporter.metrics.catalogue import FAMILIES
from triggerdev_exporter.metrics.family import PREFIX, Buckets, Family, Kind, Value, View
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.process_families import PROCESS_FAMILIES, Process
from triggerdev_exporter.target import Target


class Page(Collector):
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
        registries: Iterable[CollectorRegistry] = (),
    ) -> None:
        self._views = [View(target, now) for target in targets]
        self._loaded_at = loaded_at
        self._reloaded = reloaded
        self._state_bytes = state_bytes
        self._book = book or Book()
        self._registries = tuple(registries)
        self._created = True

    def collect(self) -> Iterator[Metric]:
        """The families as prometheus-client wants them; those without a series are left out."""
        series: dict[str, int] = {}
        for family in FAMILIES:
            metric = Metric(*_head(family.full_name, family.help, family.kind))
            count = 0
            for view in self._views:
                static = {"target": view.target.name, **view.target.config.labels}
                created = _created(view) if self._created else None
                for labels, value in family.rows(view):
                    add_series(
                        # The user's own label wins: `project` of target_info is the only name that both may have.
                        metric,
                        family,
                        {**dict(zip(family.labels, labels, strict=True)), **static},
                        value,
                        created,
                    )
                    count += 1
            if count:
                series[family.full_name] = count
                yield metric
        process = Process(self._loaded_at, self._reloaded, self._state_bytes, series, self._folded(), self._book)
        static_of = {view.target.name: view.target.config.labels for view in self._views}
        for own in (*ALERT_FAMILIES, *PROCESS_FAMILIES):
            metric = Metric(*_head(own.full_name, own.help, own.kind))
            for values, value in own.read(process):
                named = dict(zip(own.labels, values, strict=True))
                metric.add_sample(own.full_name, {**named, **static_of.get(named.get("target", ""), {})}, value)
            if metric.samples:
                yield metric
        for registry in self._registries:
            yield from registry.collect()

    def _folded(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for view in self._views:
            if view.ledger is not None:
                total += view.ledger.overflow
        return {PREFIX + family: count for family, count in total.items()}

    def write(self, format_: Format) -> bytes:
        """The page in `format_`."""
        # In text, created timestamps would be gauges of their own and double the page.
        self._created = format_.is_openmetrics
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(self))
        write = openmetrics.generate_latest if format_.is_openmetrics else exposition.generate_latest
        return write(registry)


class _Once(Collector):
    """Lets a registry take the page without reading it in order to register it."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        return self._page.collect()


def _head(name: str, help_: str, kind: Kind) -> tuple[str, str, str]:
    return (name.removesuffix("_total") if kind is Kind.COUNTER else name), help_, kind.value


def _created(view: View) -> float | None:
    """Since when counters count, in seconds: the birth of the state, so it survives restarts as they do."""
    return None if view.ledger is None else view.ledger.birth / 1000


def add_series(metric: Metric, family: Family, labels: dict[str, str], value: Value, created: float | None) -> None:
    """Add one row to `metric`: one sample, or a histogram's whole set."""
    if isinstance(value, Buckets):
        below = 0
        for bound, cell in zip((*value.bounds, float("inf")), value.cells, strict=True):
            below += cell
            metric.add_sample(f"{metric.name}_bucket", {**labels, "le": _le(bound)}, below)
        metric.add_sample(f"{metric.name}_count", labels, below)
        metric.add_sample(f"{metric.name}_sum", labels, value.sum)
    elif family.kind is Kind.COUNTER:
        metric.add_sample(f"{metric.name}_total", labels, value)
    else:
        metric.add_sample(metric.name, labels, value)
        return
    if created is not None and family.source is None:
        metric.add_sample(f"{metric.name}_created", labels, created)


def _le(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(float(bound))
