"""Starting the real program a thousand times without importing it a thousand times.

A process of its own (``python -m soak.nest``) imports the program once and forks a child for each start; the child
calls the program's own `main` and is a process like any other: it is killed for real. The other half, `Nest`, is how a
test speaks to it. Whoever dies, nobody is left behind: the nest ends its children when its stdin ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from soak.failpoints import Failpoint
from triggerdev_exporter.clock import SystemClock

THE_PROGRAM = "triggerdev_exporter.__main__:main"

# ── the test's half ───────────────────────────────────────────────────────────────────────────────────────────────────


class Hatched:
    """A child of a nest, with as much of `subprocess.Popen` as tests use."""

    def __init__(self, nest: Nest, pid: int) -> None:
        self._nest = nest
        self.pid = pid
        self.returncode: int | None = None
        self.peak_kib = 0
        """The most memory it ever had resident; known once it has ended."""

    def poll(self) -> int | None:
        self._nest.listen(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises `subprocess.TimeoutExpired`."""
        clock = SystemClock()
        end = None if timeout is None else clock.monotonic() + timeout
        while self.returncode is None:
            left = None if end is None else end - clock.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self._nest.listen(left)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            # The nest may have reaped it a moment ago.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass
class Nest:
    """A running nest. Make it with `nest_in`."""

    process: subprocess.Popen[bytes]
    children: dict[int, Hatched] = field(default_factory=dict)
    _rest: bytes = b""

    def hatch(
        self,
        arguments: list[str],
        *,
        folder: Path,
        out: Path,
        err: Path,
        environ: Mapping[str, str],
        failpoint: Failpoint | None = None,
        mark: Path | None = None,
        program: str = THE_PROGRAM,
    ) -> Hatched:
        """Start `program` (module:function) with `arguments`, as if from a shell in `folder`."""
        order = {
            "program": program,
            "arguments": arguments,
            "folder": str(folder),
            "out": str(out),
            "err": str(err),
            "environ": dict(environ),
            "failpoint": None if failpoint is None else asdict(failpoint),
            "mark": str(mark),
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        known = set(self.children)
        while not (new := set(self.children) - known):
            self.listen(None)
        return self.children[new.pop()]

    def listen(self, timeout: float | None) -> None:
        """Take in what the nest tells within `timeout` seconds (``None``: until it tells something)."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        if not select.select([pipe], [], [], timeout)[0]:
            return
        told = os.read(pipe, 65536)
        if not told:
            raise AssertionError(f"the nest is gone: {self.process.wait(60)}")
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            self._take_in(json.loads(line))

    def _take_in(self, event: dict[str, int]) -> None:
        if "born" in event:
            self.children[event["born"]] = Hatched(self, event["born"])
        else:
            child = self.children[event["ended"]]
            child.returncode, child.peak_kib = event["code"], event["peak_kib"]


@contextlib.contextmanager
def nest_in(folder: Path) -> Iterator[Nest]:
    """A nest and the end of all its children; what it says itself goes to a file in `folder`."""
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join([tests, *(path for path in sys.path if path)])
    with (folder / "nest.err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "soak.nest"],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=err,
        )
    try:
        yield Nest(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
        process.stdout.close()


# ── the nest's half ───────────────────────────────────────────────────────────────────────────────────────────────────


def _become(order: dict[str, Any]) -> None:
    """Be the program from here on."""
    import importlib
    import random

    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = ["triggerdev-exporter", *order["arguments"]]
    random.seed()
    if order["failpoint"] is not None:
        from soak.failpoints import install

        install(Failpoint(**order["failpoint"]), Path(order["mark"]))
    module, _, function = order["program"].partition(":")
    getattr(importlib.import_module(module), function)()


def _fork(order: dict[str, Any]) -> tuple[int, int]:
    """Pid of the new child, and a pipe that ends when it ends."""
    life, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(held)
        return pid, life
    code = 1
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        for number, fd in enumerate(
            (os.open(os.devnull, os.O_RDONLY), os.open(order["out"], flags, 0o600), os.open(order["err"], flags, 0o600))
        ):
            os.dup2(fd, number)
            os.close(fd)
        # The pipes of its sisters are none of its business; `held` ends with the process.
        os.closerange(3, held)
        os.closerange(held + 1, 256)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _become(order)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(**event: int) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


def _serve() -> None:
    lives: dict[int, int] = {}
    rest = b""
    while True:
        for ready in select.select([0, *lives], [], [])[0]:
            if ready:
                os.close(ready)
                pid = lives.pop(ready)
                _, status, usage = os.wait4(pid, 0)
                # KiB, but bytes on macOS.
                peak = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
                _tell(ended=pid, code=os.waitstatus_to_exitcode(status), peak_kib=peak)
                continue
            told = os.read(0, 65536)
            if not told:
                for pid in lives.values():
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                return
            *orders, rest = (rest + told).split(b"\n")
            for order in orders:
                pid, life = _fork(json.loads(order))
                lives[life] = pid
                _tell(born=pid)


def main() -> None:
    """Import what the programs import late, too, and wait for orders."""
    import soak.letters_child  # noqa: F401
    import triggerdev_exporter.__main__
    import triggerdev_exporter.app
    import triggerdev_exporter.cli
    import triggerdev_exporter.config.load
    import triggerdev_exporter.logs
    import triggerdev_exporter.simulator.command  # noqa: F401

    # Interrupted from the keyboard, the test ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    _serve()


if __name__ == "__main__":
    main()
