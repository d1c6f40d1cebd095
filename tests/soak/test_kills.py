"""The short form of the crash harness: two worlds, a dozen kills each. `make soak` plays the long one."""

from __future__ import annotations

import signal
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from soak.failpoints import AFTER, Failpoint
from soak.kills import Plan, Playground, World
from soak.state_file import beside, copy_of, look
from triggerdev_exporter.ledger.store import open_store


@pytest.mark.parametrize("plan", [Plan(seed=1, kills=12), Plan(seed=2, kills=12, profile="latest")], ids=["1", "2"])
def test_kills_anywhere_change_no_number(ground: Playground, plan: Plan) -> None:
    world = World(ground, plan)
    world.play()
    assert world.outcome.kills.total() == plan.kills
    assert world.outcome.runs > 100


def test_a_log_cut_anywhere_is_an_earlier_state(ground: Playground, tmp_path: Path) -> None:
    """Every length of the log, whole frames or torn ones, noise after it or not: sound, loadable, never ahead."""
    dice = Random(3)
    ground.simulate(Plan(seed=3, kills=0))
    # So early that nothing has been copied from the log into the file.
    daemon = ground.start(Failpoint(AFTER, 20))
    assert daemon.process.wait(60) == -signal.SIGKILL
    (tmp_path / "copy").mkdir()
    (tmp_path / "look").mkdir()
    whole_book = look(ground.state, tmp_path / "look")
    log = beside(ground.state, "-wal")
    whole = log.read_bytes()
    books, known = [], set()
    for step in range(61):
        cut = len(whole) * step // 60
        log.write_bytes(whole[:cut] + dice.randbytes(5_000 * (step % 3)))
        books.append(look(ground.state, tmp_path / "look"))
        with copy_of(ground.state, tmp_path / "copy") as copy:
            store = open_store(copy)
            loaded = store._load("shop")
            store._connection.close()
        assert (None if loaded is None else loaded.birth) == books[-1].birth
        known.add(0 if loaded is None else sum(len(facts) for facts in loaded.facts.values()))
    assert books[-1] == whole_book
    born = [book for book in books if book.birth is not None]
    assert [later for earlier, later in pairwise(born) if earlier.gone_back(later)] == []
    assert len(known) > 5, "cuts that all tell the same prove little"
