"""What a config holds, as frozen models: the shape, the defaults, the meaning of every key.

`WrittenConfig` is what a person may write; `Config` is what the program gets, with keys read, names given and the
state's path decided (`targets.py`, `load.py`). In a file a duration is text with a unit; in code it is a number of
milliseconds, and a share a fraction. Sentences about mistakes are not here (`wording.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit, found, mask
from triggerdev_alerts.documents.model import Duration, Model, OneOf, Percent, as_written, between
from triggerdev_alerts.documents.units import format_duration, format_percent, parse_share
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND
from triggerdev_exporter.config.addresses import Listen, parse_api_url, parse_listen
from triggerdev_exporter.config.labels import check_label_name, check_label_value
from triggerdev_exporter.config.state_path import parse_state
from triggerdev_exporter.ledger.limits import Limits, limits, lines_of_tags
from triggerdev_exporter.ledger.tags import SEPARATORS
from triggerdev_exporter.ledger.tally import BOUNDS_MS
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.plan import Mode

CLOUD = "https://api.trigger.dev"


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise Unfit("name", f"{found(name)} is not a name for a target; use 1 to 64 visible characters")
    if mask(name) != name:
        raise Unfit("secret", "this is a key, and a name is shown to everyone")
    return name


def _check_batch(batch: str) -> str:
    if not re.fullmatch(r"batch_[0-9A-Za-z]+", batch):
        raise Unfit("batch", f'{found(batch)} is not the id of a batch; it looks like "batch_…"')
    return batch


def _check_branch(branch: str) -> str:
    # It becomes a header.
    if not re.fullmatch(r"[!-~]{1,255}", branch):
        raise Unfit("branch", f"{found(branch)} is not the name of a branch")
    return branch


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise Unfit("pattern", f"{found(pattern)} is not a regular expression: {error}") from error
    return pattern


def _check_context(context: str) -> str:
    if not re.fullmatch(r"derived|(metadata|link)(:[^\x00-\x1f\x7f]{1,128})?", context):
        raise Unfit(
            "context",
            f"{found(context)} is not possible; derived, metadata:KEY or link:KEY, where KEY of a run's metadata holds "
            "a traceparent",
        )
    return context


def _check_tag(tag: str) -> str:
    if not tag or len(tag) > 64 or not tag.isprintable() or tag[-1] in SEPARATORS:
        raise Unfit("tag", f'{found(tag)} is no tag; for tags like "team:billing" write team')
    return tag


def _check_bounds(bounds: tuple[int, ...]) -> tuple[int, ...]:
    if not 1 <= len(bounds) <= MOST_BOUNDS:
        raise Unfit("buckets", f"{len(bounds)} bounds; 1 to {MOST_BOUNDS} are possible, each is a series a task")
    for lower, upper in pairwise(bounds):
        if upper <= lower:
            text = f"{format_duration(upper)} comes after {format_duration(lower)}; bounds must ascend"
            raise Unfit("buckets", text)
    return bounds


MOST_BOUNDS, MOST_TAGS = 40, 10

_Interval = Annotated[Duration, between(SECOND, DAY, format_duration)]
_Lookback = Annotated[Duration, between(0, 7 * DAY, format_duration)]
_Share = Annotated[Percent, between(0.001, 1.0, format_percent)]
_Labels = Mapping[Annotated[str, AfterValidator(check_label_name)], Annotated[str, AfterValidator(check_label_value)]]


class Quota(Model):
    requests_per_minute: Annotated[int, between(1, 1_000_000, str)] = Field(
        1500, description="How fast the server refills the bucket of this environment; 1500 in the cloud."
    )
    share: _Share = Field(0.1, description="Our part of it; the rest is left to your own calls. 100% is legal.")


class Intervals(Model):
    """How often each collector looks, in milliseconds."""

    runs: _Interval = Field(30 * SECOND, description="How often new and changed runs are read.")
    queues: _Interval = Field(30 * SECOND, description="How often queue depths are read.")
    batches: _Interval = Field(30 * SECOND, description="How often open batches are read.")
    schedules: _Interval = Field(5 * MINUTE, description="How often schedules are read.")
    deployments: _Interval = Field(5 * MINUTE, description="How often deployments are read.")
    waitpoints: _Interval = Field(5 * MINUTE, description="How often waitpoint tokens are read.")


class _AnyTarget(Model):
    labels: _Labels = Field(
        default_factory=dict,
        description="Static labels on every series of this target. All targets get the same names, missing ones empty.",
    )
    api_url: Annotated[str, BeforeValidator(parse_api_url)] = Field(
        CLOUD, description="The origin of the API: the cloud, or where your own server answers."
    )
    branch: Annotated[str, AfterValidator(_check_branch)] | None = Field(
        None, description="The branch to watch; only for keys of preview and dev environments."
    )
    dialect: Literal["auto", "trigger", "seed"] = Field(
        "auto", description="How the server speaks; auto asks it once at the start."
    )
    quota: Quota = Field(default_factory=Quota, description="How much of the rate limit is ours.")
    lookback: _Lookback = Field(HOUR, description="How far back a first start reads; 0s reads nothing old.")
    intervals: Intervals = Field(default_factory=Intervals, description="How often each collector looks.")
    batches: tuple[Annotated[str, AfterValidator(_check_batch)], ...] = Field(
        (), description="Batches to follow besides those that are found."
    )
    test_runs: bool = Field(False, description="Whether test runs count like others; if not, they are counted apart.")


class WrittenTarget(_AnyTarget):
    """A target as a person writes it: the key is named, not given."""

    name: Annotated[str, AfterValidator(_check_name)] | None = Field(
        None, description="The label target; if absent, the environment that the key tells: prod, stg, preview, dev."
    )
    secret_key_file: str | None = Field(
        None, description="The file that holds the secret key; relative to this file. Or secret_key_env."
    )
    secret_key_env: str | None = Field(None, description="The environment variable that holds the secret key.")


class Target(_AnyTarget):
    """One environment of Trigger.dev to watch, with all it takes."""

    name: str = Field(description="The label target; no two targets share one.")
    secret_key: SecretStr = Field(description="What is sent as the bearer token.")


class Web(Model):
    listen: Annotated[Listen, as_written(parse_listen)] = Field(
        Listen("0.0.0.0", 9925),  # noqa: S104 - a scrape comes from another machine
        description="The address that /metrics is served on.",
    )
    config_file: str | None = Field(
        None,
        description="TLS and users, in the schema of Prometheus' exporter-toolkit; relative to this file. See "
        "docs/access.md.",
    )
    open: tuple[Literal["metrics", "probes"], ...] = Field(
        ("probes",), description="What nobody has to log in for: metrics, probes (/-/healthy and /-/ready)."
    )


class Tasks(Model):
    allow: tuple[Annotated[str, AfterValidator(_check_pattern)], ...] = Field(
        (".*",), description="Regular expressions; a task whose whole id matches none is counted under __other__."
    )


class Tag(Model):
    max_values: Annotated[int, between(1, 1_000, str)] = Field(
        20, description="How many values have series of their own; what goes beyond is counted under __other__."
    )


_Tags = Mapping[Annotated[str, AfterValidator(_check_tag)], Tag]
_Bound = Annotated[Duration, between(1, 366 * DAY, format_duration)]
_Bounds = Annotated[tuple[_Bound, ...], AfterValidator(_check_bounds)]


class Metrics(Model):
    max_series: Annotated[int, between(1_000, 10_000_000, str)] = Field(
        50_000, description="How many series one target may have; what goes beyond is counted under __other__."
    )
    tasks: Tasks = Field(default_factory=Tasks, description="Which tasks have series of their own.")
    tags: _Tags = Field(
        default_factory=dict,
        description="Tags to count finished runs by: for team, a run with team:billing, team=billing or team_billing "
        "has the value billing.",
    )
    buckets: Mapping[Annotated[str, OneOf("a histogram", sorted(BOUNDS_MS))], _Bounds] = Field(
        default_factory=dict,
        description="Upper bounds of the buckets of a histogram, in place of ours: [1s, 5s, 1m].",
    )

    @whole(mode="after")
    def _check_room(self) -> Self:
        if len(self.tags) > MOST_TAGS:
            raise Unfit("tag", f"{len(self.tags)} tags; {MOST_TAGS} are possible")
        lines = lines_of_tags(self._values)
        if lines > self.max_series // 2:
            raise Unfit(
                "tag",
                f"tags may take {lines} series, more than half of max_series: {self.max_series}; "
                "lower max_values or raise max_series",
            )
        return self

    @property
    def _values(self) -> dict[str, int]:
        return {name: tag.max_values for name, tag in self.tags.items()}

    @property
    def limits(self) -> Limits:
        """What a target may take."""
        return limits(self.max_series, self.tasks.allow, buckets=self.buckets, tags=self._values)


class Alerts(Model):
    files: tuple[str, ...] = Field(
        (), description="Files of rules, receivers and routes; globs, relative to this file. See docs/rules.md."
    )
    shipped: bool = Field(True, description="Whether the rules that come with the program are used too.")
    disable: tuple[str, ...] = Field((), description="Alerts to leave out, by name.")


class Traces(Model):
    """Where spans go is said by the ``OTEL_*`` variables (`config/otlp.py`); here is which, and how they look."""

    enabled: Literal["auto", True, False] = Field(
        "auto", description="Whether spans are exported; auto: if a variable names an OTLP endpoint."
    )
    children: Literal["queue", "none"] = Field(
        "queue", description="What is below a run's span: its delay, wait and execution, or nothing."
    )
    sample: Annotated[float, as_written(parse_share), between(0.0, 1.0, format_percent)] = Field(
        1.0, description="The part of all traces that is exported; OTEL_TRACES_SAMPLER wins over it."
    )
    context: Annotated[str, AfterValidator(_check_context)] = Field(
        "derived",
        description="How spans join your own: derived (ids from run ids alone), metadata:KEY (KEY of a run's metadata "
        "holds a traceparent: its trace, below its span) or link:KEY (own trace, with a link to it).",
    )
    tags: bool = Field(False, description="Whether a run's tags become an attribute; people write names into them.")
    max_age: Annotated[Duration, between(MINUTE, 7 * DAY, format_duration)] = Field(
        HOUR, description="How long after a run's end its spans are still worth exporting."
    )
    max_pending: Annotated[int, between(100, 10_000_000, str)] = Field(
        100_000, description="How many runs of a target may wait to be exported, on disk; then the oldest are given up."
    )

    max_spans_per_trace: Annotated[int, between(100, 10_000_000, str)] = Field(
        10_000,
        description="How many spans the trace of one tree may have; further runs of it get traces of their own, with a "
        "link to the root.",
    )

    @property
    def mode(self) -> Mode:
        return self.context.partition(":")[0]  # type: ignore[return-value]  # checked

    @property
    def metadata_key(self) -> str | None:
        """The key of a run's metadata that holds a traceparent; ``None``: metadata is not read."""
        return None if self.mode == "derived" else self.context.partition(":")[2] or "traceparent"


class Log(Model):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["auto", "text", "json"] = Field(
        "auto", description="How a line looks; auto is text on a terminal and json elsewhere."
    )


class _AnyConfig(Model):
    web: Web = Field(default_factory=Web, description="What is served.")
    metrics: Metrics = Field(default_factory=Metrics, description="How much is shown.")
    traces: Traces = Field(default_factory=Traces, description="How runs become spans.")
    alerts: Alerts = Field(default_factory=Alerts, description="What is worth waking somebody for.")
    log: Log = Field(default_factory=Log, description="What is logged, to stderr.")


class WrittenConfig(_AnyConfig):
    """The YAML file."""

    targets: tuple[WrittenTarget, ...] = Field((), description="The environments to watch.")
    state: Annotated[str, BeforeValidator(parse_state)] | None = Field(
        None,
        description="The file that holds what was counted: PATH, sqlite:PATH or sqlite:///PATH; relative to this file.",
    )


class Config(_AnyConfig):
    """Everything the program is told, checked and complete."""

    targets: tuple[Target, ...] = Field(description="At least one.")
    state: Path = Field(description="The file that holds what was counted.")
    otlp: Otlp | None = Field(None, description="Where spans go; none are exported without it.")
