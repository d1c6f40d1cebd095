"""A file of rules as a person writes it: the models of every section and key, with what each of them means.

The conditions under ``when`` come from the catalogue (`when.py`), the settings of receivers from their own files. A key
that is not written is ``None`` here wherever its value comes from further up: the group, the file's ``defaults``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    create_model,
)
from pydantic import model_validator as whole
from pydantic_core import CoreSchema, core_schema

from triggerdev_alerts.documents.mistakes import Unfit, found, mask
from triggerdev_alerts.documents.model import (
    Count,
    Duration,
    FileName,
    Glob,
    Listed,
    Model,
    OneOf,
    between,
    one_or_more,
)
from triggerdev_alerts.documents.units import format_duration, parse_duration
from triggerdev_alerts.history.written import WrittenTest
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND
from triggerdev_alerts.receivers import webhook
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.secret import one_source
from triggerdev_alerts.rules import time_ranges
from triggerdev_alerts.rules.model import SEVERITIES, Backoff, OnNoData
from triggerdev_alerts.rules.when import WrittenWhen

FORGIVING = "forgiving"
"""In the validation context: drop what is wrong instead of refusing, to look at the rest."""

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}", re.ASCII)
_ALERT_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,127}", re.ASCII)
_BACKOFF = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)x?(?: max ([0-9a-z]+))?", re.ASCII)

TAKEN = frozenset("alertname alert severity target env task queue version tag schedule collector receiver rule".split())
"""Labels that every alert or its condition sets."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list or a mapping. When forgiving, it is read without its wrong keys, or is ``None``."""

    def read(self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if not (info.context or {}).get(FORGIVING):
            if value is None:
                raise Unfit("empty", "nothing is written here; remove it or fill it in")
            return handler(value)
        try:
            return handler(value)
        except ValidationError as error:
            spoilt = {finding["loc"][0] for finding in error.errors(include_url=False) if finding["loc"]}
        rest = {key: one for key, one in value.items() if key not in spoilt} if isinstance(value, dict) else {}
        try:
            return handler(rest) if rest and spoilt else None
        except ValidationError:
            return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self.read, handler(source))


_ENTRY = _Entry()


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise Unfit("name", f"{found(name)} is not a name; use 1 to 64 visible characters")
    if mask(name) != name:
        raise Unfit("secret", "this is a key, and a name is shown to everyone")
    return name


def _check_alert(name: str) -> str:
    if not _ALERT_NAME.fullmatch(name):
        raise Unfit("name", f"{found(name)} is not a name for an alert; use letters, digits, _ and no digit first")
    return name


def _check_label(name: str) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise Unfit("label", f"{found(name)} is not a label name; use letters, digits and _, and no digit first")
    return name


def _check_own_label(name: str) -> str:
    if name in TAKEN:
        raise Unfit("label", f"the label {found(name)} is set by the rule itself; give yours another name")
    return _check_label(name)


def _check_label_value(value: str) -> str:
    if len(value.encode("utf-8", "replace")) > 256 or not value.isprintable():
        raise Unfit("label", "a label value has at most 256 bytes, all of them visible")
    if "{{" in value:
        raise Unfit("template", "a label is plain text: a value in it would make another alert at each evaluation")
    if mask(value) != value:
        raise Unfit("secret", "this is a key, and a label is shown to everyone")
    return value


def _check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    if len(labels) > 20:
        raise Unfit("label", f"{len(labels)} labels are too many; a rule may add 20")
    return labels


def _check_patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise Unfit("match", "nothing can match an empty list; name a value")
    if len({value.startswith("!") for value in values}) > 1:
        raise Unfit("match", "either values or !values: what is not excluded cannot be listed too")
    return values


def parse_backoff(value: object) -> Backoff:
    """``2 max 24h``, ``2`` or ``1.5x``."""
    match = _BACKOFF.fullmatch(str(value)) if isinstance(value, str | int | float) and value is not True else None
    if match is None or not 1 <= float(match[1]) <= 100:
        raise Unfit("backoff", f'{found(value)} is not a backoff; write it like "2 max 24h", at least 1')
    most = parse_duration(match[2]) if match[2] else Backoff().most
    return Backoff(float(match[1]), between_minute_and_month(most))


