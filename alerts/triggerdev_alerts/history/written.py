"""Tests of rules as a person writes them: what is given, and what is expected of the rules. Models and their checks.

Instants are offsets from the start of the test: ``10m``, ``12m30s``, ``-2h`` (before the start). What the words mean on
a time axis is `telling.py`'s; whether an expectation was met is `expectations.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic import model_validator as whole

from triggerdev_alerts.alert import Reason
from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import Count, Duration, Listed, Model, OneOf, Percent, as_written, one_or_more
from triggerdev_alerts.documents.units import (
    format_duration,
    parse_duration,
    parse_money,
    parse_percent,
)
from triggerdev_alerts.history.story import COLLECTORS
from triggerdev_alerts.instants import DAY, MINUTE, iso
from triggerdev_alerts.notification import NoticeKind
from triggerdev_alerts.signals import ENDINGS, OPEN_STATUSES

START = 1_767_614_400_000
"""A Monday noon: 2026-01-05T12:00:00Z."""
TARGET = "prod"

STATES = ("inactive", "pending", "firing", "recovering")
BATCH_ENDS = ("COMPLETED", "ABORTED")
DEPLOYMENT_STATUSES = ("PENDING", "INSTALLING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT")
OUTAGES = ("failing", "auth", "unsupported", "catching_up", "empty")
FURTHEST = 366 * DAY
MOST_RUNS = 100_000
"""A test with more runs is a load test."""


def parse_offset(value: object) -> int:
    """Milliseconds from the start of the test: ``10m``, ``-2h``; a bare 0 needs no unit."""
    if value == 0 and not isinstance(value, bool):
        return 0
    sign = -1 if isinstance(value, str) and value.startswith("-") else 1
    millis = sign * parse_duration(value.removeprefix("-") if isinstance(value, str) else value)
    if abs(millis) > FURTHEST:
        raise Unfit("range", f"{found(value)} is too far from the start of the test; at most 366d")
    return millis


def parse_start(value: object) -> int:
    """Unix milliseconds of ``2026-01-05T12:00:00Z``."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Unfit("instant", f'{found(value)} is not an instant; write it like "2026-01-05T12:00:00Z"')
    return round(moment.timestamp() * 1000)


