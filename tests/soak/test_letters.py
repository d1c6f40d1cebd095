"""The short form of alerting's crash harness, and that it notices mistakes. `make soak` plays the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.failpoints import AFTER, BEFORE
from soak.letters import Plan, by_line, notifications, play
from soak.letters_child import MISTAKES
from soak.letters_story import HOOK, SHORT, SLACK, START, WHOLE
from soak.shown_clock import SLACK as LATE
from soak.shown_clock import Face, ShownClock, make_face


def test_the_story_is_worth_it() -> None:
    """Two receivers, every kind of message but a digest, every reason to speak but the end of a mute."""
    told = notifications(WHOLE)
    assert {one.receiver for one in told} == {HOOK, SLACK}
    assert {str(one.kind) for one in told} == {"firing", "resolved", "flapping"}
    assert {str(one.why) for one in told} == {
        "first notification",
        "new alerts added",
        "some alerts resolved",
        "all alerts resolved",
        "repeat interval elapsed",
        "flapping",
    }
    assert len(told) > 80
    assert len(by_line(told)) > 15


@pytest.mark.parametrize(
    "plan",
    [Plan(seed=1, kills=24), Plan(seed=2, kills=16, is_rough=True), Plan(seed=5, kills=10, lasts=SHORT, only=AFTER)],
    ids=["24 kills", "rough", "as with mistakes"],
)
def test_kills_change_nothing_that_is_told(plan: Plan, tmp_path: Path) -> None:
    outcome = play(plan, tmp_path)
    assert outcome.differences == []
    assert outcome.kills.total() == plan.kills
    assert outcome.letters > (50 if plan.lasts == WHOLE else 20)
    assert outcome.requests > outcome.letters, "receivers were unwell"
    assert bool(outcome.superseded) is plan.is_rough


#: Where each mistake shows: which commits are struck after an instant at which letters are written, and on which side.
WHERE = {
    "marks first": (AFTER, (3, 4)),
    "two transactions": (AFTER, (1,)),
    "forgets": (AFTER, (2, 3)),
    "words anew": (BEFORE, (3, 4)),
    "numbers anew": (AFTER, (2, 3)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_noticed(mistake: str, tmp_path: Path) -> None:
    only, counts = WHERE[mistake]
    plan = Plan(seed=5, kills=6, lasts=SHORT, only=only, counts=counts, mistake=mistake)
    outcome = play(plan, tmp_path)
    assert outcome.kills.total() == plan.kills
    assert outcome.differences


def test_the_clock_runs_away_from_nobody_who_works(tmp_path: Path) -> None:
    clock = ShownClock(make_face(tmp_path / "face", START), START)
    assert clock.now() == START
    clock.start(1e12, hands=1, is_out=lambda: False)
    assert clock.now() == START + LATE
    assert Face(tmp_path / "face").now() == START + LATE
