"""What becomes of an alert, as sequences of outcomes named by the transitions they make. Minutes unless said."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_stage import LETTERS, NOON, Stage, condition, depth_rule, judged
from triggerdev_alerts.alert import Outcome, State
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND
from triggerdev_alerts.rules.model import OnNoData

NOW = {"for_": 0}
KEEP2 = {"for_": 0, "keep_firing_for": 2 * MINUTE}
HOLD3 = {"hold_insufficient_for": 3 * MINUTE}
OK = {"on_no_data": OnNoData.OK}
FIRE = {"on_no_data": OnNoData.FIRING}

# (name, rule, outcomes, what changes at each; a dot where nothing does)
SEQUENCES: list[tuple[str, dict[str, Any], str, str]] = [
    ("pending-firing-resolved", {}, "T T T F", "pending . firing resolved"),
    ("pending-dropped", {}, "T T F", "pending . dropped"),
    ("pending-dropped-pending-firing", {}, "T T F T T T", "pending . dropped pending . firing"),
    ("pending: a value in the band gives no credit", {}, "T C T T T", "pending . . . firing"),
    ("pending: blind time gives no credit", {}, "T T E E T T", "pending . . . . firing"),
    ("pending: no data gives no credit", {}, "T T N T T", "pending . . . firing"),
    ("pending-dropped: gone for good", {}, "T N N", "pending . dropped:gone"),
    ("pending-dropped: too few runs", {}, "T I", "pending dropped:few"),
    ("pending-firing: one and a half intervals count", {}, "T T+90s T+30s", "pending . firing"),
    ("pending-firing: more than that does not", {}, "T T+91s T T", "pending . . firing"),
    ("pending-firing: an hour is still remembered", {}, "T T E+59m T T", "pending . . . firing"),
    ("pending-firing: more than an hour is not", {}, "T T E+60m T T T", "pending . . . . firing"),
    ("pending-firing: no data counts if it is to fire", FIRE, "T N N", "pending . firing:no_data"),
    ("pending-firing-resolved: by no data alone", FIRE, "F N N N F", ". pending:no_data . firing:no_data resolved"),
    ("firing-resolved", NOW, "T T F", "firing . resolved"),
    ("firing: in the band for long", NOW, "T C C C C F", "firing . . . . resolved"),
    ("firing-resolved: gone", NOW, "T N N", "firing . resolved:gone"),
    ("firing-resolved: gone, back, gone", NOW, "T N T N N", "firing . . . resolved:gone"),
    ("firing-resolved: gone, around a blind moment", NOW, "T N E N", "firing . . resolved:gone"),
    ("firing-resolved: waited for longer", NOW | {"missing_after": 4}, "T N N N N", "firing . . . resolved:gone"),
    ("firing-resolved: no data is ok", NOW | OK, "T N", "firing resolved:gone"),
    ("recovering-resolved: no data is ok", KEEP2 | OK, "T N N N", "firing recovering:gone . resolved:gone"),
    ("firing: no data keeps it firing", NOW | FIRE, "T N N N F", "firing . . . resolved"),
    ("firing: no data after a blind moment", NOW | FIRE, "F E N", ". . firing:no_data"),
    ("nothing: never seen, so not missed", NOW | FIRE, "N N", ". ."),
    ("firing-resolved: too few runs", NOW | HOLD3, "T I I I I", "firing . . . resolved:few"),
    ("firing-resolved: too few runs, twice", NOW | HOLD3, "T I I C I I I I", "firing . . . . . . resolved:few"),
    ("firing-resolved: few, blind in between", NOW | HOLD3, "T I I E+9m I I I", "firing . . . . . resolved:few"),
    ("firing-resolved: too few runs, down in between", NOW | HOLD3, "T I I I+9m I I", "firing . . . . resolved:few"),
    ("firing-resolved: few, not held", KEEP2 | {"hold_insufficient_for": 0}, "T I", "firing resolved:few"),
    ("firing-resolved: too few runs or none", NOW | HOLD3, "T I N I I", "firing . . . resolved:few"),
    ("firing: blind for days", NOW, "T E E+48h E T", "firing . . . ."),
    ("firing-resolved: over when it sees again", NOW, "T E E F", "firing . . resolved"),
    ("firing-recovering-resolved", KEEP2, "T F F F", "firing recovering . resolved"),
    ("firing-recovering-resumed-recovering", KEEP2, "T F F T F", "firing recovering . resumed recovering"),
    ("resumed: its clock starts anew", KEEP2, "T F F T F F F", "firing recovering . resumed recovering . resolved"),
    ("recovering-resolved: its clock stands while blind", KEEP2, "T F E+10m F F F", "firing recovering . . . resolved"),
    ("recovering-resolved: its clock stands while down", KEEP2, "T F F F+10m F", "firing recovering . . resolved"),
    ("recovering-resolved: in the band for long", KEEP2, "T F C C C C F", "firing recovering . . . . resolved"),
    ("recovering-resolved: too few runs is as false", KEEP2, "T F I I", "firing recovering . resolved"),
    ("recovering-resolved: gone at its last moment", KEEP2, "T F F N N", "firing recovering . . resolved:gone"),
    ("recovering-resolved: in time", KEEP2 | {"missing_after": 1}, "T F N N", "firing recovering . resolved:gone"),
    ("nothing starts but by a true one", NOW, "F C I E N F", ". . . . . ."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "outcomes", "expected"), [row[1:] for row in SEQUENCES], ids=[row[0] for row in SEQUENCES]
)
def test_a_sequence_of_outcomes(rule: dict[str, Any], outcomes: str, expected: str) -> None:
    assert Stage(depth_rule(**rule)).play(outcomes) == expected.split()


# How each state is reached, and the table: what one more outcome makes of it.
REACHED = {"-": "F", "pending": "T", "firing": "T T T", "recovering": "T T T F"}
TABLE = {
    "-": {"T": "pending", "F": "-", "C": "-", "I": "-", "N": "-", "E": "-"},
    "pending": {"T": "pending", "F": "-", "C": "pending", "I": "-", "N": "pending", "E": "pending"},
    "firing": {"T": "firing", "F": "recovering", "C": "firing", "I": "firing", "N": "firing", "E": "firing"},
    "recovering": dict.fromkeys("FCINE", "recovering") | {"T": "firing"},
}


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("state", REACHED)
def test_a_cell_of_the_table(state: str, letter: str) -> None:
    stage = Stage(depth_rule(keep_firing_for=5 * MINUTE))
    stage.play(REACHED[state])
    assert stage.state == state

    advanced = stage.tell(LETTERS[letter])

    assert stage.state == TABLE[state][letter]
    assert bool(advanced.transitions) is (state != TABLE[state][letter])
    assert all(each.at == stage.now for each in advanced.transitions)
    if stage.alerts:
        assert stage.alert.previous is LETTERS[letter]
        assert bool(stage.alert.stale_since) is (letter == "E")


def test_s1_fires_after_two_minutes_and_resolves() -> None:
    stage = Stage(depth_rule())
    stage.play("T T T" + " T" * 18 + " F")
    pending, firing, resolved = stage.log

    assert (pending.at, firing.at, resolved.at) == (NOON, NOON + 2 * MINUTE, NOON + 21 * MINUTE)
    assert resolved.alert.fired_at == NOON + 2 * MINUTE
    assert resolved.alert.active_at == NOON


def test_s2_high_for_two_evaluations_is_nothing() -> None:
    assert Stage(depth_rule()).play("T T F F") == ["pending", ".", "dropped", "."]


def test_s3_without_for_it_fires_at_once() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.play("T")
    assert (stage.alert.state, stage.alert.fired_at, stage.alert.active_at) == (State.FIRING, NOON, NOON)


def test_s8_and_a_resumed_one_began_when_it_began() -> None:
    stage = Stage(depth_rule(for_=0, keep_firing_for=5 * MINUTE))
    stage.play("T F F F T")
    assert [each.change for each in stage.log] == ["firing", "recovering", "resumed"]
    assert stage.alert.fired_at == NOON


def test_s9_a_rate_without_runs_fires_for_a_window_more() -> None:
    window = 15 * MINUTE
    rate = condition("failure_rate", window=window, above=0.1)
    stage = Stage(depth_rule(when=rate, for_=0, hold_insufficient_for=window))
    stage.evaluate({("send",): judged(Outcome.TRUE)})
    for _ in range(15):
        assert not stage.evaluate({}).transitions, "the task is not in the readings any more"
    (ended,) = stage.evaluate({}).transitions

    assert (ended.change, ended.reason, ended.at) == ("resolved", "insufficient_sample", NOON + 16 * MINUTE)


def test_s10_a_queue_that_is_deleted_resolves_after_two_evaluations() -> None:
    stage = Stage(depth_rule(for_=0))
    assert stage.play("T N N") == ["firing", ".", "resolved:gone"]


def test_r1_a_restart_within_an_interval_changes_nothing() -> None:
    assert Stage(depth_rule()).play("T T T")[-1] == "firing"


def test_r2_after_ten_minutes_down_only_observed_time_counts() -> None:
    stage = Stage(depth_rule())
    stage.play("T T T+11m")
    assert stage.state == "pending"
    stage.play("T")
    assert stage.alert.fired_at == NOON + 13 * MINUTE


def test_r3_after_more_than_an_hour_down_pending_begins_anew() -> None:
    stage = Stage(depth_rule())
    stage.play("T T T+61m T")
    assert (stage.state, stage.alert.active_at, stage.alert.credit) == ("pending", NOON + 62 * MINUTE, MINUTE)
    assert stage.play("T") == ["firing"]


def test_r4_r5_firing_through_a_restart() -> None:
    assert Stage(depth_rule(for_=0)).play("T T+10m F")[1:] == [".", "resolved"]
    assert Stage(depth_rule(for_=0)).play("T F+10m")[1:] == ["resolved"]


def test_r6_what_is_left_of_keep_firing_for_is_honoured() -> None:
    stage = Stage(depth_rule(for_=0, keep_firing_for=5 * MINUTE))
    stage.play("T F F F F")
    assert stage.alert.recovered == 3 * MINUTE
    assert stage.play("F+10m F F") == [".", ".", "resolved"]


def test_a1_blind_for_an_hour_changes_nothing_and_says_since_when() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.play("T" + " E" * 60)
    assert (stage.alert.stale_since, stage.alert.stale_reason) == (NOON + MINUTE, "failing")
    assert stage.play("T") == ["."]
    assert (stage.alert.stale_since, stage.alert.stale_reason) == (0, "")
    assert len(stage.log) == 1


def test_a4_pending_waits_for_what_remained() -> None:
    stage = Stage(depth_rule(for_=3 * MINUTE))
    stage.play("T T T" + " E" * 30 + " T")
    assert (stage.state, stage.alert.credit) == ("pending", 2 * MINUTE)
    assert stage.play("T") == ["firing"]


def test_a_longer_for_does_not_take_firing_back() -> None:
    stage = Stage(depth_rule())
    stage.play("T T T")
    stage.rule = depth_rule(for_=HOUR)
    assert stage.play("T T F") == [".", ".", "resolved"]


def test_a_shorter_for_fires_at_the_next_true_one() -> None:
    stage = Stage(depth_rule(for_=HOUR))
    stage.play("T T")
    stage.rule = depth_rule(for_=0)
    assert stage.play("E T") == [".", "firing"]


def test_a_changed_threshold_keeps_the_state() -> None:
    stage = Stage(depth_rule())
    stage.play("T T")
    stage.rule = depth_rule(when=condition("queue_depth", above=15))
    assert stage.play("T") == ["firing"]


def numbers(stage: Stage) -> tuple[float, float]:
    return stage.alert.value, stage.alert.threshold


def test_numbers_are_those_with_which_it_held_last_or_of_the_band() -> None:
    stage = Stage(depth_rule(for_=0, keep_firing_for=HOUR))
    told = []
    for outcome, value in ((Outcome.TRUE, 30), (Outcome.TRUE, 40), (Outcome.CLEARING, 9), (Outcome.FALSE, 3)):
        stage.evaluate({("emails",): judged(outcome, value)})
        told.append(numbers(stage))
    assert told == [(30, 10), (40, 10), (9, 10), (9, 10)]


@pytest.mark.parametrize("letter", "INE")
def test_where_nothing_can_be_said_the_numbers_stay(letter: str) -> None:
    stage = Stage(depth_rule(for_=0, hold_insufficient_for=HOUR))
    stage.evaluate({("emails",): judged(Outcome.TRUE, 40)})
    stage.play(letter)
    assert numbers(stage) == (40, 10)


def test_an_interval_of_ten_seconds_counts_its_own_time() -> None:
    stage = Stage(depth_rule(for_=30 * SECOND), interval=10 * SECOND)
    assert stage.play("T T T T")[-1] == "firing"
