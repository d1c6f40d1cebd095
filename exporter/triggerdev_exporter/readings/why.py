"""Why a task does its work, or does not: one decision tree over what is known of it. Pure; nothing is asked.

A branch is a question with one answer or none. The first branch that has one gives the answer; what further branches
say is told beside it, since a task may have several troubles at once. The order is that of a run's life: it must be
triggered, must leave its queue, must start, must end well. Blindness comes first: nothing else is true then for sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from triggerdev_alerts.message.characters import tame_line
from triggerdev_alerts.message.values import show_duration, show_instant
from triggerdev_alerts.signals import Blind
from triggerdev_exporter.clock import HOUR, MINUTE, Instant
from triggerdev_exporter.readings.course import Lately
from triggerdev_exporter.readings.task_sight import TaskSight, Waiting
from triggerdev_exporter.statuses import RunStatus

PATIENCE = MINUTE
"""A run may wait that long without a reason being looked for."""
SLOW_START = 2 * MINUTE
"""A worker begins a run within seconds of taking it."""
IDLE = HOUR
"""A task without a schedule that nobody triggered for that long is not being triggered."""
IN_A_ROW = 3
"""Failures in a row that are no chance; of a task that a schedule starts, one is enough."""
SHARE, AT_LEAST = 0.2, 3
"""From that share of failures on, and that many of them, a task fails partly."""
SLOW_TIMES, SLOW_FLOOR = 3.0, MINUTE


class Leaf(StrEnum):
    """What may be the answer. The values are the API's."""

    CANNOT_SEE = "cannot_see"
    STARTING = "starting"
    NOT_TRIGGERED = "not_triggered"
    PAUSED = "paused"
    QUEUE_LIMIT = "queue_limit"
    ENVIRONMENT_LIMIT = "environment_limit"
    NO_VERSION = "no_version"
    NOTHING_DEQUEUES = "nothing_dequeues"
    WAITS = "waits"
    STUCK_STARTING = "stuck_starting"
    RETRYING = "retrying"
    EXPIRED = "expired"
    CANCELED = "canceled"
    FAILING = "failing"
    FAILING_PARTLY = "failing_partly"
    LAST_FAILED = "last_failed"
    LATE_SCHEDULE = "late_schedule"
    SLOW = "slow"
    FINE = "fine"
    NOT_DUE = "not_due"
    WORKING = "working"
    NO_OUTCOME = "no_outcome"


WELL = frozenset({Leaf.FINE, Leaf.NOT_DUE, Leaf.WORKING})
"""Nothing is wrong as far as can be seen."""
UNSURE = frozenset({Leaf.CANNOT_SEE, Leaf.STARTING, Leaf.NO_OUTCOME})
FAILURES = frozenset({Leaf.FAILING, Leaf.FAILING_PARTLY, Leaf.LAST_FAILED})


@dataclass(frozen=True, slots=True)
class Cause:
    """One answer."""

    leaf: Leaf
    says: str
    """Whole sentences."""
    since: Instant | None = None
    do: str = ""
    """What to do about it; empty where there is nothing."""


@dataclass(frozen=True, slots=True)
class Why:
    """The answer, and what else is to be said."""

    cause: Cause
    also: tuple[Cause, ...] = ()
    unseen: tuple[str, ...] = ()
    """What could not be looked at, so that nothing is concluded from silence."""


Branch = Callable[[TaskSight], Cause | None]


def explain(sight: TaskSight) -> Why:
    """Why the task does what it does, as of `sight.at`."""
    causes = [cause for branch in TREE if (cause := branch(sight)) is not None]
    cause, *others = causes
    if cause.leaf in (Leaf.CANNOT_SEE, Leaf.STARTING):
        # What was known is shown beside it, but nothing is concluded from what is old or half read.
        return Why(cause)
    also = tuple(other for other in others if other.leaf not in WELL | UNSURE)
    return Why(cause, also, tuple(_unseen(sight)))


