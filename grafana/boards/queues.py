"""Queues: use, saturation, errors; why runs wait, and for how long they will."""

from __future__ import annotations

from boards import runs
from boards.limits import limit, patience
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import eq, grown, like, of, or_zero, rate, share, total
from boards.style import APP, COMMON, DEPLOYED, FIRING, PROJECT, QUEUE, red, warn

_Q = like("queue", "$queue")
_BY = "target, queue"
_NAMED = "{{queue}} ({{target}})"
"""Environments have queues of the same name."""


def _queue(name: str) -> str:
    # One value a queue, also while two instances of the exporter are scraped: joins would else be refused.
    return f"max by ({_BY}) ({of(name, _Q)})"


def _runs(status: str) -> str:
    return f"sum by (target, task) ({of('runs_open', eq('status', status))}) > 0"


def _because(expr: str, why: str, thing: str) -> str:
    """The series with a reason, and the name of what waits, as labels."""
    named = f'label_replace({expr}, "what", "$1", "{thing}", "(.*)")'
    return f'max by (target, what, why) (label_replace({named}, "why", "{why}", "", ""))'


_DEPTH, _RUNNING, _LIMIT, _PAUSED = (
    _queue(name) for name in ("queue_depth", "queue_running", "queue_concurrency_limit", "queue_paused")
)
_FULL = f"({_RUNNING} >= {_LIMIT})"
WHY = " or ".join(
    (
        _because(f"({_DEPTH} > 0) and ({_PAUSED} == 1)", "the queue is paused: resume it", "queue"),
        _because(
            f"({_DEPTH} > 0) and ({_PAUSED} == 0) and {_FULL}",
            "the queue is at its concurrency limit: raise it, or make runs shorter",
            "queue",
        ),
        _because(
            f"({_DEPTH} > 0) and ({_PAUSED} == 0) and ({_RUNNING} == 0)",
            "nothing is taken from the queue: the limit of the environment, or no worker",
            "queue",
        ),
        _because(
            f"(({_DEPTH} > 0) and ({_PAUSED} == 0) and ({_RUNNING} > 0)) unless {_FULL}",
            "others are before it: more arrives than is done",
            "queue",
        ),
        _because(_runs("PENDING_VERSION"), "no deployed version knows the task: deploy it", "task"),
        _because(_runs("DELAYED"), "it was triggered with a delay that is not over", "task"),
        _because(_runs("WAITING"), "the run itself waits: for a time, a token or a child", "task"),
    )
)
_NEVER_S = 7 * 86400
_OWN_DEPTH = f'label_replace({_queue("queue_depth")}, "task", "$1", "queue", "task/(.+)")'
_STARTS = total(rate("runs_started_total"), "target", "task")
DRAIN_OWN = f"max by ({_BY}) (clamp_max(({_OWN_DEPTH} > 0) / on (target, task) group_left () {_STARTS}, {_NEVER_S}))"
DRAIN_ALL = (
    f"clamp_max((sum by (target) ({of('queue_depth')}) > 0) / "
    f"sum by (target) ({rate('runs_started_total')}), {_NEVER_S})"
)