def parse_value(value: object) -> float:
    """What a rule measures: ``42%``, ``10m``, ``50 USD`` or a plain number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    for parse in (parse_percent, parse_money, parse_duration):
        try:
            return float(parse(value))
        except Unfit:
            continue
    raise Unfit("unit", f'{found(value)} is not a value; write it like 12, "42%", "10m" or "50 USD"')


def parse_depths(value: object) -> Mapping[int, int]:
    """``20``, or the depth from several instants on: ``{0m: 20, 20m: 5}``. Offset → depth, ascending."""
    written = value if isinstance(value, Mapping) else {0: value}
    depths: dict[int, int] = {}
    for key, depth in written.items():
        if not isinstance(depth, int) or isinstance(depth, bool) or depth < 0:
            raise Unfit("type", f"a depth is a whole number of runs that wait, not {found(depth)}")
        depths[parse_offset(key)] = depth
    if not depths:
        raise Unfit("empty", "no depth is written; write it like 20 or {0m: 20, 20m: 5}")
    return dict(sorted(depths.items()))


def _check_cron(text: str) -> str:
    try:
        CronSim(text, datetime.fromisoformat("2026-01-05T12:00:00+00:00"))
    except CronSimError as error:
        raise Unfit("cron", f'{found(text)} is not a cron expression; write it like "0 3 * * *"') from error
    return text


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Unfit("zone", f'{found(name)} is not a time zone; write it like "Europe/Berlin"') from error
    return name


def _check_reason(word: object) -> object:
    return OneOf("a reason", tuple(Reason)).check(word)


OFFSET_PATTERN = r"^-?([0-9]{1,12}(ms|[smhdw]))+$"
Offset = Annotated[
    int,
    BeforeValidator(parse_offset),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": OFFSET_PATTERN}, {"const": 0}]}),
]
"""An instant of the test: ``10m`` after its start, ``-2h`` before it."""


_Word = Annotated[str, Field(min_length=1, max_length=256)]
_Words = Annotated[tuple[_Word, ...], BeforeValidator(one_or_more), Listed()]
_Status = Annotated[str, OneOf("a status of a run", (*ENDINGS, *OPEN_STATUSES))]
_Value = Annotated[
    float, BeforeValidator(parse_value), WithJsonSchema({"type": ["number", "string"], "examples": ["42%", 12]})
]
_Money = Annotated[
    float, as_written(parse_money), WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})? ?USD$"})
]
_Labels = Mapping[_Word, str]
_AT = Field(0, description="When, from the start of the test; 0m if not written.", examples=["10m"])
_ON = Field(None, description="On which target, if not on the test's.", examples=["shop-prod"])


class GivenRuns(Model):
    """Runs: one, several at once, or a series. A run is created `at`, starts after `wait` and runs for `duration`."""

    spoken = "runs"

    task: _Word = Field(description="The task.", examples=["send-email"])
    status: _Status = Field(
        "COMPLETED",
        description="How it ends; an open status (QUEUED, EXECUTING, …) is one in which it stays.",
        examples=["FAILED"],
    )
    at: Offset = _AT
    count: Annotated[int, Field(ge=1, le=MOST_RUNS)] | None = Field(
        None,
        description="How many; with every and no until: how many in all, one each time.",
        examples=[20],
    )
    every: Annotated[Duration, Field(ge=1)] | None = Field(
        None, description="A series: again after that, until the instant or the count is reached.", examples=["30s"]
    )
    until: Offset | None = Field(
        None, description="A series: none is created at that instant or later.", examples=["20m"]
    )
    duration: Duration = Field(0, description="For how long it executes.", examples=["40s"])
    wait: Offset = Field(
        0,
        description="From its creation (or the end of its delay) to its start; negative for scheduled runs, "
        "which may start before they are created.",
        examples=["5s"],
    )
    delay: Duration = Field(0, description="For how long it is DELAYED first.", examples=["1h"])
    ends_at: Offset | None = Field(
        None, description="A run that stays in an open status: when it ends nevertheless, COMPLETED.", examples=["50m"]
    )
    late: Duration | None = Field(
        None, description="How long after its creation the API shows it for the first time.", examples=["3m"]
    )
    queue: _Word | None = Field(None, description="Its queue; task/<task> if not written.", examples=["emails"])
    version: _Word | None = Field(None, description="The version that runs it.", examples=["20260105.1"])
    tags: _Words = Field((), description="Its tags.", examples=[["team:a"]])
    cost: _Money = Field(0.0, description="What it costs.", examples=["0.02 USD"])
    error: _Word | None = Field(
        None, description="Why it fails: a name, or a name and a message.", examples=["TypeError: x is null"]
    )
    test: bool = Field(False, description="Whether it is a test run; those count nowhere by default.", examples=[True])
    target: _Word | None = _ON

    @whole(mode="after")
    def _check(self) -> GivenRuns:
        is_open = self.status in OPEN_STATUSES
        if self.every is None and self.until is not None:
            raise Unfit("series", "until ends a series; say how often with every", at="until")
        if self.every is not None and self.until is None and self.count is None:
            raise Unfit("series", "a series needs an end: until an instant, or a count", at="every")
        if self.until is not None and self.until <= self.at:
            raise Unfit("order", f"the series ends ({_shown(self.until)}) before it begins", at="until")
        if is_open and self.duration:
            raise Unfit("order", f"a run that stays {self.status} has no duration; use ends_at", at="duration")
        if self.ends_at is not None and not is_open:
            raise Unfit("order", "ends_at is for runs that stay in an open status; use duration", at="ends_at")
        if self.status == "EXPIRED" and self.duration:
            raise Unfit("order", "a run that expires never executes; use wait", at="duration")
        steps = 1 if self.every is None or self.until is None else -(-(self.until - self.at) // self.every)
        if steps * (self.count or 1) > MOST_RUNS:
            raise Unfit("range", f"that are more than {MOST_RUNS} runs; a test does not need so many", at="every")
        return self


class GivenQueue(Model):
    """A queue from an instant on. What is not written stays as it was."""

    spoken = "queues"

    queue: _Word = Field(description="Its name; task/<task> for a task's own.", examples=["emails"])
    at: Offset = _AT
    depth: (
        Annotated[
            Mapping[int, int],
            BeforeValidator(parse_depths),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "integer", "minimum": 0},
                        {
                            "type": "object",
                            "propertyNames": {"pattern": OFFSET_PATTERN},
                            "additionalProperties": {"type": "integer", "minimum": 0},
                            "minProperties": 1,
                        },
                    ]
                }
            ),
        ]
        | None
    ) = Field(
        None,
        description="How many runs wait; or how many from which time after `at` on.",
        examples=[20, {"0m": 20, "20m": 5}],
    )
    running: Count | None = Field(None, description="How many run.", examples=[3])
    limit: Count | None = Field(None, description="The concurrency limit.", examples=[10])
    paused: bool | None = Field(None, description="Whether it is paused.", examples=[True])
    gone: bool = Field(False, description="Whether it is deleted at that instant.", examples=[True])
    target: _Word | None = _ON


class GivenSchedule(Model):
    """A schedule. A run of its task that is created at a slot meets it; write those as runs."""

    spoken = "schedules"

    schedule: _Word = Field(description="Its name.", examples=["nightly"])
    task: _Word = Field(description="The task that it starts.", examples=["report"])
    cron: Annotated[str, AfterValidator(_check_cron)] | None = Field(
        None, description="When it is due.", examples=["0 3 * * *"]
    )
    timezone: Annotated[str, AfterValidator(_check_zone)] = Field(
        "UTC", description="Where the cron expression is meant.", examples=["Europe/Berlin"]
    )
    slots: Annotated[tuple[Offset, ...], BeforeValidator(one_or_more), Listed()] | None = Field(
        None, description="Instead of cron: the instants at which it is due.", examples=[["5m", "1h5m"]]
    )
    at: Offset = Field(0, description="Since when it is known; earlier slots are not judged.", examples=["0m"])
    until: Offset | None = Field(None, description="When it is switched off or deleted.", examples=["6h"])
    type: Annotated[str, OneOf("a type of schedule", ("DECLARATIVE", "IMPERATIVE"))] = Field(
        "DECLARATIVE", description="In the code, or made by a program.", examples=["IMPERATIVE"]
    )
    target: _Word | None = _ON

    @whole(mode="after")
    def _check(self) -> GivenSchedule:
        if (self.cron is None) is (self.slots is None):
            raise Unfit("schedule", "a schedule is due by cron or at slots; write one of them")
        return self


class GivenBatch(Model):
    """A batch of runs."""

    spoken = "batches"

    at: Offset = _AT
    status: Annotated[str, OneOf("a status of a batch", ("PENDING", "PROCESSING", "PARTIAL_FAILED", *BATCH_ENDS))] = (
        Field("COMPLETED", description="How it ends; an open status is one in which it stays.", examples=["PROCESSING"])
    )
    duration: Duration = Field(0, description="How long after its creation it ends.", examples=["5m"])
    items: Count = Field(1, description="How many items it has.", examples=[100])
    failed: Count = Field(0, description="How many of them became no run.", examples=[3])
    target: _Word | None = _ON

    @whole(mode="after")
    def _check(self) -> GivenBatch:
        if self.failed > self.items:
            raise Unfit("order", f"{self.failed} of {self.items} items cannot fail", at="failed")
        if self.duration and self.status not in BATCH_ENDS:
            raise Unfit("order", f"a batch that stays {self.status} has no duration", at="duration")
        return self


class GivenDeployment(Model):
    """A deployment."""

    spoken = "deployments"

    at: Offset = _AT
    status: Annotated[str, OneOf("a status of a deployment", DEPLOYMENT_STATUSES)] = Field(
        "DEPLOYED", description="How it ends; an open status is one in which it stays.", examples=["FAILED"]
    )
    duration: Duration = Field(0, description="How long after its creation it ends.", examples=["3m"])
    version: _Word | None = Field(None, description="Its version.", examples=["20260105.2"])
    target: _Word | None = _ON


class GivenWaitpoint(Model):
    """A waitpoint token."""

    spoken = "waitpoints"

    at: Offset = _AT
    completed_at: Offset | None = Field(
        None, description="When it is completed; it waits for ever if not written.", examples=["2h"]
    )
    count: Annotated[int, Field(ge=1, le=10_000)] = Field(1, description="How many.", examples=[3])
    target: _Word | None = _ON


class GivenViewLag(Model):
    """How late runs become visible, from an instant on."""

    spoken = "view_lag"

    at: Offset = _AT
    lag: Duration | None = Field(None, description="How late; not known if not written.", examples=["6m"])
    target: _Word | None = _ON


class GivenQuota(Model):
    """What is left of the rate limit, from an instant on."""

    spoken = "quota"

    at: Offset = _AT
    remaining: Percent | None = Field(None, description="The share; not told if not written.", examples=["5%"])
    target: _Word | None = _ON


class GivenSkew(Model):
    """How far our clock is from the server's, from an instant on."""

    spoken = "clock_skew"

    at: Offset = _AT
    skew: Duration | None = Field(None, description="How far; not known if not written.", examples=["40s"])
    target: _Word | None = _ON


