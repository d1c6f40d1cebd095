"""What a dialect hands to the client: a request and the decoder of its answer, as one value. No I/O here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.records import (
    Batch,
    Deployment,
    Enrichment,
    ErrorGroup,
    Family,
    Page,
    Queue,
    Run,
    RunError,
    Schedule,
    WaitpointToken,
)

T = TypeVar("T")


class Priority(IntEnum):
    """Who goes first when our share of the quota is short. Lower goes first."""

    LIVE = 0
    """Queues, and everything else on the live plane; the probe."""
    HEAD = 1
    """The newest runs and the open set."""
    SETTLE = 2
    """How a run that left the open set ended; batches; enrichment."""
    CATCH_UP = 3
    """The past: look-back, gaps, sweeps."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how to read its answer.

    `endpoint` is the value of the metric label, from a closed set: no ids in it. `decode` is pure and total: it
    returns records or raises `errors.Unreadable`.
    """

    endpoint: str
    path: str
    decode: Callable[[bytes], T]
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    """JSON to POST; ``None`` is a GET."""


class Dialect(Protocol):
    """One way in which a server speaks. A method returns ``None`` where the dialect has no such endpoint."""

    @property
    def name(self) -> str:
        """``trigger`` or ``seed``: the label value."""
        ...

    def runs(self, *, created_from: Instant, only_open: bool = False, cursor: str | None = None) -> Call[Page[Run]]:
        """Runs created at or after `created_from`, newest first, 100 a page; `only_open` filters by open status."""
        ...

    def run(self, run_id: str) -> Call[Run]: ...

    def family(self, run_id: str) -> Call[Family]:
        """A run and whose parent it is."""
        ...

    def run_error(self, run_id: str) -> Call[RunError | None]:
        """Why a run failed, as it told; ``None`` if it told nothing."""
        ...

    def errors(self, *, seconds: int, task: str = "", version: str = "") -> Call[Page[ErrorGroup]] | None:
        """The most frequent errors of the last `seconds`, of one task or version if they are named."""
        ...

    def queues(self, cursor: str | None = None) -> Call[Page[Queue]]: ...

    def batch(self, batch_id: str) -> Call[Batch]: ...

    def schedules(self, cursor: str | None = None) -> Call[Page[Schedule]]: ...

    def deployments(self, cursor: str | None = None) -> Call[Page[Deployment]]: ...

    def current_deployment(self) -> Call[Deployment] | None: ...

    def deployment_tasks(self, deployment_id: str) -> Call[tuple[str, ...]] | None:
        """The task ids of one deployment, empty before its worker is built; ``None`` where the list tells them."""
        ...

    def tokens(
        self, *, created_from: Instant | None = None, only_open: bool = False, cursor: str | None = None
    ) -> Call[Page[WaitpointToken]] | None: ...

    def token(self, token_id: str) -> Call[WaitpointToken] | None: ...

    def enrichment(self) -> Call[tuple[Enrichment, ...]] | None: ...