def _unseen(sight: TaskSight) -> list[str]:
    told = [
        f"{one.what} cannot be read{_since(sight, one.since)}: {tame_line(one.trouble)}"
        for one in (sight.queues_unseen, sight.schedules_unseen)
        if one is not None
    ]
    if sight.is_catching_up:
        told.append("runs of the time we were away are still being read")
    return told


def _cannot_see(sight: TaskSight) -> Cause | None:
    unseen = sight.runs_unseen
    if unseen is None:
        return None
    last = f" The last success that was seen was {_at(sight, sight.last_success)}." if sight.last_success else ""
    return Cause(
        Leaf.CANNOT_SEE,
        f"Runs cannot be read{_since(sight, unseen.since)}, so nobody can say. {_sentence(unseen.trouble)}{last}",
        unseen.since,
        _REMEDIES.get(unseen.reason, "See /targets; it is asked again by itself."),
    )


_REMEDIES = {
    Blind.AUTH: "Give the exporter a key that works: the one it has is refused.",
    Blind.UNSUPPORTED: "Use a key that may read runs.",
}


def _starting(sight: TaskSight) -> Cause | None:
    if not sight.is_starting:
        return None
    return Cause(Leaf.STARTING, "The runs of the past are still being read.", None, "Ask again in a moment.")


def _not_triggered(sight: TaskSight) -> Cause | None:
    last = sight.last_finished
    if sight.open or sight.is_scheduled or (last is not None and sight.at - last <= IDLE):
        return None
    if last is None:
        says = f"Nobody has triggered it since {show_instant(sight.known_since)}, as far back as was looked."
    else:
        says = f"Nobody triggers it: its last run ended {_at(sight, last)}, and none came after it."
    if sight.is_deployed is False:
        says += f" The current deployment ({sight.deployed_version}) does not hold it."
    return Cause(
        Leaf.NOT_TRIGGERED,
        says,
        sight.known_since if last is None else last,
        "Look at the program that triggers it: Trigger.dev has nothing to do.",
    )


def _paused(sight: TaskSight) -> Cause | None:
    if sight.queue is None or not sight.queue.paused or sight.queues_unseen is not None:
        return None
    queued = sight.waiting(RunStatus.QUEUED)
    waits = f"{_waits(sight, queued)}." if queued else "What is triggered now will wait."
    return Cause(
        Leaf.PAUSED,
        f"Its queue {tame_line(sight.queue.name)} is paused. {waits}",
        None if queued is None else queued.oldest,
        "Resume the queue, in the dashboard or by the API, if nobody paused it on purpose.",
    )


def _long_queued(sight: TaskSight) -> Waiting | None:
    """What waits longer than it should, in a queue that is not paused as far as is known."""
    queued = sight.waiting(RunStatus.QUEUED)
    if queued is None or sight.at - queued.oldest <= PATIENCE or _paused(sight) is not None:
        return None
    return queued


def _can_tell(sight: TaskSight) -> bool:
    return sight.queue is not None and sight.queues_unseen is None


def _is_full(sight: TaskSight) -> bool:
    queue = sight.queue
    return queue is not None and queue.concurrency_limit is not None and queue.running >= queue.concurrency_limit


def _queue_limit(sight: TaskSight) -> Cause | None:
    queued, queue = _long_queued(sight), sight.queue
    if queued is None or queue is None or not _can_tell(sight) or not _is_full(sight):
        return None
    return Cause(
        Leaf.QUEUE_LIMIT,
        f"{_waits(sight, queued)}: its queue {tame_line(queue.name)} is full, {queue.running} of "
        f"{queue.concurrency_limit} run.",
        queued.oldest,
        "Raise the queue's concurrency limit, or look at why what runs takes so long.",
    )


def _environment_limit(sight: TaskSight) -> Cause | None:
    queued, queue = _long_queued(sight), sight.queue
    running = _running(sight)
    if queued is None or queue is None or not _can_tell(sight) or _is_full(sight) or not running:
        return None
    limit = "" if queue.concurrency_limit is None else f" of {queue.concurrency_limit}"
    return Cause(
        Leaf.ENVIRONMENT_LIMIT,
        f"{_waits(sight, queued)}, though its queue {tame_line(queue.name)} has room ({queue.running}{limit} run). "
        f"{_runs(running, 'runs', 'run')} in all queues: most likely that is the limit of the environment.",
        queued.oldest,
        "Raise the limit of the environment (no API tells it), or pause the queue that takes all of it.",
    )


