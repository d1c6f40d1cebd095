"""The table `runs` of TRQL: its columns, and a run as a row of it, seen at an instant.

Nulls are where the recordings have them: absent ids and dates are null, an absent version or machine is ``""``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.entities import FINAL, Run
from triggerdev_exporter.simulator.spellings import spelling
from triggerdev_exporter.simulator.trigger_views import environment_type
from triggerdev_exporter.simulator.world import World

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `read` gets the world, the run, and when it is seen."""

    type: str
    read: Callable[[World, Run, Instant], Any]
    core: bool = False
    example: str = ""

    @property
    def is_date(self) -> bool:
        return "DateTime64" in self.type


class TrqlRow(Mapping[str, Any]):
    """A run as a row. Columns are computed when asked for."""

    __slots__ = ("_run", "_seen_at", "_world")

    def __init__(self, world: World, run: Run, seen_at: Instant) -> None:
        self._world, self._run, self._seen_at = world, run, seen_at

    def __getitem__(self, name: str) -> Any:
        return COLUMNS[name].read(self._world, self._run, self._seen_at)

    def __iter__(self) -> Any:
        return iter(COLUMNS)

    def __len__(self) -> int:
        return len(COLUMNS)


def _date(name: str) -> Callable[[World, Run, Instant], Instant | None]:
    """A date that the view knows only once it has come."""

    def read(world: World, run: Run, seen_at: Instant) -> Instant | None:
        at: Instant | None = getattr(run, name)
        return at if at is None or at <= seen_at else None

    return read


def _field(name: str) -> Callable[[World, Run, Instant], Any]:
    return lambda world, run, seen_at: getattr(run, name)


def _between(first: str, last: str) -> Callable[[World, Run, Instant], Instant | None]:
    def read(world: World, run: Run, seen_at: Instant) -> Instant | None:
        begun: Instant | None = getattr(run, first)
        ended: Instant | None = getattr(run, last)
        return None if begun is None or ended is None or ended > seen_at else ended - begun

    return read


def _is_finished(world: World, run: Run, seen_at: Instant) -> int:
    """It counts PAUSED and forgets INTERRUPTED."""
    status = run.status_at(seen_at)
    return int(status == "PAUSED" or (status in FINAL and status != "INTERRUPTED"))


def _dollars(*names: str) -> Callable[[World, Run, Instant], float]:
    return lambda world, run, seen_at: sum(getattr(run, name) for name in names) / 1e9


_TEXT, _DATE, _SMALL = "String", "Nullable(DateTime64)", "UInt8"

COLUMNS: dict[str, Column] = {
    "run_id": Column(_TEXT, _field("id"), core=True),
    "environment": Column(_TEXT, lambda world, run, seen_at: world.environment, example="prod"),
    "project": Column(_TEXT, lambda world, run, seen_at: world.project),
    "environment_type": Column("LowCardinality(String)", lambda world, run, seen_at: environment_type(world)),
    "attempt_count": Column(_SMALL, lambda world, run, seen_at: max(1, run.attempts)),
    "status": Column(
        "LowCardinality(String)", lambda world, run, seen_at: spelling(run.status_at(seen_at)).title, core=True
    ),
    "is_finished": Column(_SMALL, _is_finished),
    "task_identifier": Column(_TEXT, _field("task"), core=True),
    "queue": Column(_TEXT, _field("queue")),
    "batch_id": Column(_TEXT, _field("batch_id")),
    "root_run_id": Column(_TEXT, _field("root_id")),
    "parent_run_id": Column(_TEXT, _field("parent_id")),
    "depth": Column(_SMALL, _field("depth")),
    "is_root_run": Column(_SMALL, lambda world, run, seen_at: int(run.depth == 0)),
    "is_child_run": Column(_SMALL, lambda world, run, seen_at: int(run.depth > 0)),
    "idempotency_key": Column(_TEXT, _field("idempotency_key")),
    "idempotency_key_scope": Column(_TEXT, lambda world, run, seen_at: None),
    "region": Column(_TEXT, _field("region")),
    "triggered_at": Column("DateTime64", _field("created_at"), core=True),
    "queued_at": Column(_DATE, _date("queued_at")),
    "dequeued_at": Column(_DATE, _date("started_at")),
    "executed_at": Column(_DATE, _date("executed_at")),
    "completed_at": Column(_DATE, _date("completed_at")),
    "delay_until": Column(_DATE, _field("delayed_until")),
    "has_delay": Column(_SMALL, lambda world, run, seen_at: int(run.delayed_until is not None)),
    "expired_at": Column(_DATE, _date("expired_at")),
    "ttl": Column(_TEXT, lambda world, run, seen_at: run.ttl or ""),
    "execution_duration": Column("Nullable(Int64)", _between("executed_at", "completed_at")),
    "total_duration": Column("Nullable(Int64)", _between("created_at", "completed_at")),
    "queued_duration": Column("Nullable(Int64)", _between("queued_at", "started_at")),
    "usage_duration": Column("UInt32", _field("compute_ms")),
    "compute_cost": Column("Float64", _dollars("cost_nanousd")),
    "invocation_cost": Column("Float64", _dollars("base_cost_nanousd")),
    "total_cost": Column("Float64", _dollars("cost_nanousd", "base_cost_nanousd")),
    "output": Column("JSON", _field("output")),
    "error": Column("JSON", _field("error")),
    "tags": Column("Array(String)", lambda world, run, seen_at: list(run.tags)),
    "task_version": Column(_TEXT, lambda world, run, seen_at: run.version or ""),
    "sdk_version": Column(_TEXT, lambda world, run, seen_at: "4.5.12" if run.version else ""),
    "cli_version": Column(_TEXT, lambda world, run, seen_at: "4.5.12" if run.version else ""),
    "machine": Column("LowCardinality(String)", lambda world, run, seen_at: run.machine if run.started_at else ""),
    "is_test": Column(_SMALL, _field("is_test")),
    "is_warm_start": Column("Nullable(UInt8)", lambda world, run, seen_at: None),
    "concurrency_key": Column(_TEXT, lambda world, run, seen_at: ""),
    "max_duration": Column("Nullable(UInt32)", lambda world, run, seen_at: None),
    "bulk_action_group_ids": Column("Array(String)", lambda world, run, seen_at: [run.bulk_id] if run.bulk_id else []),
}


def written(at: Instant | None) -> str | None:
    """A date as TRQL writes it: ``2026-11-23 18:27:55.569``."""
    if at is None:
        return None
    seconds, millis = divmod(at, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{millis:03d}"
