"""How a scripted run gets to where a test wants it: its steps, and the dates that go with a status. Pure."""

from __future__ import annotations

from typing import Any, Final

from triggerdev_exporter.clock import SECOND, Instant
from triggerdev_exporter.simulator.entities import FINAL, QUEUED, RUNNING, Run, error_of

NEVER: Final = -1
"""As `started_at` of `World.add_run`: it ended without having begun."""

#: Statuses that a scripted run may hold before it is dequeued.
_BEFORE_START = frozenset({"DELAYED", "PENDING_VERSION", "WAITING_FOR_DEPLOY", QUEUED})
#: Statuses in which a run never needed to begin.
_NEEDS_NO_START = frozenset({"CANCELED", "EXPIRED"})

Step = tuple[Instant, str, dict[str, Any]]
"""When, into which database status, with which fields."""


def dates_of(run: Run, status: str, when: Instant) -> dict[str, Any]:
    """The dates that a change to `status` at `when` sets, where they are not there yet."""
    dates: dict[str, Any] = {}
    if status in RUNNING and run.started_at is None:
        dates["started_at"] = when
    if status in {"EXECUTING", "RETRYING_AFTER_FAILURE"}:
        dates["executed_at"] = run.executed_at or when
        dates["attempts"] = max(1, run.attempts)
    if status in FINAL and not (status == "CANCELED" and run.started_at is None):
        dates["completed_at"] = when
    if status == "EXPIRED":
        dates["expired_at"] = when
    if status == QUEUED and run.queued_at is None:
        dates["queued_at"] = when
    return dates


def steps_of(run: Run, final: str, started_at: Instant | None, finished_at: Instant | None) -> list[Step]:
    """How a scripted run gets to `final`: (when, status, fields), the first one being its birth."""
    begins = final not in _BEFORE_START and final not in _NEEDS_NO_START
    start = run.created_at if started_at is None and begins else started_at
    if start == NEVER:
        start = None
    never_begins = start is None and final not in FINAL
    birth = final if final in _BEFORE_START or never_begins else QUEUED
    if run.delayed_until is not None and run.delayed_until > run.created_at:
        birth = "DELAYED"
    values: dict[str, Any] = {"queued_at": run.created_at} if birth == QUEUED else {}
    steps: list[Step] = [(min(run.created_at, run.visible_at), birth, values)]
    if birth == "DELAYED" and final != "DELAYED" and run.delayed_until is not None:
        ends = start if start is not None else finished_at
        if ends is None or ends > run.delayed_until:
            steps.append((run.delayed_until, QUEUED, {"queued_at": run.delayed_until}))
    if start is not None:
        executing = "DEQUEUED" if final == "DEQUEUED" else "EXECUTING" if final in FINAL else final
        begun: dict[str, Any] = {"started_at": start}
        if executing != "DEQUEUED":
            begun |= {"executed_at": start + SECOND // 10, "attempts": max(1, run.attempts)}
        steps.append((start, executing, begun))
    if final in FINAL:
        end = finished_at if finished_at is not None else start if start is not None else run.created_at
        ended: dict[str, Any] = {} if final == "CANCELED" and start is None else {"completed_at": end}
        if final == "EXPIRED":
            ended["expired_at"] = end
        if final == "COMPLETED_SUCCESSFULLY" and run.output is None:
            ended["output"] = {"ok": True}
        if final in {"COMPLETED_WITH_ERRORS", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "CANCELED", "EXPIRED"}:
            ended["error"] = run.error or error_of(final)
        steps.append((end, final, ended))
    return steps
