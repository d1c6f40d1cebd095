"""The share in any 60 seconds, who goes first, and how we yield. Every `now` is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_exporter.api.budget import LONGEST_BLOCK, WINDOW, Budget, Why
from triggerdev_exporter.api.calls import Priority

LIVE, HEAD, SETTLE, CATCH_UP = Priority
NOW = 1_000_000


def filled(budget: Budget, requests: int, now: int = NOW) -> Budget:
    for _ in range(requests):
        budget.spend(now)
    return budget


@pytest.mark.parametrize(
    ("quota", "share", "capacity"),
    [(1500, 0.1, 150), (1500, 1.0, 1500), (10, 0.1, 1), (1, 0.01, 1), (30, 0.1, 3), (100, 0.29, 29)],
)
def test_capacity(quota: float, share: float, capacity: int) -> None:
    assert Budget(quota, share).capacity == capacity


@pytest.mark.parametrize(
    ("sent", "going"),
    [
        (0, {LIVE, HEAD, SETTLE, CATCH_UP}),
        (59, {LIVE, HEAD, SETTLE, CATCH_UP}),
        (60, {LIVE, HEAD, SETTLE}),
        (89, {LIVE, HEAD, SETTLE}),
        (90, {LIVE, HEAD}),
        (99, {LIVE, HEAD}),
        (100, set()),
    ],
)
def test_each_priority_sees_its_part_of_the_window(sent: int, going: set[Priority]) -> None:
    budget = filled(Budget(100, 1.0), sent)
    assert {priority for priority in Priority if budget.delay(priority, NOW) == 0} == going


@pytest.mark.parametrize("priority", list(Priority))
def test_a_modest_share_starves_nobody(priority: Priority) -> None:
    assert Budget(10, 0.1).delay(priority, NOW) == 0


def test_a_full_window_frees_when_its_oldest_leaves_it() -> None:
    budget = Budget(2, 1.0)
    budget.spend(NOW)
    budget.spend(NOW + 10_000)
    decision = budget.decide(LIVE, NOW + 20_000)
    assert decision.why is Why.SHARE_USED
    assert decision.delay == pytest.approx(40.001)
    assert budget.delay(LIVE, NOW + WINDOW) > 0
    assert budget.delay(LIVE, NOW + WINDOW + 1) == 0


@pytest.mark.parametrize(
    ("remaining", "yielding"),
    [
        (750, set()),
        (375, set()),
        (374, {CATCH_UP}),
        (225, {CATCH_UP}),
        (224, {CATCH_UP, SETTLE}),
        (75, {CATCH_UP, SETTLE}),
        (74, {CATCH_UP, SETTLE}),
        (0, {CATCH_UP, SETTLE}),
    ],
)
def test_the_lower_the_bucket_the_more_we_yield(remaining: int, yielding: set[Priority]) -> None:
    budget = Budget(1500, 0.1)
    budget.observe(750, remaining, 8_000, NOW)
    decisions = {priority: budget.decide(priority, NOW) for priority in Priority}
    assert {priority for priority, decision in decisions.items() if decision.why is Why.YIELDING} == yielding
    assert all(decisions[priority].delay == pytest.approx(8.0) for priority in yielding)


def test_an_empty_bucket_slows_the_head_and_leaves_live_a_minimum() -> None:
    budget = filled(Budget(1500, 0.1), 15)
    budget.observe(750, 0, 8_000, NOW)
    assert budget.decide(HEAD, NOW).why is Why.YIELDING
    assert budget.decide(LIVE, NOW).why is Why.GO
    filled(budget, 22)
    assert budget.decide(LIVE, NOW).why is Why.YIELDING
    assert budget.decide(LIVE, NOW + 8_000).why is Why.GO


@pytest.mark.parametrize(
    ("reset_in", "ends_after"),
    [(8_000, 8_000), (None, WINDOW), (10**12, WINDOW), (-5_000, 1_000), (0, 1_000)],
)
def test_a_low_reading_ends_by_itself(reset_in: int | None, ends_after: int) -> None:
    budget = Budget(1500, 0.1)
    budget.observe(750, 0, reset_in, NOW)
    assert budget.decide(CATCH_UP, NOW + ends_after - 1).why is Why.YIELDING
    assert budget.decide(CATCH_UP, NOW + ends_after).why is Why.GO


def test_a_better_reading_ends_it_too() -> None:
    budget = Budget(1500, 0.1)
    budget.observe(750, 0, 8_000, NOW)
    budget.observe(750, 700, 8_000, NOW)
    assert budget.delay(CATCH_UP, NOW) == 0


def test_a_limit_of_nothing_is_no_reading() -> None:
    budget = Budget(1500, 0.1)
    budget.observe(0, 0, 8_000, NOW)
    assert budget.delay(CATCH_UP, NOW) == 0


def test_a_429_holds_everybody() -> None:
    budget = Budget(1500, 0.1)
    budget.block_until(NOW + 9_000, NOW)
    budget.block_until(NOW + 4_000, NOW)
    assert {budget.decide(priority, NOW).why for priority in Priority} == {Why.BLOCKED}
    assert budget.delay(LIVE, NOW) == pytest.approx(9.0)
    assert budget.delay(LIVE, NOW + 9_000) == 0


def test_no_answer_silences_us_for_ever() -> None:
    budget = Budget(1500, 0.1)
    budget.block_until(NOW + 10**15, NOW)
    assert budget.delay(LIVE, NOW + LONGEST_BLOCK) == 0


steps = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.sampled_from(list(Priority)),
        st.none() | st.tuples(st.integers(1, 1500), st.integers(0, 1500), st.none() | st.integers(-9, 99_999)),
    ),
    max_size=120,
)


@given(quota=st.integers(1, 40), share=st.floats(0.01, 1.0), steps=steps)
def test_never_more_than_the_share_in_any_60_seconds(
    quota: int, share: float, steps: list[tuple[int, Priority, tuple[int, int, int | None] | None]]
) -> None:
    budget, now, sent = Budget(quota, share), NOW, []
    for pause, priority, reading in steps:
        now += pause
        if reading:
            budget.observe(*reading, now)
        if budget.delay(priority, now) == 0:
            budget.spend(now)
            sent.append(now)
    for start in sent:
        assert len([at for at in sent if start <= at <= start + WINDOW]) <= max(1, quota * share + 1e-6)


@given(
    capacity=st.integers(1, 30),
    priority=st.sampled_from(list(Priority)),
    sent=st.lists(st.integers(0, 30_000), max_size=30),
    remaining=st.integers(0, 100),
    reset_in=st.none() | st.integers(-10, 200_000),
)
def test_who_waits_as_told_gets_there(
    capacity: int, priority: Priority, sent: list[int], remaining: int, reset_in: int | None
) -> None:
    budget, now = Budget(capacity, 1.0), NOW
    for pause in sent:
        now += pause
        if budget.delay(LIVE, now) == 0:
            budget.spend(now)
    budget.observe(100, remaining, reset_in, now)
    for _ in range(4):
        delay = budget.delay(priority, now)
        if delay == 0:
            return
        now += round(delay * 1000)
    pytest.fail("still waiting after four waits")
