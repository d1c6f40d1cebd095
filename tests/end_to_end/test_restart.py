"""What was counted stays counted: the daemon is stopped, and killed, while a shop goes on at twenty times the speed."""

from __future__ import annotations

import signal
from random import Random

import pytest

from end_to_end.processes import Daemon, Stage, stop_the_clock_and_compare, wait_until
from story import Series

FAST = ("--speed", "20", "--history", "40m")
#: Of the process, not of the shop: they begin with it.
OWN = ("triggerdev_api_", "triggerdev_collector_", "triggerdev_exporter_")


def counters(daemon: Daemon) -> Series:
    """All counters and histograms of the shop, without those at 0: which zeros are shown is another question."""
    return {
        (name, labels): value
        for (name, labels), value in daemon.page().items()
        if value and name.startswith("triggerdev_") and not name.startswith(OWN)
        if name.endswith(("_total", "_bucket", "_count", "_sum"))
    }


def gone_back(before: Series, after: Series) -> dict[object, object]:
    return {place: (value, after.get(place)) for place, value in before.items() if after.get(place, 0.0) < value}


def assert_more_runs_end(daemon: Daemon, than: float, by: int) -> None:
    wait_until(lambda: daemon.total("runs_finished_total") >= than + by, f"{by} more runs have ended", daemon)


def test_a_stop_in_the_middle_changes_no_total(stage: Stage) -> None:
    simulator = stage.simulate(*FAST)
    config = str(stage.config(simulator))
    first = stage.run("--config", config)
    assert_more_runs_end(first, 0, 30)
    birth, before = first.birth(), counters(first)
    assert first.end(signal.SIGTERM) == 0
    assert "Traceback" not in first.stderr

    second = stage.run("--config", config)
    # Before it asked anybody: the state alone tells it.
    after = counters(second)
    assert gone_back(before, after) == {}
    assert second.birth() == birth
    assert_more_runs_end(second, after_total(after), 30)
    assert gone_back(after, counters(second)) == {}
    stop_the_clock_and_compare(simulator, second)
    assert second.birth() == birth
    assert second.end(signal.SIGINT) == 0


def after_total(series: Series) -> float:
    return sum(value for (name, _), value in series.items() if name == "triggerdev_runs_finished_total")


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_change_no_total(stage: Stage, seed: int) -> None:
    dice = Random(seed)
    simulator = stage.simulate("--seed", str(seed), *FAST)
    config = str(stage.config(simulator))
    birth = 0
    seen: Series = {}
    for most in (40, 20, 12, 12, 12):
        daemon = stage.run("--config", config)
        assert gone_back(seen, counters(daemon)) == {}
        assert daemon.birth() == birth or not birth
        # Somewhere in its work, counted in requests: the look-back takes about forty, a second about eight.
        killed_at = sum(simulator.counts().values()) + dice.randint(1, most)
        wait_until(
            lambda at=killed_at: sum(simulator.counts().values()) >= at, "requests come", daemon, simulator, every=0.002
        )
        birth, seen = daemon.birth(), counters(daemon)
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    last = stage.run("--config", config)
    assert_more_runs_end(last, 0, 30)
    assert last.birth() == birth or not birth
    stop_the_clock_and_compare(simulator, last)
    assert gone_back(seen, counters(last)) == {}
