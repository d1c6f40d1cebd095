"""Who is told, and when not, as a person writes it: receivers, routes, intervals, inhibitions, the dead man's switch.

The settings of receivers come from their own files.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, create_model
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import Duration, FileName, Listed, Model, OneOf, between, one_or_more
from triggerdev_alerts.documents.units import format_duration, parse_duration
from triggerdev_alerts.instants import DAY, MINUTE, SECOND
from triggerdev_alerts.receivers import webhook
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.secret import one_source
from triggerdev_alerts.rules import time_ranges
from triggerdev_alerts.rules.model import Backoff
from triggerdev_alerts.rules.words import ENTRY, LabelNames, Match, Name, Names

_BACKOFF = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)x?(?: max ([0-9a-z]+))?", re.ASCII)

_Wait = Annotated[Duration, between(0, DAY, format_duration)]
_Repeat = Annotated[Duration, between(MINUTE, 30 * DAY, format_duration)]


def parse_backoff(value: object) -> Backoff:
    """``2 max 24h``, ``2`` or ``1.5x``."""
    match = _BACKOFF.fullmatch(str(value)) if isinstance(value, str | int | float) and value is not True else None
    if match is None or not 1 <= float(match[1]) <= 100:
        raise Unfit("backoff", f'{found(value)} is not a backoff; write it like "2 max 24h", at least 1')
    most = parse_duration(match[2]) if match[2] else Backoff().most
    return Backoff(float(match[1]), _check_longest_wait(most))


def _check_longest_wait(millis: int) -> int:
    if not MINUTE <= millis <= 30 * DAY:
        raise Unfit("range", f"{format_duration(millis)} is out of range; between 1m and 30d is possible")
    return millis


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
        description="How alerts of the first five minutes of a new state are told: in one group, or each in its own.",
        examples=["summarize"],
    )
    children: tuple[Annotated[WrittenRoute | None, ENTRY], ...] = Field(
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