class GivenOutage(Model):
    """A time in which the API tells nothing, or nothing that can be believed."""

    spoken = "outages"

    from_: Offset = Field(0, alias="from", description="Its beginning.", examples=["10m"])
    until: Offset | None = Field(
        None, description="Its end: from then on everything is read; never if not written.", examples=["70m"]
    )
    collector: Annotated[
        tuple[Annotated[str, OneOf("a collector", COLLECTORS)], ...], BeforeValidator(one_or_more), Listed()
    ] = Field((), description="What cannot be read; everything if not written.", examples=["runs"])
    reason: Annotated[str, OneOf("a kind of outage", OUTAGES)] = Field(
        "failing",
        description="failing: requests fail; auth: the key is refused; unsupported: the endpoint is not there; "
        "catching_up: not read completely; empty: the API answers that there is nothing at all.",
        examples=["auth"],
    )
    target: _Word | None = _ON

    @whole(mode="after")
    def _check(self) -> GivenOutage:
        if self.until is not None and self.until <= self.from_:
            raise Unfit("order", "an outage ends after it began", at="until")
        return self


class Given(Model):
    """What happens in the test. What is not written does not happen, and everything can be read."""

    spoken = "given"

    runs: tuple[GivenRuns, ...] = Field(
        (), description="Runs.", examples=[[{"task": "send-email", "status": "FAILED", "count": 3}]]
    )
    queues: tuple[GivenQueue, ...] = Field(
        (), description="Queues, from an instant on.", examples=[[{"queue": "emails", "depth": 20}]]
    )
    schedules: tuple[GivenSchedule, ...] = Field(
        (), description="Schedules.", examples=[[{"schedule": "nightly", "task": "report", "cron": "0 3 * * *"}]]
    )
    batches: tuple[GivenBatch, ...] = Field(
        (), description="Batches.", examples=[[{"at": "1m", "items": 10, "failed": 2}]]
    )
    deployments: tuple[GivenDeployment, ...] = Field(
        (), description="Deployments.", examples=[[{"at": "1m", "status": "FAILED"}]]
    )
    waitpoints: tuple[GivenWaitpoint, ...] = Field((), description="Waitpoint tokens.", examples=[[{"at": "1m"}]])
    view_lag: tuple[GivenViewLag, ...] = Field(
        (), description="How late runs become visible.", examples=[[{"at": "1m", "lag": "6m"}]]
    )
    quota: tuple[GivenQuota, ...] = Field(
        (), description="What is left of the rate limit.", examples=[[{"at": "1m", "remaining": "5%"}]]
    )
    clock_skew: tuple[GivenSkew, ...] = Field(
        (), description="How far our clock is off.", examples=[[{"at": "1m", "skew": "40s"}]]
    )
    outages: tuple[GivenOutage, ...] = Field(
        (), description="Times in which nothing can be read.", examples=[[{"from": "10m", "until": "70m"}]]
    )