def _no_version(sight: TaskSight) -> Cause | None:
    pending = sight.waiting(RunStatus.PENDING_VERSION)
    if pending is None or sight.at - pending.oldest <= PATIENCE:
        return None
    held = ""
    if sight.is_deployed is False:
        held = f" The current one, {sight.deployed_version}, does not hold the task."
    return Cause(
        Leaf.NO_VERSION,
        f"{_waits(sight, pending)}, for a version that is not deployed.{held}",
        pending.oldest,
        "Deploy a version that has this task and its queue: nothing else helps.",
    )


def _nothing_dequeues(sight: TaskSight) -> Cause | None:
    queued = _long_queued(sight)
    if queued is None or not _can_tell(sight) or _is_full(sight) or _running(sight) != 0:
        return None
    return Cause(
        Leaf.NOTHING_DEQUEUES,
        f"{_waits(sight, queued)}, and nothing runs in any queue: nobody takes runs.",
        queued.oldest,
        "Is the environment paused? Then the workers: the supervisor's log, or the status page of Trigger.dev.",
    )


def _waits_unexplained(sight: TaskSight) -> Cause | None:
    queued = _long_queued(sight)
    if queued is None or _can_tell(sight):
        return None
    why = "queues cannot be read" if sight.queues_unseen else "the server does not tell in which queue they are"
    return Cause(
        Leaf.WAITS, f"{_waits(sight, queued)}; why cannot be said: {why}.", queued.oldest, "Look at the queue."
    )


def _stuck_starting(sight: TaskSight) -> Cause | None:
    taken = sight.waiting(RunStatus.DEQUEUED)
    if taken is None or sight.at - taken.oldest <= SLOW_START:
        return None
    return Cause(
        Leaf.STUCK_STARTING,
        f"{_runs(taken.count, 'runs were', 'run was')} taken from the queue and {_plural(taken, 'do', 'does')} not "
        f"start, for {_long(sight, taken.oldest)}.",
        taken.oldest,
        "Look at the workers: are they full, can they fetch the image, did one die? "
        "Trigger.dev gives such a run back or ends it after some minutes.",
    )


def _retrying(sight: TaskSight) -> Cause | None:
    again = sight.retrying
    if again is None or (sight.last_success is not None and sight.last_success >= again.oldest):
        return None
    return Cause(
        Leaf.RETRYING,
        f"{_runs(again.count, 'runs are', 'run is')} being attempted again (attempt {again.attempts}), and none has "
        f"succeeded since the first of them began, {_at(sight, again.oldest)}.",
        again.oldest,
        f"Look at the attempts that failed: {again.run_id}.",
    )


def _expired(sight: TaskSight) -> Cause | None:
    runs = _latest_ended(sight, "EXPIRED")
    if not runs:
        return None
    return Cause(
        Leaf.EXPIRED,
        f"{_latest(runs, 'expired')}, {_at(sight, sight.unsuccessful[0].finished_at)}: "
        f"{'it' if runs == 1 else 'they'} waited longer than the TTL and will never be done.",
        sight.unsuccessful[runs - 1].finished_at,
        "Look at what its queue waits for; a longer TTL only hides it.",
    )


def _canceled(sight: TaskSight) -> Cause | None:
    runs = _latest_ended(sight, "CANCELED")
    if not runs:
        return None
    how = "was canceled" if runs == 1 else "were canceled"
    return Cause(
        Leaf.CANCELED,
        f"{_latest(runs, how)}, the last one {_at(sight, sight.unsuccessful[0].finished_at)}.",
        sight.unsuccessful[runs - 1].finished_at,
        "Somebody, or a program, cancels them: the dashboard shows who.",
    )


