"""A thousand kills: the real daemon is killed wherever it may be, started again, and in the end every number is true.

A *world* is one simulated shop at many times the speed of life, one state file, and a row of kills. Run it alone
(``PYTHONPATH=tests python -m soak.kills --kills 1000``) or through `make soak`; `make test` runs a short form.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from end_to_end.processes import Daemon, Simulator, Stage, stop_the_clock_and_compare, wait_until
from soak.failpoints import AFTER, BEFORE, INSIDE, STATEMENT, Failpoint
from soak.nest import Hatched, Nest, nest_in
from soak.state_file import Book, look, lose_power
from triggerdev_exporter.clock import SystemClock

INSTANT = "at an instant"
POWER = "with power loss"
MODES = (INSTANT, STATEMENT, BEFORE, INSIDE, AFTER, POWER)
WEIGHTS = (30, 30, 8, 14, 8, 10)
KILLS_A_WORLD = 50
LONGEST_LIFE_S = 2.0
SCENES = (("shop", "v4.5"), ("busy", "v4.5"), ("shop", "latest"), ("busy", "latest"))


@dataclass(frozen=True)
class Plan:
    """One world, told by numbers: the same plan strikes at the same places."""

    seed: int
    kills: int
    scenario: str = "shop"
    profile: str = "v4.5"
    only: str | None = None
    """One of `MODES`, where not all are wanted."""
    speed: int = 20


@dataclass
class Outcome:
    """What was measured in one world."""

    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    in_transaction: int = 0
    starts: int = 0
    runs: int = 0
    differences: list[str] = field(default_factory=list)
    peak_kib: int = 0
    seconds: float = 0.0


# -- the players ------------------------------------------------------------------------------------------------------


@dataclass
class Playground:
    """A folder with one config, and the nest that everybody in it comes from."""

    stage: Stage
    nest: Nest
    made: list[Hatched] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    """What all of them get besides."""

    @property
    def state(self) -> Path:
        return self.stage.folder / "state" / "state.db"

    def hatch(self, kind: str, arguments: list[str], failpoint: Failpoint | None = None) -> Daemon | Simulator:
        """Start our command; it is not waited for."""
        base = self.stage.folder / f"{len(self.made):04d}-{kind}"
        out, err = base.with_suffix(".out"), base.with_suffix(".err")
        hatched = self.nest.hatch(
            arguments,
            folder=self.stage.folder,
            out=out,
            err=err,
            environ=self.stage.environ(**self.environ),
            failpoint=failpoint,
            mark=self.stage.folder / "mark",
        )
        self.made.append(hatched)
        shape = Simulator if kind == "simulate" else Daemon
        return shape(kind, hatched, out, err)  # type: ignore[arg-type]  # a child of a nest is as good as a Popen

    def simulate(self, plan: Plan) -> Simulator:
        """A simulator that answers, and a config that points to it."""
        options = ["--seed", str(plan.seed), "--speed", str(plan.speed)]
        options += ["--scenario", plan.scenario, "--profile", plan.profile, "--history", "1h"]
        simulator = self.hatch("simulate", ["simulate", "--listen", "127.0.0.1:0", *options])
        assert isinstance(simulator, Simulator)
        found = wait_until(lambda: re.search(r"http://\S+", simulator.stdout), "the simulator answers", simulator)
        simulator.url = found[0]
        self.stage.config(simulator)
        return simulator

    def start(self, failpoint: Failpoint | None = None) -> Daemon:
        """The daemon, from the moment its process is there."""
        (self.stage.folder / "mark").unlink(missing_ok=True)
        daemon = self.hatch("run", ["run", "--config", "config.yml", "--listen", "127.0.0.1:0"], failpoint)
        assert isinstance(daemon, Daemon)
        return daemon

    def run(self) -> Daemon:
        """The daemon, listening."""
        daemon = self.start()
        daemon.url = wait_until(lambda: daemon.events("watching"), "the daemon listens", daemon)[0]["url"]
        return daemon


@contextlib.contextmanager
def playground(folder: Path) -> Iterator[Playground]:
    """A playground; nobody is left in it afterwards."""
    with nest_in(folder) as nest:
        yield Playground(Stage(folder), nest)


# -- one world --------------------------------------------------------------------------------------------------------


def draw(dice: Random, only: str | None) -> tuple[str, Failpoint | None, float]:
    """The next kill: of what kind, where, and after how long at the latest."""
    mode = only or dice.choices(MODES, WEIGHTS)[0]
    pages = dice.choice((None, None, 8, 60))
    if mode in (INSTANT, POWER):
        return mode, None, dice.uniform(0.0, LONGEST_LIFE_S)
    # Small counts are as likely as large ones: the start, the schema and the first pages are worth many looks.
    most = 3_000 if mode == STATEMENT else 40
    count = round(most ** dice.random())
    inside = 10 ** dice.uniform(-5.0, -2.3) if mode == INSIDE else 0.0
    return mode, Failpoint(mode, count, inside, pages), LONGEST_LIFE_S


class World:
    """One row of kills."""

    def __init__(self, ground: Playground, plan: Plan) -> None:
        self.ground = ground
        self.outcome = Outcome(plan)
        self.dice = Random(plan.seed)
        self.book = Book()

    def kill_once(self) -> None:
        """Start the daemon, kill it, and look at what it left."""
        mode, failpoint, after = draw(self.dice, self.outcome.plan.only)
        daemon = self.ground.start(failpoint)
        self.outcome.starts += 1
        hatched = self.ground.made[-1]
        try:
            hatched.wait(after)
        except subprocess.TimeoutExpired:
            hatched.kill()
            hatched.wait(60)
            mode = INSTANT if failpoint is not None else mode
        assert hatched.returncode == -signal.SIGKILL, f"it ended by itself: {hatched.returncode}{daemon.evidence()}"
        assert_nothing_to_complain(daemon)
        daemon.out.unlink()
        daemon.err.unlink()
        self.outcome.kills[mode] += 1
        self.outcome.peak_kib = max(self.outcome.peak_kib, hatched.peak_kib)
        mark = self.ground.stage.folder / "mark"
        if mode not in (INSTANT, POWER) and mark.exists():
            self.outcome.in_transaction += mark.read_text("utf-8").startswith("in\t")
        self._examine(mode)

    def _examine(self, mode: str) -> None:
        state = self.ground.state
        found = look(state, self.ground.stage.folder)
        gone = self.book.gone_back(found)
        assert not gone, f"killed {mode}, and what was counted is gone: {gone}"
        self.book = found
        if mode == POWER and state.exists():
            done = lose_power(state, self.dice)
            earlier = look(state, self.ground.stage.folder)
            ahead = [] if earlier.birth is None else earlier.gone_back(found)
            assert not ahead, f"power loss ({done}) left more than there was: {ahead}"
            self.book = earlier

    def play(self) -> None:
        """All kills, and in the end the truth."""
        plan = self.outcome.plan
        simulator = self.ground.simulate(plan)
        while self.outcome.kills.total() < plan.kills:
            self.kill_once()
        last = self.ground.run()
        self.outcome.starts += 1
        # The first look-back may still be under way, and a world without news proves little.
        goal = last_total(last) + 20
        wait_until(lambda: last_total(last) >= goal, "runs end after the last kill", last, simulator, within=60)
        stop_the_clock_and_compare(simulator, last)
        self.outcome.runs = round(last.total("runs_triggered_total"))
        assert_nothing_to_complain(last)
        assert last.end() == 0
        self.outcome.peak_kib = max(self.outcome.peak_kib, self.ground.made[-1].peak_kib)


def assert_nothing_to_complain(daemon: Daemon) -> None:
    """The server is well in every world: no run vanishes, none opens again, nothing fails."""
    assert "Traceback" not in daemon.stderr, daemon.evidence()
    # What its rules find is the shop's trouble: tasks fail there, deployments too.
    ours = [line for line in daemon.log if not line["logger"].startswith("triggerdev_alerts.")]
    warnings = [line for line in ours if line["level"] in ("warning", "error")]
    assert warnings == []


def last_total(daemon: Daemon) -> float:
    return daemon.total("runs_finished_total")


def play(plan: Plan) -> Outcome:
    """Play one world in a folder of its own; what goes wrong is told, not raised."""
    clock = SystemClock()
    begun = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, playground(Path(folder)) as ground:
        world = World(ground, plan)
        try:
            world.play()
        except AssertionError as error:
            world.outcome.differences.append(f"{plan}, after {world.outcome.kills.total()} kills: {error}")
    world.outcome.seconds = clock.monotonic() - begun
    return world.outcome


# -- all of them ------------------------------------------------------------------------------------------------------


def plans(kills: int, seed: int) -> list[Plan]:
    """Worlds for so many kills."""
    many = -(-kills // KILLS_A_WORLD)
    shares = [kills // many + (index < kills % many) for index in range(many)]
    return [Plan(seed + index, share, *SCENES[index % len(SCENES)]) for index, share in enumerate(shares)]


def table(outcomes: list[Outcome], seconds: float) -> str:
    """What was measured, as a table in Markdown."""
    kills: Counter[str] = Counter()
    for outcome in outcomes:
        kills += outcome.kills
    rows = [
        ("worlds", len(outcomes)),
        ("kills", kills.total()),
        *((f"– {mode}", kills[mode]) for mode in MODES),
        ("kills inside a transaction, by failpoint", sum(outcome.in_transaction for outcome in outcomes)),
        ("starts", sum(outcome.starts for outcome in outcomes)),
        ("runs followed", sum(outcome.runs for outcome in outcomes)),
        ("worlds that differ from the truth", sum(bool(outcome.differences) for outcome in outcomes)),
        ("peak resident memory of a daemon, MiB", round(max(outcome.peak_kib for outcome in outcomes) / 1024, 1)),
        ("seconds", round(seconds)),
    ]
    lines = [f"| {name} | {value:,} |" for name, value in rows]
    return "\n".join(["| crash harness | measured |", "| --- | ---: |", *lines])


def main() -> int:
    """Print the table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the others follow")
    parser.add_argument("--lanes", type=int, default=2, help="worlds at a time")
    wish = parser.parse_args()
    clock = SystemClock()
    begun = clock.monotonic()
    outcomes: list[Outcome] = []
    # The comparisons print what they find, and look many times: only the last look is told, and not by them.
    told = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()), ThreadPoolExecutor(wish.lanes) as pool:
        playing = [pool.submit(play, plan) for plan in plans(wish.kills, wish.seed)]
        try:
            for done in as_completed(playing):
                outcome = done.result()
                outcomes.append(outcome)
                verdict = "\n".join(outcome.differences) or "equal to the truth"
                told.write(
                    f"world {outcome.plan.seed:>3} ({outcome.plan.scenario}, {outcome.plan.profile}): "
                    f"{outcome.kills.total()} kills, {outcome.runs:,} runs, {outcome.seconds:.0f} s, {verdict}\n"
                )
                told.flush()
        finally:
            pool.shutdown(cancel_futures=True)
    told.write("\n" + table(outcomes, clock.monotonic() - begun) + "\n")
    return 1 if any(outcome.differences for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
