"""Evidence out of a story: the runs and errors that a message would show. Reads the story, starts nothing."""

from __future__ import annotations

from collections import Counter

from triggerdev_alerts.history.story import Story, StoryRun, TargetStory
from triggerdev_alerts.history.thing_signals import sights_at
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import FAILURES, NO_EVIDENCE, SUCCESSES, ErrorCount, Evidence, RunLink, Wanted

_ABOUT_QUEUES = ("queue_depth", "queue_age", "queue_stalled", "queue_saturated", "queue_paused")


class StoryWitness:
    """`signals.Witness` over a story: everything is known at once."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def prepare(self, wanted: Wanted) -> None:
        """Nothing has to be fetched."""

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence:
        target = self._story.target(wanted.target)
        if target is None:
            return NO_EVIDENCE
        labels = dict(wanted.labels)
        runs = [run for run in target.runs if run.is_visible(at) and _concerns(run, wanted)]
        shown = [*_open(runs, wanted, at), *_ended(runs, wanted, at)]
        notes = _queue_notes(target, labels, at) if wanted.condition in _ABOUT_QUEUES else ()
        return Evidence(
            errors=_errors(shown, wanted) if wanted.texts != "off" else (),
            runs=tuple(RunLink(run.id, run.url, _status(run, at)) for run in shown[: wanted.runs]),
            since_version=_first_bad(runs, wanted, at),
            notes=notes,
        )


def _concerns(run: StoryRun, wanted: Wanted) -> bool:
    """Whether the run belongs to the series."""
    return (wanted.where.include_test or not run.is_test) and wanted.concerns(
        task=run.task, version=run.version, queue=run.queue, tags=run.tags
    )


def _ended(runs: list[StoryRun], wanted: Wanted, at: Instant) -> list[StoryRun]:
    """Runs that ended as asked for in the window, the newest first."""
    mine = [run for run in runs if run.finished is not None and at - wanted.window < run.finished <= at]
    return sorted(
        (run for run in mine if run.ending in wanted.statuses), key=lambda run: (-(run.finished or 0), run.id)
    )


def _open(runs: list[StoryRun], wanted: Wanted, at: Instant) -> list[StoryRun]:
    """Open runs as asked for, those that wait longest first."""
    mine = [run for run in runs if run.open_status(at) in wanted.statuses]
    if wanted.older_than:
        mine = [run for run in mine if at - run.since(at) > wanted.older_than]
    return sorted(mine, key=lambda run: (run.since(at), run.id))


def _status(run: StoryRun, at: Instant) -> str:
    return run.ending if run.ended(at) else run.open_status(at)


def _errors(runs: list[StoryRun], wanted: Wanted) -> tuple[ErrorCount, ...]:
    with_text = wanted.texts == "message"
    counts = Counter((name, message if with_text else "") for name, message in (run.error for run in runs) if name)
    # Most frequent first, then by name: equal stories make equal messages.
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ErrorCount(name, message, count) for (name, message), count in ordered[: wanted.errors])


def _first_bad(runs: list[StoryRun], wanted: Wanted, at: Instant) -> str:
    failed = {run.version for run in _ended(runs, wanted, at) if run.ending in FAILURES}
    if len(failed) != 1:
        return ""
    (version,) = failed
    begins = min(run.created for run in runs if run.version == version)
    older = any(
        run.version != version and run.ending in SUCCESSES and run.ended(at) and run.created < begins for run in runs
    )
    return version if older else ""


def _queue_notes(target: TargetStory, labels: dict[str, str], at: Instant) -> tuple[str, ...]:
    sight = sights_at(target, at).get(labels.get("queue", ""))
    if sight is None:
        return ()
    limit = "" if sight.limit is None else f" of {sight.limit}"
    return (f"{sight.depth} wait, {sight.running}{limit} run" + (", paused" if sight.paused else ""),)