def _latest_ended(sight: TaskSight, status: str) -> int:
    """How many of the newest runs ended in `status`, one after the other, with no success and no failure since."""
    after = max(sight.last_success or 0, sight.last_finished or 0)
    runs = sight.unsuccessful
    if not runs or runs[0].finished_at < after:
        return 0
    last = sight.last_success or 0
    return sum(1 for _ in takewhile(lambda run: run.status == status and run.finished_at > last, runs))


def _failing(sight: TaskSight) -> Cause | None:
    if sight.failures < (1 if sight.is_scheduled else IN_A_ROW):
        return None
    began = sight.failing_since
    since = f", since {_moment(sight, began)}" if began is not None else ""
    last = "" if sight.last_success is None else f" The last success was {_at(sight, sight.last_success)}."
    never = " No success was ever seen." if sight.last_success is None else ""
    return Cause(
        Leaf.FAILING,
        f"{_latest(sight.failures, 'failed')}{since}.{_with(sight)}{last}{never}",
        began,
        _do_about_failures(sight),
    )


def _failing_partly(sight: TaskSight) -> Cause | None:
    bar = sight.lately
    if bar is None or bar.failed < AT_LEAST or bar.failed < SHARE * bar.ended or _failing(sight) is not None:
        return None
    return Cause(
        Leaf.FAILING_PARTLY,
        f"{_share(bar)}{_with(sight)}",
        None,
        _do_about_failures(sight),
    )


def _last_failed(sight: TaskSight) -> Cause | None:
    if not sight.failures or _failing(sight) is not None or _failing_partly(sight) is not None:
        return None
    bar = sight.lately
    if bar is not None and bar.ended > 2 * IN_A_ROW:
        # In a busy task one that fails is no news.
        return None
    return Cause(
        Leaf.LAST_FAILED,
        f"{_latest(sight.failures, 'failed')}, the last one {_at(sight, sight.last_finished)}.{_with(sight)}",
        sight.failing_since,
        _do_about_failures(sight),
    )


def _share(lately: Lately) -> str:
    if lately.ended == 1:
        return f"The only run of the last {lately.minutes} min failed."
    return f"{lately.failed} of the {lately.ended} runs of the last {lately.minutes} min failed."


def _with(sight: TaskSight) -> str:
    told = ""
    if sight.since_version:
        told = f" All are of version {tame_line(sight.since_version)}; an older one succeeded."
    if sight.errors:
        error = sight.errors[0]
        told += f" Most often: {_sentence(': '.join(filter(None, (error.name, error.message))))}"
    return told


def _do_about_failures(sight: TaskSight) -> str:
    if sight.since_version:
        return f"Look at what changed in {tame_line(sight.since_version)}; rolling back may be the fastest way."
    failed = next((run for run in sight.unsuccessful if run.status not in ("EXPIRED", "CANCELED")), None)
    return f"Look at a run that failed: {failed.id}." if failed is not None else "Look at the runs that failed."


def _late_schedule(sight: TaskSight) -> Cause | None:
    late = [one for one in sight.schedules if one.missed]
    if not late or sight.schedules_unseen is not None:
        return None
    worst = max(late, key=lambda one: (len(one.missed), one.id))
    more = "" if len(late) == 1 else f" {len(late) - 1} more of its schedules are late too."
    slots = "" if len(worst.missed) == 1 else f"; {len(worst.missed)} in a row are missing"
    return Cause(
        Leaf.LATE_SCHEDULE,
        f"Its schedule {tame_line(worst.cron)} ({tame_line(worst.timezone)}) was due {_at(sight, worst.missed[-1])}, "
        f"and no run came{slots}.{more}",
        worst.missed[0],
        f"Look at schedule {worst.id}: is it attached to this environment, does it still name this task?",
    )


def _slow(sight: TaskSight) -> Cause | None:
    running = sight.waiting(RunStatus.EXECUTING)
    if running is None or sight.usual is None:
        return None
    lasts = sight.at - running.oldest
    if lasts <= max(SLOW_FLOOR, SLOW_TIMES * sight.usual):
        return None
    return Cause(
        Leaf.SLOW,
        f"A run executes for {coarse(lasts)}; they rarely take longer than {show_duration(sight.usual)}.",
        running.oldest,
        f"Look at what it does: {running.run_id}.",
    )


