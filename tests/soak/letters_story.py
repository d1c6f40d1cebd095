"""Two hours that make many letters: the rules, what happens on the target, and when which receiver is unwell. Data.

A kill between a tick and its commit undoes the tick, and the next one decides (alerting.md, R9): what is told is the
same, when it is told is not, nor is a letter's number, which comes from when its group began. So whatever two changes
of one group could trade places, or melt into one message, has minutes between them: several ticks in a row may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triggerdev_alerts.history.story import Outage, QueueSight, Story, StoryDeployment, StoryRun, TargetStory
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile

START: Instant = 1_767_614_400_000
"""2026-01-05T12:00:00Z."""
WHOLE = 120 * MINUTE
SHORT = 34 * MINUTE
"""Long enough for a dozen letters, and then it is quiet, too."""
HOOK, SLACK = "hook", "slack"

RULES = """\
version: 1
receivers:
  hook: {{webhook: {{url: "{url}/hook", allow_private: true}}}}
  slack: {{slack: {{url: "{url}/slack", allow_private: true}}}}
routes:
  receiver: slack
  group_by: [alertname]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 40m
  startup: each
  children:
    - {{match: {{alertname: Blip}}, receiver: hook, group_wait: 8m}}
    - {{receiver: hook, group_by: [alertname, queue, task], continue: true}}
    - {{receiver: slack}}
defaults: {{for: 0s, keep_firing_for: 0s}}
groups:
  - name: queues
    interval: 30s
    align: exact
    rules:
      - {{alert: QueueBacklog, when: {{queue_depth: {{above: 10, queue: "work-*"}}}}, for: 1m}}
      - {{alert: QueuePaused, when: {{queue_paused: {{queue: long}}}}}}
      - alert: Flappy
        when: {{queue_depth: {{above: 10, queue: flappy}}}}
        flapping: {{changes: 4, window: 1h, stable: 15m}}
      - {{alert: Blip, when: {{queue_depth: {{above: 10, queue: blip}}}}}}
      - {{alert: Vanishing, when: {{queue_depth: {{above: 10, queue: "gone-*"}}}}, for: 1m}}
  - name: runs
    interval: 30s
    align: exact
    rules:
      - alert: TaskFailing
        when: {{failure_rate: {{window: 5m, above: 40%, clear_below: 20%, min_sample: 5}}}}
        for: 1m
        keep_firing_for: 1m
        severity: critical
      - {{alert: DeployFailed, when: {{deployment_failed: }}, severity: critical}}
