"""The engine: one step is one transaction, ticks are never made up for, and what fails leaves all as it was."""

from __future__ import annotations

import pytest

from notify_stage import clock as shown
from notify_stage import t
from outbox_stage import Scripted
from triggerdev_alerts.alert import State
from triggerdev_alerts.book import Book, Changes, Kind, LetterStatus
from triggerdev_alerts.engine import Engine, Step
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, TargetStory
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.receivers.port import Receiver
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import Evidence, Wanted, Witness

FILE = """\
version: 1
receivers: {{hook: {{webhook: {{url_env: HOOK}}}}}}
routes: {{receiver: hook, group_wait: 30s, group_interval: 5m, startup: each}}
groups:
  - name: queues
    align: exact
    interval: {interval}
    rules:
      - {{alert: {name}, when: {{queue_depth: {{above: 10}}}}, for: {for_}, keep_firing_for: 0s}}
"""
STORY = Story(
    start=t("2026-01-01T00:00:00Z"),
    targets=(TargetStory(name="prod", queues=(QueueSight(queue="emails", at=t("2026-01-01T00:00:00Z"), depth=20),)),),
)


def rules(name: str = "Backlog", for_: str = "2m", interval: str = "60s") -> RuleSet:
    return read_rules([RuleFile("rules.yml", FILE.format(name=name, for_=for_, interval=interval))]).ruleset