def between_minute_and_month(millis: int) -> int:
    if not MINUTE <= millis <= 30 * DAY:
        raise Unfit("range", f"{format_duration(millis)} is out of range; between 1m and 30d is possible")
    return millis


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64})]
AlertName = Annotated[
    str,
    AfterValidator(_check_alert),
    WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$"}),
]
LabelName = Annotated[
    str, AfterValidator(_check_label), WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,63}$"})
]
LabelNames = Annotated[tuple[LabelName, ...], BeforeValidator(one_or_more), Listed()]
Names = Annotated[tuple[Name, ...], BeforeValidator(one_or_more), Listed()]
OwnLabels = Annotated[
    Mapping[
        Annotated[
            str,
            AfterValidator(_check_own_label),
            WithJsonSchema({"pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,63}$", "not": {"enum": sorted(TAKEN)}}),
        ],
        Annotated[str, AfterValidator(_check_label_value), WithJsonSchema({"type": "string", "maxLength": 256})],
    ],
    AfterValidator(_check_labels),
]
Annotations = Mapping[LabelName, Annotated[str, WithJsonSchema({"type": "string"})]]
Match = Mapping[
    LabelName,
    Annotated[
        tuple[Annotated[str, WithJsonSchema({"type": "string"})], ...],
        BeforeValidator(one_or_more),
        AfterValidator(_check_patterns),
        Listed(),
    ],
]
"""Label → globs, any of which may match; ``!glob`` excludes. An absent label is an empty one."""

Severity = Annotated[str, OneOf("a severity", SEVERITIES)]
_OnNoData = Annotated[str, OneOf("what no data can do", tuple(OnNoData))]
_OnError = Annotated[str, OneOf("what an error can do (a failed poll never fires and never resolves)", ("keep_state",))]
_Hold = Annotated[Duration, between(0, 30 * DAY, format_duration)]
_Interval = Annotated[Duration, between(10 * SECOND, HOUR, format_duration)]
_Delay = Annotated[Duration, between(0, HOUR, format_duration)]
_Wait = Annotated[Duration, between(0, DAY, format_duration)]
_Repeat = Annotated[Duration, between(MINUTE, 30 * DAY, format_duration)]
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
    severity: Severity | None = Field(None, description="How bad it is.", examples=["critical"])
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
    rules: tuple[Annotated[WrittenRule | None, _ENTRY], ...] = Field(
        (), description="The rules.", examples=[[{"alert": "QueueBacklog", "when": {"queue_depth": {"above": 500}}}]]
    )


class WrittenRoute(Model):
    """Who is told. An alert goes to the deepest routes that match it; what a route does not say, its parent says."""

    spoken = "a route"

    receiver: Name | None = Field(None, description="Who is told: the name of a receiver.", examples=["ops-slack"])
    match: Match = Field(
        default_factory=dict,
        description="Labels and the patterns that they must match; !pattern excludes, and * is any value.",
        examples=[{"severity": "critical"}],
    )
    continue_: bool = Field(
        False, alias="continue", description="Whether the routes after this one are tried too.", examples=[True]
    )
    group_by: LabelNames | None = Field(
        None, description="Alerts that agree on these labels are one message.", examples=[["alertname", "target"]]
    )
    group_wait: _Wait | None = Field(
        None, description="How long the first message of a group waits for others.", examples=["30s"]
    )
    group_interval: Annotated[Duration, between(SECOND, DAY, format_duration)] | None = Field(
        None, description="How long after a message the next one about a change of the group comes.", examples=["5m"]
    )
    repeat_interval: _Repeat | None = Field(
        None, description="After how long a message is repeated while nothing changes.", examples=["4h"]
    )
    repeat_backoff: (
        Annotated[
            Backoff,
            BeforeValidator(lambda value: value if isinstance(value, Backoff) else parse_backoff(value)),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?x?( max [0-9a-z]+)?$"},
                        {"type": "number", "minimum": 1, "maximum": 100},
                    ]
                }
            ),
        ]
        | None
    ) = Field(None, description="Each repetition waits that many times longer.", examples=["2 max 24h"])
    mute: Names = Field((), description="Time intervals in which nothing is sent.", examples=[["nights"]])
    active: Names = Field(
        (), description="If written: the only time intervals in which something is sent.", examples=[["office-hours"]]
    )
    send_resolved: bool | None = Field(None, description="Whether the end is told too.", examples=[True])
    send_resolved_when_muted: bool | None = Field(
        None, description="Whether the end of what was told is told in spite of a mute interval.", examples=[True]
    )
    startup: Annotated[str, OneOf("a way to start", ("summarize", "each"))] | None = Field(
        None,
        description="What is told when the very first start finds alerts: one summary, or each.",
        examples=["summarize"],
    )
    children: tuple[Annotated[WrittenRoute | None, _ENTRY], ...] = Field(
        (), description="Narrower routes, tried in order.", examples=[[{"match": {"severity": "critical"}}]]
    )