"""


def rules(url: str) -> RuleSet:
    """The rules, for receivers that listen at `url`."""
    return read_rules([RuleFile("letters.yml", RULES.format(url=url))]).ruleset


# -- what happens ------------------------------------------------------------------------------------------------------

#: Queue → when it is too deep, in minutes. Each work-* is a group of its own for the webhook, all are one for Slack.
DEEP = {
    "work-a": ((3, 20), (55, 82)),
    "work-b": ((8, 25), (60, 88)),
    "work-c": ((13, 29), (65, 93)),
    "work-d": ((34, 45), (70, 98)),
    "flappy": ((38, 43), (48, 53), (58, 63), (68, 73)),
    "blip": ((16, 18), (76, 78), (96, 110)),
}
FAILS = {"charge": ((12, 22), (50, 66)), "mail": ((60, 75),)}
"""Task → when its runs fail."""
APART = 20 * SECOND
"""Between two runs of a task."""


def story(lasts: int = WHOLE) -> Story:
    """What happens within `lasts`; what would go on then ends before."""
    end = START + lasts - 5 * MINUTE
    target = TargetStory(
        name="prod",
        runs=tuple(_runs(end)),
        queues=tuple(_sights(end)),
        deployments=(
            StoryDeployment(status="FAILED", created=_at(6), ended=_at(6.5), version="1"),
            StoryDeployment(status="DEPLOYED", created=_at(18), ended=_at(18.5), version="2"),
            StoryDeployment(status="FAILED", created=_at(86), ended=_at(86.5), version="3"),
            StoryDeployment(status="DEPLOYED", created=_at(100), ended=_at(100.5), version="4"),
        ),
        # Whatever fires is held meanwhile, and nobody is told anything.
        outages=(Outage(start=_at(15), end=_at(16)), Outage(start=_at(89), end=_at(91))),
    )
    return Story(start=START, targets=(target,))


def _at(minutes: float) -> Instant:
    return START + round(minutes * MINUTE)


def _runs(end: Instant) -> Iterator[StoryRun]:
    for task, spans in FAILS.items():
        # Some before the start, so that the first window is full.
        for number, at in enumerate(range(START - 10 * MINUTE, end + 10 * MINUTE, APART)):
            fails = at < end and any(_at(begin) <= at < _at(stop) for begin, stop in spans)
            yield StoryRun(
                id=f"run_{task}_{number:04d}",
                task=task,
                status="FAILED" if fails else "COMPLETED",
                created=at,
                started=at,
                finished=at + SECOND,
                queue=f"task/{task}",
                error=("CardError", f"declined, {number % 3}") if fails else ("", ""),
            )


def _sights(end: Instant) -> Iterator[QueueSight]:
    for queue, spans in DEEP.items():
        yield QueueSight(queue=queue, at=START - MINUTE)
        for begin, stop in spans:
            if _at(begin) < end:
                yield QueueSight(queue=queue, at=_at(begin), depth=20)
                yield QueueSight(queue=queue, at=min(_at(stop), end), depth=1)
    yield QueueSight(queue="long", at=_at(4), depth=5, paused=True)
    yield QueueSight(queue="long", at=min(_at(95), end), depth=5)
    for number in range(3):
        if _at(75 + number) < end:
            yield QueueSight(queue=f"gone-{number}", at=_at(44 + 10 * number), depth=30)
            yield QueueSight(queue=f"gone-{number}", at=_at(75 + 8 * number), gone=True)


# -- how the receivers fare --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mood:
    """How a receiver answers in a span of time (minutes from the start)."""

    receiver: str
    begin: float
    end: float
    status: int
    """0: it takes the message, and the connection breaks before it has answered."""
    retry_after_s: int | None = None
    slow_s: float = 0.0
    """Real seconds until it answers."""


#: A receiver is unwell while at most one letter of each group comes to it: with more, which of them a newer one
#: replaces depends on which were under way when the process was killed. Those may have arrived and are sent again.
MOODS = (
    Mood(HOOK, 4, 5.5, 500),
    Mood(SLACK, 9, 10, 429, retry_after_s=30),
    Mood(HOOK, 14, 16, 0),
    Mood(HOOK, 24, 40, 200, slow_s=0.03),
    Mood(SLACK, 44, 45, 502),
    Mood(HOOK, 55, 58, 429, retry_after_s=40),
    Mood(SLACK, 60, 75, 200, slow_s=0.03),
    Mood(SLACK, 82, 83.5, 500),
    Mood(HOOK, 92, 94, 502),
    Mood(HOOK, 97, 99, 500),
)
#: So unwell that letters pile up and newer ones replace them: for worlds in which only what must always hold is asked.
BAD_MOODS = (
    Mood(HOOK, 3, 33, 500),
    Mood(SLACK, 10, 27, 429, retry_after_s=20),
    Mood(SLACK, 36, 60, 500),
    Mood(HOOK, 40, 50, 0),
    Mood(HOOK, 52, 68, 429),
    Mood(SLACK, 62, 78, 502),
    Mood(HOOK, 76, 106, 500),
    Mood(SLACK, 80, 100, 500),
)
WELL = Mood("", 0, 0, 200)


def mood(moods: Iterable[Mood], receiver: str, now: Instant) -> Mood:
    """How `receiver` answers at `now`."""
    return next((each for each in moods if each.receiver == receiver and _at(each.begin) <= now < _at(each.end)), WELL)
