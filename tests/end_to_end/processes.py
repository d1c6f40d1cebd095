"""Real processes on loopback: how to start one, ask it, wait for it, and be sure that it ends. No expectations here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from story import BUCKETS, LOOKBACK, Series, difference, read_page
from triggerdev_exporter.clock import SystemClock
from triggerdev_exporter.demo import LOOKBACK as DEMO_LOOKBACK

T = TypeVar("T")

#: How long a busy machine may take for anything at all.
PATIENCE_S = 60.0
KEY = "tr_prod_endtoend0123456789"
#: The look-back makes these the page's own: it knows runs that were created before it, the truth's window does not.
FOLDED = ("runs_by_version_finished_total",)


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, *, method: str = "GET", body: object = None, **headers: str) -> Answer:
    """One request on a connection of its own; a `body` is sent as JSON. ``accept_encoding=`` is ``Accept-Encoding``."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if body is None else json.dumps(body), named)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


# ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def wait_until(
    condition: Callable[[], T], what: str, *programs: Program, within: float = PATIENCE_S, every: float = 0.05
) -> T:
    """The first true answer of `condition`. Fails with what was said on stderr, at once when a program has ended.

    An error of the network counts as "not yet".
    """
    clock = SystemClock()
    deadline = clock.monotonic() + within
    while True:
        trouble = ""
        try:
            if answer := condition():
                return answer
        except (OSError, HTTPException) as error:
            trouble = f" ({error!r})"
        ended = [program for program in programs if program.process.poll() is not None]
        late = clock.monotonic() > deadline
        if late or ended:
            why = f"after {within:.0f} s" if late else f"{ended[0].name} ended with {ended[0].process.returncode}"
            said = "".join(program.evidence() for program in programs)
            raise AssertionError(f"not so {why}: {what}{trouble}{said}")
        # The one place where a test waits: another process can only be asked again.
        time.sleep(every)  # noqa: TID251


