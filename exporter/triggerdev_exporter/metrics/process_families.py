"""Families about this process and its alerts: not read from one target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from triggerdev_alerts.book import Book
from triggerdev_exporter import __revision__, __version__
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.metrics.family import PREFIX, Kind


@dataclass(frozen=True, slots=True)
class Process:
    """What the process knows of itself at one scrape."""

    loaded_at: Instant
    """When the configuration in use was loaded."""
    reloaded: bool
    """Whether it is the last one that was read."""
    state_bytes: int
    series: dict[str, int]
    """Series on this page, by full family name."""
    folded: dict[str, int]
    """How often something was counted under ``__other__``, by full family name."""
    book: Book
    """What alerting remembers."""
    stall: float | None = None
    """The longest stall of the event loop lately, in seconds."""


@dataclass(frozen=True, slots=True)
class ProcessFamily:
    """A family of the process's own; the same shape as `Family`, read from `Process`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    read: Callable[[Process], Iterable[tuple[tuple[str, ...], float]]]

    @property
    def full_name(self) -> str:
        return PREFIX + self.name


PROCESS_FAMILIES: tuple[ProcessFamily, ...] = (
    ProcessFamily(
        "exporter_build_info",
        Kind.GAUGE,
        ("version", "revision"),
        "1, with the version of this program and the commit it was built from (empty where nobody said).",
        lambda _: [((__version__, __revision__), 1)],
    ),
    ProcessFamily(
        "exporter_series",
        Kind.GAUGE,
        ("family",),
        "Series on this page, by family; a histogram counts as one a label set.",
        lambda process: [((family,), count) for family, count in sorted(process.series.items())],
    ),
    ProcessFamily(
        "exporter_series_folded_total",
        Kind.COUNTER,
        ("family",),
        "Events counted under __other__ because their family is over its budget (metrics.max_series, metrics.tags).",
        lambda process: [((family,), count) for family, count in sorted(process.folded.items())],
    ),
    ProcessFamily(
        "exporter_state_bytes",
        Kind.GAUGE,
        (),
        "Size of the state file on disk, its write-ahead log included.",
        lambda process: [((), process.state_bytes)],
    ),
    ProcessFamily(
        "exporter_event_loop_stall_seconds",
        Kind.GAUGE,
        (),
        "The longest time for which nothing else got its turn in this process, within the last two minutes.",
        lambda process: [] if process.stall is None else [((), process.stall)],
    ),
    ProcessFamily(
        "exporter_config_last_reload_successful",
        Kind.GAUGE,
        (),
        "1 if the configuration in use is the last one that was read.",
        lambda process: [((), int(process.reloaded))],
    ),
    ProcessFamily(
        "exporter_config_last_reload_timestamp_seconds",
        Kind.GAUGE,
        (),
        "When the configuration in use was loaded.",
        lambda process: [((), process.loaded_at / 1000)],
    ),
)
