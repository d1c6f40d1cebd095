"""Colours of statuses, common variables, links and annotations: what all dashboards share. Data only."""

from __future__ import annotations

from boards.model import Constant, Limit, Link, Mark, Variable
from boards.promql import of

TAG = "triggerdev"

_GREY = "#808080"
COLOURS: dict[str, dict[str, str]] = {
    "status": {
        "COMPLETED": "green",
        "FAILED": "red",
        "CRASHED": "dark-red",
        "SYSTEM_FAILURE": "purple",
        "TIMED_OUT": "orange",
        "CANCELED": _GREY,
        "EXPIRED": "yellow",
        "DELAYED": "light-blue",
        "PENDING_VERSION": "dark-orange",
        "QUEUED": "blue",
        "DEQUEUED": "dark-yellow",
        "EXECUTING": "dark-green",
        "WAITING": _GREY,
        "UNKNOWN": "purple",
        "DEPLOYED": "green",
        "PENDING": "blue",
        "PROCESSING": "dark-yellow",
        "PARTIAL_FAILED": "orange",
        "ABORTED": "red",
    },
    "outcome": {
        "true": "red",
        "false": "green",
        "clearing": "blue",
        "insufficient": _GREY,
        "no_data": "orange",
        "error": "dark-red",
        "delivered": "green",
        "retried": "yellow",
        "dead": "red",
        "superseded": _GREY,
    },
    "state": {"pending": "yellow", "firing": "red", "recovering": "blue"},
    "result": {"created": "green", "failed": "red"},
}
"""Colours of the values of a label. One never stands alone: the legend says the same in words."""

JOB = Variable("job", "Job", "label_values(triggerdev_exporter_build_info, job)")
INSTANCE = Variable("instance", "Instance", 'label_values(triggerdev_exporter_build_info{job=~"$job"}, instance)')
TARGET = Variable(
    "target",
    "Target",
    'label_values(triggerdev_target_info{job=~"$job", instance=~"$instance"}, target)',
    # Alerts about alerting itself have no target.
    all_value=".*",
)
TASK = Variable(
    "task",
    "Task",
    'label_values(triggerdev_task_info{job=~"$job", instance=~"$instance", target=~"$target"}, task)',
)
QUEUE = Variable(
    "queue",
    "Queue",
    'label_values(triggerdev_queue_info{job=~"$job", instance=~"$instance", target=~"$target"}, queue)',
)
PROJECT = Variable(
    "project",
    "Project",
    'label_values(triggerdev_target_info{job=~"$job", instance=~"$instance", target=~"$target"}, project)',
    description="For links to Trigger.dev: the project's reference, unless a label of your own has its place.",
    several=False,
)
APP = Constant(
    "app",
    "Trigger.dev",
    "https://cloud.trigger.dev",
    description="Where links to runs lead: the address of your own server if you host it.",
)

EXPORTER = Constant(
    "exporter",
    "Exporter",
    "http://localhost:9925",
    description="Where links to runbooks and to what holds now lead: the address of the exporter's own pages.",
)

COMMON = (JOB, INSTANCE, TARGET)

DEPLOYED = Mark(
    "Deployments",
    of("deployment_last_timestamp_seconds", 'status="DEPLOYED"') + " * 1000",
    "Deployed",
    "{{target}}",
    "blue",
    value_is_time=True,
)
FIRING = Mark(
    "Alerts",
    f"max by (alertname, severity, target, task, queue) ({of('alert_firing')})",
    "{{alertname}}",
    "{{severity}} {{target}} {{task}}{{queue}}",
    "red",
    enabled=False,
    quiet="nothing fires",
)

_KEEP = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${target:queryparam}&${__url_time_range}"
TO_TASK = Link("Open this task", "/d/triggerdev-task?var-task=${__value.raw:percentencode}&" + _KEEP)
TO_QUEUE = Link("Open this queue", "/d/triggerdev-queues?var-queue=${__value.raw:percentencode}&" + _KEEP)
TO_RUNS = Link("Runs in Trigger.dev", "${app}/projects/v3/${project}/runs?tasks=${__value.raw:percentencode}", True)

TO_RUNBOOK = Link("Runbook", "${exporter}/runbooks/${__value.raw:percentencode}", True)
TO_STATUS = Link("What holds now, and silences", "${exporter}/alerts", True)


def to_board(uid: str, title: str) -> Link:
    """A link that keeps time and choices."""
    return Link(title, f"/d/{uid}?{_KEEP}")


def warn(warning: float, critical: float | None = None) -> tuple[Limit, ...]:
    """Orange from the first value on, red from the second."""
    found = (Limit(warning, "orange"),)
    return found if critical is None else (*found, Limit(critical, "red"))


def red(value: float) -> tuple[Limit, ...]:
    return (Limit(value, "red"),)
