"""Rules over the past: which alerts would have fired, and what would have been sent. Over a story, or a recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from triggerdev_alerts.alert import Change, Labels, Outcome, Transition
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.history.chapters import ChapterSignals, reach
from triggerdev_alerts.history.course import Course, on_time_axis, take, take_at
from triggerdev_alerts.history.recording import RecordedSignals
from triggerdev_alerts.history.rehearsal import rehearse
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.rules.model import Group, Route, Rule, RuleSet

EVERYBODY = "everybody"
"""Who is told in a replay of rules that tell nobody."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One alert from its firing to its end."""

    alertname: str
    labels: Labels
    fired_at: Instant
    value: float
    threshold: float
    sample: int | None
    ended_at: Instant | None = None
    """``None``: it still fired at the end."""
    reason: str = ""
    """Why it ended."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found."""

    course: Course
    rules: tuple[Rule, ...]
    """Those that took part."""
    incidents: tuple[Incident, ...]
    untold: dict[str, str]
    """Rules that could not be replayed at all, and why."""
    partly: dict[str, int]
    """Rules that could not be evaluated at so many of their evaluations."""
    why_nobody: str = ""
    """Why nothing would be sent at all; the messages of the course are those that one receiver of everything gets."""

    def incidents_of(self, alertname: str) -> list[Incident]:
        return [one for one in self.incidents if one.alertname == alertname]

    def messages_about(self, alertname: str) -> list[Notification]:
        return [
            one
            for one in self.course.notifications
            if any(notice.label("alertname") == alertname for notice in one.alerts)
        ]


async def replay_story(ruleset: RuleSet, story: Story, *, start: Instant, end: Instant) -> Replayed:
    """`ruleset` over `story` from `start` to `end`. Rules that are on take part, shipped ones too.

    Rules that ask what the story does not tell of any target are left out, and named.
    """
    ruleset, why_nobody = _told_to_someone(ruleset)
    on = tuple(rule for rule in ruleset.rules if rule.enabled)
    untold = {rule.name: why for rule in on if (why := _untold(rule, story))}
    rules = on_time_axis(
        replace(ruleset, groups=tuple(_without(group, untold) for group in ruleset.groups)),
        named=[rule.name for rule in on],
    )
    signals = ChapterSignals(story, reach(rules))
    engine, book = rehearse(rules, signals, StoryWitness(story), started_at=start)
    course = await take(engine, book, start=start, end=end, before=signals.look)
    replayed = found(rules, course)
    return replace(replayed, rules=on, untold={**untold, **replayed.untold}, why_nobody=why_nobody)


def _told_to_someone(ruleset: RuleSet) -> tuple[RuleSet, str]:
    """The same rules. If nobody is told, then with a receiver that gets everything, and why it takes one."""
    if ruleset.routes is not None:
        return ruleset, ""
    why = "no route leads to a receiver" if ruleset.receivers else "no receiver is configured"
    return replace(ruleset, routes=Route(receiver=EVERYBODY, path="0")), why


def _without(group: Group, names: Container[str]) -> Group:
    return replace(group, rules=tuple(rule for rule in group.rules if rule.enabled and rule.name not in names))


def _untold(rule: Rule, story: Story) -> str:
    """Why nothing can be said of the rule; empty if something can."""
    row = CONDITIONS[rule.when.type]
    if row.is_self:
        return "it is about alerting itself"
    # A condition about blindness reads what is unknown as empty, which would look like an answer.
    needed = [ask.question for ask in row.asks(rule.when) if row.is_blindness or not ask.optional]
    for question in needed:
        reasons = {dict(target.untold).get(question.signal, "") for target in story.targets}
        if reasons and "" not in reasons:
            return sorted(reasons)[0]
    return ""


async def replay_recording(ruleset: RuleSet, recording: RecordedSignals) -> Replayed:
    """`ruleset` over what was recorded, stepping at the recorded instants: equal rules make equal notifications."""
    ruleset, why_nobody = _told_to_someone(ruleset)
    start = recording.steps[0][0] if recording.steps else 0
    engine, book = rehearse(ruleset, recording, recording, started_at=start)
    replayed = found(ruleset, await take_at(engine, book, recording.steps, before=recording.look))
    return replace(replayed, why_nobody=why_nobody)


def found(ruleset: RuleSet, course: Course) -> Replayed:
    """What a course says, by rule."""
    rules = tuple(rule for rule in ruleset.rules if rule.enabled)
    untold: dict[str, str] = {}
    partly: dict[str, int] = {}
    for rule in rules:
        outcomes = course.outcomes.get(rule.name, {})
        blind = outcomes.get(Outcome.ERROR, 0)
        if blind and blind == sum(outcomes.values()):
            untold[rule.name] = course.errors.get(rule.name) or "what it asks was never known"
        elif blind:
            partly[rule.name] = blind
        elif rule.name in course.errors and not outcomes:
            untold[rule.name] = course.errors[rule.name]
    return Replayed(course, rules, tuple(_incidents(course.transitions)), untold, partly)


def _incidents(transitions: Sequence[Transition]) -> list[Incident]:
    begun: dict[str, Incident] = {}
    done: list[Incident] = []
    for one in transitions:
        alert = one.alert
        if one.change is Change.FIRING:
            begun[alert.fingerprint] = Incident(
                alert.label("alertname"), alert.labels, one.at, alert.value, alert.threshold, alert.sample
            )
        elif one.change is Change.RESOLVED and alert.fingerprint in begun:
            first = begun.pop(alert.fingerprint)
            done.append(
                Incident(
                    first.alertname,
                    first.labels,
                    first.fired_at,
                    first.value,
                    first.threshold,
                    first.sample,
                    one.at,
                    one.reason.value,
                )
            )
    return sorted([*done, *begun.values()], key=lambda each: (each.fired_at, each.alertname, each.labels))


def by_receiver(messages: Sequence[Notification]) -> Counter[str]:
    return Counter(one.receiver for one in messages)
