"""Alerts: what fires, what nearly does, who was told, and whether telling works."""

from __future__ import annotations

from boards.limits import limit
from boards.model import Board, Look, Panel, Query, Row
from boards.promql import differs, eq, like, of, or_zero_alive, own, total
from boards.style import COMMON, DEPLOYED, EXPORTER, FIRING, TO_QUEUE, TO_RUNBOOK, TO_STATUS, TO_TASK, red, warn

_RATE = "[$__rate_interval]"
_ABOUT = "alertname, severity, target, task, queue, owner"

_NOW = Row(
    "Now",
    (
        *(
            Panel(
                title,
                description,
                Look.STAT,
                (Query(or_zero_alive(f"sum({of('alerts', matcher)})"), title.lower()),),
                "short",
                4,
                4,
                limits,
            )
            for title, matcher, limits, description in (
                (
                    "Critical, firing",
                    'state=~"firing|recovering", severity="critical"',
                    red(1),
                    "Critical alerts that fire: something that your users feel is broken. Start with the table below.",
                ),
                (
                    "Others, firing",
                    'state=~"firing|recovering", severity!="critical"',
                    warn(1),
                    "Warnings and notes that fire: look at them today.",
                ),
                (
                    "Pending",
                    eq("state", "pending"),
                    (),
                    "Alerts whose condition holds, and not yet for long enough: what may fire next.",
                ),
            )
        ),
        Panel(
            "Notifications waiting",
            "Notifications that are decided and not delivered. They wait for a receiver; none is lost.",
            Look.STAT,
            (Query(or_zero_alive(f"sum({own('notifications_pending')})"), "waiting"),),
            "short",
            4,
            4,
            warn(1),
        ),
        Panel(
            "Longest undelivered",
            "How long the oldest undelivered notification waits. Orange is where NotifierFailing looks, red "
            "OutboxStalled: people are not told. See `triggerdev-exporter outbox list`.",
            Look.STAT,
            (
                Query(
                    or_zero_alive(f"max(time() - {own('notifications_oldest_pending_timestamp_seconds')})"),
                    "waits",
                ),
            ),
            "s",
            4,
            4,
            warn(limit("NotifierFailing", "older_than"), limit("OutboxStalled", "older_than")),
        ),
        Panel(
            "Given up",
            "Notifications that no receiver will get, in the time that is shown. `triggerdev-exporter outbox list` "
            "says why, `outbox retry` sends them again.",
            Look.STAT,
            (
                Query(
                    or_zero_alive(
                        f"round(sum(increase({own('notifications_total', eq('outcome', 'dead'))}[$__range])))"
                    ),
                    "given up",
                ),
            ),
            "short",
            4,
            4,
            red(1),
        ),
    ),
)
_FIRES = Row(
    "What fires",
    (
        Panel(
            "Firing now",
            "Each alert that fires, and for how long it has in the time that is shown. Held while Trigger.dev cannot "
            "be read. Click an alert for its runbook (if it came with the program), or for what holds now. Empty: "
            "nothing fires.",
            Look.TABLE,
            (
                Query(
                    f"sum by ({_ABOUT}) (sum_over_time({of('alert_firing')}[$__range:1m])) * 60 "
                    f"and on ({_ABOUT}) {of('alert_firing')}",
                    column="Fired for",
                    unit="s",
                ),
            ),
            "s",
            24,
            10,
            columns=("severity", "alertname", "target", "task", "queue", "owner"),
            headings={
                "severity": "Severity",
                "alertname": "Alert",
                "target": "Target",
                "task": "Task",
                "queue": "Queue",
                "owner": "Owner",
            },
            column_links={"Alert": (TO_RUNBOOK, TO_STATUS), "Task": (TO_TASK,), "Queue": (TO_QUEUE,)},
            column_colours={"Severity": {"critical": "red", "warning": "orange", "info": "blue"}},
            ascending="Severity",
            descending="Fired for",
            quiet="nothing fires",
        ),
        Panel(
            "Firing over time",
            "Which alerts fired, and when. Compare with the deployments (blue lines) and with what else began then.",
            Look.LINES,
            (Query(f"sum by (alertname) ({of('alert_firing')})", "{{alertname}}"),),
            "short",
            stacked=True,
            quiet="nothing fires",
        ),
        Panel(
            "Alerts by state",
            "Pending ones fire if they last; recovering ones end if they stay well. Much pending that never fires is "
            "a rule with a wait that does its work.",
            Look.LINES,
            (Query(total(of("alerts"), "state"), "{{state}}"),),
            "short",
            stacked=True,
            quiet="nothing fires",
        ),
        Panel(
            "What fires most",
            "For how long each rule fired in the time that is shown, summed over its alerts, the longest first. What "
            "fires all day and leads to nothing: change it, or switch it off.",
            Look.BARS,
            (
                Query(
                    f"sort_desc(topk(10, sum by (alertname) (sum_over_time({of('alert_firing')}[$__range:1m])) * 60))",
                    "{{alertname}}",
                ),
            ),
            "s",
            quiet="nothing fires",
        ),
        Panel(
            "Alerts by owner",
            "Who has how many alerts now, by the owners of your rules.",
            Look.BARS,
            (Query(f"sort_desc(sum by (owner) ({of('alert_firing', differs('owner', ''))}))", "{{owner}}"),),
            "short",
            quiet="nothing fires",
        ),
    ),
)
_RULES = Row(
    "Rules",
    (
        Panel(
            "Evaluations by outcome",
            "Evaluations of rules, a series each: true, false, clearing, insufficient (too few runs), no_data, "
            "error. Errors and no_data that stay are rules that do not guard anything.",
            Look.LINES,
            (Query(f"sum by (outcome) (rate({of('rule_evaluations_total')}{_RATE})) * 60", "{{outcome}}"),),
            "cpm",
        ),
        Panel(
            "Rules without an answer",
            "Rules whose evaluations had an error or no data in the time that is shown, with how many. Some quiet "
            "rules have none on purpose; see RuleEvaluationFailing and RuleNeverMatched.",
            Look.BARS,
            (
                Query(
                    "sort_desc(topk(10, round(sum by (alertname) (increase("
                    + of("rule_evaluations_total", like("outcome", "error|no_data"))
                    + "[$__range]))) > 0))",
                    "{{alertname}}",
                ),
            ),
            "short",
            quiet="every rule has an answer",
        ),
    ),
)
_TOLD = Row(
    "Who is told",
    (
        Panel(
            "Notifications an hour, by outcome",
            "What became of notifications, each hour. retried means that a receiver did not take one at first; "
            "superseded, that newer news replaced it before it got out.",
            Look.LINES,
            (Query(f"sum by (outcome) (rate({own('notifications_total')}{_RATE})) * 3600", "{{outcome}}"),),
            "short",
            8,
            quiet="nobody was told anything",
        ),
        Panel(
            "Notifications by receiver",
            "How many messages each receiver got in the time that is shown. More than a person reads is fewer than "
            "none.",
            Look.BARS,
            (
                Query(
                    "sort_desc(round(sum by (receiver) "
                    f"(increase({own('notifications_total', eq('outcome', 'delivered'))}[$__range]))))",
                    "{{receiver}}",
                ),
            ),
            "short",
            8,
            quiet="nobody was told anything",
        ),
        Panel(
            "Waiting, by receiver",
            "Notifications that wait for each receiver. A line that does not come down is a receiver that cannot be "
            "reached.",
            Look.LINES,
            (Query(f"sum by (receiver) ({own('notifications_pending')})", "{{receiver}}"),),
            "short",
            8,
            quiet="nobody was told anything",
        ),
    ),
)

BOARD = Board(
    "triggerdev-alerts",
    "Trigger.dev / Alerts",
    "What fires, what nearly does, who was told, and whether telling works.",
    (_NOW, _FIRES, _RULES, _TOLD),
    (*COMMON, EXPORTER),
    (DEPLOYED, FIRING),
)