class Expected(Model):
    """One expectation: the state of an alert at an instant, a message at an instant, or how many messages there were.

    ``{at, alert, state}``: every series of that alert that has these labels is in that state, and there is one;
    ``inactive``: there is none. ``{at, receiver, kind}``: the receiver is told exactly then. ``{receiver, count}``: so
    many messages from the start to `at`, or to the end of the test.
    """

    spoken = "expect"

    at: Offset | None = Field(None, description="When, from the start of the test.", examples=["10m"])
    alert: _Word | None = Field(None, description="The alert.", examples=["QueueBacklog"])
    state: Annotated[str, OneOf("a state", STATES)] | None = Field(
        None, description="What it is in.", examples=["firing"]
    )
    labels: _Labels = Field(
        default_factory=dict, description="Only alerts with these labels.", examples=[{"task": "send-email"}]
    )
    value: _Value | None = Field(None, description="What the rule measures then.", examples=["42%"])
    reason: Annotated[str, BeforeValidator(_check_reason), WithJsonSchema({"enum": list(Reason)})] | None = Field(
        None, description="Why it came into that state.", examples=["entity_gone"]
    )
    receiver: _Word | None = Field(None, description="The receiver that is told.", examples=["ops-slack"])
    kind: Annotated[str, OneOf("a kind of message", tuple(NoticeKind))] | None = Field(
        None, description="What kind of message.", examples=["firing"]
    )
    alerts: Annotated[tuple[_Word, ...], BeforeValidator(one_or_more), Listed()] | None = Field(
        None, description="The alerts that the message is about, all of them.", examples=[["QueueBacklog"]]
    )
    count: Count | None = Field(None, description="How many such alerts; or how many messages so far.", examples=[2])

    @property
    def is_state(self) -> bool:
        return self.alert is not None

    @property
    def is_total(self) -> bool:
        """Whether it counts messages instead of naming one."""
        return self.receiver is not None and self.count is not None

    @whole(mode="after")
    def _check(self) -> Expected:
        if (self.alert is None) is (self.receiver is None):
            raise Unfit(
                "expect",
                "an expectation is about an alert or about a receiver: {at: 10m, alert: X, state: firing} or "
                "{at: 10m30s, receiver: ops, kind: firing}",
            )
        if self.at is not None and self.at < 0:
            raise Unfit("range", "a test expects nothing before its start", at="at")
        return self._check_state() if self.is_state else self._check_message()

    def _check_state(self) -> Expected:
        if self.at is None:
            raise Unfit("missing", "when is the alert in that state? write it like at: 10m", at="alert")
        if self.state is None:
            raise Unfit("missing", f"the state is required; one of {', '.join(STATES)}", at="alert")
        for name in ("kind", "alerts"):
            if getattr(self, name) is not None:
                raise Unfit("expect", f"{name} is about messages; name a receiver instead of an alert", at=name)
        if self.state == "inactive" and (self.value is not None or self.count is not None):
            at = "value" if self.value is not None else "count"
            raise Unfit("expect", f"an alert that is inactive has no {at}", at=at)
        return self

    def _check_message(self) -> Expected:
        for name in ("state", "value", "reason"):
            if getattr(self, name) is not None:
                raise Unfit("expect", f"{name} is about an alert; name it instead of a receiver", at=name)
        if self.count is None and self.at is None:
            raise Unfit("missing", "when is the message sent? write it like at: 10m30s, or count them", at="receiver")
        if self.is_total and (self.alerts is not None or self.labels):
            at = "alerts" if self.alerts is not None else "labels"
            raise Unfit("expect", f"messages are counted by receiver and kind; {at} needs one message", at=at)
        return self


