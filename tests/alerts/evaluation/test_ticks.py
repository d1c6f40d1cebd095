"""When groups are evaluated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.evaluation.ticks import latest_tick, missed, next_tick, offset
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND
from triggerdev_alerts.rules.model import Group

NOON = 1_699_963_200_000
GROUPS = st.builds(
    lambda name, interval, exact: Group(name, (), interval=interval * SECOND, exact=exact),
    st.text(max_size=20),
    st.sampled_from([10, 15, 20, 30, 45, 60, 300, 3600]),
    st.booleans(),
)
INSTANTS = st.integers(NOON, NOON + 2 * HOUR)


@given(GROUPS, INSTANTS)
def test_ticks_are_an_interval_apart_and_around_now(group: Group, now: int) -> None:
    latest, following = latest_tick(group, now), next_tick(group, now)
    assert latest <= now < following
    assert following - latest == group.interval
    assert latest % group.interval == offset(group)
    assert latest_tick(group, latest) == latest
    assert next_tick(group, latest - 1) == latest


@given(GROUPS)
def test_an_offset_is_bounded_and_ends_where_cells_end(group: Group) -> None:
    assert 0 <= offset(group) < min(group.interval, 30 * SECOND)
    assert offset(group) % (10 * SECOND) == 0
    assert offset(group) == offset(Group(group.name, (), interval=group.interval, exact=group.exact))
    if group.exact:
        assert offset(group) == 0


def test_offsets_of_different_groups_differ() -> None:
    assert {offset(Group(f"g{number}", ())) for number in range(50)} == {0, 10 * SECOND, 20 * SECOND}


def test_an_offset_does_not_change_between_versions() -> None:
    assert [offset(Group(name, ())) // SECOND for name in ("reliability", "queues", "cost")] == [10, 0, 20]


@given(GROUPS, INSTANTS, st.integers(0, 100))
def test_what_was_missed_is_whole_ticks(group: Group, now: int, late: int) -> None:
    due = next_tick(group, now)
    assert missed(group, due, now) == 0
    assert missed(group, due, due + late * group.interval) == late
    assert missed(group, due, due + (late + 1) * group.interval - 1) == late


def test_a_tick_that_overruns() -> None:
    group = Group("exact", (), interval=MINUTE, exact=True)
    assert missed(group, NOON, NOON + 59 * SECOND) == 0
    assert missed(group, NOON, NOON + 3 * MINUTE + 5 * SECOND) == 3
