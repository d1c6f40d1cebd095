"""A target as the checks see it, and what their judgements share: names, counts, and what to do about errors. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from triggerdev_alerts.message.values import show_duration as duration
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.api.translate import NO_TLS
from triggerdev_exporter.clock import DAY, MINUTE, SECOND
from triggerdev_exporter.config.model import Metrics
from triggerdev_exporter.doctor.cost import Load
from triggerdev_exporter.doctor.examine import NO_ENDPOINT, Examined, Skipped, Some, is_absent
from triggerdev_exporter.doctor.finding import Finding, broken, ok, unknown, warning
from triggerdev_exporter.errors import ApiError, Forbidden, HttpFailed, NotFound, RateLimited, TlsFailed, Unauthorized


@dataclass(frozen=True, slots=True)
class Subject:
    """A target as the checks see it."""

    seen: Examined
    ruleset: RuleSet
    metrics: Metrics
    counted: str | None
    """The environment whose runs the state counts under this name."""


#: What to do about an API that fails, by reason.
REMEDIES: dict[str, str] = {
    "unreachable": "see that api_url is right, and that this host may connect there (proxy, firewall, DNS)",
    "timeout": "the server is slow or something on the way drops packets: try the same address with curl from here",
    "tls": "install the authority that signed the server's certificate on this host, or mend the certificate",
    "rate_limited": "others use up the limit that all calls of this environment share: lower quota.share here, or ask "
    "for a higher limit",
    "http": "the server fails: look at its own health and logs",
    "decode": "the answer is not Trigger.dev's: see that api_url names the API itself, and no page of a login or proxy",
    "oversize": "the answer is far too large: report it, with the version of the server",
    "truncated": "something on the way cuts answers: look at proxies between here and the server",
    "cursor": "the server's list does not end: upgrade it, or report it with its version",
    "auth": "take the key of Project → API keys for this environment, and see that it was not rotated",
    "forbidden": "give the key the scope to read this, or live without what it would tell",
    "not_found": "upgrade the server, or live without what this would tell",
}


_NO_TLS_REMEDY = "see whether api_url begins with https:// where http:// is meant"
_ENDPOINT = re.compile(r"[a-z_]+: ")


def words(error: ApiError) -> str:
    """What went wrong, without the endpoint that begins it: the row says what was asked."""
    return _ENDPOINT.sub("", str(error), count=1) if _ENDPOINT.match(str(error)) else str(error)


def is_somebody_else(seen: Examined) -> bool:
    """Whether something answers that knows nothing of what every Trigger.dev has."""
    return isinstance(seen.spoken, NotFound) and isinstance(seen.runs, NotFound)


def remedy(error: ApiError) -> str:
    """What to do when nothing at all can be read."""
    if isinstance(error, TlsFailed) and NO_TLS in str(error):
        return _NO_TLS_REMEDY
    fails = error.status is not None and error.status >= 500 and error.status != 501
    # A redirect, a page, a method that is not known there: nobody's failure, but the wrong address.
    return REMEDIES["decode" if isinstance(error, HttpFailed | NotFound) and not fails else error.reason]


def has_answer(seen: Subject) -> bool:
    """Whether anything was read at all."""
    return isinstance(seen.seen.spoken, str) or isinstance(seen.seen.runs, Some)


def lists(seen: Subject) -> tuple[tuple[str, object], ...]:
    """Collector → what its endpoint told."""
    one = seen.seen
    return (
        ("runs", one.runs),
        ("queues", one.queues),
        ("batches", one.batch),
        ("schedules", one.schedules),
        ("deployments", one.deployments),
        ("waitpoints", one.tokens),
    )


def readable(noun: str, told: object, lost: str) -> Finding:
    """What is said of a list that was not read; `lost` is what that means."""
    if told is NO_ENDPOINT:
        return ok(f"{NO_ENDPOINT.why}: {lost}")
    if isinstance(told, Skipped):
        return unknown(told.why)
    if not isinstance(told, ApiError):  # pragma: no cover - it was read
        raise TypeError(noun)
    if is_absent(told):
        return warning(f"this server has none of it ({words(told)}): {lost}", REMEDIES["not_found"])
    if isinstance(told, Unauthorized | Forbidden):
        return warning(f"this key may not read {noun} ({words(told)}): {lost}", REMEDIES["forbidden"])
    return broken(f"{noun} cannot be read: {words(told)}", REMEDIES[told.reason])


def items(told: object) -> tuple:  # type: ignore[type-arg]  # of whatever list it is
    return told.items if isinstance(told, Some) else ()


def count(told: object) -> str:
    """``12``, or ``300 or more``."""
    if not isinstance(told, Some):
        return "an unknown number"
    return f"{len(told.items)}{'' if told.is_whole else ' or more'}"


def many(number: int, noun: str, *, more: bool = False) -> str:
    """``1 queue``, ``8 queues``, ``1000 or more queues``."""
    return f"{number}{' or more' * more} {noun}{'s' * (number != 1 or more)}"


def listed(told: Some, noun: str) -> str:  # type: ignore[type-arg]  # of whatever list it is
    return many(len(told.items), noun, more=not told.is_whole)


def ago(seen: Subject, at: int) -> str:
    since = seen.seen.now - at
    return f"{duration(since)} ago" if since >= SECOND else "just now"


def newest_version(deployments: Some) -> str:  # type: ignore[type-arg]  # of deployments
    return next((one.version for one in deployments.items if one.status == "DEPLOYED"), "")


def tasks(seen: Examined) -> tuple[set[str], bool]:
    """Names of tasks that are known, and whether these are all."""
    names = {run.task for run in (*items(seen.runs), *items(seen.open_runs))}
    names |= {schedule.task for schedule in items(seen.schedules)}
    deployed = seen.tasks if isinstance(seen.tasks, tuple) else ()
    return names | set(deployed), bool(deployed)


def load(seen: Examined) -> Load:
    newest = sorted(run.created_at for run in items(seen.runs))
    span = max(seen.now - newest[0], newest[-1] - newest[0], 1) if newest else 1
    whole = isinstance(seen.runs, Some) and seen.runs.is_whole
    # A list that ends is all there ever was; its age says nothing of a rate when it is short.
    rate = 0.0 if len(newest) < 2 or (whole and span > DAY) else len(newest) * MINUTE / span
    batches = (
        {row.batch_id for row in seen.rows if row.batch_id and not row.is_finished}
        if isinstance(seen.rows, tuple)
        else ()
    )
    return Load(
        runs_a_minute=rate,
        open_runs=len(items(seen.open_runs)),
        queues=len(items(seen.queues)),
        schedules=len(items(seen.schedules)),
        deployments=len(items(seen.deployments)),
        open_batches=len(batches) + len(seen.config.batches),
        has_query=isinstance(seen.rows, tuple | RateLimited),
        has_current=seen.current is not NO_ENDPOINT,
        has_tokens=isinstance(seen.tokens, Some),
    )
