"""One task, or a few: is it done, how fast, and who broke it."""

from __future__ import annotations

from boards import runs
from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import FAILURES, age, grown, like, of, quantile, rate, total
from boards.style import APP, COMMON, DEPLOYED, FIRING, PROJECT, TASK, TO_RUNS, red

_T = like("task", "$task")

_NOW = Row(
    "Now",
    (
        Panel(
            "Runs that ended",
            "Runs of the chosen tasks that reached a final status in the time that is shown, each counted once. 0 "
            "for a task that should work means that nobody triggers it, or that nothing starts.",
            Look.STAT,
            (Query(f"round({total(grown('runs_finished_total', _T))})", "ended"),),
            "short",
            4,
            4,
        ),
        Panel(
            "Runs that fail",
            "Failures ÷ (successes + failures) in the time that is shown. Orange and red are where the shipped rules "
            "fire.",
            Look.STAT,
            (Query(runs.failure_share_shown(_T), "failed"),),
            "percentunit",
            4,
            4,
            runs.FAILURE_LIMITS,
            decimals=1,
        ),
        Panel(
            "Failures in a row",
            "Runs that failed after the last one that succeeded, of the task with most of them. More than "
            f"{limit('ConsecutiveFailures'):g} fire ConsecutiveFailures (a single one of a task that a schedule "
            "starts).",
            Look.STAT,
            (Query(f"max({of('run_consecutive_failures', _T)})", "in a row"),),
            "short",
            4,
            4,
            red(limit("ConsecutiveFailures") + 1),
        ),
        Panel(
            "Time since a success",
            "How long ago a run of the chosen tasks last succeeded, of the task where it is longest. Compare it with "
            "how often the task should run.",
            Look.STAT,
            (Query(f"max(min by (target, task) ({age('run_last_success_timestamp_seconds', _T)}))", "ago"),),
            "s",
            4,
            4,
        ),
        Panel(
            "Open runs",
            "Runs of the chosen tasks that have not ended: waiting, executing, or stuck. See by status below.",
            Look.STAT,
            (Query(total(of("runs_open", _T)), "open"),),
            "short",
            4,
            4,
        ),
        Panel(
            "95 % are faster than",
            "The 95th percentile of duration over the time that is shown, estimated from buckets. Set `maxDuration` "
            "and the alert RunSlow with this in mind.",
            Look.STAT,
            (Query(quantile(0.95, "run_duration_seconds", _T, window="$__range"), "p95"),),
            "s",
            4,
            4,
        ),
    ),
)
_WORK = Row(
    "Work",
    (
        Panel(
            "Triggered, started, finished",
            "What comes in, what begins, what ends, each minute. In a healthy flow the three lie on each other. "
            "Triggered above started: runs wait. Started above finished: runs hang, or take longer than they did.",
            Look.LINES,
            tuple(
                Query(total(rate(f"runs_{verb}_total", _T)) + " * 60", verb)
                for verb in ("triggered", "started", "finished")
            ),
            "cpm",
        ),
        runs.finished_by_status(_T),
        runs.failures_by_task(_T),
        Panel(
            "Who broke it: failures by status",
            "How runs fail. FAILED is an error of the task's code, with a message in Trigger.dev; CRASHED and "
            "SYSTEM_FAILURE are the platform or memory; TIMED_OUT is `maxDuration`. One status alone points at one "
            "cause.",
            Look.LINES,
            (
                Query(
                    total(rate("runs_finished_total", f'status=~"{FAILURES}"', _T), "status") + " * 60",
                    "{{status}}",
                ),
            ),
            "cpm",
            stacked=True,
        ),
        runs.failures_by_version(
            "Who broke it: failures by version",
            "Share of failures of each deployed version, over all tasks of the target (versions are not counted by "
            "task). If the newest fails and the one before does not, roll back; if all fail, look outside of your "
            "code.",
        ),
        runs.attempts(_T),
    ),
)
_TIME = Row("Time", (runs.durations(_T), runs.waits(_T)))
_OPEN = Row("What has not ended", (runs.open_by_status(_T), runs.oldest_open(_T)))
_EACH = Row(
    "Each task",
    (
        runs.last_success(_T),
        Panel(
            "Tasks",
            "The chosen tasks: owner, the version last seen running them, and how long ago a run ended. A version that "
            "is older than the one in use means that the task has not run since. Click for its runs in Trigger.dev.",
            Look.TABLE,
            (
                Query(f"max by (target, task, owner, version) ({of('task_info', _T)})"),
                Query(
                    f"min by (target, task) ({age('run_last_finished_timestamp_seconds', _T)})", column="Last run ended"
                ),
            ),
            "s",
            columns=("task", "target", "owner", "version"),
            headings={"task": "Task", "target": "Target", "owner": "Owner", "version": "Version"},
            column_links={"Task": (TO_RUNS,)},
        ),
    ),
)

BOARD = Board(
    "triggerdev-task",
    "Trigger.dev / Task",
    "One task, or a few: is it done, how fast, who broke it, and what has not ended.",
    (_NOW, _WORK, _TIME, _OPEN, _EACH),
    (*COMMON, TASK, PROJECT, APP),
    (DEPLOYED, FIRING),
)
