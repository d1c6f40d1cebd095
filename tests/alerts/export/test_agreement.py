"""The same stories through our engine and, as series, through promtool: the same alerts fire at the same minutes.

Groups are exact and without query delay, so that windows end where scrapes are; the rest of what differs on purpose
(docs/rules.md lists it) is kept out of the stories: queues that are gone, and blindness for rules that wait.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from triggerdev_alerts.export.alerting import Mode, export
from triggerdev_alerts.export.prometheus import rules_file, scalar
from triggerdev_alerts.export.promql import number, selector
from triggerdev_alerts.export.promtool import matchers
from triggerdev_alerts.history.course import Course, on_time_axis, take
from triggerdev_alerts.history.rehearsal import rehearse
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import (
    COLLECTORS,
    Level,
    Outage,
    QueueSight,
    Story,
    StoryBatch,
    StoryDeployment,
    StoryRun,
    StorySchedule,
    StoryToken,
    TargetStory,
)
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import Rule, RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import ENDINGS, FAILURES, SUCCESSES

START: Instant = 1_767_600_000_000
LASTS = 45
SEEDS = 3
TASKS = ("send-email", "billing-close", "sync")
QUEUES = ("emails", "task/billing-close", "task/x")
OUTAGE = range(18, 27)

Key = tuple[str, tuple[tuple[str, str], ...]]
Sample = tuple[str, dict[str, str], float]
Series = dict[Key, dict[int, float]]
"""Values by family and labels, by minute."""


def ruleset(keep: Callable[[Rule], bool]) -> RuleSet:
    text = Path(__file__).with_name("samples.yml").read_text("utf-8")
    read = read_rules([RuleFile("samples.yml", text)]).ruleset
    groups = [replace(group, rules=tuple(filter(keep, group.rules))) for group in read.groups]
    return replace(read, groups=tuple(group for group in groups if group.rules))


def comparable(rule: Rule) -> bool:
    """Looks of collectors and the outbox are not told by these stories, and scrapes are a minute apart."""
    return rule.when.type not in ("source_down", "outbox_stalled") and rule.window % MINUTE == 0


# Stories -------------------------------------------------------------------------------------------------------------


def story(seed: int, *, outage: bool = False) -> Story:
    dice = random.Random(seed)
    return Story(start=START, targets=tuple(target(dice, name, outage=outage) for name in ("shop-prod", "shop-stg")))


def target(dice: random.Random, name: str, *, outage: bool) -> TargetStory:
    quiet = OUTAGE if outage else range(0)
    return TargetStory(
        name=name,
        runs=tuple(runs(dice, quiet)),
        queues=tuple(sights(dice, quiet)),
        schedules=(
            StorySchedule(id="s", task="sync", slots=(START,), known_since=START, until=moment(dice, range(10, 40))),
        ),
        batches=tuple(batches(dice, quiet)),
        deployments=tuple(deployments(dice, quiet)),
        tokens=tuple(
            StoryToken(created=moment(dice, range(0, 15)), completed=moment(dice, range(30, 44))) for _ in range(3)
        ),
        view_lag=tuple(levels(dice, (10_000, 290_000, 300_000, 310_000), quiet)),
        quota=tuple(levels(dice, (0.05, 0.1, 0.0999, 0.5), quiet)),
        outages=(Outage(start=at(OUTAGE.start), end=at(OUTAGE.stop)),) if outage else (),
        known_since=START,
    )


def at(minute: int) -> Instant:
    return START + minute * MINUTE


def moment(dice: random.Random, minutes: range) -> Instant:
    return at(dice.choice(minutes)) + dice.randrange(1, 60) * SECOND


def loud(minutes: range, quiet: range) -> list[int]:
    return [minute for minute in minutes if minute not in quiet and minute + 1 not in quiet]


def runs(dice: random.Random, quiet: range) -> Iterator[StoryRun]:
    """Waves: how many there are, and how many of them fail, changes every few minutes."""
    for task in TASKS:
        busy, bad, expire = 0, 0.0, 0.0
        for minute in loud(range(0, LASTS), quiet):
            if dice.random() < 0.3:
                busy, bad = dice.choice((0, 1, 3, 8, 15)), dice.choice((0.0, 0.05, 0.12, 0.3, 1.0))
                expire = dice.choice((0.0, 0.0, 0.1, 0.5))
            for n in range(busy):
                created = at(minute) + dice.randrange(1, 60) * SECOND
                ended = minute + dice.choice((0, 0, 0, 1, 2, 6, 9))
                finished = at(ended) + dice.randrange(0, 60) * SECOND
                if not loud(range(ended, ended + 1), quiet) or finished < created:
                    continue
                expired = dice.random() < expire
                status = "EXPIRED" if expired else dice.choice(FAILURES) if dice.random() < bad else "COMPLETED"
                waits = dice.randrange(0, max(1, (finished - created) // SECOND)) * SECOND
                started = created + waits
                if not expired and any(at(one - 1) <= started < at(one + 1) for one in quiet):
                    continue
                yield StoryRun(
                    id=f"{task}-{minute}-{n}",
                    task=task,
                    status=dice.choice(("CANCELED", status)) if not bad else status,
                    created=created,
                    started=None if expired else started,
                    finished=finished,
                    queue=dice.choice(QUEUES),
                    cost=dice.choice((0.0, 0.02, 0.1)),
                )


def sights(dice: random.Random, quiet: range) -> Iterator[QueueSight]:
    for queue in QUEUES:
        depth, running, paused = 0, 0, False
        limit = dice.choice((None, 5, 10))
        for minute in loud(range(0, LASTS), quiet):
            if minute == 0 or dice.random() < 0.4:
                depth = dice.choice((0, 0, 3, 9, 10, 12, 20, 21, 40))
                running = dice.choice((0, 1, 4, 8))
                paused = dice.random() < 0.2
                yield QueueSight(queue=queue, at=at(minute), depth=depth, running=running, limit=limit, paused=paused)


def batches(dice: random.Random, quiet: range) -> Iterator[StoryBatch]:
    for minute in loud(range(0, LASTS - 10), quiet):
        if dice.random() < 0.3:
            ended = minute + dice.randrange(1, 9)
            items = dice.choice((1, 10, 100))
            if not loud(range(ended, ended + 1), quiet):
                continue
            yield StoryBatch(
                status="COMPLETED",
                created=at(minute) + SECOND,
                ended=at(ended) + 30 * SECOND,
                items=items,
                failed=dice.choice((0, 0, items // 10, items // 2)),
            )


def deployments(dice: random.Random, quiet: range) -> Iterator[StoryDeployment]:
    """One after the other."""
    minute = 1
    while minute < LASTS - 8:
        lasts = dice.choice((1, 2, 4, 6))
        if not any(one in quiet for one in range(minute - 1, minute + lasts + 1)):
            yield StoryDeployment(
                status=dice.choice(("DEPLOYED", "FAILED", "TIMED_OUT", "CANCELED")),
                created=at(minute) + 10 * SECOND,
                ended=at(minute + lasts) + 20 * SECOND,
            )
        minute += lasts + dice.choice((1, 3))


def levels(dice: random.Random, values: Sequence[float], quiet: range) -> Iterator[Level]:
    for minute in loud(range(0, LASTS), quiet):
        if dice.random() < 0.3:
            yield Level(at(minute), dice.choice(values))


# What the exporter would show ----------------------------------------------------------------------------------------


def scraped(one: TargetStory) -> Series:
    """The families minute by minute. Blind, counters stand still and gauges vanish after three minutes."""
    series: Series = defaultdict(dict)
    last: list[Sample] = []
    blind_since = None
    for minute in range(LASTS + 1):
        now = at(minute)
        blind = any(outage.covers(now, "runs") for outage in one.outages)
        blind_since = None if not blind else minute if blind_since is None else blind_since
        if not blind:
            last = list(shown(one, now))
        for family, labels, value in last:
            if blind_since is None or family.endswith("_total") or minute - blind_since < 3:
                series[key(one, family, labels)][minute] = value
        for collector in COLLECTORS:
            series[key(one, "collector_up", {"collector": collector})][minute] = 0 if blind else 1
        series[key(one, "catching_up", {})][minute] = 0
        series[key(one, "counting_since_timestamp_seconds", {})][minute] = 7
    return series


def key(one: TargetStory, family: str, labels: dict[str, str]) -> Key:
    return family, tuple(sorted({"target": one.name, **labels}.items()))


def shown(one: TargetStory, now: Instant) -> Iterator[Sample]:
    for task in TASKS:
        yield from of_task([run for run in one.runs if run.task == task and run.created <= now], task, now)
    yield from of_queues(one, now)
    for schedule in one.schedules:
        active = schedule.until is None or now < schedule.until
        yield "schedules", {"task": schedule.task, "type": schedule.type, "active": str(active).lower()}, 1
    done = [batch for batch in one.batches if batch.ended is not None and batch.ended <= now]
    yield "batch_items_total", {"result": "failed"}, sum(batch.failed for batch in done)
    yield "batch_items_total", {"result": "created"}, sum(batch.items - batch.failed for batch in done)
    opened = [batch.created for batch in one.batches if batch.created <= now < (batch.ended or now + 1)]
    yield from oldest("batches_oldest_open_timestamp_seconds", {"status": "PROCESSING"}, opened)
    for status in ("DEPLOYED", "FAILED", "TIMED_OUT", "CANCELED"):
        ends = [one for one in one.deployments if one.status == status and (one.ended or 0) <= now]
        told = [(each.ended or 0) if status == "DEPLOYED" else each.created for each in ends]
        if told:
            yield "deployment_last_timestamp_seconds", {"status": status}, stamp(max(told))
    building = [each.created for each in one.deployments if each.created <= now < (each.ended or now + 1)]
    yield from oldest("deployments_oldest_open_timestamp_seconds", {}, building)
    waiting = [token.created for token in one.tokens if token.created <= now < (token.completed or now + 1)]
    yield from oldest("waitpoint_tokens_oldest_open_timestamp_seconds", {}, waiting)
    for name, told_levels, scale in (
        ("view_lag_seconds", one.view_lag, 0.001),
        ("api_rate_limit_remaining", one.quota, 1),
    ):
        known = [level.value for level in told_levels if level.at <= now]
        if known and known[-1] is not None:
            yield name, {}, known[-1] * scale
    yield "api_rate_limit", {}, 1


def of_task(known: Sequence[StoryRun], task: str, now: Instant) -> Iterator[Sample]:
    ended = sorted((run for run in known if run.ended(now)), key=lambda run: run.finished or 0)
    yield "runs_triggered_total", {"task": task}, len(known)
    counts = Counter(run.ending for run in ended)
    for status in ENDINGS:
        yield "runs_finished_total", {"task": task, "status": status}, counts[status]
    yield "run_cost_usd_total", {"task": task}, sum(round(run.cost * 100) for run in ended) / 100
    successes = [run.finished or 0 for run in ended if run.ending in SUCCESSES]
    if successes:
        yield "run_last_success_timestamp_seconds", {"task": task}, stamp(max(successes))
    newest = max(successes, default=-1)
    if ended:
        streak = sum(run.ending in FAILURES and (run.finished or 0) > newest for run in ended)
        yield "run_consecutive_failures", {"task": task}, streak
    for status in ("QUEUED", "EXECUTING"):
        since = [run.since(now) for run in known if run.open_status(now) == status]
        yield from oldest("runs_oldest_open_timestamp_seconds", {"task": task, "status": status}, since)


def of_queues(one: TargetStory, now: Instant) -> Iterator[Sample]:
    for queue in QUEUES:
        sight = [each for each in one.queues if each.queue == queue and each.at <= now][-1]
        yield "queue_depth", {"queue": queue}, sight.depth
        yield "queue_running", {"queue": queue}, sight.running
        yield "queue_paused", {"queue": queue}, float(sight.paused)
        if sight.limit is not None:
            yield "queue_concurrency_limit", {"queue": queue}, sight.limit
        since = [run.since(now) for run in one.runs if run.queue == queue and run.open_status(now) == "QUEUED"]
        yield from oldest("queue_oldest_queued_timestamp_seconds", {"queue": queue}, since)


def oldest(family: str, labels: dict[str, str], since: Iterable[Instant]) -> Iterator[Sample]:
    for first in sorted(since)[:1]:
        yield family, labels, stamp(first)


def stamp(instant: Instant) -> float:
    return (instant - START) / 1000


# Both -------------------------------------------------------------------------------------------------------------


async def engine_says(rules: RuleSet, told: Story) -> Course:
    signals = StorySignals(told)
    engine, book = rehearse(on_time_axis(rules), signals, None, started_at=START)
    stops = [at(minute) for minute in range(LASTS + 1)]
    return await take(engine, book, start=START, end=stops[-1], stops=stops, before=signals.look)


def firing(course: Course, minute: int) -> list[str]:
    alerts = course.snapshots[at(minute)].alerts
    return sorted(
        selector("ALERTS", matchers({**dict(alert.labels), "alertstate": "firing"}))
        for alert in alerts
        if alert.is_firing
    )


def values(samples: dict[int, float]) -> str:
    told = []
    for minute in range(LASTS + 1):
        if minute in samples:
            told.append(number(samples[minute]))
        else:
            told.append("stale" if minute - 1 in samples else "_")
    return " ".join(told)


def as_test(name: str, told: Story, course: Course) -> str:
    lines = [f"  - name: {name}", "    interval: 1m", "    input_series:"]
    for one in told.targets:
        for (family, labels), samples in sorted(scraped(one).items()):
            series = selector("triggerdev_" + family, matchers(dict(labels)))
            lines += [f"      - series: {scalar(series)}", f"        values: {scalar(values(samples))}"]
    lines.append("    promql_expr_test:")
    for minute in range(LASTS + 1):
        lines += ['      - expr: ALERTS{alertstate="firing"}', f"        eval_time: {minute}m", "        exp_samples:"]
        lines += [f"          - {{labels: {scalar(labels)}, value: 1}}" for labels in firing(course, minute)]
    return "\n".join(lines) + "\n"


def disagreements(said: str) -> list[str]:
    """What promtool tells of failed tests, without what is the same."""
    found = []
    for minute, ours, theirs in re.findall(r"time: (\w+),\n\s+exp: (.*)\n\s+got: (.*)", said):
        us, them = (set(re.findall(r"\{[^}]*\}", text)) for text in (ours, theirs))
        found += [f"{minute}: only ours {one}" for one in sorted(us - them)]
        found += [f"{minute}: only theirs {one}" for one in sorted(them - us)]
    return found


async def compared(folder: Path, promtool: str, rules: RuleSet, stories: Sequence[Story]) -> set[str]:
    """Fails if both ever disagree; else the alerts that fired at all."""
    courses = [await engine_says(rules, told) for told in stories]
    told = zip(stories, courses, strict=True)
    tests = "".join(as_test(f"story {number}", *each) for number, each in enumerate(told))
    (folder / "all.rules.yml").write_text(rules_file(export(rules, Mode.PROMQL)), "utf-8")
    name = folder / "all_test.yml"
    name.write_text(f"rule_files: [all.rules.yml]\nevaluation_interval: 1m\ntests:\n{tests}", "utf-8")
    process = await asyncio.create_subprocess_exec(
        promtool, "test", "rules", str(name), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await process.communicate())[0].decode()
    assert disagreements(said) == []
    assert process.returncode == 0, said[:6000]
    return {
        alert.label("alertname")
        for course in courses
        for snapshot in course.snapshots.values()
        for alert in snapshot.alerts
        if alert.is_firing
    }


async def test_the_same_alerts_fire_at_the_same_minutes(require: Callable[[str], str], tmp_path: Path) -> None:
    rules = ruleset(comparable)
    fired = await compared(tmp_path, require("promtool"), rules, [story(seed) for seed in range(SEEDS)])
    assert {rule.name for rule in rules.rules} - fired == set(), "stories in which everything fires prove more"


async def test_while_blind_nothing_begins_and_nothing_ends(require: Callable[[str], str], tmp_path: Path) -> None:
    def at_once(rule: Rule) -> bool:
        return comparable(rule) and rule.when.type != "quota_low" and not rule.for_ and not rule.keep_firing_for

    rules = ruleset(at_once)
    unheld = [
        replace(group, rules=tuple(replace(rule, hold_insufficient_for=0) for rule in group.rules))
        for group in rules.groups
    ]
    stories = [story(seed, outage=True) for seed in range(100, 100 + SEEDS)]
    fired = await compared(tmp_path, require("promtool"), replace(rules, groups=tuple(unheld)), stories)
    assert len(fired) > len(rules.rules) / 2