def _fine(sight: TaskSight) -> Cause | None:
    if sight.last_success is None:
        return None
    bar = sight.lately
    some = f" {_share(bar)}" if bar is not None and bar.failed else ""
    says = f"It works: the last success was {_at(sight, sight.last_success)}.{some}"
    return Cause(Leaf.FINE, says, sight.last_success)


def _not_due(sight: TaskSight) -> Cause | None:
    if sight.open or sight.last_finished is not None or not sight.is_scheduled:
        return None
    nexts = [one.next_run for one in sight.schedules if one.next_run is not None]
    when = f" The next run is due at {show_instant(min(nexts))}." if nexts else ""
    return Cause(Leaf.NOT_DUE, f"A schedule starts it, and it was not due yet since we look.{when}")


def _working(sight: TaskSight) -> Cause | None:
    if not sight.open:
        return None
    told = ", ".join(f"{group.count} {status.value}" for status, group in sight.open.items())
    return Cause(Leaf.WORKING, f"Runs are under way ({told}), and none has ended well or badly since we look.")


def _no_outcome(sight: TaskSight) -> Cause | None:
    if sight.last_finished is None:
        return Cause(Leaf.NO_OUTCOME, "Nothing is known of its runs.")
    return Cause(
        Leaf.NO_OUTCOME,
        f"Its last run ended {_at(sight, sight.last_finished)}, neither well nor badly: it was canceled or expired.",
        sight.last_finished,
    )


TREE: tuple[Branch, ...] = (
    _cannot_see,
    _starting,
    _not_triggered,
    _paused,
    _queue_limit,
    _environment_limit,
    _no_version,
    _nothing_dequeues,
    _waits_unexplained,
    _stuck_starting,
    _retrying,
    _expired,
    _canceled,
    _failing,
    _failing_partly,
    _last_failed,
    _late_schedule,
    _slow,
    _fine,
    _not_due,
    _working,
    _no_outcome,
)


# -- words -------------------------------------------------------------------------------------------------------------


def _running(sight: TaskSight) -> int | None:
    """In all queues; ``None`` where nobody can say."""
    if sight.running_elsewhere is None:
        return None
    return sight.running_elsewhere + (0 if sight.queue is None else sight.queue.running)


def _waits(sight: TaskSight, waiting: Waiting) -> str:
    if waiting.count == 1:
        return f"One run waits for {_long(sight, waiting.oldest)}"
    return f"{waiting.count:,} runs wait, the oldest for {_long(sight, waiting.oldest)}"


def _runs(count: int, many: str, one: str) -> str:
    return f"One {one}" if count == 1 else f"{count:,} {many}"


def _plural(waiting: Waiting, many: str, one: str) -> str:
    return one if waiting.count == 1 else many


def _latest(count: int, how: str) -> str:
    return f"Its last run {how}" if count == 1 else f"Its last {count:,} runs {how}"


def _long(sight: TaskSight, since: Instant) -> str:
    return coarse(sight.at - since)


def coarse(milliseconds: int) -> str:
    """A duration without the seconds where they say nothing: ``14 min``, and ``45 s``."""
    passed = max(0, milliseconds)
    return show_duration(passed - passed % (MINUTE if passed >= 5 * MINUTE else 1000 if passed >= 1000 else 1))


def _at(sight: TaskSight, at: Instant | None) -> str:
    """``12 s ago``; with the instant where that is longer."""
    if at is None:
        return "at an unknown time"
    ago = max(0, sight.at - at)
    return f"{coarse(ago)} ago" + (f" ({show_instant(at)})" if ago >= MINUTE else "")


def _moment(sight: TaskSight, at: Instant) -> str:
    return f"{show_instant(at)} ({_long(sight, at)})"


def _since(sight: TaskSight, since: Instant | None) -> str:
    return "" if since is None else f" since {_moment(sight, since)}"


def _sentence(text: str) -> str:
    line = tame_line(text)
    return line if line.endswith((".", "!", "?")) else f"{line}."
