"""What is judged of one target, a row a check: its key, its server, each thing that is read there, its cost. Pure."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from triggerdev_alerts.message.values import show_duration as duration
from triggerdev_exporter.clock import DAY, MINUTE, SECOND
from triggerdev_exporter.config.keys import environment_of
from triggerdev_exporter.doctor.cost import calls_a_minute
from triggerdev_exporter.doctor.examine import NO_ENDPOINT, Examined, Skipped, Some
from triggerdev_exporter.doctor.finding import Check, Finding, broken, ok, unknown, warning
from triggerdev_exporter.doctor.matching import Known, vain_rules
from triggerdev_exporter.doctor.subject import (
    REMEDIES,
    Subject,
    ago,
    count,
    has_answer,
    is_somebody_else,
    items,
    listed,
    lists,
    load,
    many,
    newest_version,
    readable,
    remedy,
    tasks,
    words,
)
from triggerdev_exporter.errors import ApiError, Forbidden, NotFound, RateLimited, Unauthorized
from triggerdev_exporter.records import Batch, Deployment

SKEW_FROM, SKEW_ALARMS_FROM = 5 * SECOND, 30 * SECOND
"""The second is what the shipped rule ClockSkew fires at."""
QUOTA_LOW = 0.1
CATCH_UP_PART = 0.6
"""Of our share: beyond that nothing is left to read what was missed (`api/budget.py`)."""
ROWS_MOST = 10_000
LATE_ROW = 5 * MINUTE
QUERY_REACH = 7 * DAY
"""What the statement itself asks for."""
GAP_TIMES, GAP_LEAST = 30, 2 * MINUTE


_ELSEWHERE = REMEDIES["decode"]


def _api(seen: Subject) -> Finding:
    spoken, url = seen.seen.spoken, seen.seen.config.api_url
    if is_somebody_else(seen.seen):
        return broken(f"{url} answers, and knows neither queues nor runs: it is no API of Trigger.dev", _ELSEWHERE)
    if isinstance(spoken, ApiError) and not isinstance(spoken, Unauthorized | Forbidden | NotFound):
        if isinstance(seen.seen.runs, Some):
            return warning(
                f"{url} answers, but not to what is asked first ({words(spoken)}): the daemon waits for that",
                REMEDIES[spoken.reason],
            )
        return broken(f"{url} cannot be used: {words(spoken)}", remedy(spoken))
    return ok(f"{url} answers")


def _key(seen: Subject) -> Finding:
    key = seen.seen.config.secret_key.get_secret_value()
    kind = f"an additional key of {environment_of(key)}" if "_sk_" in key else f"a key of {environment_of(key) or '?'}"
    spoken, runs = seen.seen.spoken, seen.seen.runs
    if isinstance(spoken, Unauthorized):
        if isinstance(runs, Some):
            return broken(
                f"{kind}, accepted for runs but refused for queues ({words(spoken)}): the daemon takes that for a "
                "refused key",
                "give the key the scope read:queues",
            )
        return broken(f"{kind}, and it is refused: {words(spoken)}", REMEDIES["auth"])
    if not has_answer(seen):
        return unknown("nobody said whether the key is right")
    told = next((run for run in items(runs) if run.environment_id), None)
    if told is not None and seen.counted not in (None, told.environment_id):
        return broken(
            f"it belongs to environment {told.environment_id} ({told.environment}), and the state counts "
            f"{seen.counted} under this name: the daemon refuses that",
            "give the new environment a target name or a state file of its own",
        )
    denied = [name for name, told_ in lists(seen) if isinstance(told_, Unauthorized | Forbidden)]
    reads = "may read everything" if not denied else f"may not read {', '.join(denied)}"
    # The slug is another where each person or branch has an environment of its own.
    slug = told.environment if told is not None else None
    of = f" (environment {slug})" if slug and slug != environment_of(key) else ""
    return ok(f"{kind}{of}, accepted; it {reads}")


def _dialect(seen: Subject) -> Finding:
    spoken, wanted = seen.seen.spoken, seen.seen.config.dialect
    if not isinstance(spoken, str):
        if isinstance(spoken, Forbidden | NotFound) and not is_somebody_else(seen.seen):
            return ok(f"not told, since queues cannot be read; {seen.seen.dialect} is assumed")
        return unknown("nobody said how this server speaks")
    if wanted not in ("auto", spoken):
        return broken(
            f"the server speaks {spoken}, and dialect: {wanted} is configured",
            f"remove dialect, or write dialect: {spoken}",
        )
    return ok(
        "seed: the published description of the API" if spoken == "seed" else f"trigger, {_generation(seen.seen)}"
    )


def _generation(seen: Examined) -> str:
    """A server does not tell its version; what it knows does."""
    runs = items(seen.runs)
    if any(run.kind is not None for run in runs) or isinstance(seen.current, Deployment):
        return "a server of v4.5 or newer"
    return "a server before v4.5" if runs else "a server of v4"


def _runs(seen: Subject) -> Finding:
    told, spoken = seen.seen.runs, seen.seen.spoken
    if isinstance(told, ApiError) and isinstance(told, type(spoken)) and not isinstance(told, Forbidden):
        return unknown(f"nothing can be read there ({words(told)})")
    if isinstance(told, Unauthorized | Forbidden | NotFound):
        return broken(f"runs cannot be read: {words(told)}", REMEDIES[told.reason])
    if isinstance(told, Some):
        also = seen.seen.open_runs
        if isinstance(also, ApiError):
            return broken(f"open runs cannot be read: {words(also)}", REMEDIES[also.reason])
        newest, open_ = max((run.created_at for run in told.items), default=None), count(also)
        last = "there are none yet" if newest is None else f"the newest was created {ago(seen, newest)}"
        return ok(f"read; {last}, {open_} {'is' if open_ == '1' else 'are'} open")
    return readable("runs", told, "nothing can be counted")


def _wait(number: int, noun: str, *, more: bool = False) -> str:
    return f"{many(number, noun, more=more)} wait{'s' * (number == 1 and not more)}" if number else f"no {noun} waits"


def _queues(seen: Subject) -> Finding:
    told = seen.seen.queues
    if not isinstance(told, Some):
        return readable("queues", told, "queue depths are missing")
    waiting, paused = sum(queue.queued for queue in told.items), sum(queue.paused for queue in told.items)
    also = f", {paused} paused" if paused else ""
    return ok(f"read; {listed(told, 'queue')}{also}, {_wait(waiting, 'run')}")


def _batches(seen: Subject) -> Finding:
    told = seen.seen.batch
    if isinstance(told, Batch):
        return ok(f"read; {told.id} was tried and is {told.status}")
    if isinstance(told, NotFound) and told.is_json:
        return warning(f"{told}: it is followed in vain", "remove it from batches, or wait if it is yet to come")
    if isinstance(told, Skipped) and told is not NO_ENDPOINT and has_answer(seen):
        found = "TRQL finds them" if isinstance(seen.seen.rows, tuple) else "none is found without TRQL: list them"
        return ok(f"not tried: {told.why}; {found}")
    return readable("batches", told, "batches are missing")


def _schedules(seen: Subject) -> Finding:
    told = seen.seen.schedules
    if not isinstance(told, Some):
        return readable("schedules", told, "missed schedules are not noticed")
    return ok(f"read; {listed(told, 'schedule')}, {sum(one.active for one in told.items)} active")


def _deployments(seen: Subject) -> Finding:
    told, current, built = seen.seen.deployments, seen.seen.current, seen.seen.tasks
    if not isinstance(told, Some):
        return readable("deployments", told, "failed deployments are not noticed")
    if isinstance(current, ApiError) and not isinstance(current, NotFound):
        return readable("the current deployment", current, "whether a task is deployed is not known")
    if isinstance(built, ApiError):
        return readable("tasks of the deployment", built, "tasks that never ran are not shown")
    version = current.version if isinstance(current, Deployment) else newest_version(told)
    count = f", {many(len(built), 'task')} in it" if isinstance(built, tuple) else ""
    return ok(f"read; the current one is {version}{count}" if version else "read; nothing was deployed yet")


def _waitpoints(seen: Subject) -> Finding:
    told = seen.seen.tokens
    if not isinstance(told, Some):
        return readable("waitpoint tokens", told, "tokens that nobody completes are not noticed")
    return ok(f"read; {_wait(len(told.items), 'token', more=not told.is_whole)}")


def _trql(seen: Subject) -> Finding:
    told = seen.seen.rows
    if isinstance(told, RateLimited):
        return warning(
            f"no slot was free: {words(told)}",
            "three queries at a time are allowed for a project, and somebody's dashboard takes them; it is asked again",
        )
    if not isinstance(told, tuple):
        return readable("TRQL", told, "queues and attempts of runs are missing, and batches are not found")
    if len(told) >= ROWS_MOST:
        return warning(
            f"{ROWS_MOST:,} rows, which is all it gives: of more open runs than that, queue and attempts are not known",
            "look for runs that wait for ever; nothing here can be set for more",
        )
    shown = {row.run_id for row in told}
    open_runs = [run for run in items(seen.seen.open_runs) if seen.seen.now - run.created_at > LATE_ROW]
    missing = [run for run in open_runs if run.id not in shown and seen.seen.now - run.created_at < QUERY_REACH]
    reach = max((seen.seen.now - run.created_at for run in open_runs if run.id in shown), default=0)
    if missing and all(seen.seen.now - run.created_at > reach for run in missing):
        return warning(
            f"it looks back {duration(reach) if reach else 'less'} only: of {many(len(missing), 'older open run')} "
            "queue and attempts are not known",
            "that is the plan's lookback (a day on the free plan); a larger plan sees further",
        )
    far = f"at least {duration(reach)}" if reach else "how far, no open run is old enough to tell"
    return ok(f"answers with {many(len(told), 'row')}; it looks back {far}")


def _quota(seen: Subject) -> Finding:
    limit, left = seen.seen.limit, seen.seen.remaining
    if isinstance(seen.seen.spoken, RateLimited):
        return broken(f"nothing is left: {words(seen.seen.spoken)}", REMEDIES["rate_limited"])
    if limit is None or left is None:
        return ok("the server tells no limit") if has_answer(seen) else unknown("nobody told a limit")
    if left < QUOTA_LOW * limit:
        return warning(f"{left} of {limit} requests are left for everybody", REMEDIES["rate_limited"])
    return ok(f"{left} of {limit} requests are left for everybody")


def _calls(seen: Subject) -> Finding:
    if not has_answer(seen):
        return unknown("how much there is to read is not known")
    config = seen.seen.config
    share = max(1, int(config.quota.requests_per_minute * config.quota.share + 1e-9))
    costs = calls_a_minute(config.intervals, load(seen.seen))
    total = sum(costs.values())
    dearest = max(costs, key=lambda name: costs[name])
    said = f"these intervals cost {total:.1f} calls a minute, of {share} that are ours"
    remedy = f"lengthen intervals.{dearest} ({costs[dearest]:.1f} of them), or raise quota.share"
    if total > share:
        return broken(f"{said}: data comes late, and what was missed is never made up for", remedy)
    if total > CATCH_UP_PART * share:
        return warning(f"{said}: after an outage there is nothing left to catch up with", remedy)
    return ok(said)


def _clock(seen: Subject) -> Finding:
    offset = seen.seen.offset
    if offset is None:
        return unknown("the server did not tell its time")
    if abs(offset) < SKEW_FROM:
        return ok("this host's clock is right")
    # Dates of HTTP are whole seconds: half a second more or less is none.
    apart = duration(round(abs(offset) / SECOND) * SECOND)
    said = f"this host's clock is {apart} {'behind' if offset > 0 else 'ahead of'} the server's"
    remedy = "let NTP set the clock of this host (or of the server, if that is the wrong one)"
    if abs(offset) < SKEW_ALARMS_FROM:
        return warning(f"{said}; that is made up for", remedy)
    return broken(f"{said}: ages and slots of schedules are judged wrongly by that much", remedy)


def _view(seen: Subject) -> Finding:
    runs, queues = seen.seen.runs, seen.seen.queues
    remedy = "look at ClickHouse and its replication on the server, or at the status page of the cloud"
    if not isinstance(runs, Some):
        return unknown("runs are not readable, so nothing can be compared")
    busy = [queue for queue in items(queues) if queue.running or (queue.queued and not queue.paused)]
    if busy and isinstance(seen.seen.open_runs, Some) and not seen.seen.open_runs.items:
        work = sum(queue.queued + queue.running for queue in busy)
        return broken(
            f"queues hold {work} runs and the list shows none that is open: it is blind or far behind", remedy
        )
    newest = sorted((run.created_at for run in runs.items if run.delayed_until is None), reverse=True)
    gaps = [late - early for late, early in pairwise(newest)]
    since = seen.seen.now - newest[0] if newest else 0
    if len(gaps) > 20 and since > max(GAP_TIMES * median(gaps), GAP_LEAST):
        return warning(
            f"the newest run was created {duration(since)} ago, and before that one came every "
            f"{duration(int(median(gaps)))}: the list may be behind",
            remedy,
        )
    if isinstance(queues, Some) and busy:
        return ok("list and queues agree")
    return ok("no sign of a lag; while nothing runs there is none to see")


def _series(seen: Subject) -> Finding:
    most, max_series = seen.metrics.limits, seen.metrics.max_series
    named = {name for name in tasks(seen.seen)[0] if most.allows(name)}
    counts = (
        ("tasks", len(named), most.tasks),
        ("queues", len(items(seen.seen.queues)), most.queues),
        ("schedules", len(items(seen.seen.schedules)), most.schedules),
    )
    if not has_answer(seen):
        return unknown("how much there is to show is not known")
    over = [(noun, count, limit) for noun, count, limit in counts if count > limit]
    if over:
        noun, count, limit = over[0]
        return warning(
            f"{count} {noun}, and max_series: {max_series} has room for {limit}: the rest is shown as __other__",
            f"raise metrics.max_series to {_room(max_series, count / limit)}, or narrow metrics.tasks.allow",
        )
    told = ", ".join(f"{count} of {limit} {noun}" for noun, count, limit in counts)
    return ok(f"room for all: {told}")


def _room(max_series: int, times: float) -> int:
    """A round number with a fifth to spare."""
    wanted = int(max_series * times * 1.2)
    step: int = 10 ** max(3, len(str(wanted)) - 2)
    return -(-wanted // step) * step


def _rules(seen: Subject) -> Finding:
    if not has_answer(seen):
        return unknown("what there is to match is not known")
    named, is_whole = tasks(seen.seen)
    queues = seen.seen.queues
    known = Known(
        named if is_whole else None,
        [queue.name for queue in queues.items] if isinstance(queues, Some) and queues.is_whole else None,
        [name for name, told in lists(seen) if told is NO_ENDPOINT or isinstance(told, Unauthorized | Forbidden)],
    )
    vain = vain_rules(seen.ruleset, seen.seen.config.name, known)
    own = [one for one in vain if not one.rule.shipped]
    if own:
        place = own[0].rule.place
        where = f" ({place.file}:{place.line})" if place.file else ""
        more = f"; {len(own) - 1} more" if len(own) > 1 else ""
        return warning(
            f"{own[0].rule.name}{where} can never be true here: {own[0].why}{more}",
            "mend the name, or take the rule out",
        )
    also = f"; of the shipped ones {', '.join(one.rule.name for one in vain)} will see nothing" if vain else ""
    return ok(f"each of your rules can match something{also}")


TARGET_CHECKS: tuple[Check[Subject], ...] = (
    Check("api", _api),
    Check("key", _key),
    Check("dialect", _dialect),
    Check("clock", _clock),
    Check("quota", _quota),
    Check("calls", _calls),
    Check("runs", _runs),
    Check("view", _view),
    Check("queues", _queues),
    Check("batches", _batches),
    Check("schedules", _schedules),
    Check("deployments", _deployments),
    Check("waitpoints", _waitpoints),
    Check("trql", _trql),
    Check("series", _series),
    Check("rules", _rules),
)
