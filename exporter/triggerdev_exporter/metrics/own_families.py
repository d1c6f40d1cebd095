"""Families about ourselves: is the key accepted, are the collectors well, how far have we read, what do we cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from triggerdev_exporter.api.meter import LATENCY_BOUNDS
from triggerdev_exporter.ledger import coverage
from triggerdev_exporter.metrics.family import Buckets, Family, Kind, Rows, View
from triggerdev_exporter.metrics.run_families import seconds
from triggerdev_exporter.spans.policy import AMENDMENTS, DROP_REASONS
from triggerdev_exporter.target import CollectorState

_ENVIRONMENT_TYPES = {"prod": "PRODUCTION", "stg": "STAGING", "dev": "DEVELOPMENT", "preview": "PREVIEW"}


def _maybe(value: float | None) -> Rows:
    return () if value is None else (((), value),)


def _collectors(pick: Callable[[CollectorState], float | None]) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        for name, state in view.states:
            value = pick(state)
            if value is not None:
                yield (name,), value

    return read


def _flag(value: bool | None) -> float | None:
    return None if value is None else float(value)


def _errors(view: View) -> Rows:
    for name, state in view.states:
        for reason, count in sorted(state.errors.items()):
            yield (name, reason), count


def _target_info(view: View) -> Rows:
    target, ledger = view.target, view.ledger
    covered = None if ledger is None else ledger.coverage
    environment = (covered.environment if covered is not None else None) or ""
    told = next((one.environment_type for one in target.sights.schedules or () if one.environment_type), None)
    kind = (covered.environment_type if covered is not None else None) or told
    yield (
        (
            (covered.project if covered is not None else None) or "",
            environment,
            kind or _ENVIRONMENT_TYPES.get(environment, ""),
            target.config.api_url,
            target.dialect.name if target.dialect is not None else "",
        ),
        1,
    )


def _counting_since(view: View) -> Rows:
    return _maybe(None if view.ledger is None else seconds(view.ledger.birth))


def _catching_up(view: View) -> Rows:
    ledger = view.ledger
    if ledger is None or ledger.coverage is None:
        return ()
    interval = view.state("runs").interval_ms
    return _maybe(float(coverage.catching_up(ledger.coverage, interval, view.target.server_now())))


def _view_lag(view: View) -> Rows:
    lag = view.target.sights.view_lag_ms
    return _maybe(None if lag is None else seconds(lag))


def _requests(view: View) -> Rows:
    yield from sorted(view.target.client.meter.requests.items())


def _latency(view: View) -> Rows:
    for endpoint, latency in sorted(view.target.client.meter.latency.items()):
        yield (endpoint,), Buckets(LATENCY_BOUNDS, tuple(latency.counts), latency.total)


def _spans(family: str, reasons: tuple[str, ...] = ()) -> Callable[[View], Rows]:
    """A counter about spans, where spans are exported; each reason from 0 on."""

    def read(view: View) -> Rows:
        if view.target.policy is not None and view.ledger is not None:
            sets: list[tuple[str, ...]] = [(reason,) for reason in reasons] or [()]
            for labels in sets:
                yield labels, view.ledger.counter(family).get(labels, 0)

    return read


def _spans_pending(view: View) -> Rows:
    is_on = view.target.policy is not None and view.ledger is not None
    return _maybe(view.ledger.waiting_spans if is_on and view.ledger is not None else None)


def _export_errors(view: View) -> Rows:
    for reason, count in sorted(view.target.exports.errors.items()):
        yield (reason,), count


def _families() -> Iterator[Family]:
    counter, gauge, histogram = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
    yield Family(
        "up",
        gauge,
        (),
        "1 if the last request reached the API and the key was accepted.",
        lambda view: _maybe(_flag(view.target.client.meter.up)),
    )
    yield Family(
        "collector_up",
        gauge,
        ("collector",),
        "1 if the collector's last tick succeeded.",
        _collectors(lambda state: _flag(state.up)),
    )
    yield Family(
        "collector_supported",
        gauge,
        ("collector",),
        "0 if the endpoint is missing or refused to this key; looked at again each hour.",
        _collectors(lambda state: _flag(state.supported)),
    )
    yield Family(
        "collector_last_success_timestamp_seconds",
        gauge,
        ("collector",),
        "When the collector last succeeded. Its gauges vanish after three intervals without success.",
        _collectors(lambda state: None if state.last_success is None else seconds(state.last_success)),
    )
    yield Family(
        "collector_interval_seconds",
        gauge,
        ("collector",),
        "How often the collector looks.",
        _collectors(lambda state: state.interval_ms / 1000),
    )
    yield Family(
        "collector_duration_seconds",
        gauge,
        ("collector",),
        "How long the collector's last tick took.",
        _collectors(lambda state: state.duration_s),
    )
    yield Family(
        "collector_errors_total",
        counter,
        ("collector", "reason"),
        "Failed ticks and pages, and runs that could not be followed (reopened, vanished, too_late).",
        _errors,
    )
    yield Family(
        "target_info",
        gauge,
        ("project", "environment", "environment_type", "api_url", "dialect"),
        "1, with what is known of the environment; empty where it is not.",
        _target_info,
    )
    yield Family(
        "counting_since_timestamp_seconds",
        gauge,
        (),
        "Birth of the state: the counters count events from here on.",
        _counting_since,
    )
    yield Family(
        "catching_up",
        gauge,
        (),
        "1 while time that should be covered has gaps older than two intervals: counters still grow by the past.",
        _catching_up,
    )
    yield Family(
        "view_lag_seconds",
        gauge,
        (),
        "How far the server's run list is behind its live state. Absent before the first evidence.",
        _view_lag,
        "runs",
    )
    yield Family(
        "api_requests_total",
        counter,
        ("endpoint", "code"),
        "Requests to the API, by HTTP status or by what went wrong.",
        _requests,
    )
    yield Family(
        "api_request_duration_seconds",
        histogram,
        ("endpoint",),
        "How long requests to the API took.",
        _latency,
    )
    yield Family(
        "api_rate_limit",
        gauge,
        (),
        "Size of the rate limit's bucket, as the server last told; it is shared with your own calls.",
        lambda view: _maybe(view.target.client.meter.rate_limit),
    )
    yield Family(
        "api_rate_limit_remaining",
        gauge,
        (),
        "What was left in that bucket.",
        lambda view: _maybe(view.target.client.meter.rate_limit_remaining),
    )
    yield Family(
        "api_throttled_seconds_total",
        counter,
        (),
        "How long our own requests were held back to keep to our share.",
        lambda view: _maybe(view.target.client.meter.throttled_seconds),
    )

    yield Family(
        "spans_exported_total",
        counter,
        (),
        "Spans that the OTLP collector took. Absent, as all of spans, where none are exported.",
        _spans("spans_exported_total"),
    )
    yield Family(
        "spans_dropped_total",
        counter,
        ("reason",),
        "Spans that are not exported: not sampled (sampling), of runs that ended too long ago (too_old), too many "
        "waiting (queue_full), refused one by one (rejected) or with their request (refused).",
        _spans("spans_dropped_total", DROP_REASONS),
    )
    yield Family(
        "spans_amended_total",
        counter,
        ("reason",),
        "Runs whose spans tell less than they should: a parent that nobody could name (parent_unknown), times that ran "
        "backwards and were moved (times_reversed), a trace that was full (trace_full).",
        _spans("spans_amended_total", AMENDMENTS),
    )
    yield Family(
        "spans_pending",
        gauge,
        (),
        "Runs and batches whose spans wait: to be told of by a query, or for the collector.",
        _spans_pending,
    )
    yield Family(
        "span_export_errors_total",
        counter,
        ("reason",),
        "Requests to the OTLP collector that were not accepted; what can be sent again is.",
        _export_errors,
    )


OWN_FAMILIES: tuple[Family, ...] = tuple(_families())
