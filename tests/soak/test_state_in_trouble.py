"""A disk that is full or read only, a file that others hold: the daemon serves on, says so, and loses nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from end_to_end.processes import PATIENCE_S, Daemon, Simulator, ask, stop_the_clock_and_compare, wait_until
from soak.kills import Plan, Playground
from soak.state_file import beside, look

PLAN = Plan(seed=4, kills=0)
COLLECTORS = 6


def ended(daemon: Daemon) -> float:
    return daemon.total("runs_finished_total")


def state_errors(daemon: Daemon) -> float:
    return daemon.total("collector_errors_total", reason="state")


def counting(daemon: Daemon, simulator: Simulator, more: int = 20) -> None:
    goal = ended(daemon) + more
    wait_until(lambda: ended(daemon) >= goal, f"{more} more runs have ended", daemon, simulator)


def assert_serves_what_the_disk_knows(daemon: Daemon, state: Path, scratch: Path) -> None:
    """While nothing can be written: the page is served, tells what was committed and no more, and why."""
    assert ask(f"{daemon.url}/-/healthy").status == 200

    def is_in_step() -> bool:
        told, on_disk = ended(daemon), look(state, scratch).numbers
        # A commit that happened to fit may have come between the two.
        return told == sum(value for name, value in on_disk.items() if name.startswith("runs_finished_total "))

    wait_until(is_in_step, "the page tells what the disk knows", daemon)
    names = Counter(line["collector"] for line in daemon.events("failing") if line["reason"] == "state")
    well = Counter(line["collector"] for line in daemon.events("works again"))
    assert all(count <= 1 + well[name] for name, count in names.items()), "told when it begins, not at each look"


def assert_recovers(daemon: Daemon, simulator: Simulator) -> None:
    wait_until(lambda: daemon.total("collector_up") == COLLECTORS, "all work again", daemon)
    counting(daemon, simulator)
    stop_the_clock_and_compare(simulator, daemon)
    assert "Traceback" not in daemon.stderr
    assert daemon.end() == 0


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, to limit another process")
def test_a_disk_that_takes_nothing_more(ground: Playground, tmp_path: Path) -> None:
    simulator = ground.simulate(PLAN)
    daemon = ground.run()
    counting(daemon, simulator)
    # Writes beyond the first pages of a file fail now, as on a broken disk or at a quota.
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
    wait_until(lambda: state_errors(daemon) > 0, "a commit fails", daemon)
    assert_serves_what_the_disk_knows(daemon, ground.state, tmp_path)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert_recovers(daemon, simulator)


# -- real file systems, where this user may mount ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def with_mounts() -> Callable[[str, list[str]], list[str]]:
    """A command that runs `mount_script` in a mount namespace of its own and then becomes `command`."""
    probe = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        start = [shutil.which("unshare") or "unshare", *options, "sh", "-c"]
        try:
            subprocess.run([*start, probe, "/tmp", "true"], check=True, capture_output=True, timeout=PATIENCE_S)
        except (OSError, subprocess.SubprocessError):
            continue
        return lambda script, command: [*start, f'{script} && exec "$@"', "sh", *command]
    pytest.skip("this user may not mount anything")


def fill(filler: Path) -> None:
    """Write until the disk takes nothing more."""
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


RUN = [sys.executable, "-m", "triggerdev_exporter", "run", "--config", "config.yml", "--listen", "127.0.0.1:0"]


def test_a_full_disk(ground: Playground, tmp_path: Path, with_mounts: Callable[[str, list[str]], list[str]]) -> None:
    simulator = ground.simulate(PLAN)
    first = ground.run()
    counting(first, simulator)
    assert first.end() == 0
    ground.state.parent.rename(ground.stage.folder / "old")
    ground.state.parent.mkdir()
    # With a log that is new, and so has no old pages to write over.
    command = with_mounts("mount -t tmpfs -o size=6m tmpfs state && cp old/state.db state", RUN)
    daemon = ground.stage.start(Daemon, "run", command)
    try:
        daemon.url = wait_until(lambda: daemon.events("watching"), "the daemon listens", daemon)[0]["url"]
        counting(daemon, simulator)
        # The daemon's mounts, seen from here.
        inside = Path("/proc", str(daemon.process.pid), "root", ground.state.relative_to("/"))
        assert inside.exists()
        assert not ground.state.exists()
        filler = beside(inside, ".filler")
        fill(filler)
        wait_until(lambda: state_errors(daemon) > 0, "a commit fails", daemon)
        assert_serves_what_the_disk_knows(daemon, inside, tmp_path)
        assert any("the disk is full" in line["why"] for line in daemon.events("failing"))
        filler.unlink()
        assert_recovers(daemon, simulator)
    finally:
        daemon.process.kill()
        daemon.process.wait(PATIENCE_S)


#: The whole folder, and only the file in it.
READ_ONLY = (
    "mount --bind state state && mount -o remount,bind,ro state",
    "f=state/state.db && mount --bind $f $f && mount -o remount,bind,ro $f",
)


def test_a_read_only_state_is_refused_with_the_remedy(
    ground: Playground, with_mounts: Callable[[str, list[str]], list[str]]
) -> None:
    simulator = ground.simulate(PLAN)
    daemon = ground.run()
    counting(daemon, simulator)
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    before = look(ground.state, ground.stage.folder)
    for script in READ_ONLY:
        refused = ground.stage.start(Daemon, "run", with_mounts(script, RUN))
        try:
            assert refused.process.wait(PATIENCE_S) == 1
        finally:
            refused.process.kill()
            refused.process.wait(PATIENCE_S)
        assert "state.db" in refused.stderr
        assert "writable" in refused.stderr
        assert "`state:`" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert look(ground.state, ground.stage.folder) == before
    assert_recovers(ground.run(), simulator)


# -- held by others ----------------------------------------------------------------------------------------------------


def test_a_second_daemon_is_told_who_the_first_is_and_the_first_goes_on(ground: Playground) -> None:
    simulator = ground.simulate(PLAN)
    first = ground.run()
    counting(first, simulator)
    second = ground.start()
    assert second.process.wait(PATIENCE_S) == 1
    assert f"in use by process {first.process.pid} on " in second.stderr
    assert "Traceback" not in second.stderr
    counting(first, simulator)
    # Killed, the owner is nobody any more, whatever its lock file says.
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert_recovers(ground.run(), simulator)


def test_a_file_that_somebody_holds_locked(ground: Playground, tmp_path: Path) -> None:
    simulator = ground.simulate(PLAN)
    daemon = ground.run()
    counting(daemon, simulator)
    with contextlib.closing(sqlite3.connect(ground.state, isolation_level=None)) as other:
        wait_until(lambda: other.execute("BEGIN EXCLUSIVE"), "the lock is ours", daemon)
        wait_until(lambda: state_errors(daemon) > 0, "a commit gives up", daemon)
        assert any("holds the state file locked" in line["why"] for line in daemon.events("failing"))
        assert_serves_what_the_disk_knows(daemon, ground.state, tmp_path)
        other.execute("ROLLBACK")
    assert_recovers(daemon, simulator)


def test_a_lost_index_is_made_again(ground: Playground) -> None:
    simulator = ground.simulate(PLAN)
    daemon = ground.run()
    counting(daemon, simulator)
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    os.unlink(beside(ground.state, "-shm"))
    assert_recovers(ground.run(), simulator)
