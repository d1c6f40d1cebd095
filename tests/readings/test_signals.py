"""Needs of rules, and the signals that the stories of conformance do not reach: batches, deployments, quota."""

from __future__ import annotations

from pathlib import Path

from readings_stage import compare, needs_for
from story import tell
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import RuleFile, read_rules
from triggerdev_alerts.signals import CELL, LONG_CELL, SIGNALS, Question, Readings, Where
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND
from triggerdev_exporter.ledger.strips import Family, Strip
from triggerdev_exporter.readings.needs import SLACK, need_of, needs_of
from triggerdev_exporter.readings.signals import ANSWERS, LedgerSignals
from triggerdev_exporter.simulator.limiter import Quota


def test_every_signal_is_answered() -> None:
    assert ANSWERS.keys() == SIGNALS.keys()


def test_what_questions_need() -> None:
    narrowed = Where(task=("a*",), tag=("vip", "b"), include_test=True)
    assert need_of(Question("queue_depth", ("queue",))) is None
    assert need_of(Question("runs_finished", ("queue", "task"), window=HOUR, ago=HOUR)) == (
        Strip(Family.FINISHED, ("task", "queue"), CELL),
        2 * HOUR,
    )
    assert need_of(Question("run_wait", (), narrowed, window=HOUR + MINUTE)) == (
        Strip(Family.WAIT, ("task",), LONG_CELL, ("b", "vip"), tests=True),
        HOUR + MINUTE,
    )
    assert need_of(Question("batch_items", window=HOUR)) == (Strip(Family.BATCHES, (), CELL), HOUR)
    assert need_of(Question("runs_slow", ("task",), times=3.0)) == (Strip(Family.DURATION, ("task",), LONG_CELL), DAY)


RULES = """
version: 1
groups:
  - name: mine
    query_delay: 1m
    rules:
      - alert: Rate
        when: {failure_rate: {window: 15m, above: 10%}}
      - alert: Longer
        when: {failure_count: {window: 1h, above: 4, vs_previous: 2}}
      - alert: Off
        enabled: false
        when: {cost: {window: 24h, above: 5 USD}}
      - alert: Depth
        when: {queue_depth: {above: 5}}
"""


def test_what_loaded_rules_need() -> None:
    needs = needs_of(read_rules([RuleFile("rules.yml", RULES)]).ruleset)
    assert needs == {Strip(Family.FINISHED, ("task",), CELL): 2 * HOUR + MINUTE + SLACK}
    assert all(reach > 0 for reach in needs_of(read_rules(shipped_rules()).ruleset).values())


async def test_batches(tmp_path: Path) -> None:
    questions = [
        *(Question(name, window=window) for name in ("batch_items", "batch_items_failed") for window in (MINUTE, HOUR)),
        *(
            Question("batches_open_older", statuses=statuses, older_than=older)
            for statuses in (("PENDING", "PROCESSING"), ("PARTIAL_FAILED",))
            for older in (0, MINUTE)
        ),
    ]
    async with tell(tmp_path) as story, story.daemon() as daemon:
        daemon.target.keep(needs_for(questions))
        await daemon.poll()
        await story.let(daemon, 3_700, step=60)
        for n in range(6):
            batch = story.world.add_batch(items_created=4, items_failed=n % 2)
            for _ in range(4):
                story.world.add_run(task="mail", batch_id=batch, status="EXECUTING")
            story.clock.advance(61)
            await daemon.poll()
            if n % 3:
                story.world.advance(story.clock.now())
                story.world.change_batch(batch, "COMPLETED" if n % 2 else "ABORTED")
            await story.let(daemon, 65, step=5)
            await daemon.poll()
            assert compare(daemon.target, story.world, questions, [story.clock.now()]) == []


async def test_the_newest_deployment_that_succeeded_or_failed(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        question = Question("deployment_failed")
        signals = LedgerSignals(daemon.targets)
        expected: list[tuple[str, float | None]] = [
            ("CANCELED", None), ("DEPLOYED", 0), ("FAILED", 1), ("CANCELED", 1), ("BUILDING", 1), ("TIMED_OUT", 1),
            ("DEPLOYED", 0),
        ]  # fmt: skip
        for status, value in expected:
            story.world.add_deployment(status=status, created_at=story.clock.now())
            story.clock.advance(1)
            await daemon.poll("deployments")
            answer = signals.read(question, "prod", story.clock.now())
            assert answer == Readings({} if value is None else {(): float(value)}), status


async def test_quota_and_clock(tmp_path: Path) -> None:
    async with tell(tmp_path, quota=Quota()) as story, story.daemon() as daemon:
        story.faults.clock_skew_s = -45.0
        signals = LedgerSignals(daemon.targets)
        assert signals.read(Question("quota_remaining"), "prod", story.clock.now()) == Readings({})
        await daemon.poll()
        meter = daemon.target.client.meter
        assert meter.rate_limit
        left = signals.read(Question("quota_remaining"), "prod", story.clock.now())
        assert left == Readings({(): (meter.rate_limit_remaining or 0) / meter.rate_limit})
        skew = signals.read(Question("clock_skew"), "prod", story.clock.now())
        assert isinstance(skew, Readings)
        assert abs(skew.values[()] - 45 * SECOND) < SECOND
        intervals = signals.read(Question("collector_interval", ("collector",)), "prod", story.clock.now())
        assert intervals == Readings(
            {(name,): float(state.interval_ms) for name, state in daemon.target.states.items()}
        )
