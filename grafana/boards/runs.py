"""Panels that more than one dashboard shows, narrowed by matchers. Data only."""

from __future__ import annotations

from collections.abc import Callable

from boards.limits import limit, patience
from boards.model import Link, Look, Panel, Query
from boards.promql import FAILURES, age, eq, grown, like, of, or_zero, quantile, rate, share, some, total
from boards.style import red, warn

ENDED = f'status=~"COMPLETED|{FAILURES}"'
FAILED = f'status=~"{FAILURES}"'
FAILURE_LIMITS = warn(limit("TaskFailureRateHigh"), limit("TaskFailureRateCritical"))


def failure_share(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """Failures ÷ (successes + failures), as the rules have it: who canceled a run did not break it."""
    return share(
        total(rate("runs_finished_total", FAILED, *matchers), *by),
        total(rate("runs_finished_total", ENDED, *matchers), *by),
    )


def failure_share_shown(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """The same over all that is shown."""
    return share(
        total(grown("runs_finished_total", FAILED, *matchers), *by),
        total(grown("runs_finished_total", ENDED, *matchers), *by),
    )


def version_share(outcome: str, count: Callable[..., str], *by: str) -> str:
    """How many of a version's runs came to `outcome`, of those and the successes. The first one begins a series."""
    part = total(count("runs_by_version_finished_total", eq("outcome", outcome)), *by)
    whole = total(count("runs_by_version_finished_total", like("outcome", f"success|{outcome}")), *by)
    return share(some(part, whole), whole)


def finished_by_status(*matchers: str) -> Panel:
    return Panel(
        "Runs finished, by status",
        "How many runs reach a final status each minute. A thin red band is normal for most shops; a band that "
        "grows, or a graph that falls to nothing while work should be done, is not. Look next at the share of "
        "failures, then at the task that fails.",
        Look.LINES,
        (Query(total(rate("runs_finished_total", *matchers), "status") + " * 60", "{{status}}"),),
        "cpm",
        stacked=True,
    )


def durations(*matchers: str) -> Panel:
    return Panel(
        "How long runs take",
        "From the first start to the end, waits inside the run included: half of the runs, 95 % and 99 % are faster "
        "than these lines. When p99 leaves p50 behind, some runs hang on something; when all rise, look at what they "
        "call. The dots are single runs: click one for its trace or for the run.",
        Look.LINES,
        tuple(
            Query(quantile(level, "run_duration_seconds", *matchers), f"p{level * 100:g}", exemplars=level == 0.95)
            for level in (0.5, 0.95, 0.99)
        ),
        "s",
    )


def waits(*matchers: str, width: int = 12) -> Panel:
    return Panel(
        "How long runs waited to start",
        "From being triggered (or the end of a delay) to the first start, of runs that ended: half of them, and 95 "
        "%. This is what your users feel before anything happens. When it grows, see what the queues wait for.",
        Look.LINES,
        tuple(
            Query(quantile(level, "run_wait_seconds", *matchers), f"p{level * 100:g}", exemplars=level == 0.95)
            for level in (0.5, 0.95)
        ),
        "s",
        width,
    )


def per_run(counter: str, *matchers: str) -> str:
    """How much of a counter an ended run has on average, of each task. A task of another target is another task."""
    by = ("target", "task")
    return share(total(rate(counter, *matchers), *by), total(rate("run_duration_seconds_count", *matchers), *by))


def failures_by_target() -> Panel:
    return _failures("{{target}}", by=("target",))


def failures_by_task(*matchers: str) -> Panel:
    return _failures("{{task}} ({{target}})", *matchers, by=("target", "task"))


def _failures(legend: str, *matchers: str, by: tuple[str, ...]) -> Panel:
    return Panel(
        "Share of runs that fail",
        "Failures ÷ (successes + failures), after all attempts; canceled and expired runs count on neither side. The "
        "lines are where the shipped rules TaskFailureRateHigh and TaskFailureRateCritical look for a task. Above "
        "them: open the task that fails, and read which status and which version.",
        Look.LINES,
        (Query(failure_share(*matchers, by=by), legend),),
        "percentunit",
        limits=FAILURE_LIMITS,
    )


def failures_by_version(title: str, description: str) -> Panel:
    # Environments count their versions by themselves: the same one is another deployment in each.
    return Panel(
        title,
        description,
        Look.LINES,
        (Query(version_share("failure", rate, "target", "version"), "{{version}} ({{target}})"),),
        "percentunit",
        limits=FAILURE_LIMITS,
    )


def attempts(*matchers: str) -> Panel:
    return Panel(
        "Attempts per run",
        "How many attempts an ended run took on average; 1 means that nothing was tried again, and all above it was "
        "paid for again. It rises before the share of failures does: retries hide trouble. Known up to a minute late.",
        Look.LINES,
        (Query(per_run("run_attempts_total", *matchers), "{{task}} ({{target}})"),),
        "short",
        decimals=2,
    )


def version_in_use(description: str, width: int, *links: Link) -> Panel:
    return Panel(
        "Version in use",
        description,
        Look.STAT,
        (Query(f"max by (target, version) ({of('deployment_current_info')})", "{{version}} ({{target}})"),),
        "short",
        width,
        4,
        name_only=True,
        links=links,
    )


def data_age(description: str, *links: Link) -> Panel:
    return Panel(
        "Age of this data",
        description,
        Look.STAT,
        (Query(f"max({age('collector_last_success_timestamp_seconds', eq('collector', 'runs'))})", "age"),),
        "s",
        4,
        4,
        warn(120, patience("SourceUnreachable")),
        links=links,
    )


def open_by_status(*matchers: str) -> Panel:
    return Panel(
        "Open runs, by status",
        "Runs that have not ended, as last polled. Growth in QUEUED means that more arrives than starts; in "
        "EXECUTING, that runs do not end; PENDING_VERSION waits for a deployment that knows the task, and nothing "
        "else helps.",
        Look.LINES,
        (Query(total(of("runs_open", *matchers), "status"), "{{status}}"),),
        "short",
        stacked=True,
    )


def oldest_open(*matchers: str) -> Panel:
    seconds = limit("RunsStuckDequeued", "older_than")
    return Panel(
        "Since when the oldest open run is in its status",
        "The age of the oldest run in each status. DEQUEUED should last for seconds: it was taken and does not "
        f"begin. The line is at {seconds / 60:g} min, where RunsStuckDequeued and RunsPendingVersion fire. Find these "
        "runs in Trigger.dev by task and status.",
        Look.LINES,
        (Query(f"max by (status) ({age('runs_oldest_open_timestamp_seconds', *matchers)})", "{{status}}"),),
        "s",
        limits=red(seconds),
    )


def oldest_wait(*matchers: str, width: int = 4, height: int = 4) -> Panel:
    return Panel(
        "Longest wait in a queue",
        "How long the oldest run waits that has not started, over the queues chosen. 0 means that nothing waits; no "
        "value means that we cannot see. Orange and red are where QueueAgeHigh and QueueAgeCritical fire. See “Why "
        "is it waiting” on the dashboard of queues.",
        Look.STAT,
        (Query(or_zero(f"max({age('queue_oldest_queued_timestamp_seconds', *matchers)})", "runs"), "longest wait"),),
        "s",
        width,
        height,
        warn(limit("QueueAgeHigh"), limit("QueueAgeCritical")),
    )


def last_success(*matchers: str) -> Panel:
    return Panel(
        "Last success per task",
        "How long ago each task last succeeded, the longest first. A task that must run daily and stands here with "
        "two days is broken, whatever the rates say: few runs make no rate. Enable TaskNoSuccess for such tasks. "
        "One that never succeeded since we count is not here.",
        Look.BARS,
        (
            Query(
                f"sort_desc(topk(15, min by (target, task) ({age('run_last_success_timestamp_seconds', *matchers)})))",
                "{{task}} ({{target}})",
            ),
        ),
        "s",
        limits=warn(limit("TaskNoSuccess", "older_than")),
    )
