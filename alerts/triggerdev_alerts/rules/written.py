"""A file of rules as a person writes it: the models of the file, its groups and rules, with what each key means.

The conditions under ``when`` come from the catalogue (`when.py`); who is told is in `written_delivery.py`. A key that
is not written is ``None`` here wherever its value comes from further up: the group, the file's ``defaults``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import Count, Duration, Glob, Model, OneOf, between
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.history.written import WrittenTest
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.rules.model import SEVERITIES, OnNoData
from triggerdev_alerts.rules.when import WrittenWhen
from triggerdev_alerts.rules.words import ENTRY, AlertName, Annotations, Name, OwnLabels, check_label_value
from triggerdev_alerts.rules.written_delivery import (
    WrittenInhibition,
    WrittenPing,
    WrittenReceiver,
    WrittenRoute,
    WrittenTimeRange,
)

_Severity = Annotated[str, OneOf("a severity", SEVERITIES)]
_OnNoData = Annotated[str, OneOf("what no data can do", tuple(OnNoData))]
_OnError = Annotated[str, OneOf("what an error can do (a failed poll never fires and never resolves)", ("keep_state",))]
_Hold = Annotated[Duration, between(0, 30 * DAY, format_duration)]
_Interval = Annotated[Duration, between(10 * SECOND, HOUR, format_duration)]
_Delay = Annotated[Duration, between(0, HOUR, format_duration)]
_Series = Annotated[Count, between(1, 100_000, str)]


class WrittenEvidence(Model):
    """What a message says besides numbers."""

    spoken = "evidence"

    top_errors: Annotated[Count, between(0, 20, str)] | None = Field(
        None, description="How many kinds of errors are listed, the most frequent first.", examples=[3]
    )
    failing_runs: Annotated[Count, between(0, 20, str)] | None = Field(
        None, description="How many runs are linked.", examples=[5]
    )
    errors: Annotated[str, OneOf("a way to tell errors", ("message", "name", "off"))] | None = Field(
        None,
        description="Whether texts of errors leave: message, only their names: name, or nothing: off.",
        examples=["name"],
    )


class WrittenFlapping(Model):
    """When an alert changes so often that it is told once instead of each time."""

    spoken = "flapping"

    enabled: bool = Field(True, description="false: every change is told.", examples=[True])
    changes: Annotated[Count, between(2, 1_000, str)] | None = Field(
        None, description="How many changes between firing and resolved within the window make it flap.", examples=[6]
    )
    window: Annotated[Duration, between(MINUTE, 7 * DAY, format_duration)] | None = Field(
        None, description="How far back changes count.", examples=["1h"]
    )
    stable: Annotated[Duration, between(0, 7 * DAY, format_duration)] | None = Field(
        None, description="How long it must not change until its state is told again.", examples=["15m"]
    )


class _Shared(Model):
    """What a rule may say for itself, and ``defaults`` for all rules of the file."""

    for_: _Hold | None = Field(
        None, alias="for", description="How long the condition must hold before the alert fires.", examples=["2m"]
    )
    keep_firing_for: _Hold | None = Field(
        None, description="How long the condition must be gone before the alert resolves.", examples=["5m"]
    )
    severity: _Severity | None = Field(None, description="How bad it is.", examples=["critical"])
    on_no_data: _OnNoData | None = Field(
        None,
        description="What becomes of an alert whose queue, task or schedule is gone: keep_state (then it resolves), "
        "ok (it resolves at once) or firing.",
        examples=["keep_state"],
    )
    on_error: _OnError | None = Field(
        None, description="Fixed: a failed poll never fires and never resolves.", examples=["keep_state"]
    )
    missing_after: Annotated[Count, between(1, 1_000, str)] | None = Field(
        None, description="How many evaluations a series that is gone is waited for.", examples=[2]
    )
    hold_insufficient_for: _Hold | None = Field(
        None,
        description="How long a firing alert stays when there are too few runs to say; if not written, the window.",
        examples=["15m"],
    )
    flapping: WrittenFlapping | None = Field(
        None, description="When changes are too many to be told one by one.", examples=[{"changes": 6}]
    )
    evidence: WrittenEvidence | None = Field(
        None, description="What a message says besides numbers.", examples=[{"top_errors": 3}]
    )
    max_series: _Series | None = Field(
        None, description="How many series the rule may have; the first ones are kept.", examples=[500]
    )


class WrittenDefaults(_Shared):
    """Values for the rules and groups of this file that say nothing themselves."""

    spoken = "defaults"

    interval: _Interval | None = Field(None, description="How often groups are evaluated.", examples=["60s"])
    query_delay: _Delay | None = Field(
        None,
        description="How long before the evaluation windows end, for runs that become visible late.",
        examples=["30s"],
    )
    min_sample: Annotated[Count, between(1, 1_000_000_000, str)] | None = Field(
        None, description="Rates and percentiles of fewer runs say nothing.", examples=[20]
    )


class WrittenRule(_Shared):
    """One alert rule."""

    spoken = "a rule"

    alert: AlertName = Field(description="Its name; no two rules share one.", examples=["QueueBacklog"])
    when: WrittenWhen = Field(
        description="The condition: its name, and its keys below it.", examples=[{"queue_depth": {"above": 500}}]
    )
    labels: OwnLabels = Field(
        default_factory=dict, description="Labels that its alerts have besides.", examples=[{"team": "payments"}]
    )
    annotations: Annotations = Field(
        default_factory=dict,
        description="Texts of the message, templates: summary, description, runbook, dashboard, and others.",
        examples=[{"summary": "{{ task }} fails"}],
    )
    enabled: bool = Field(True, description="false: it is read and checked, and never evaluated.", examples=[False])


class WrittenGroup(Model):
    """Rules that are evaluated at the same instants."""

    spoken = "a group"

    name: Name = Field(description="Its name; no two groups share one.", examples=["reliability"])
    interval: _Interval | None = Field(None, description="How often it is evaluated.", examples=["60s"])
    align: Annotated[str, OneOf("an alignment", ("spread", "exact"))] | None = Field(
        None,
        description="spread: at the same few seconds of each interval, other ones for each group. "
        "exact: at multiples of the interval.",
        examples=["exact"],
    )
    query_delay: _Delay | None = Field(
        None,
        description="How long before the evaluation windows end, for runs that become visible late.",
        examples=["30s"],
    )
    rules: tuple[Annotated[WrittenRule | None, ENTRY], ...] = Field(
        (), description="The rules.", examples=[[{"alert": "QueueBacklog", "when": {"queue_depth": {"above": 500}}}]]
    )


def _check_version(version: object) -> object:
    if version is not True and version == 1:
        return version
    raise Unfit("version", f"{found(version)} is not a version of this format that is known; write version: 1")


class WrittenRules(Model):
    """One file of rules."""

    spoken = "the file"

    version: Annotated[int, BeforeValidator(_check_version), WithJsonSchema({"const": 1})] = Field(
        1, description="The version of this format.", examples=[1]
    )
    defaults: Annotated[WrittenDefaults | None, ENTRY] = Field(
        WrittenDefaults(), description="Values for all rules and groups of this file.", examples=[{"for": "2m"}]
    )
    owners: Mapping[Glob, Annotated[str, AfterValidator(check_label_value)]] = Field(
        default_factory=dict,
        description="Patterns of task ids and the owner of each, as label owner; the first that matches wins.",
        examples=[{"billing-*": "payments", "*": "platform"}],
    )
    time_intervals: Mapping[Name, tuple[Annotated[WrittenTimeRange | None, ENTRY], ...]] = Field(
        default_factory=dict,
        description="Parts of the week by name; any of its entries may hold.",
        examples=[{"nights": [{"times": ["22:00-06:00"]}]}],
    )
    receivers: Mapping[Name, Annotated[WrittenReceiver | None, ENTRY]] = Field(
        default_factory=dict,
        description="Whom messages can go to, by name.",
        examples=[{"hook": {"webhook": {"url_file": "hook-url"}}}],
    )
    routes: Annotated[WrittenRoute | None, ENTRY] = Field(
        None, description="Who is told of what. In one file at most.", examples=[{"receiver": "hook"}]
    )
    inhibit: tuple[Annotated[WrittenInhibition | None, ENTRY], ...] = Field(
        (),
        description="Which alerts keep others from being sent.",
        examples=[[{"source": {"severity": "critical"}, "target": {"severity": "info"}, "equal": ["task"]}]],
    )
    groups: tuple[Annotated[WrittenGroup | None, ENTRY], ...] = Field(
        (), description="The rules, in groups.", examples=[[{"name": "reliability", "rules": []}]]
    )
    tests: tuple[Annotated[WrittenTest | None, ENTRY], ...] = Field(
        (),
        description="Stories that the rules must pass.",
        examples=[[{"name": "quiet", "expect": [{"at": "10m", "alert": "QueueBacklog", "state": "inactive"}]}]],
    )
    fallback: Name | None = Field(
        None, description="The receiver that is told when another one fails. In one file at most.", examples=["pager"]
    )
    ping: Annotated[WrittenPing | None, ENTRY] = Field(
        None,
        description="The dead man's switch: an address that is fetched while all is well. In one file at most.",
        examples=[{"url_env": "PING_URL"}],
    )
    flood_ceiling: Annotated[Count, between(1, 10_000, str)] | None = Field(
        None,
        description="How many messages a receiver may get in ten minutes before the rest becomes a digest. "
        "In one file at most.",
        examples=[60],
    )
