"""What is kept of a run or batch that ended, until its spans are accepted. Rows of the state file, as JSON.

A field may be added with a default; none may be removed or change its meaning within a major version of the state. No
payload, output or error text: of metadata, only the traceparent that the configuration names.
"""

from __future__ import annotations

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.statuses import RunStatus


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which environment it comes from, as far as that was known when the row was sealed."""

    project: str | None = None
    environment: str | None = None
    environment_type: str | None = None


class RunDue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="run"):
    """A run that ended."""

    id: str
    task: str
    status: RunStatus
    created_at: Instant
    finished_at: Instant
    started_at: Instant | None = None
    delayed_until: Instant | None = None
    queued_at: Instant | None = None
    dequeued_at: Instant | None = None
    version: str | None = None
    is_test: bool = False
    tags: tuple[str, ...] = ()
    compute_ms: int | None = None
    cost_nanousd: int | None = None
    depth: int | None = None
    kind: str | None = None
    attempts: int | None = None
    queue: str | None = None
    batch_id: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    orphaned: bool = False
    """It has a parent, or may have one, and nobody could tell it: exported as a root."""
    traceparent: str | None = None
    """From its metadata, valid."""
    root_traceparent: str | None = None
    """From the metadata of its root, where it has none of its own."""
    error_name: str | None = None
    machine: str | None = None
    region: str | None = None
    ttl: str | None = None
    is_apart: bool = False
    """A test run that the histograms do not hold."""
    is_cut: bool = False
    """The trace of its tree is full: it has one of its own."""
    origin: Origin = Origin()

    @property
    def root(self) -> str:
        """The run whose id names the trace."""
        return self.root_id or self.id

    @property
    def knows_family(self) -> bool:
        """Whether it is known to be a root, or whose child it is."""
        return self.depth == 0 or (self.parent_id is not None and self.root_id is not None)


class BatchDue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="batch"):
    """A batch that ended."""

    id: str
    status: str
    created_at: Instant
    finished_at: Instant
    items_created: int = 0
    items_failed: int = 0
    origin: Origin = Origin()


Due = RunDue | BatchDue
