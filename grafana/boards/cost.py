"""Cost and compute: what is spent, by which task, and what retries add."""

from __future__ import annotations

from boards import runs
from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import grown, like, of, rate, share, total
from boards.style import APP, COMMON, DEPLOYED, PROJECT, TASK, TO_RUNS, TO_TASK, warn

_T = like("task", "$task")
_ENDED = f"sum by (target, task) (increase({of('run_duration_seconds_count', _T)}[$__range]))"

_NOW = Row(
    "In the time that is shown",
    (
        Panel(
            "Spent",
            "Compute and base cost of the chosen tasks' runs that ended. Runs that still execute are not in it.",
            Look.STAT,
            (Query(total(grown("run_cost_usd_total", _T)), "spent"),),
            "currencyUSD",
            6,
            4,
            decimals=2,
        ),
        Panel(
            "A month at this pace",
            "What 30 days cost if all goes on as in the time that is shown. Choose whole days, or nights make it too "
            "small.",
            Look.STAT,
            (Query(f"{total(grown('run_cost_usd_total', _T))} / $__range_s * 86400 * 30", "a month"),),
            "currencyUSD",
            6,
            4,
            decimals=2,
        ),
        Panel(
            "Spent in the last 24 hours",
            f"What the last day cost. Above {limit('SpendHigh'):g} USD SpendHigh fires, if you switch it on and set a "
            "number that fits.",
            Look.STAT,
            (Query(f"sum(increase({of('run_cost_usd_total')}[24h]))", "last day"),),
            "currencyUSD",
            6,
            4,
            warn(limit("SpendHigh")),
            decimals=2,
        ),
        Panel(
            "Compute time",
            "Seconds of machines that ended runs used, waits excluded.",
            Look.STAT,
            (Query(total(grown("run_compute_seconds_total", _T)), "compute"),),
            "s",
            6,
            4,
        ),
    ),
)
_OVER_TIME = Row(
    "Over time",
    (
        Panel(
            "Cost an hour, by task",
            "Where money goes, and since when. Runs count when they end, so a long run is a spike. A step at a "
            "deployment is a change in the code or in the machine.",
            Look.LINES,
            (Query(total(rate("run_cost_usd_total", _T), "task") + " * 3600", "{{task}}"),),
            "currencyUSD",
            stacked=True,
        ),
        Panel(
            "Machines in use, by task",
            "Compute seconds a second: how many machines were busy on average with runs that ended.",
            Look.LINES,
            (Query(total(rate("run_compute_seconds_total", _T), "task"), "{{task}}"),),
            "short",
            stacked=True,
        ),
        Panel(
            "Cost of a run",
            "Average cost of a run that ended. A rise without more work is slower code, more attempts, or a larger "
            "machine.",
            Look.LINES,
            (Query(runs.per_run("run_cost_usd_total", _T), "{{task}} ({{target}})"),),
            "currencyUSD",
            decimals=5,
        ),
        runs.attempts(_T),
    ),
)
_WHO = Row(
    "Which task",
    (
        Panel(
            "Tasks, the most expensive first",
            "Each task in the time that is shown: what it cost, its compute time, the runs that began and ended, the "
            "cost of one, and attempts per run. Start with the first row: a smaller machine or fewer retries there "
            "save most.",
            Look.TABLE,
            (
                Query(
                    f"topk(50, {total(grown('run_cost_usd_total', _T), 'target', 'task')})",
                    column="Cost",
                    unit="currencyUSD",
                ),
                Query(total(grown("run_compute_seconds_total", _T), "target", "task"), column="Compute", unit="s"),
                Query(f"round({_ENDED})", column="Runs", unit="short"),
                Query(
                    share(total(grown("run_cost_usd_total", _T), "target", "task"), _ENDED),
                    column="Cost of a run",
                    unit="currencyUSD",
                ),
                Query(
                    share(total(grown("run_attempts_total", _T), "target", "task"), _ENDED),
                    column="Attempts per run",
                    unit="short",
                ),
            ),
            "short",
            24,
            10,
            columns=("task", "target"),
            headings={"task": "Task", "target": "Target"},
            column_links={"Task": (TO_TASK, TO_RUNS)},
            descending="Cost",
        ),
        Panel(
            "Test runs an hour",
            "Runs that somebody started as a test, each hour. They are kept out of everything else here, and cost "
            "money too.",
            Look.LINES,
            (Query(total(rate("runs_test_finished_total", _T), "task") + " * 3600", "{{task}}"),),
            "short",
            24,
            6,
        ),
    ),
)

BOARD = Board(
    "triggerdev-cost",
    "Trigger.dev / Cost and compute",
    "What is spent, by which task, and what retries add. Only where the API tells cost.",
    (_NOW, _OVER_TIME, _WHO),
    (*COMMON, TASK, PROJECT, APP),
    (DEPLOYED,),
    since="now-24h",
)
