"""Is my platform healthy? From the answer in six numbers down to the task that is to blame."""

from __future__ import annotations

from boards import runs
from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import age, grown, like, of, or_zero_alive, quantile, total
from boards.style import APP, COMMON, DEPLOYED, FIRING, PROJECT, TO_RUNS, TO_TASK, red, to_board, warn

_NOW = Row(
    "Now",
    (
        Panel(
            "Alerts firing",
            "How many alerts fire, held while Trigger.dev cannot be read. 0 is what you want to see. Click for "
            "which, and since when.",
            Look.STAT,
            (
                Query(
                    or_zero_alive(f"sum({of('alerts', like('state', 'firing|recovering'))})"),
                    "firing",
                ),
            ),
            "short",
            4,
            4,
            red(1),
            links=(to_board("triggerdev-alerts", "Alerts"),),
        ),
        Panel(
            "Runs that fail",
            "Failures ÷ (successes + failures) over the time that is shown. Orange and red are where "
            "TaskFailureRateHigh and TaskFailureRateCritical look for a single task; one small task may fail wholly "
            "and not show here, so look at the table below too.",
            Look.STAT,
            (Query(runs.failure_share_shown(), "failed"),),
            "percentunit",
            4,
            4,
            runs.FAILURE_LIMITS,
            decimals=1,
        ),
        runs.oldest_wait(),
        Panel(
            "Runs waiting",
            "How many runs wait in all queues, as last polled. A number alone says little: it matters whether it "
            "grows and how long runs wait. Click for the queues.",
            Look.STAT,
            (Query(total(of("queue_depth")), "waiting"),),
            "short",
            4,
            4,
            links=(to_board("triggerdev-queues", "Queues"),),
        ),
        Panel(
            "Runs executing",
            "How many runs are dequeued or executing now, as the queues tell. At the limit of your environment "
            "nothing more starts.",
            Look.STAT,
            (Query(total(of("queue_running")), "executing"),),
            "short",
            4,
            4,
        ),
        runs.data_age(
            "How long ago runs were last read from Trigger.dev, of the target that is furthest behind. Where it turns "
            "red SourceUnreachable fires, and every other number here is old. Click for why.",
            to_board("triggerdev-exporter", "Exporter health"),
        ),
    ),
)

_FLOW = Row("Work that gets done", (runs.finished_by_status(), runs.failures_by_target()))
_TIME = Row("How long it takes", (runs.durations(), runs.waits()))
_QUEUES = Row(
    "Queues",
    (
        Panel(
            "Runs waiting, the ten deepest queues",
            "How many runs wait in the queues that are deepest now. A queue that only grows gets more than it does; "
            "one that is flat and high may be paused.",
            Look.BARS,
            (Query(f"sort_desc(topk(10, max by (target, queue) ({of('queue_depth')})))", "{{queue}} ({{target}})"),),
            "short",
            limits=warn(limit("QueueBacklog")),
        ),
        Panel(
            "Use of concurrency, the ten fullest queues",
            "Running ÷ limit of each queue that has a limit. 100 % with an empty queue is a good day; 100 % with a "
            "deep one means that the limit decides how fast you are (QueueSaturated).",
            Look.BARS,
            (
                Query(
                    f"sort_desc(topk(10, max by (target, queue) ({of('queue_running')}) / "
                    f"(max by (target, queue) ({of('queue_concurrency_limit')}) > 0)))",
                    "{{queue}} ({{target}})",
                ),
            ),
            "percentunit",
            limits=warn(limit("QueueSaturated")),
            most=1,
        ),
    ),
)
_WHO = Row(
    "Which task",
    (
        Panel(
            "Tasks, the worst first",
            "Each task over the time that is shown: runs that ended, the share that failed, how long they took (95 % "
            "are faster), failures in a row now, and how long ago one succeeded. Click a task for its dashboard, or "
            "for its runs in Trigger.dev.",
            Look.TABLE,
            (
                Query(
                    f"round(topk(50, {total(grown('runs_finished_total'), 'target', 'task')}))",
                    column="Ended",
                    unit="short",
                ),
                Query(
                    runs.failure_share_shown(by=("target", "task")),
                    column="Failed",
                    unit="percentunit",
                    limits=runs.FAILURE_LIMITS,
                ),
                Query(
                    quantile(0.95, "run_duration_seconds", by=("target", "task"), window="$__range"),
                    column="p95 duration",
                    unit="s",
                ),
                Query(
                    f"max by (target, task) ({of('run_consecutive_failures')})",
                    column="Failures in a row",
                    unit="short",
                ),
                Query(
                    f"min by (target, task) ({age('run_last_success_timestamp_seconds')})",
                    column="Last success",
                    unit="s",
                ),
            ),
            "short",
            24,
            10,
            columns=("task", "target"),
            headings={"task": "Task", "target": "Target"},
            column_links={"Task": (TO_TASK, TO_RUNS)},
            descending="Failed",
        ),
        Panel(
            "Missed schedules",
            "Slots of active schedules for which no run came within five minutes, over the time that is shown. 0 is "
            "what you want; anything else means that work was not even begun. See the dashboard of schedules.",
            Look.STAT,
            (Query(f"round({total(grown('schedule_missed_total'))})", "missed"),),
            "short",
            6,
            4,
            red(1),
            links=(to_board("triggerdev-batches", "Batches and schedules"),),
        ),
        Panel(
            "Crashed runs, 10 min",
            "Runs that ended without an error of their own code (CRASHED, SYSTEM_FAILURE) in the last ten minutes: out "
            f"of memory, a lost worker, an image that does not start. More than {limit('RunsCrashing'):g} fire "
            "RunsCrashing.",
            Look.STAT,
            (
                Query(
                    f"round(sum(increase({of('runs_finished_total', like('status', 'CRASHED|SYSTEM_FAILURE'))}[10m])))",
                    "crashed",
                ),
            ),
            "short",
            6,
            4,
            red(limit("RunsCrashing") + 1),
        ),
        Panel(
            "Spent",
            "Compute and base cost of the runs that ended in the time that is shown, as Trigger.dev tells it. Click "
            "for which task spends it.",
            Look.STAT,
            (Query(total(grown("run_cost_usd_total")), "spent"),),
            "currencyUSD",
            6,
            4,
            decimals=2,
            links=(to_board("triggerdev-cost", "Cost and compute"),),
        ),
        runs.version_in_use(
            "The version that new runs of each target use. If it is not the one that you deployed last, the deployment "
            "failed or was rolled back.",
            6,
            to_board("triggerdev-deployments", "Deployments"),
        ),
    ),
)

BOARD = Board(
    "triggerdev-overview",
    "Trigger.dev / Overview",
    "Is my platform healthy? Read from the top: six numbers, then work, time, queues, and the task that is to blame.",
    (_NOW, _FLOW, _TIME, _QUEUES, _WHO),
    (*COMMON, PROJECT, APP),
    (DEPLOYED, FIRING),
)