class Disk(MemoryStore):
    """Keeps what was committed; full for as many commits as told."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Changes] = []
        self.full = 0

    async def commit(self, changes: Changes) -> None:
        if self.full:
            self.full -= 1
            raise BookError("book.db: the disk is full. Make room")
        self.commits.append(changes)
        await super().commit(changes)


class Stage:
    """An engine on a queue that is too deep, since 12:00."""

    def __init__(self, ruleset: RuleSet | None = None, *receivers: Receiver, witness: Witness | None = None) -> None:
        self.disk = Disk()
        self.book = Book()
        self.receivers = {receiver.name: receiver for receiver in receivers}
        self.engine = Engine(
            ruleset or rules(),
            StorySignals(STORY),
            witness,
            Scribe(self.book, self.disk),
            self.receivers,
            started_at=t("12:00:00"),
        )
        self.changes: list[str] = []

    async def step(self, at: str, steady: float | None = None) -> Step:
        step = await self.engine.step(t(at), steady=steady)
        self.changes += [f"{shown(one.at)} {one.change}" for one in step.transitions]
        return step

    async def through(self, *instants: str) -> None:
        for at in instants:
            await self.step(at)

    def due(self, now: str) -> str:
        return shown(self.engine.next_due(t(now)))


async def test_a_clock_that_jumps_forward_takes_nothing_from_an_alert_and_gives_it_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    await stage.step("12:00:00", 0.0)
    await stage.step("12:01:00", 60.0)
    await stage.step("13:01:30", 90.0)
    (alert,) = stage.book.alerts.values()
    assert (alert.state, shown(alert.active_at), alert.credit) == (State.PENDING, "13:00:00", 60_000)
    assert [record.__dict__["seconds"] for record in caplog.records] == [3_600.0]
    await stage.step("13:02:00", 120.0)
    assert stage.changes == ["12:00:00 pending", "13:02:00 firing"]


async def test_a_clock_that_is_set_back_keeps_nobody_waiting() -> None:
    stage = Stage()
    await stage.step("12:00:00", 0.0)
    await stage.step("12:01:00", 60.0)
    assert stage.due("11:01:30") == "11:02:30", "at the latest in a minute"
    await stage.step("11:02:30", 150.0)
    assert stage.due("11:02:30") == "11:03:00"
    await stage.step("11:03:00", 180.0)
    await stage.step("11:04:00", 240.0)
    assert stage.changes == ["12:00:00 pending", "11:04:00 firing"]


async def test_a_drift_that_is_small_is_none(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    await stage.step("12:00:00", 0.0)
    await stage.step("12:01:00", 31.0)
    assert caplog.records == []


async def test_ticks_that_an_overrun_skips_are_counted_and_not_made_up_for() -> None:
    stage = Stage()
    steps = [await stage.step(at) for at in ("12:00:00", "12:04:10", "12:05:00")]
    assert [(step.evaluated, step.missed) for step in steps] == [(1, 0), (1, 3), (1, 0)]
    # Four minutes without a look are no observation.
    (alert,) = stage.book.alerts.values()
    assert (alert.state, alert.credit) == (State.PENDING, 60_000)
    assert (await stage.step("12:05:30")).evaluated == 0


async def test_a_reload_keeps_ticks_and_groups_and_the_same_rules_say_nothing() -> None:
    stage = Stage(rules(), Scripted())
    await stage.through("12:00:00", "12:01:00", "12:02:00")
    groups = dict(stage.book.groups)
    assert stage.due("12:02:10") == "12:02:30"
    await stage.engine.reload(rules(), stage.receivers, t("12:02:10"))
    assert stage.due("12:02:10") == "12:02:30"
    assert stage.book.groups == groups
    assert len((await stage.step("12:02:30")).notifications) == 1
    # A tick that is due already is not lost by a reload.
    await stage.engine.reload(rules(), stage.receivers, t("12:03:05"))
    assert (await stage.step("12:03:05")).evaluated == 1
    assert stage.changes == ["12:00:00 pending", "12:02:00 firing"]


async def test_another_interval_holds_from_the_reload_on() -> None:
    stage = Stage(rules(interval="1h"))
    await stage.step("12:00:00")
    await stage.engine.reload(rules(interval="10s"), {}, t("12:00:04"))
    assert stage.due("12:00:04") == "12:00:10"
    await stage.step("12:00:10")
    await stage.engine.reload(rules(interval="1h"), {}, t("12:00:12"))
    assert (await stage.step("12:30:00")).evaluated == 0
    assert (await stage.step("13:00:00")).evaluated == 1


class Broken:
    """A witness that cannot say anything."""

    def __init__(self) -> None:
        self.prepared = 0

    def prepare(self, wanted: Wanted) -> None:
        self.prepared += 1

    def evidence(self, wanted: Wanted, at: int) -> Evidence:
        raise ZeroDivisionError("ours")


async def test_without_evidence_a_message_goes_out_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    witness = Broken()
    stage = Stage(rules(), Scripted(), witness=witness)
    await stage.through("12:00:00", "12:01:00", "12:02:00")
    assert witness.prepared == 2, "when it gets pending, and when it fires"
    (told,) = (await stage.step("12:02:30")).notifications
    assert told.alerts[0].evidence == Evidence()
    assert [letter.notification for letter in stage.book.letters.values()] == [told]
    assert [record.message for record in caplog.records] == ["no evidence could be gathered"]


async def test_without_receivers_there_are_messages_and_no_letters() -> None:
    stage = Stage(rules(for_="0s"))
    await stage.step("12:00:00")
    assert len((await stage.step("12:00:30")).notifications) == 1
    assert stage.book.letters == {}


async def test_a_step_is_one_transaction() -> None:
    stage = Stage(rules(for_="0s"), Scripted())
    for number, at in enumerate(["12:00:00", "12:00:30", "12:01:00"], start=1):
        await stage.step(at)
        assert len(stage.disk.commits) == number
    kinds = [{kind for kind, _ in changes.entries} for changes in stage.disk.commits]
    assert kinds[0] >= {Kind.ALERT, Kind.RULE, Kind.GROUP, Kind.CLOCK}
    assert kinds[1] >= {Kind.GROUP, Kind.CLOCK, Kind.RECEIVER}
    assert [[one.status for one in changes.letters.values()] for changes in stage.disk.commits] == [
        [],
        [LetterStatus.QUEUED],
        [],
    ]


async def test_what_could_not_be_written_down_was_not_done_and_is_done_the_next_time() -> None:
    stage = Stage(rules(for_="2m"), Scripted())
    await stage.through("12:00:00", "12:01:00")
    before = {kind: dict(entries) for kind, entries in stage.book.entries.items()}
    stage.disk.full = 1
    with pytest.raises(BookError):
        await stage.step("12:02:00")
    assert {kind: dict(entries) for kind, entries in stage.book.entries.items()} == before
    # The same tick, a moment later: nothing that was observed is lost.
    step = await stage.step("12:02:05")
    assert (step.evaluated, step.missed) == (1, 0)
    assert stage.changes[-1] == "12:02:00 firing"
    assert len((await stage.step("12:02:30")).notifications) == 1


async def test_ticks_that_could_not_be_written_down_are_no_overrun() -> None:
    stage = Stage()
    stage.disk.full = 2
    for at in ("12:00:00", "12:01:00"):
        with pytest.raises(BookError):
            await stage.step(at)
    assert (await stage.step("12:02:00")).missed == 0
    assert (await stage.step("12:05:00")).missed == 2


async def test_a_jump_of_the_clock_is_not_forgotten_by_a_full_disk() -> None:
    stage = Stage()
    await stage.step("12:00:00", 0.0)
    await stage.step("12:01:00", 60.0)
    stage.disk.full = 1
    with pytest.raises(BookError):
        await stage.step("13:01:30", 90.0)
    await stage.step("13:02:00", 120.0)
    assert stage.changes == ["12:00:00 pending", "13:02:00 firing"]


async def test_a_full_disk_after_a_reload_leaves_no_alert_of_a_rule_that_is_gone() -> None:
    stage = Stage(rules(for_="0s"), Scripted())
    await stage.through("12:00:00", "12:00:30")
    await stage.engine.reload(rules(name="Other", for_="1h"), stage.receivers, t("12:00:40"))
    stage.disk.full = 1
    with pytest.raises(BookError):
        await stage.step("12:00:40")
    await stage.step("12:00:45")
    assert stage.changes[-1] == "12:00:45 resolved"


async def test_rules_that_could_not_be_taken_over_are_not_in_use() -> None:
    stage = Stage(rules(for_="0s"), Scripted())
    await stage.step("12:00:00")
    old, receivers = stage.engine.ruleset, stage.engine.receivers
    # Other routes: something has to be written.
    text = FILE.format(name="Backlog", for_="0s", interval="60s").replace("group_wait", "group_by: [queue], group_wait")
    stage.disk.full = 1
    with pytest.raises(BookError):
        await stage.engine.reload(read_rules([RuleFile("rules.yml", text)]).ruleset, {}, t("12:00:10"))
    assert stage.engine.ruleset is old
    assert stage.engine.receivers is receivers
    (told,) = (await stage.step("12:00:30")).notifications
    assert told.group_labels == (("alertname", "Backlog"), ("target", "prod"))


async def test_others_get_the_loop_between_rules() -> None:
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1

    ruleset = rules()
    engine = Engine(
        ruleset,
        StorySignals(STORY),
        None,
        Scribe(Book(), Disk()),
        {},
        started_at=t("12:00:00"),
        pause=pause,
    )
    await engine.step(t("12:00:00"))
    assert pauses >= len(ruleset.rules)
