"""Batches, schedules and waitpoint tokens: work that comes in lots, by the clock, or when somebody says so."""

from __future__ import annotations

from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import age, eq, grown, of, quantile, rate, share, total
from boards.style import COMMON, DEPLOYED, FIRING, TO_TASK, red, warn

_BATCHES = Row(
    "Batches",
    (
        Panel(
            "Open batches",
            "Batches that are followed and have not ended. Where the server has no list of batches, only those that "
            "runs name are known.",
            Look.STAT,
            (Query(total(of("batches_open")), "open"),),
            "short",
            6,
            8,
        ),
        Panel(
            "Items that became no run",
            "Share of the items of ended batches that were refused when the batch was taken in: their runs do not "
            "exist. BatchItemsFailed (off at first) fires above none.",
            Look.STAT,
            (
                Query(
                    share(
                        total(grown("batch_items_total", eq("result", "failed"))),
                        total(grown("batch_items_total")),
                    ),
                    "refused",
                ),
            ),
            "percentunit",
            6,
            8,
            warn(limit("BatchItemsFailed", "failed_items_above") + 0.001),
            decimals=1,
        ),
        Panel(
            "Batches triggered and ended",
            "Batches that came, and that ended by how: PARTIAL_FAILED if some items never became runs, ABORTED if "
            "none did. COMPLETED says nothing about how its runs ended: see the task for that.",
            Look.LINES,
            (
                Query(total(rate("batches_triggered_total")) + " * 60", "triggered", colour="blue"),
                Query(total(rate("batches_finished_total"), "status") + " * 60", "{{status}}"),
            ),
            "cpm",
        ),
        Panel(
            "Open batches, by status",
            "PROCESSING is still being taken in, PENDING has runs that have not ended, PARTIAL_FAILED has too and "
            "lost items.",
            Look.LINES,
            (Query(total(of("batches_open"), "status"), "{{status}}"),),
            "short",
            stacked=True,
        ),
        Panel(
            "Oldest open batch",
            "How long ago the oldest open batch of each status was created. One that is in PROCESSING above the line "
            "fires BatchStuck: its items do not all become runs.",
            Look.LINES,
            (Query(f"max by (status) ({age('batches_oldest_open_timestamp_seconds')})", "{{status}}"),),
            "s",
            limits=warn(limit("BatchStuck", "older_than")),
        ),
        Panel(
            "How long batches take",
            "From a batch's creation to the end of its last run: half of them, and 95 %. One slow item makes a whole "
            "batch slow.",
            Look.LINES,
            tuple(
                Query(quantile(level, "batch_duration_seconds", window="30m"), f"p{level * 100:g}")
                for level in (0.5, 0.95)
            ),
            "s",
        ),
        Panel(
            "Items of batches",
            "Items of ended batches each minute: those that became runs, and those that were refused.",
            Look.LINES,
            (Query(total(rate("batch_items_total"), "result") + " * 60", "{{result}}"),),
            "cpm",
            stacked=True,
        ),
    ),
)
_SCHEDULES = Row(
    "Schedules",
    (
        Panel(
            "Missed slots",
            "Slots of active schedules without a run five minutes later, in the time that is shown. 0 is what you "
            "want: ScheduleMissed tells each, ScheduleMissedTwice and SchedulerDown are critical.",
            Look.STAT,
            (Query(f"round({total(grown('schedule_missed_total'))})", "missed"),),
            "short",
            6,
            8,
            red(1),
        ),
        Panel(
            "Schedules that are on",
            "Active schedules, as last polled. A sudden change is a deployment that changed them, or somebody who "
            "switched them.",
            Look.STAT,
            (Query(total(of("schedules", eq("active", "true"))), "active"),),
            "short",
            6,
            8,
        ),
        Panel(
            "Missed slots an hour, by task",
            "When slots were missed, and of which task. One task alone: its schedule or its queue. All at once: the "
            "scheduler of Trigger.dev.",
            Look.LINES,
            (Query(total(rate("schedule_missed_total"), "task") + " * 3600", "{{task}}"),),
            "short",
        ),
        Panel(
            "Schedules",
            "Each schedule that is shown by itself: its cron, how long ago the last slot had a run and had a run "
            "that succeeded, and in how long it is due (negative: overdue). Many schedules of one task (IMPERATIVE, "
            "above 50) are not listed.",
            Look.TABLE,
            (
                Query(_info := f"max by (schedule, task, cron, timezone, target) ({of('schedule_info')})"),
                *(
                    Query(
                        f"{_info} * on (schedule, target) group_left () max by (schedule, target) ({value})",
                        column=name,
                        unit="s",
                    )
                    for name, value in (
                        ("Last slot", age("schedule_last_run_timestamp_seconds")),
                        ("Last success", age("schedule_last_success_timestamp_seconds")),
                        ("Due in", of("schedule_next_run_timestamp_seconds") + " - time()"),
                    )
                ),
            ),
            "s",
            24,
            9,
            columns=("task", "cron", "timezone", "target"),
            headings={"task": "Task", "cron": "Cron", "timezone": "Time zone", "target": "Target"},
            column_links={"Task": (TO_TASK,)},
        ),
    ),
)
_TOKENS = Row(
    "Waitpoint tokens",
    (
        Panel(
            "Open tokens",
            "Waitpoint tokens that nobody completed yet: each holds a run. Growth means that whoever should complete "
            "them does not.",
            Look.LINES,
            (Query(total(of("waitpoint_tokens_open"), "target"), "{{target}}"),),
            "short",
            8,
        ),
        Panel(
            "Oldest open token",
            "How long the oldest token has waited. Above a day WaitpointStale fires, if you switch it on.",
            Look.LINES,
            (Query(f"max by (target) ({age('waitpoint_tokens_oldest_open_timestamp_seconds')})", "{{target}}"),),
            "s",
            8,
            limits=warn(limit("WaitpointStale", "older_than")),
        ),
        Panel(
            "Tokens that end, an hour",
            "How tokens end, each hour. TIMED_OUT is work that went on without its answer, or failed for it.",
            Look.LINES,
            (Query(total(rate("waitpoint_tokens_finished_total"), "status") + " * 3600", "{{status}}"),),
            "short",
            8,
        ),
    ),
)

BOARD = Board(
    "triggerdev-batches",
    "Trigger.dev / Batches and schedules",
    "Work that comes in lots, by the clock, or when somebody completes a token.",
    (_SCHEDULES, _BATCHES, _TOKENS),
    COMMON,
    (DEPLOYED, FIRING),
)