# ── programs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Program:
    """A process of ours; what it says goes to files."""

    name: str
    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    @property
    def stdout(self) -> str:
        return self.out.read_text("utf-8")

    @property
    def stderr(self) -> str:
        return self.err.read_text("utf-8")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log, for those that log JSON; a line that is being written is left out."""
        return [json.loads(line) for line in self.stderr.splitlines(keepends=True) if line.endswith("\n")]

    def evidence(self) -> str:
        return f"\n── {self.name}, stdout\n{self.stdout[-1500:]}\n── {self.name}, stderr\n{self.stderr[-3000:]}"

    def end(self, how: signal.Signals = signal.SIGTERM, *, within: float = PATIENCE_S) -> int:
        """Send the signal; the exit code, which must come in time."""
        self.process.send_signal(how)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} goes on {within:.0f} s after {how.name}{self.evidence()}") from None


@dataclass
class Simulator(Program):
    """A simulated Trigger.dev with its control API."""

    url: str = ""
    lookback: int = LOOKBACK
    """How far back the daemon that watches it looks, in ms."""

    def _control(self, what: str, body: object = None) -> Any:
        answer = ask(f"{self.url}/_sim/{what}", method="GET" if body is None else "POST", body=body)
        assert answer.status == 200, answer.text
        return answer.json

    def clock(self, **wish: object) -> int:
        """Set the clock where something is wished; what it says."""
        return int(self._control("clock", wish or None)["now"])

    def faults(self, **what: object) -> None:
        self._control("faults", what)

    def counts(self) -> dict[str, int]:
        """Requests by endpoint."""
        return dict(self._control("requests?last=0")["counts"])

    def truth(self, birth: int) -> tuple[Series, tuple[str, ...]]:
        """What a page should say now for a state of that birth, and which families the truth knows."""
        bounds = {
            f"buckets_{name}": ",".join(map(str, getattr(BUCKETS, name))) for name in ("wait", "duration", "batch")
        }
        wish = urlencode({"since": birth, "lookback": self.lookback, **bounds})
        families = self._control(f"truth?{wish}")["families"]
        told = {(n, frozenset(labels.items())): value for n, samples in families.items() for labels, value in samples}
        return told, tuple(families)


@dataclass
class Daemon(Program):
    """An exporter that runs."""

    url: str = ""

    def text(self, **headers: str) -> str:
        answer = ask(f"{self.url}/metrics", **headers)
        assert answer.status == 200, answer.text
        return answer.text

    def page(self) -> Series:
        return read_page(self.text())

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; the name comes without the prefix."""
        return self.page().get((f"triggerdev_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels."""
        wanted = set(labels.items())
        return sum(v for (n, found), v in self.page().items() if n == f"triggerdev_{name}" and wanted <= found)

    def birth(self) -> int:
        """Since when it counts, Unix ms; 0 while it does not."""
        return round(1000 * (self.value("counting_since_timestamp_seconds") or 0))

    def is_ready(self) -> bool:
        return ask(f"{self.url}/-/ready").status == 200

    def events(self, what: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == what]


def wrong(simulator: Simulator, daemon: Daemon) -> list[str]:
    """Where page and truth differ, over every family that the truth knows. The clock should stand still."""
    true, families = simulator.truth(daemon.birth())
    page = daemon.page()
    known = [name.removeprefix("triggerdev_") for name in families]
    lines = difference(page, true, *known, without=FOLDED)
    for name in (f"triggerdev_{each}" for each in FOLDED):
        told, meant = (sum(v for (n, _), v in side.items() if n == name) for side in (page, true))
        if told != meant:
            lines.append(f"sum of {name}: page {told}, truth {meant}")
    return lines


def stop_the_clock_and_compare(simulator: Simulator, daemon: Daemon) -> None:
    """Freeze the simulator's clock and wait until the page says the truth of that instant, in every family."""
    lines: list[str] = []
    trouble: AssertionError | None = None

    def is_true() -> bool:
        # `difference` prints what it finds; here only the last look matters.
        with contextlib.redirect_stdout(io.StringIO()):
            lines[:] = wrong(simulator, daemon)
        return not lines

    for _ in range(3):
        # A little over a minute, so that what is asked once a minute is asked at this very instant.
        simulator.clock(freeze=True, advance=61)
        try:
            wait_until(is_true, "the page equals the truth", daemon, simulator, within=20, every=0.25)
        except AssertionError as error:
            trouble = error
        else:
            return
    raise AssertionError("the page is not the truth:\n  " + "\n  ".join(lines)) from trouble


# ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Done:
    """A command that ran to its end."""

    code: int
    stdout: str
    stderr: str


@dataclass
class Stage:
    """Where a test's processes play: a folder, a bare environment, and an end for all of them."""

    folder: Path
    programs: list[Program] = field(default_factory=list)

    def environ(self, **more: str) -> dict[str, str]:
        """Nothing of the machine's own settings, no proxy and no key, but what it takes to start Python."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        places = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        # What leaves a resource open or a coroutine unawaited must show up in a log.
        return {**kept, **places, "PYTHONWARNINGS": "default", **more}

    def do(self, *arguments: str, within: float = PATIENCE_S, **environ: str) -> Done:
        """Run our command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "triggerdev_exporter", *arguments],
            cwd=self.folder,
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, kind: type[P], name: str, command: list[str], **environ: str) -> P:
        """Start any command in the background."""
        base = self.folder / f"{len(self.programs):02d}-{name}"
        out, err = base.with_suffix(".out"), base.with_suffix(".err")
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ(**environ),
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
            )
        program = kind(name, process, out, err)
        self.programs.append(program)
        return program

    def ours(self, kind: type[P], name: str, *arguments: str, **environ: str) -> P:
        return self.start(kind, name, [sys.executable, "-m", "triggerdev_exporter", *arguments], **environ)

    def simulate(self, *options: str, listen: str = "127.0.0.1:0") -> Simulator:
        """A simulator that answers."""
        simulator = self.ours(Simulator, "simulate", "simulate", "--listen", listen, *options)
        found = wait_until(lambda: re.search(r"http://\S+", simulator.stdout), "the simulator tells its URL", simulator)
        simulator.url = found[0]
        return simulator

    def run(self, *options: str, **environ: str) -> Daemon:
        """The daemon, listening. Options and environment are the test's; it listens on a free port."""
        daemon = self.ours(Daemon, "run", "run", "--listen", "127.0.0.1:0", *options, **environ)
        watching = wait_until(lambda: daemon.events("watching"), "the daemon listens", daemon)
        daemon.url = watching[0]["url"]
        return daemon

    def watch(self, simulator: Simulator | str, **environ: str) -> Daemon:
        """The daemon by its environment alone, at its default intervals."""
        url = simulator if isinstance(simulator, str) else simulator.url
        return self.run(**{"TRIGGER_SECRET_KEY": KEY, "TRIGGER_API_URL": url, **environ})

    def config(
        self, simulator: Simulator | str, *, share: str = "100%", name: str = "config.yml", more: str = ""
    ) -> Path:
        """A config that looks every second, and its key in a file beside it. `more` are further sections."""
        url = simulator if isinstance(simulator, str) else simulator.url
        every = ", ".join(f"{each}: 1s" for each in _COLLECTORS)
        (self.folder / "shop.key").write_text(f"{KEY}\n", "utf-8")
        path = self.folder / name
        path.write_text(
            "targets:\n"
            "  - name: shop\n"
            "    secret_key_file: shop.key\n"
            f"    api_url: {url}\n"
            f"    quota: {{requests_per_minute: 100000, share: {share}}}\n"
            f"    intervals: {{{every}}}\n"
            "state: state/state.db\n" + more,
            "utf-8",
        )
        return path

    def demo(self, *options: str) -> tuple[Daemon, Simulator]:
        """The demo as a daemon, and the simulator inside it: one process under two names."""
        daemon = self.ours(Daemon, "demo", "demo", "--listen", "127.0.0.1:0", *options)
        # By its last words: a file that is being written may end anywhere before them.
        wait_until(lambda: "Ctrl-C ends it.\n" in daemon.stdout, "the demo greets", daemon)
        url, api = (
            re.search(pattern, daemon.stdout)[1]  # type: ignore[index]  # the greeting is there as a whole
            for pattern in (r"Metrics +(\S+)/metrics", r"The API +(\S+)")
        )
        daemon.url = url
        return daemon, Simulator(
            "demo's simulator", daemon.process, daemon.out, daemon.err, url=api, lookback=DEMO_LOOKBACK
        )


_COLLECTORS = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")

P = TypeVar("P", bound=Program)


@contextlib.contextmanager
def stage_in(folder: Path) -> Iterator[Stage]:
    """A stage whose programs end with it, asked first and then made to."""
    stage = Stage(folder)
    try:
        yield stage
    finally:
        alive = [program.process for program in stage.programs if program.process.poll() is None]
        for process in alive:
            process.terminate()
        for process in alive:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_S)
