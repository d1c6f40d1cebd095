"""How each dialect spells the status of a run: one row a database status, as in section 2.3 of the API reference."""

from __future__ import annotations

from typing import NamedTuple


class Spelling(NamedTuple):
    """The same status in four vocabularies."""

    seed: str
    dated: str
    """With ``x-trigger-api-version: 2025-07-16``."""
    undated: str
    title: str
    """TRQL."""


SPELLINGS: dict[str, Spelling] = {
    "DELAYED": Spelling("DELAYED", "DELAYED", "DELAYED", "Delayed"),
    "PENDING_VERSION": Spelling("WAITING_FOR_DEPLOY", "PENDING_VERSION", "PENDING_VERSION", "Pending version"),
    "WAITING_FOR_DEPLOY": Spelling("WAITING_FOR_DEPLOY", "PENDING_VERSION", "WAITING_FOR_DEPLOY", "Pending version"),
    "PENDING": Spelling("QUEUED", "QUEUED", "QUEUED", "Queued"),
    "DEQUEUED": Spelling("EXECUTING", "DEQUEUED", "EXECUTING", "Dequeued"),
    "EXECUTING": Spelling("EXECUTING", "EXECUTING", "EXECUTING", "Executing"),
    "RETRYING_AFTER_FAILURE": Spelling("REATTEMPTING", "EXECUTING", "REATTEMPTING", "Reattempting"),
    "WAITING_TO_RESUME": Spelling("WAITING_TO_RESUME", "WAITING", "FROZEN", "Waiting"),
    "PAUSED": Spelling("WAITING_TO_RESUME", "WAITING", "FROZEN", "Paused"),
    "COMPLETED_SUCCESSFULLY": Spelling("COMPLETED_SUCCESSFULLY", "COMPLETED", "COMPLETED", "Completed"),
    "COMPLETED_WITH_ERRORS": Spelling("COMPLETED_WITH_ERRORS", "FAILED", "FAILED", "Failed"),
    "INTERRUPTED": Spelling("INTERRUPTED", "FAILED", "INTERRUPTED", "Interrupted"),
    "CRASHED": Spelling("CRASHED", "CRASHED", "CRASHED", "Crashed"),
    "SYSTEM_FAILURE": Spelling("SYSTEM_FAILURE", "SYSTEM_FAILURE", "SYSTEM_FAILURE", "System failure"),
    "TIMED_OUT": Spelling("TIMED_OUT", "TIMED_OUT", "TIMED_OUT", "Timed out"),
    "CANCELED": Spelling("CANCELLED", "CANCELED", "CANCELED", "Canceled"),
    "EXPIRED": Spelling("EXPIRED", "EXPIRED", "EXPIRED", "Expired"),
}

#: What a test may write for a database status.
_SHORT = {
    "QUEUED": "PENDING",
    "COMPLETED": "COMPLETED_SUCCESSFULLY",
    "FAILED": "COMPLETED_WITH_ERRORS",
    "WAITING": "WAITING_TO_RESUME",
    "REATTEMPTING": "RETRYING_AFTER_FAILURE",
    "CANCELLED": "CANCELED",
}

#: ``filter[status]`` of the real server: both vocabularies at once, each narrow.
REAL_FILTERS: dict[str, frozenset[str]] = {
    "PENDING_VERSION": frozenset({"PENDING_VERSION"}),
    "WAITING_FOR_DEPLOY": frozenset({"WAITING_FOR_DEPLOY"}),
    "QUEUED": frozenset({"PENDING"}),
    "DEQUEUED": frozenset({"DEQUEUED"}),
    "EXECUTING": frozenset({"EXECUTING"}),
    "REATTEMPTING": frozenset({"RETRYING_AFTER_FAILURE"}),
    "FROZEN": frozenset({"PAUSED", "WAITING_TO_RESUME"}),
    "WAITING": frozenset({"WAITING_TO_RESUME"}),
    "DELAYED": frozenset({"DELAYED"}),
    "COMPLETED": frozenset({"COMPLETED_SUCCESSFULLY"}),
    "CANCELED": frozenset({"CANCELED"}),
    "FAILED": frozenset({"COMPLETED_WITH_ERRORS"}),
    "CRASHED": frozenset({"CRASHED"}),
    "INTERRUPTED": frozenset({"INTERRUPTED"}),
    "SYSTEM_FAILURE": frozenset({"SYSTEM_FAILURE"}),
    "EXPIRED": frozenset({"EXPIRED"}),
    "TIMED_OUT": frozenset({"TIMED_OUT"}),
}

#: ``filter[status]`` of the seed: a value matches all that is told by its name.
SEED_FILTERS: dict[str, frozenset[str]] = {
    name: frozenset(status for status, row in SPELLINGS.items() if row.seed == name)
    for name in (
        *(row.seed for row in SPELLINGS.values()),
        "FAILED_TO_RUN",
    )
}


def database_status(text: str) -> str:
    """`text` as the database spells it; what nobody knows stays as it is (an odd status)."""
    return _SHORT.get(text, text)


def spelling(status: str) -> Spelling:
    """The row of a database status; an odd one is told as it is everywhere."""
    return SPELLINGS.get(status) or Spelling(status, status, status, status.capitalize().replace("_", " "))


def flags(shown: str) -> dict[str, bool]:
    """The seven booleans, from the status *shown*. EXPIRED and TIMED_OUT answer false to all."""
    failed = shown in {"FAILED", "CRASHED", "INTERRUPTED", "SYSTEM_FAILURE", "CANCELED"}
    return {
        "isQueued": shown in {"QUEUED", "DELAYED", "PENDING_VERSION", "WAITING_FOR_DEPLOY"},
        "isExecuting": shown in {"DEQUEUED", "EXECUTING", "REATTEMPTING", "FROZEN"},
        "isCompleted": shown == "COMPLETED" or failed,
        "isFailed": failed,
        "isSuccess": shown == "COMPLETED",
        "isCancelled": shown == "CANCELED",
        "isWaiting": shown == "WAITING",
    }
