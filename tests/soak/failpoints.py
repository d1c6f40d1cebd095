"""Where a daemon shall die inside its work on the state file. It runs in the process that dies; nothing here decides.

The program has no hook for this: its connection is watched from outside, by SQLite's own trace of statements.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

STATEMENT, BEFORE, INSIDE, AFTER = "before a statement", "before COMMIT", "inside COMMIT", "after COMMIT"


@dataclass(frozen=True)
class Failpoint:
    """Die at the `count`-th of `where`, counted from the start of the process, or from when the watch is armed."""

    where: str
    count: int
    inside_s: float = 0.0
    """How long COMMIT may go on, for `INSIDE`."""
    checkpoint_pages: int | None = None
    """Checkpoint so often; ``None`` leaves it to the program."""


@dataclass
class _Watch:
    failpoint: Failpoint
    mark: Path
    is_armed: Callable[[], bool]
    statements: int = 0
    commits: int = 0

    def strike(self, what: str, in_transaction: bool) -> None:
        self.mark.write_text(f"{'in' if in_transaction else 'out'}\t{what}", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)

    def strike_soon(self) -> None:
        def wait() -> None:
            # COMMIT runs without the interpreter's lock, so this turns beside it.
            end = time.perf_counter() + self.failpoint.inside_s
            while time.perf_counter() < end:
                pass
            os.kill(os.getpid(), signal.SIGKILL)

        self.mark.write_text("in\tinside COMMIT", "utf-8")
        threading.Thread(target=wait, daemon=True).start()

    def statement(self, connection: sqlite3.Connection, sql: str) -> None:
        if not self.is_armed():
            return
        self.statements += 1
        at = self.failpoint
        if at.where == STATEMENT and self.statements == at.count:
            self.strike(sql[:60], connection.in_transaction)
        if sql == "COMMIT":
            self.commits += 1
            if self.commits == at.count and at.where == BEFORE:
                self.strike(sql, True)
            if self.commits == at.count and at.where == INSIDE:
                self.strike_soon()

    def left(self) -> None:
        if self.failpoint.where == AFTER and self.commits == self.failpoint.count:
            self.strike("after COMMIT", False)


def install(failpoint: Failpoint, mark: Path, is_armed: Callable[[], bool] = lambda: True) -> None:
    """Let every connection that is opened from now on lead to `failpoint`; what was hit is written to `mark`.

    `is_armed` is asked at each statement: those before it says so are not counted.
    """
    watch = _Watch(failpoint, mark, is_armed)
    connect = sqlite3.connect

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if failpoint.checkpoint_pages is not None and sql.startswith("PRAGMA wal_autocheckpoint"):
                sql = f"PRAGMA wal_autocheckpoint = {failpoint.checkpoint_pages}"
            return super().execute(sql, *args)

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> Any:
            handled = super().__exit__(kind, error, trace)
            watch.left()
            return handled

    def watched(*args: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*args, **settings, factory=Watched)
        connection.set_trace_callback(lambda sql: watch.statement(connection, sql))
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]  # in this process only, which is about to die