def _check_expectations(expected: tuple[Expected, ...]) -> tuple[Expected, ...]:
    # A bound on the length would also be told where the only expectation has a mistake.
    if not expected:
        raise Unfit("empty", "a test that expects nothing passes always; write an expectation")
    return expected


class WrittenTest(Model):
    """A story that the rules must pass. Groups are evaluated at whole multiples of their interval."""

    spoken = "a test"

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What it shows.", examples=["small samples never fire"]
    )
    start: Annotated[int, BeforeValidator(parse_start), WithJsonSchema({"type": "string", "format": "date-time"})] = (
        Field(
            START,
            description=f"The instant that 0m is; {iso(START)} if not written.",
            examples=["2026-03-29T00:30:00Z"],
        )
    )
    lasts: Annotated[Duration, Field(ge=MINUTE)] | None = Field(
        None,
        description="How long it lasts; to the last instant that is written anywhere if not written.",
        examples=["1h"],
    )
    target: _Word = Field(TARGET, description="The target on which everything happens.", examples=["shop-prod"])
    poll: Annotated[Duration, Field(ge=1_000)] = Field(
        MINUTE, description="How often the API is looked at: what an outage's age is counted from.", examples=["30s"]
    )
    fresh: bool = Field(False, description="Whether nothing is known of the time before the start.", examples=[True])
    only: bool = Field(False, description="Whether a message that no expectation names is a failure.", examples=[True])
    given: Given = Field(default_factory=Given, description="What happens.", examples=[{"runs": []}])
    expect: Annotated[tuple[Expected, ...], AfterValidator(_check_expectations)] = Field(
        description="What the rules must make of it.",
        examples=[[{"at": "10m", "alert": "QueueBacklog", "state": "inactive"}]],
    )


def _shown(offset: int) -> str:
    return format_duration(offset) if offset >= 0 else f"-{format_duration(-offset)}"
