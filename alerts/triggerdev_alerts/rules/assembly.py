"""Sources without mistakes become one `RuleSet`: files unite, defaults are filled in, parents hand down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.documents.positions import Path
from triggerdev_alerts.rules.model import (
    EvidenceWish,
    Flapping,
    Group,
    Inhibition,
    Matcher,
    OnNoData,
    Ping,
    Place,
    ReceiverConfig,
    Route,
    Rule,
    RuleSet,
    TimeRange,
)
from triggerdev_alerts.rules.sources import Source
from triggerdev_alerts.rules.when import condition
from triggerdev_alerts.rules.words import Match
from triggerdev_alerts.rules.written import (
    WrittenDefaults,
    WrittenEvidence,
    WrittenFlapping,
    WrittenGroup,
    WrittenRule,
)
from triggerdev_alerts.rules.written_delivery import WrittenRoute, WrittenTimeRange

_T = TypeVar("_T")
# What holds where nobody says anything: the defaults of the records themselves.
_RULE = Rule("", "", Condition("", ()))
_GROUP = Group("", ())
_FLAPPING = Flapping()
_EVIDENCE = EvidenceWish()
_PING = Ping(None)
_ALWAYS = TimeRange()
_RULES = RuleSet()

ALIASES = {"env": "target", "alert": "alertname"}


def first(*values: _T | None) -> _T:
    """The first that is said; the last one always is."""
    return next(value for value in values if value is not None)


def assemble(sources: Sequence[Source], disable: Collection[str] = ()) -> RuleSet:
    """The whole. `sources` have no mistakes; shipped ones come first."""
    own = {rule.alert for source in sources if not source.file.shipped for _, rule in source.rules()}
    groups = [
        _group(source, path, written, replaced=own if source.file.shipped else set(), disable=disable)
        for source in sources
        for path, written in source.groups()
    ]
    ping = _once(source.shape.ping for source in sources)
    ceiling = _once(source.shape.flood_ceiling for source in sources)
    root = next(((source, source.shape.routes) for source in sources if source.shape.routes is not None), None)
    return RuleSet(
        groups=tuple(group for group in groups if group.rules),
        routes=None if root is None else _route(root[1], None, "0"),
        receivers={
            name: ReceiverConfig(name, written.kind, written.settings, place(source, ("receivers", name), key=True))
            for source in sources
            for name, written in source.shape.receivers.items()
            if written is not None
        },
        owners=tuple(pair for source in sources for pair in source.shape.owners.items()),
        time_intervals={
            name: tuple(_time_range(written) for written in ranges if written is not None)
            for source in sources
            for name, ranges in source.shape.time_intervals.items()
        },
        inhibitions=tuple(
            Inhibition(matchers(written.source), matchers(written.target), tuple(map(_label, written.equal)))
            for source in sources
            for written in source.shape.inhibit
            if written is not None
        ),
        fallback=_once(source.shape.fallback for source in sources),
        ping=None if ping is None else Ping(ping.settings(), first(ping.interval, _PING.interval)),
        flood_ceiling=_RULES.flood_ceiling if ceiling is None else ceiling,
    )


def _once(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def place(source: Source, path: Path, *, key: bool = False) -> Place:
    return Place(source.file.name, source.place(path, key).line or 0)


def _group(source: Source, path: Path, written: WrittenGroup, *, replaced: set[str], disable: Collection[str]) -> Group:
    defaults = first(source.shape.defaults, WrittenDefaults())
    rules = tuple(
        _rule(rule, written.name, defaults, place(source, (*path, "rules", n)), source.file.shipped, disable)
        for n, rule in enumerate(written.rules)
        if rule is not None and rule.alert not in replaced
    )
    return Group(
        name=written.name,
        rules=rules,
        interval=first(written.interval, defaults.interval, _GROUP.interval),
        exact=written.align == "exact",
        query_delay=first(written.query_delay, defaults.query_delay, _GROUP.query_delay),
    )


def _rule(
    rule: WrittenRule, group: str, defaults: WrittenDefaults, place: Place, shipped: bool, disable: Collection[str]
) -> Rule:
    when = condition(rule.when.written, min_sample=defaults.min_sample)
    window = int(when.values.get("window") or 0)  # type: ignore[arg-type]  # a duration, by its row
    return Rule(
        name=rule.alert,
        group=group,
        when=when,
        for_=first(rule.for_, defaults.for_, _RULE.for_),
        keep_firing_for=first(rule.keep_firing_for, defaults.keep_firing_for, _RULE.keep_firing_for),
        severity=first(rule.severity, defaults.severity, _RULE.severity),
        labels=dict(rule.labels),
        annotations=dict(rule.annotations),
        on_no_data=OnNoData(first(rule.on_no_data, defaults.on_no_data, _RULE.on_no_data)),
        missing_after=first(rule.missing_after, defaults.missing_after, _RULE.missing_after),
        hold_insufficient_for=first(rule.hold_insufficient_for, defaults.hold_insufficient_for, window),
        flapping=_flapping(rule.flapping or WrittenFlapping(), defaults.flapping or WrittenFlapping()),
        evidence=_evidence(rule.evidence or WrittenEvidence(), defaults.evidence or WrittenEvidence()),
        max_series=first(rule.max_series, defaults.max_series, _RULE.max_series),
        enabled=rule.enabled and rule.alert not in disable,
        place=place,
        shipped=shipped,
    )


def _flapping(rule: WrittenFlapping, defaults: WrittenFlapping) -> Flapping | None:
    if not (rule.enabled if "enabled" in rule.model_fields_set else defaults.enabled):
        return None
    return Flapping(
        changes=first(rule.changes, defaults.changes, _FLAPPING.changes),
        window=first(rule.window, defaults.window, _FLAPPING.window),
        stable=first(rule.stable, defaults.stable, _FLAPPING.stable),
    )


def _evidence(rule: WrittenEvidence, defaults: WrittenEvidence) -> EvidenceWish:
    return EvidenceWish(
        top_errors=first(rule.top_errors, defaults.top_errors, _EVIDENCE.top_errors),
        failing_runs=first(rule.failing_runs, defaults.failing_runs, _EVIDENCE.failing_runs),
        errors=first(rule.errors, defaults.errors, _EVIDENCE.errors),
    )


def _label(name: str) -> str:
    return ALIASES.get(name, name)


def matchers(match: Match) -> tuple[Matcher, ...]:
    """Label → patterns, as matchers; ``!`` is what makes one negative."""
    return tuple(
        Matcher(_label(label), tuple(value.removeprefix("!") for value in values), values[0].startswith("!"))
        for label, values in match.items()
    )


def _route(written: WrittenRoute, parent: Route | None, path: str) -> Route:
    above = parent if parent is not None else Route(receiver=written.receiver or "", path=path)
    startup = None if written.startup is None else written.startup == "summarize"
    route = Route(
        receiver=first(written.receiver, above.receiver),
        path=path,
        match=matchers(written.match),
        continue_=written.continue_,
        group_by=above.group_by if written.group_by is None else tuple(map(_label, written.group_by)),
        group_wait=first(written.group_wait, above.group_wait),
        group_interval=first(written.group_interval, above.group_interval),
        repeat_interval=first(written.repeat_interval, above.repeat_interval),
        repeat_backoff=first(written.repeat_backoff, above.repeat_backoff),
        mute=written.mute,
        active=written.active,
        send_resolved=first(written.send_resolved, above.send_resolved),
        send_resolved_when_muted=first(written.send_resolved_when_muted, above.send_resolved_when_muted),
        startup_summarize=first(startup, above.startup_summarize),
    )
    children = [child for child in written.children if child is not None]
    return replace(route, children=tuple(_route(child, route, f"{path}/{n}") for n, child in enumerate(children)))


def _time_range(written: WrittenTimeRange) -> TimeRange:
    return TimeRange(
        times=written.times,
        weekdays=tuple(sorted({day for days in written.weekdays for day in days})),
        days_of_month=written.days_of_month,
        months=tuple(sorted({month for months in written.months for month in months})),
        years=written.years,
        location=written.location or _ALWAYS.location,
    )
