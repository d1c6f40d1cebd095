"""``rules replay``: rules over what a target did, or over a recording. Reads the API or a file; sends nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from triggerdev_alerts.history.chapters import reach
from triggerdev_alerts.history.recording import RecordedSignals, RecordingError
from triggerdev_alerts.history.replay import Replayed, replay_recording, replay_story
from triggerdev_alerts.history.replay_report import as_json, as_text
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.clock import Clock, Instant
from triggerdev_exporter.commands.past import about, caveats, chosen_targets, interval, read_pasts, span_of
from triggerdev_exporter.commands.rule_files import chosen_rules
from triggerdev_exporter.config.model import Target
from triggerdev_exporter.config.written import CONFIG
from triggerdev_exporter.replay import Past


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for, as it was written."""

    files: tuple[str, ...]
    config_path: Path | None
    begin: str
    end: str
    targets: tuple[str, ...]
    recording: Path | None
    every: str
    format: str


def replay_rules(wish: Wish, clock: Clock) -> None:
    """Print what would have fired and been sent."""
    # What the engine would log is about the past or made up; the report says it.
    logging.getLogger("triggerdev_alerts").setLevel(logging.CRITICAL)
    tell = as_json if wish.format == "json" else as_text
    if wish.recording is not None:
        if wish.targets or wish.begin or wish.end or wish.every:
            raise click.UsageError("a recording has its own targets and its own time; leave out the other options")
        ruleset = _rules(wish.files, wish.config_path)
        replayed = asyncio.run(replay_recording(ruleset, _recorded(wish.recording)))
        click.echo(tell(replayed, about=f"the recording {wish.recording}"), nl=False)
        return
    ruleset = _rules(wish.files, wish.config_path)
    if not ruleset.rules:
        raise click.UsageError("there is no rule in these files; --config without files takes the shipped ones too")
    begin, end = span_of(wish.begin or "24h", wish.end or "0s", clock.now())
    targets = chosen_targets(wish.targets, wish.config_path)
    if wish.every:
        ruleset = _each(ruleset, interval(wish.every))
    replayed, pasts = asyncio.run(_replay(ruleset, targets, begin, end, clock))
    click.echo(tell(replayed, about=about(pasts), caveats=caveats(pasts)), nl=False)


async def _replay(
    ruleset: RuleSet, targets: Sequence[Target], begin: Instant, end: Instant, clock: Clock
) -> tuple[Replayed, list[Past]]:
    pasts = await read_pasts(targets, clock, since=begin - reach(ruleset), until=end)
    story = Story(start=begin, targets=tuple(past.story for past in pasts))
    return await replay_story(ruleset, story, start=begin, end=end), pasts


def _rules(files: tuple[str, ...], config_path: Path | None) -> RuleSet:
    """The files alone; else what the config says; else the shipped rules."""
    if files:
        # Unlike for other commands a config may be named too: it tells the targets.
        return chosen_rules(files, None).ruleset
    if config_path is None and not os.environ.get(CONFIG):
        return read_rules(shipped_rules()).ruleset
    return chosen_rules((), config_path).ruleset


def _recorded(path: Path) -> RecordedSignals:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return RecordedSignals(lines, str(path))
    except OSError as error:
        raise RecordingError(f"{path}: the recording cannot be read: {error.strerror}") from error


def _each(ruleset: RuleSet, every: int) -> RuleSet:
    return replace(ruleset, groups=tuple(replace(group, interval=every) for group in ruleset.groups))