class WrittenInhibition(Model):
    """While an alert that matches `source` fires, those that match `target` are not sent."""

    spoken = "inhibit"

    source: Match = Field(description="What must fire.", examples=[{"alertname": "SourceUnreachable"}])
    target: Match = Field(description="What is not sent then.", examples=[{"severity": ["warning", "info"]}])
    equal: LabelNames = Field((), description="Labels on which both must agree.", examples=[["target"]])


class WrittenTimeRange(Model):
    """A part of the week. What is not written is always."""

    spoken = "a time interval"

    times: Annotated[
        tuple[
            Annotated[
                time_ranges.Span,
                BeforeValidator(time_ranges.parse_times),
                WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2} ?- ?[0-9]{1,2}:[0-9]{2}$"}),
            ],
            ...,
        ],
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field(
        (),
        description="Times of the day; one that goes past midnight belongs to the day it began.",
        examples=[["22:00-06:00"]],
    )
    weekdays: Annotated[
        tuple[
            Annotated[tuple[int, ...], BeforeValidator(time_ranges.parse_weekdays), WithJsonSchema({"type": "string"})],
            ...,
        ],
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field((), description="Days of the week.", examples=[["mon-fri"]])
    days_of_month: Annotated[
        tuple[
            Annotated[
                time_ranges.Span,
                BeforeValidator(time_ranges.parse_days_of_month),
                WithJsonSchema({"type": ["string", "integer"]}),
            ],
            ...,
        ],
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field((), description="Days of the month; negative ones count from its end.", examples=[[1, "-3:-1"]])
    months: Annotated[
        tuple[
            Annotated[
                tuple[int, ...],
                BeforeValidator(time_ranges.parse_months),
                WithJsonSchema({"type": ["string", "integer"]}),
            ],
            ...,
        ],
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field((), description="Months.", examples=[["dec"]])
    years: Annotated[
        tuple[
            Annotated[
                time_ranges.Span,
                BeforeValidator(time_ranges.parse_years),
                WithJsonSchema({"type": ["string", "integer"]}),
            ],
            ...,
        ],
        BeforeValidator(one_or_more),
        Listed(),
    ] = Field((), description="Years.", examples=[[2026]])
    location: Annotated[str, AfterValidator(time_ranges.check_location)] | None = Field(
        None, description="The time zone of all of it; UTC if not written.", examples=["Europe/Berlin"]
    )


class _OneKind(Model):
    """A receiver: what kind it is, and its settings below."""

    spoken = "a receiver"

    @whole(mode="after")
    def _exactly_one(self) -> _OneKind:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not kinds:
            raise Unfit("missing", f"the kind of the receiver is required; one of {', '.join(KINDS)}")
        if len(kinds) > 1:
            text = f"a receiver is of one kind, not {' and '.join(kinds)}; make a receiver of each"
            raise Unfit("receiver", text, at=kinds[1])
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def settings(self) -> Model:
        settings: Model = next(one for one in (getattr(self, kind) for kind in KINDS) if one is not None)
        return settings


WrittenReceiver = create_model(
    "Receiver",
    __base__=_OneKind,
    __doc__="A receiver: what kind it is, and its settings below.",
    **{  # type: ignore[call-overload]  # made from rows, so no type checker knows the names
        row.name: (row.settings | None, Field(None, description=f"The receiver is of the kind {row.name}."))
        for row in KINDS.values()
    },
)


class WrittenPing(Model):
    """The dead man's switch."""

    spoken = "ping"

    url: webhook.Url | None = Field(
        None,
        description="What to fetch. It is a credential: better url_file or url_env.",
        examples=["https://x.test/1"],
    )
    url_file: FileName | None = Field(
        None, description="The file that holds the address; relative to this file.", examples=["ping-url"]
    )
    url_env: str | None = Field(
        None, description="The environment variable that holds the address.", examples=["PING_URL"]
    )
    allow_private: webhook.AllowPrivate = Field(
        False, description="true or networks: where an address inside the own network is meant.", examples=[True]
    )
    interval: Annotated[Duration, between(10 * SECOND, DAY, format_duration)] | None = Field(
        None, description="How often it is fetched; 1m if not written.", examples=["1m"]
    )

    @whole(mode="after")
    def _check_address(self) -> WrittenPing:
        self.settings()
        return self

    def settings(self) -> webhook.Settings:
        """As of a webhook. Raises `Unfit` unless there is exactly one address."""
        one_source("url", self.url, self.url_file, self.url_env)
        return webhook.Settings(
            url=self.url, url_file=self.url_file, url_env=self.url_env, allow_private=self.allow_private
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
    defaults: Annotated[WrittenDefaults | None, _ENTRY] = Field(
        WrittenDefaults(), description="Values for all rules and groups of this file.", examples=[{"for": "2m"}]
    )
    owners: Mapping[Glob, Annotated[str, AfterValidator(_check_label_value)]] = Field(
        default_factory=dict,
        description="Patterns of task ids and the owner of each, as label owner; the first that matches wins.",
        examples=[{"billing-*": "payments", "*": "platform"}],
    )
    time_intervals: Mapping[Name, tuple[Annotated[WrittenTimeRange | None, _ENTRY], ...]] = Field(
        default_factory=dict,
        description="Parts of the week by name; any of its entries may hold.",
        examples=[{"nights": [{"times": ["22:00-06:00"]}]}],
    )
    receivers: Mapping[Name, Annotated[WrittenReceiver | None, _ENTRY]] = Field(
        default_factory=dict,
        description="Whom messages can go to, by name.",
        examples=[{"hook": {"webhook": {"url_file": "hook-url"}}}],
    )
    routes: Annotated[WrittenRoute | None, _ENTRY] = Field(
        None, description="Who is told of what. In one file at most.", examples=[{"receiver": "hook"}]
    )
    inhibit: tuple[Annotated[WrittenInhibition | None, _ENTRY], ...] = Field(
        (),
        description="Which alerts keep others from being sent.",
        examples=[[{"source": {"severity": "critical"}, "target": {"severity": "info"}, "equal": ["task"]}]],
    )
    groups: tuple[Annotated[WrittenGroup | None, _ENTRY], ...] = Field(
        (), description="The rules, in groups.", examples=[[{"name": "reliability", "rules": []}]]
    )
    tests: tuple[Annotated[WrittenTest | None, _ENTRY], ...] = Field(
        (),
        description="Stories that the rules must pass.",
        examples=[[{"name": "quiet", "expect": [{"at": "10m", "alert": "QueueBacklog", "state": "inactive"}]}]],
    )
    fallback: Name | None = Field(
        None, description="The receiver that is told when another one fails. In one file at most.", examples=["pager"]
    )
    ping: Annotated[WrittenPing | None, _ENTRY] = Field(
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
