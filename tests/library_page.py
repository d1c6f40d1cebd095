"""The same rows written by prometheus-client: what our own text is compared with, in meaning and in cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import Metric, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from triggerdev_exporter.metrics.family import Buckets, Kind, Rows


class Library(Collector):
    """Metrics for pages; `read` is called for each."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        # Else the registry would read everything once to register it.
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._read()

    def write(self, *, as_openmetrics: bool = False) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return (openmetrics if as_openmetrics else exposition).generate_latest(registry)


def metric(
    name: str,
    help_: str,
    kind: Kind,
    labels: tuple[str, ...],
    rows: Rows,
    static: Mapping[str, str],
    created: float | None = None,
) -> Metric:
    """One family as the library has it."""
    found = Metric(name.removesuffix("_total") if kind is Kind.COUNTER else name, help_, kind.value)
    for values, value in rows:
        named = {**dict(zip(labels, values, strict=True)), **static}
        if isinstance(value, Buckets):
            below = 0
            for bound, cell in zip((*value.bounds, float("inf")), value.cells, strict=True):
                below += cell
                le = "+Inf" if bound == float("inf") else repr(bound)
                found.add_sample(f"{name}_bucket", {**named, "le": le}, below)
            found.add_sample(f"{name}_count", named, below)
            found.add_sample(f"{name}_sum", named, value.sum)
        else:
            found.add_sample(name, named, value)
        if created is not None and kind is not Kind.GAUGE:
            found.add_sample(f"{found.name}_created", named, created)
    return found
