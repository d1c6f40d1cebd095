"""Rows that are due, for tests of spans: a run of task ``send-email`` with times in milliseconds after `AT`."""

from __future__ import annotations

from typing import Any

from triggerdev_exporter.spans.due import BatchDue, Origin, RunDue
from triggerdev_exporter.spans.span import Span
from triggerdev_exporter.statuses import RunStatus

AT = 1_800_000_000_000
ORIGIN = Origin(project="proj_shop", environment="prod", environment_type="PRODUCTION")


def a_due(status: str = "COMPLETED", *, run_id: str = "run_cm0abc", **fields: Any) -> RunDue:
    """A run that waited for 250 ms and worked for 1,000 ms, a root."""
    times = {name: fields.pop(name) for name in ("delayed_until", "queued_at", "dequeued_at") if name in fields}
    base: dict[str, Any] = {
        "id": run_id,
        "task": "send-email",
        "status": RunStatus(status),
        "created_at": AT,
        "started_at": _at(fields.pop("started_at", 250)),
        "finished_at": _at(fields.pop("finished_at", 1_250)),
        "depth": 0,
        "queue": "task/send-email",
        "origin": ORIGIN,
    }
    return RunDue(**{**base, **{name: _at(value) for name, value in times.items()}, **fields})


def a_batch(status: str = "COMPLETED", **fields: Any) -> BatchDue:
    base: dict[str, Any] = {"id": "batch_1", "status": status, "created_at": AT, "finished_at": AT + 5_000}
    return BatchDue(**{**base, "origin": ORIGIN, **fields})


def by_name(spans: tuple[Span, ...]) -> dict[str, Span]:
    return {span.name.split()[0]: span for span in spans}


def _at(value: int | None) -> int | None:
    return None if value is None else AT + value
