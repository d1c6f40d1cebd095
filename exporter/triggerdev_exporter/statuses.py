"""The vocabulary of a run's status: one closed set, a row a status, every spelling that any dialect uses.

Nothing here decides what to do with a status; it only says what it means. Sources: the two API dialects, TRQL's titles
and the database names, as listed in docs/design.md, section 5.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands. The values are the label values of ``status``."""

    DELAYED = "DELAYED"
    PENDING_VERSION = "PENDING_VERSION"
    QUEUED = "QUEUED"
    DEQUEUED = "DEQUEUED"
    EXECUTING = "EXECUTING"
    WAITING = "WAITING"
    UNKNOWN = "UNKNOWN"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    SYSTEM_FAILURE = "SYSTEM_FAILURE"
    TIMED_OUT = "TIMED_OUT"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    # The text's own, which is what it is equal to as well: Enum's is slow, and each followed run asks for it often.
    __hash__ = str.__hash__


class Outcome(StrEnum):
    """How a run ended, in four words. The values are the label values of ``outcome``."""

    SUCCESS = "success"
    FAILURE = "failure"
    CANCELED = "canceled"
    EXPIRED = "expired"


#: Terminal statuses and what they mean; all others are open.
OUTCOMES: dict[RunStatus, Outcome] = {
    RunStatus.COMPLETED: Outcome.SUCCESS,
    RunStatus.FAILED: Outcome.FAILURE,
    RunStatus.CRASHED: Outcome.FAILURE,
    RunStatus.SYSTEM_FAILURE: Outcome.FAILURE,
    RunStatus.TIMED_OUT: Outcome.FAILURE,
    RunStatus.CANCELED: Outcome.CANCELED,
    RunStatus.EXPIRED: Outcome.EXPIRED,
}
TERMINAL: frozenset[RunStatus] = frozenset(OUTCOMES)
OPEN: frozenset[RunStatus] = frozenset(RunStatus) - TERMINAL

_OTHER_SPELLINGS: dict[str, RunStatus] = {
    "PENDING": RunStatus.QUEUED,
    "COMPLETED_SUCCESSFULLY": RunStatus.COMPLETED,
    "COMPLETED_WITH_ERRORS": RunStatus.FAILED,
    "INTERRUPTED": RunStatus.FAILED,
    "FAILED_TO_RUN": RunStatus.SYSTEM_FAILURE,
    "REATTEMPTING": RunStatus.EXECUTING,
    "RETRYING_AFTER_FAILURE": RunStatus.EXECUTING,
    "WAITING_TO_RESUME": RunStatus.WAITING,
    "FROZEN": RunStatus.WAITING,
    "PAUSED": RunStatus.WAITING,
    "WAITING_FOR_DEPLOY": RunStatus.PENDING_VERSION,
    "CANCELLED": RunStatus.CANCELED,
}
_SPELLINGS: dict[str, RunStatus] = {status.value: status for status in RunStatus} | _OTHER_SPELLINGS


def read_status(text: str) -> RunStatus:
    """The status that `text` spells in any dialect or case (``Timed out`` too); `RunStatus.UNKNOWN` otherwise."""
    known = _SPELLINGS.get(text)
    if known is not None:
        return known
    return _SPELLINGS.get(text.strip().upper().replace(" ", "_"), RunStatus.UNKNOWN)
