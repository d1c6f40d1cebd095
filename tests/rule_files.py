"""Rule sets as hypothesis draws them, in the plain form of a YAML file, from the rows themselves."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from triggerdev_alerts.conditions.catalogue import CONDITIONS, ConditionType
from triggerdev_alerts.conditions.keys import REQUIRED, Key, Kind

_words = st.from_regex(r"[a-z][a-z0-9-]{0,7}", fullmatch=True)
_globs = st.lists(st.sampled_from(["*", "billing-*", "a", "emails"]), min_size=1, max_size=2) | st.just("web-*")
durations = st.sampled_from(["10s", "30s", "1m", "90s", "5m", "59m59s"])


def _value(key: Key) -> st.SearchStrategy[Any]:
    least = int(key.least or 0)
    match key.kind:
        case Kind.DURATION if key.name == "window":
            return st.sampled_from(["1m", "10m", "1h", "2h", "1d", "1w"])
        case Kind.DURATION:
            return durations
        case Kind.PERCENT:
            return st.sampled_from(["50%", "99.5%", "60.25%", 0.5, 1])
        case Kind.COUNT:
            return st.integers(max(least, 10), 1000)
        case Kind.PERCENT_OR_COUNT:
            return st.sampled_from(["5%", 5, 0.5])
        case Kind.TIMES:
            return st.sampled_from(["3x", "1.5x", 2])
        case Kind.MONEY:
            return st.sampled_from(["50 USD", "0.25 USD", "7USD"])
        case Kind.QUANTILE:
            return st.sampled_from(["p95", "p99.5", 0.5])
        case Kind.FLAG:
            return st.booleans()
        case Kind.STATUSES:
            several = st.lists(st.sampled_from(key.choices), min_size=1, unique=True)
            return several | st.sampled_from(key.choices)
        case Kind.WORD:
            return st.sampled_from(key.choices)


_CLEAR: dict[Kind, Any] = {Kind.PERCENT: "5%", Kind.COUNT: 3, Kind.DURATION: "5s"}


@st.composite
def conditions(draw: st.DrawFn, row: ConditionType) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key in row.keys:
        if key.name == "clear_below":
            if draw(st.booleans()):
                said[key.name] = _CLEAR[key.kind]
        elif key.default is REQUIRED or draw(st.booleans()):
            said[key.name] = draw(_value(key))
    possible = [*(() if row.is_self else ("target",)), *row.dimensions]
    if possible and draw(st.booleans()):
        said["by"] = draw(st.lists(st.sampled_from(possible), unique=True))
    for name in (*(() if row.is_self else ("target",)), *row.narrows):
        if draw(st.booleans()):
            said[name] = draw(_globs)
    return {row.name: said}


whens = st.sampled_from(sorted(CONDITIONS)).flatmap(lambda name: conditions(CONDITIONS[name]))

_policies = st.fixed_dictionaries(
    {},
    optional={
        "for": durations,
        "keep_firing_for": durations,
        "severity": st.sampled_from(["critical", "warning", "info"]),
        "on_no_data": st.sampled_from(["keep_state", "ok", "firing"]),
        "missing_after": st.integers(1, 9),
        "hold_insufficient_for": durations,
        "flapping": st.fixed_dictionaries(
            {}, optional={"enabled": st.booleans(), "changes": st.integers(2, 9), "stable": durations}
        ),
        "evidence": st.fixed_dictionaries(
            {}, optional={"top_errors": st.integers(0, 9), "errors": st.sampled_from(["message", "name", "off"])}
        ),
        "max_series": st.integers(1, 900),
    },
)


@st.composite
def rules(draw: st.DrawFn, name: str) -> dict[str, Any]:
    more = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(st.sampled_from(["team", "owner", "tier"]), _words, max_size=2),
                "annotations": st.just({"summary": "{{ target }}: {{ value }}"}),
                "enabled": st.booleans(),
            },
        )
    )
    return {"alert": name, "when": draw(whens), **draw(_policies), **more}


_match = st.dictionaries(
    st.sampled_from(["severity", "task", "team", "env"]), st.sampled_from(["*", "a-*", "!b", ["a", "b"]]), max_size=2
)


@st.composite
def routes(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    route = draw(
        st.fixed_dictionaries(
            {"receiver": st.just("hook")} if depth == 0 else {},
            optional={
                "group_by": st.lists(st.sampled_from(["alertname", "target", "task"]), unique=True),
                "group_wait": durations,
                "group_interval": durations,
                "repeat_interval": st.sampled_from(["1h", "4h", "1d"]),
                "repeat_backoff": st.sampled_from(["2 max 24h", 3, "1.5x"]),
                "mute": st.just(["nights"]),
                "active": st.just("nights"),
                "send_resolved": st.booleans(),
                "startup": st.sampled_from(["summarize", "each"]),
            },
        )
    )
    if depth:
        route |= {"match": draw(_match), "continue": draw(st.booleans())}
    if depth < 2:
        route["children"] = [draw(routes(depth + 1)) for _ in range(draw(st.integers(0, 2)))]
    return route


@st.composite
def rule_files(draw: st.DrawFn) -> dict[str, Any]:
    groups = []
    for n in range(draw(st.integers(0, 2))):
        group = draw(
            st.fixed_dictionaries(
                {"name": st.just(f"g{n}")},
                optional={"interval": durations, "align": st.just("exact"), "query_delay": durations},
            )
        )
        group["rules"] = [draw(rules(f"A{n}_{m}")) for m in range(draw(st.integers(1, 3)))]
        groups.append(group)
    return {
        "version": 1,
        "defaults": draw(_policies),
        "owners": draw(st.dictionaries(_words, _words, max_size=2)),
        "time_intervals": {
            "nights": [
                {"times": "22:00-06:00", "location": "Europe/Berlin"},
                {"weekdays": ["fri-mon"], "months": [12, "jun-aug"], "days_of_month": [1, "-3:-1"], "years": [2026]},
            ]
        },
        "receivers": {"hook": {"webhook": {"url_env": "HOOK", "max_alerts": 5}}},
        "routes": draw(routes()),
        "inhibit": [{"source": {"severity": "critical"}, "target": {"severity": "!critical"}, "equal": "env"}],
        "fallback": "hook",
        "ping": {"url_file": "/run/ping", "interval": "30s"},
        "flood_ceiling": 9,
        "groups": groups,
    }
