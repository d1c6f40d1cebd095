"""Deployments: what is in use, did the last one work, and was it better before."""

from __future__ import annotations

from boards import runs
from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import age, eq, grown, like, of, or_zero, rate, total
from boards.style import COMMON, DEPLOYED, FIRING, TO_TASK, red, warn

_FAILED = like("status", "FAILED|TIMED_OUT")
_LAST = "deployment_last_timestamp_seconds"

_NOW = Row(
    "Now",
    (
        runs.version_in_use("The version that new runs of each target use.", 6),
        Panel(
            "Did the newest deployment fail?",
            "Whether a deployment failed or timed out after the last one that succeeded, of any target. While it "
            "says yes, DeployFailed fires and runs go on with the version before.",
            Look.STAT,
            (
                Query(
                    or_zero(
                        f"max((max by (target) ({of(_LAST, _FAILED)}) > bool max by (target) "
                        f"({of(_LAST, eq('status', 'DEPLOYED'))})))",
                        "deployments",
                    ),
                    "failed",
                ),
            ),
            "bool_yes_no",
            6,
            4,
            red(1),
            words={0: ("no", "green"), 1: ("yes", "red")},
        ),
        Panel(
            "Time since a deployment",
            "How long ago a version was deployed, of the target where it is longest.",
            Look.STAT,
            (Query(f"max({age(_LAST, eq('status', 'DEPLOYED'))})", "ago"),),
            "s",
            4,
            4,
        ),
        Panel(
            "Open deployments",
            "Deployments that have not ended. More than one usually means that builds wait for each other.",
            Look.STAT,
            (Query(total(of("deployments_open")), "open"),),
            "short",
            4,
            4,
        ),
        Panel(
            "Runs that wait for a version",
            "Runs in PENDING_VERSION: no deployed version knows their task or queue. They wait until you deploy one. "
            f"After {limit('RunsPendingVersion', 'older_than') / 60:g} min RunsPendingVersion fires.",
            Look.STAT,
            (Query(or_zero(total(of("runs_open", eq("status", "PENDING_VERSION"))), "runs"), "waiting"),),
            "short",
            4,
            4,
            red(limit("RunsPendingVersion") + 1),
        ),
    ),
)
_BEFORE = Row(
    "Before and after",
    (
        runs.failures_by_version(
            "Share of runs that fail, by version",
            "Failures ÷ (successes + failures) of the three newest versions, and of all older ones together. The "
            "blue lines are deployments. A new version that fails where the old one did not is the cause: roll back "
            "first, then look.",
        ),
        Panel(
            "Runs by version",
            "How many runs of each version end each minute. After a deployment the new one takes over as old runs "
            "end; an old one that never fades has long runs, or triggers that name it.",
            Look.LINES,
            (
                Query(
                    total(rate("runs_by_version_finished_total"), "target", "version") + " * 60",
                    "{{version}} ({{target}})",
                ),
            ),
            "cpm",
            stacked=True,
        ),
        Panel(
            "Versions compared",
            "Each version over the time that is shown: runs that ended, the share that failed, and the share that "
            "somebody canceled. Few runs make a share that means little.",
            Look.TABLE,
            (
                Query(
                    f"{total(grown('runs_by_version_finished_total'), 'target', 'version')} > 0",
                    column="Ended",
                    unit="short",
                ),
                *(
                    Query(
                        runs.version_share(outcome, grown, "target", "version"),
                        column=heading,
                        unit="percentunit",
                        limits=runs.FAILURE_LIMITS if outcome == "failure" else (),
                    )
                    for outcome, heading in (("failure", "Failed"), ("canceled", "Canceled"))
                ),
            ),
            "short",
            columns=("version", "target"),
            headings={"version": "Version", "target": "Target"},
        ),
        runs.failures_by_task(),
    ),
)
_HISTORY = Row(
    "Deployments",
    (
        Panel(
            "Deployments that ended",
            "Deployments in the time that is shown, by how they ended.",
            Look.BARS,
            (Query(f"round({total(grown('deployments_finished_total'), 'status')})", "{{status}}"),),
            "short",
            8,
        ),
        Panel(
            "Last deployment of each kind",
            "How long ago a deployment last ended in each status.",
            Look.BARS,
            (Query(f"min by (status) ({age(_LAST)})", "{{status}}"),),
            "s",
            8,
        ),
        Panel(
            "Oldest open deployment",
            "How long ago the oldest deployment that has not ended was created. Above the line DeployStuck fires: "
            "look at its build log.",
            Look.LINES,
            (Query(f"max by (target) ({age('deployments_oldest_open_timestamp_seconds')})", "{{target}}"),),
            "s",
            8,
            limits=warn(limit("DeployStuck", "older_than")),
            quiet="no deployment is open",
        ),
        Panel(
            "Which version runs each task",
            "The version last seen running each task, or bringing it, and how long ago a run of the task ended. A task "
            "that is missing here is in no run and in no current deployment.",
            Look.TABLE,
            (
                Query(f"max by (task, version, target) ({of('task_info')})"),
                Query(f"min by (target, task) ({age('run_last_finished_timestamp_seconds')})", column="Last run ended"),
            ),
            "s",
            24,
            8,
            columns=("task", "version", "target"),
            headings={"task": "Task", "version": "Version", "target": "Target"},
            column_links={"Task": (TO_TASK,)},
        ),
    ),
)

BOARD = Board(
    "triggerdev-deployments",
    "Trigger.dev / Deployments",
    "What is in use, did the last deployment work, and was it better before.",
    (_NOW, _BEFORE, _HISTORY),
    COMMON,
    (DEPLOYED, FIRING),
    since="now-6h",
)
