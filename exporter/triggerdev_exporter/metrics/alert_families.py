"""Families about alerts and notifications, read from the book. ``target`` is empty for alerts about alerting itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from triggerdev_alerts.book import Book
from triggerdev_exporter.metrics.family import Kind
from triggerdev_exporter.metrics.process_families import ProcessFamily

Row = tuple[tuple[str, ...], float]

SHOWN = ("severity", "task", "queue", "owner")
"""Labels of an alert that `alert_firing` carries; empty where they do not apply."""


def _alerts(book: Book) -> Iterator[Row]:
    found: Counter[tuple[str, ...]] = Counter()
    for alert in book.alerts.values():
        found[alert.target, alert.label("alertname"), alert.state.value, alert.label("severity")] += 1
    yield from found.items()


def _firing(book: Book) -> Iterator[Row]:
    # Alerts may differ in further labels, a schedule or a version: one series stands for them.
    seen = {
        (alert.target, alert.label("alertname"), *(alert.label(name) for name in SHOWN))
        for alert in book.alerts.values()
        if alert.is_firing
    }
    for labels in sorted(seen):
        yield labels, 1


def _counter(book: Book, family: str) -> Iterator[Row]:
    # Thousands of rules have thousands of counters: only those of the family are sorted.
    yield from sorted((labels, value) for (name, labels), value in book.counts.items() if name == family)


def _pending(book: Book) -> Iterator[Row]:
    waiting = Counter(letter.receiver for letter in book.letters.values())
    for receiver in sorted({*waiting, *_receivers(book)}):
        yield (receiver,), waiting[receiver]


def _oldest(book: Book) -> Iterator[Row]:
    oldest: dict[str, int] = {}
    for letter in book.letters.values():
        oldest[letter.receiver] = min(letter.created_at, oldest.get(letter.receiver, letter.created_at))
    for receiver, created_at in sorted(oldest.items()):
        yield (receiver,), created_at / 1000


def _receivers(book: Book) -> set[str]:
    return {labels[0] for name, labels in book.counts if name == "notifications_total"}


ALERT_FAMILIES: tuple[ProcessFamily, ...] = (
    ProcessFamily(
        "alerts",
        Kind.GAUGE,
        ("target", "alertname", "state", "severity"),
        "Alerts that are not inactive, by state: pending, firing, recovering.",
        lambda process: _alerts(process.book),
    ),
    ProcessFamily(
        "alert_firing",
        Kind.GAUGE,
        ("target", "alertname", *SHOWN),
        "1 for each firing alert, held while its source cannot be read.",
        lambda process: _firing(process.book),
    ),
    ProcessFamily(
        "rule_evaluations_total",
        Kind.COUNTER,
        ("target", "alertname", "outcome"),
        "Evaluations of alert rules, one a series: true, false, clearing, insufficient, no_data, error.",
        lambda process: _counter(process.book, "rule_evaluations_total"),
    ),
    ProcessFamily(
        "notifications_total",
        Kind.COUNTER,
        ("receiver", "outcome"),
        "Notifications by what became of them: delivered, retried, dead, superseded.",
        lambda process: _counter(process.book, "notifications_total"),
    ),
    ProcessFamily(
        "notifications_pending",
        Kind.GAUGE,
        ("receiver",),
        "Notifications that are decided and not delivered yet.",
        lambda process: _pending(process.book),
    ),
    ProcessFamily(
        "notifications_oldest_pending_timestamp_seconds",
        Kind.GAUGE,
        ("receiver",),
        "When the oldest undelivered notification was decided; absent when none waits.",
        lambda process: _oldest(process.book),
    ),
)