_NOW = Row(
    "Now",
    (
        Panel(
            "Runs waiting",
            "How many runs wait in the chosen queues, as last polled; delayed runs are not among them.",
            Look.STAT,
            (Query(total(of("queue_depth", _Q)), "waiting"),),
            "short",
            4,
            4,
        ),
        runs.oldest_wait(_Q),
        Panel(
            "Runs executing",
            "How many runs of the chosen queues are dequeued or executing, as last polled.",
            Look.STAT,
            (Query(total(of("queue_running", _Q)), "executing"),),
            "short",
            4,
            4,
        ),
        Panel(
            "Paused queues that hold runs",
            "Queues that somebody paused while runs wait in them. After "
            f"{patience('QueuePaused') / 60:g} min QueuePaused fires. Resume them, or say why in the team's channel.",
            Look.STAT,
            (Query(or_zero(f"count(({_PAUSED} == 1) and ({_DEPTH} > 0))", "queues"), "paused"),),
            "short",
            4,
            4,
            warn(1),
        ),
        Panel(
            "Queues that stand still",
            "Queues that hold runs, are not paused and run nothing. After "
            f"{patience('QueueStalled') / 60:g} min QueueStalled fires: nothing is taken from them.",
            Look.STAT,
            (
                Query(
                    or_zero(f"count(({_DEPTH} > 0) and ({_PAUSED} == 0) and ({_RUNNING} == 0))", "queues"),
                    "standing still",
                ),
            ),
            "short",
            4,
            4,
            red(1),
        ),
        Panel(
            "Runs that expire",
            "Share of the runs that ended in the time that is shown because they waited longer than their TTL: they "
            f"will never be done. More than {limit('RunsExpired'):.0%} of a task's runs fire RunsExpired. Drain the "
            "queue, or give the runs a longer TTL.",
            Look.STAT,
            (
                Query(
                    share(
                        total(grown("runs_finished_total", eq("status", "EXPIRED"))),
                        total(grown("runs_finished_total")),
                    ),
                    "expired",
                ),
            ),
            "percentunit",
            4,
            4,
            warn(limit("RunsExpired")),
            decimals=1,
        ),
    ),
)
_WHY = Row(
    "Why is it waiting",
    (
        Panel(
            "Why is it waiting",
            "Everything that waits now, with the reason and how many runs: queues, and tasks whose runs wait outside "
            "of a queue. The reason says what to do. Empty: nothing waits.",
            Look.TABLE,
            (Query(WHY, column="Runs", unit="short"),),
            "short",
            14,
            9,
            columns=("what", "why", "target"),
            headings={"what": "Queue or task", "why": "Because", "target": "Target"},
            widths={"Queue or task": 170, "Target": 90, "Runs": 80},
            descending="Runs",
            quiet="nothing waits",
        ),
        Panel(
            "Drain ETA",
            "How long the queue would take to empty at the pace of starts: depth ÷ starts a second, for all queues "
            "of a target, and for tasks with a queue of their own. A line that grows says that it will not empty; a "
            "week stands for never: nothing starts at all. No line: nothing waits.",
            Look.LINES,
            (
                Query(DRAIN_ALL, "all queues ({{target}})"),
                Query(DRAIN_OWN, _NAMED),
            ),
            "s",
            10,
            9,
            limits=warn(limit("QueueAgeHigh"), limit("QueueAgeCritical")),
        ),
    ),
)
_USE = Row(
    "Each queue",
    (
        Panel(
            "Depth of each queue",
            "How many runs wait in it. A saw that returns to zero is healthy; a ramp is not. The line is "
            "QueueBacklog's, which is off until you choose a number that fits.",
            Look.LINES,
            (Query(_DEPTH, _NAMED),),
            "short",
            limits=warn(limit("QueueBacklog")),
        ),
        Panel(
            "Oldest run in the queue",
            "How long the oldest waiting run of each queue has waited, where we know which queue it is in. The lines "
            "are QueueAgeHigh's and QueueAgeCritical's.",
            Look.LINES,
            (Query(f"max by ({_BY}) (time() - {of('queue_oldest_queued_timestamp_seconds', _Q)})", _NAMED),),
            "s",
            limits=warn(limit("QueueAgeHigh"), limit("QueueAgeCritical")),
        ),
        Panel(
            "Running in each queue",
            "How many runs of each queue are dequeued or executing. Flat at the limit: the limit decides how fast "
            "you are.",
            Look.LINES,
            (Query(_RUNNING, _NAMED),),
            "short",
            stacked=True,
        ),
        Panel(
            "Use of concurrency",
            "Running ÷ limit of each queue that has a limit. Half an hour at 100 % with runs waiting is "
            "QueueSaturated (off at first: it may be what you want).",
            Look.LINES,
            (Query(f"{_RUNNING} / ({_LIMIT} > 0)", _NAMED),),
            "percentunit",
            limits=warn(limit("QueueSaturated")),
            most=1.2,
        ),
        Panel(
            "Arrivals and starts",
            "Runs triggered and started each minute, over all queues of the targets. Between the lines is what piles "
            "up.",
            Look.LINES,
            (
                Query(total(rate("runs_triggered_total")) + " * 60", "triggered"),
                Query(total(rate("runs_started_total")) + " * 60", "started"),
            ),
            "cpm",
        ),
        runs.waits(),
        Panel(
            "Queues",
            "The chosen queues as last polled, the deepest first: waiting, executing, the limit (empty: only the "
            "environment's holds), and whether it is paused.",
            Look.TABLE,
            (
                Query(
                    f"max by ({_BY}, type) ({of('queue_info', _Q)}) * on ({_BY}) group_left () {_DEPTH}",
                    column="Waiting",
                    unit="short",
                ),
                Query(
                    f"max by ({_BY}, type) ({of('queue_info', _Q)}) * on ({_BY}) group_left () {_RUNNING}",
                    column="Executing",
                    unit="short",
                ),
                Query(
                    f"max by ({_BY}, type) ({of('queue_info', _Q)}) * on ({_BY}) group_left () {_LIMIT}",
                    column="Limit",
                    unit="short",
                ),
                Query(
                    f"max by ({_BY}, type) ({of('queue_info', _Q)}) * on ({_BY}) group_left () {_PAUSED}",
                    column="Paused",
                    unit="bool_yes_no",
                ),
            ),
            "short",
            24,
            9,
            columns=("queue", "type", "target"),
            headings={"queue": "Queue", "type": "Type", "target": "Target"},
            descending="Waiting",
        ),
    ),
)

BOARD = Board(
    "triggerdev-queues",
    "Trigger.dev / Queues and concurrency",
    "What waits, why, and how long it will: use, saturation and expiry of queues.",
    (_NOW, _WHY, _USE),
    (*COMMON, QUEUE, PROJECT, APP),
    (DEPLOYED, FIRING),
)
