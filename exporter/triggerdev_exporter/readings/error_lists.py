"""`ErrorLists`: errors of a series as the server counts them, where it has a list of them and this key may read it.

Asked in the background, kept in memory only, and shown for a while. Who gets no list retrieves runs instead.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from triggerdev_alerts.signals import FAILURES, Wanted
from triggerdev_exporter.api.calls import Priority
from triggerdev_exporter.clock import MINUTE, SECOND, Instant
from triggerdev_exporter.errors import ApiError, Forbidden, NotFound, Unauthorized
from triggerdev_exporter.records import ErrorGroup, RunError
from triggerdev_exporter.target import LOOK_AGAIN, Target

log = logging.getLogger(__name__)

SHOWN_FOR = 15 * MINUTE
"""A message later than that would tell numbers of another time."""
FRESH_FOR = 5 * SECOND
"""Rules that begin to hold together are about the same errors."""
KEPT_LISTS = 500


class Question(NamedTuple):
    """What one list is about: everything in `Wanted` that the server can narrow by."""

    target: str
    seconds: int
    task: str
    version: str


class ErrorLists:
    """The latest list of each series, by target and question."""

    def __init__(self) -> None:
        self._lists: dict[Question, tuple[Instant, tuple[ErrorGroup, ...]]] = {}
        self._look_again: dict[str, Instant] = {}
        """By target: until when nobody asks, since it has no such list."""

    def may_tell(self, target: Target, wanted: Wanted) -> bool:
        """Whether a list could be had of it now."""
        unsupported = target.clock.now() < self._look_again.get(target.name, 0)
        return not unsupported and _question(wanted) is not None

    async def ask(self, target: Target, wanted: Wanted) -> bool:
        """Whether the server told of errors. Trouble is no answer, and never raises."""
        question = _question(wanted)
        if question is None:
            return False
        asked, groups = self._lists.get(question, (0, ()))
        if target.clock.now() - asked < FRESH_FOR:
            return bool(groups)
        dialect, _ = await target.open()
        call = dialect.errors(seconds=question.seconds, task=question.task, version=question.version)
        if call is None or not target.client.allowance(Priority.SETTLE):
            return False
        try:
            page = await target.client.fetch(call, Priority.SETTLE)
        except (Unauthorized, Forbidden, NotFound) as error:
            self._look_again[target.name] = target.clock.now() + LOOK_AGAIN
            log.info(
                "errors are not listed here: they are read from single runs; looking again in an hour",
                extra={"target": target.name, "why": str(error)},
            )
            return False
        except ApiError as error:
            log.debug("no list of errors could be had", extra={"target": target.name, "why": str(error)})
            return False
        self._lists.pop(question, None)
        self._lists[question] = (target.clock.now(), page.items)
        while len(self._lists) > KEPT_LISTS:
            del self._lists[next(iter(self._lists))]
        return bool(page.items)

    def told(self, wanted: Wanted, at: Instant) -> Counter[RunError]:
        """How often each error was seen, as the server last said; empty if it did not lately."""
        question = _question(wanted)
        asked, groups = self._lists.get(question, (0, ())) if question else (0, ())
        if at - asked > min(SHOWN_FOR, wanted.window):
            return Counter()
        version = _label(wanted, "version")
        # Globs are narrowed by here: the server takes one name.
        return _sum(group for group in groups if wanted.concerns(task=group.task, version=version, queue=None))

    def of_task(self, target: str, task: str, at: Instant) -> Counter[RunError]:
        """The same of a task, by the latest list that was asked for."""
        of_it = (told for question, told in self._lists.items() if (question.target, question.task) == (target, task))
        asked, groups = max(of_it, key=lambda told: told[0], default=(0, ()))
        return _sum(groups) if at - asked <= SHOWN_FOR else Counter()


def _sum(groups: Iterable[ErrorGroup]) -> Counter[RunError]:
    counts: Counter[RunError] = Counter()
    for group in groups:
        counts[group.error] += group.count
    return counts


def _question(wanted: Wanted) -> Question | None:
    """``None`` where the server's list is of other runs than the series."""
    where = wanted.where
    unlisted = where.queue or where.tag or where.version or where.include_test
    if unlisted or _label(wanted, "queue") or _label(wanted, "tag") or set(wanted.statuses) != set(FAILURES):
        return None
    seconds = max(1, wanted.window // SECOND)
    return Question(wanted.target, seconds, _label(wanted, "task"), _label(wanted, "version"))


def _label(wanted: Wanted, name: str) -> str:
    return dict(wanted.labels).get(name, "")
