"""Exporter health: is what the other dashboards show fresh and whole, and what does watching cost."""

from __future__ import annotations

from boards import runs
from boards.limits import limit, patience
from boards.model import Board, Limit, Look, Panel, Query, Row
from boards.promql import SCOPE, age, differs, of, own, quantile, rate, total
from boards.style import COMMON, DEPLOYED, FIRING, red, warn

_UP = {0.0: ("down", "red"), 1.0: ("up", "green")}
_QUOTA = (Limit(limit("QuotaLow", "below"), "green"),)
"""Here little is bad: red below."""
_TARGET = "target, environment, dialect, api_url"
_YES = {0.0: ("no", "green"), 1.0: ("yes", "orange")}


def _short(expr: str) -> str:
    """Families without what all of them begin with: there is no room for it."""
    return f'label_replace({expr}, "family", "$1", "family", "triggerdev_(.*)")'


_NOW = Row(
    "Now",
    (
        Panel(
            "Scraped",
            "Whether Prometheus reaches the exporter. Down: the process, the network, or the scrape's configuration.",
            Look.STAT,
            (Query(f"min(up{{{SCOPE}}})", "exporter"),),
            "short",
            4,
            4,
            best="red",
            words=_UP,
        ),
        Panel(
            "Trigger.dev reached",
            "Whether the last request of every target reached the API and its key was accepted. Down for "
            f"{patience('SourceUnreachable') / 60:g} min fires SourceUnreachable, a refused key AuthFailing.",
            Look.STAT,
            (Query(f"min({of('up')})", "API"),),
            "short",
            4,
            4,
            best="red",
            words=_UP,
        ),
        runs.data_age(
            "How long ago runs were last read, of the target that is furthest behind. Everything else is as old."
        ),
        Panel(
            "Catching up",
            "Yes while time that should be covered has gaps: counters still grow by the past, and rates are too high.",
            Look.STAT,
            (Query(f"max({of('catching_up')})", "catching up"),),
            "short",
            4,
            4,
            words=_YES,
        ),
        Panel(
            "Quota left",
            "What is left in the bucket of the server's rate limit, which your own `trigger()` calls share. Red is "
            "where QuotaLow fires: give us a smaller share, or ask for a larger limit.",
            Look.STAT,
            (Query(f"min({of('api_rate_limit_remaining')} / {of('api_rate_limit')})", "left"),),
            "percentunit",
            4,
            4,
            _QUOTA,
            best="red",
        ),
        Panel(
            "Configuration in use",
            "Whether the rules in use are the last ones that were read. “old” means that a reload was refused; the "
            "log says why.",
            Look.STAT,
            (Query(f"min({own('exporter_config_last_reload_successful')})", "rules"),),
            "short",
            4,
            4,
            best="red",
            words={0.0: ("old", "red"), 1.0: ("current", "green")},
        ),
    ),
)
_FRESH = Row(
    "Is it fresh and whole",
    (
        Panel(
            "Age of each collector's data, in intervals",
            "How long ago each collector last succeeded, divided by how often it looks. Below 2 is healthy; at 3 its "
            "gauges vanish (rather an empty graph than an old number). What the key may not ask is not here: see the "
            "table.",
            Look.LINES,
            (
                Query(
                    f"max by (target, collector) ({age('collector_last_success_timestamp_seconds')}) "
                    f"/ on (target, collector) max by (target, collector) ({of('collector_interval_seconds')}) "
                    f"and on (target, collector) {of('collector_supported')} == 1",
                    "{{collector}} ({{target}})",
                ),
            ),
            "short",
            limits=warn(2, 3),
            decimals=1,
        ),
        Panel(
            "Collectors",
            "Each collector: whether its last tick succeeded, whether the key may ask at all (looked at again each "
            "hour), how long the tick took, and how long ago it succeeded.",
            Look.TABLE,
            (
                Query(f"min by (target, collector) ({of('collector_up')})", column="Up", unit="bool_yes_no"),
                Query(
                    f"min by (target, collector) ({of('collector_supported')})", column="Supported", unit="bool_yes_no"
                ),
                Query(f"max by (target, collector) ({of('collector_duration_seconds')})", column="Took", unit="s"),
                Query(
                    f"max by (target, collector) ({age('collector_last_success_timestamp_seconds')})",
                    column="Succeeded ago",
                    unit="s",
                ),
            ),
            "short",
            columns=("collector", "target"),
            headings={"collector": "Collector", "target": "Target"},
            widths={"Up": 70, "Supported": 100, "Took": 90},
        ),
        Panel(
            "Errors of collectors",
            "Failed ticks and pages by reason, each minute. auth and forbidden are the key, rate_limited the quota, "
            "timeout and unreachable the way, decode an answer that we do not know: report that one.",
            Look.LINES,
            (
                Query(
                    total(rate("collector_errors_total"), "collector", "reason") + " * 60", "{{collector}}: {{reason}}"
                ),
            ),
            "cpm",
            quiet="there were no errors",
        ),
        Panel(
            "View lag",
            "How far Trigger.dev's list of runs is behind its live state, by evidence. Above the line ViewLagHigh "
            "fires: runs happen, and nobody sees them yet. Counters catch up by themselves.",
            Look.LINES,
            (Query(f"max by (target) ({of('view_lag_seconds')})", "{{target}}"),),
            "s",
            limits=warn(limit("ViewLagHigh")),
        ),
    ),
)
_GUEST = Row(
    "Are we a polite guest",
    (
        Panel(
            "Requests to the API",
            "Our requests each minute, by answer. 429 means that the bucket is empty, 5xx that the server is ill.",
            Look.LINES,
            (Query(total(rate("api_requests_total"), "code") + " * 60", "{{code}}"),),
            "cpm",
            stacked=True,
        ),
        Panel(
            "How long requests take",
            "95 % of the requests to each endpoint are faster. When the list of runs slows down, the server's view "
            "is in trouble. `our own stall` is the longest time in which nothing else got its turn in the exporter: "
            "when that is long, the slowness is ours.",
            Look.LINES,
            (
                Query(quantile(0.95, "api_request_duration_seconds", by=("endpoint",)), "{{endpoint}}"),
                Query(f"max({own('exporter_event_loop_stall_seconds')})", "our own stall"),
            ),
            "s",
        ),
        Panel(
            "Quota left, over time",
            "What is left in the bucket of the rate limit; your own calls share it. The line is QuotaLow's.",
            Look.LINES,
            (
                Query(
                    f"min by (target) ({of('api_rate_limit_remaining')} / {of('api_rate_limit')})",
                    "{{target}}",
                ),
            ),
            "percentunit",
            limits=red(limit("QuotaLow", "below")),
            most=1,
        ),
        Panel(
            "Held back by ourselves",
            "Seconds a second that our requests waited to keep to our share of the quota. Above 1 the share is too "
            "small for what is asked: raise `quota.share` or the intervals.",
            Look.LINES,
            (Query(total(rate("api_throttled_seconds_total"), "target"), "{{target}}"),),
            "s",
        ),
    ),
)
_COST = Row(
    "What watching costs",
    (
        Panel(
            "Series, the ten largest families",
            "Series on the page, by family. `metrics.max_series` is the limit; over it, tasks are folded into "
            "__other__.",
            Look.BARS,
            (Query(f"sort_desc(topk(10, max by (family) ({_short(own('exporter_series'))})))", "{{family}}"),),
            "short",
            8,
        ),
        Panel(
            "Folded into __other__",
            "Events that were counted under __other__, since their family is over its budget: sums stay true, tasks "
            "are missing. Raise `metrics.max_series` or allow fewer tasks.",
            Look.LINES,
            (
                Query(
                    "sum by (family) ("
                    + _short(f"rate({own('exporter_series_folded_total')}[$__rate_interval])")
                    + ") * 60",
                    "{{family}}",
                ),
            ),
            "cpm",
            8,
            quiet="nothing is folded",
        ),
        Panel(
            "Memory and state",
            "Memory of the process, and its state on disk. Both should be flat over days.",
            Look.LINES,
            (
                Query(f"max(process_resident_memory_bytes{{{SCOPE}}})", "memory"),
                Query(f"max({own('exporter_state_bytes')})", "state on disk"),
            ),
            "bytes",
            8,
        ),
        Panel(
            "Targets",
            "What is watched, in which dialect, by which version of the exporter, and since when it is counted. A "
            "count that began today means that the state was lost: counters began anew.",
            Look.TABLE,
            (
                Query(
                    f"max by ({_TARGET}, version) ({of('target_info')} * on (job, instance) group_left (version) "
                    f"{own('exporter_build_info')}) * on (target) group_left () "
                    f"max by (target) (time() - {of('counting_since_timestamp_seconds')})",
                    column="Counting for",
                    unit="s",
                ),
            ),
            "s",
            24,
            6,
            columns=("target", "environment", "dialect", "api_url", "version"),
            headings={
                "target": "Target",
                "environment": "Environment",
                "dialect": "Dialect",
                "api_url": "API",
                "version": "Exporter",
            },
        ),
    ),
)
_OUT = Row(
    "What we send",
    (
        Panel(
            "Spans, sent and dropped",
            "Spans that the collector took, each minute; those that were given up, by reason (those that sampling "
            "leaves out are not among them); runs whose spans tell less than they should; and requests that failed. "
            "What failed is sent again; what was dropped is a hole in a trace, never in a counter.",
            Look.LINES,
            (
                Query(total(rate("spans_exported_total")) + " * 60", "sent"),
                Query(
                    total(rate("spans_dropped_total", differs("reason", "sampling")), "reason") + " * 60",
                    "dropped: {{reason}}",
                ),
                Query(total(rate("spans_amended_total")) + " * 60", "sent with less in them"),
                Query(total(rate("span_export_errors_total")) + " * 60", "failed requests"),
            ),
            "cpm",
            quiet="no spans are sent: no OTLP endpoint is configured",
        ),
        Panel(
            "Waiting to be sent",
            "Spans and notifications that are decided, kept on disk and not delivered yet. A line that only grows is a "
            "collector or a receiver that does not answer.",
            Look.LINES,
            (
                Query(total(of("spans_pending")), "spans"),
                Query(f"sum({own('notifications_pending')})", "notifications"),
            ),
            "short",
            quiet="nothing was ever sent",
        ),
    ),
)

BOARD = Board(
    "triggerdev-exporter",
    "Trigger.dev / Exporter health",
    "Is what the other dashboards show fresh and whole, and what does watching cost.",
    (_NOW, _FRESH, _GUEST, _OUT, _COST),
    COMMON,
    (DEPLOYED, FIRING),
)
