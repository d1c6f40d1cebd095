"""What we owe the bucket: no more than a rest of it between two times that it was full, the live plane excepted."""

from __future__ import annotations

import pytest

from triggerdev_exporter.api.budget import Budget, Why
from triggerdev_exporter.api.calls import Priority

NOW = 1_000_000
LIMIT = 750


def asks(budget: Budget, priority: Priority, times: int, *, left: int, now: int = NOW) -> int:
    """How many of `times` requests may go; each answer says that `left` are left and the refill is in 4 s."""
    made = 0
    while made < times and budget.decide(priority, now).why is Why.GO:
        budget.spend(now)
        budget.observe(LIMIT, left, 4_000, now)
        made += 1
    return made


@pytest.mark.parametrize("priority", [Priority.HEAD, Priority.SETTLE, Priority.CATCH_UP])
def test_a_burst_ends_where_the_debt_does_and_goes_on_after_the_refill(priority: Priority) -> None:
    budget = Budget(1500, 0.1)
    assert asks(budget, priority, 100, left=700) == 30
    assert budget.decide(priority, NOW).why is Why.YIELDING
    assert budget.delay(priority, NOW) == 4
    assert asks(budget, priority, 100, left=700, now=NOW + 4_000) == 30


def test_a_refill_that_does_not_fill_the_bucket_pays_nothing() -> None:
    budget = Budget(1500, 0.1)
    assert asks(budget, Priority.SETTLE, 100, left=400) == 30
    assert asks(budget, Priority.SETTLE, 100, left=400, now=NOW + 20_000) == 0
    # One look at the live plane sees that the bucket is nearly full: the next refill makes it whole.
    assert asks(budget, Priority.LIVE, 1, left=600, now=NOW + 20_000) == 1
    assert asks(budget, Priority.SETTLE, 100, left=600, now=NOW + 24_000) == 30


def test_the_live_plane_is_read_whatever_we_owe() -> None:
    budget = Budget(1500, 0.1)
    assert asks(budget, Priority.LIVE, 100, left=400) == 100


def test_whoever_may_take_all_still_leaves_the_next_refill_enough() -> None:
    budget = Budget(1500, 1.0)
    assert asks(budget, Priority.HEAD, 1_000, left=600) == 225
    assert asks(budget, Priority.HEAD, 1_000, left=600, now=NOW + 4_000) == 225
