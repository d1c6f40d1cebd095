"""The short form of `make bench`: fewer rules, the same ratios. Never a bare time: machines differ, and are shared."""

from __future__ import annotations

import gc
import time

from bench.rules import LOUD, bench


async def test_many_rules_cost_little_and_leave_the_loop_to_others() -> None:
    rules = 60
    # The collector must not walk through all that the other tests left: that would be the longest stall.
    gc.collect()
    gc.freeze()
    try:
        measured = await bench(rules, series=1_000, clock=time.thread_time)
    finally:
        gc.unfreeze()
    for each in measured:
        print(each)
    quiet, begin, told, go_on = measured
    assert (quiet.transitions, begin.transitions, go_on.transitions) == (0, rules * LOUD, 0)
    assert told.messages == rules
    for each in (quiet, begin, go_on):
        # A rule has a sixtieth of the tick; whoever shares the loop waits for a few of them at most.
        assert each.stall < each.took / 5
        assert each.took < 120 * each.floor
