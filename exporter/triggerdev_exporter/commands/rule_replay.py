"""``rules replay``: rules over what a target did, or over a recording. Reads the API or a file; sends nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.units import parse_duration
from triggerdev_alerts.history.chapters import reach
from triggerdev_alerts.history.recording import RecordedSignals, RecordingError
from triggerdev_alerts.history.replay import Replayed, replay_recording, replay_story
from triggerdev_alerts.history.replay_report import as_json, as_text
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.clock import MINUTE, SECOND, Clock, Instant
from triggerdev_exporter.commands.rule_files import chosen_rules
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.model import Target
from triggerdev_exporter.config.written import CONFIG
from triggerdev_exporter.replay import Past, read_past

_TOLD_EVERY = 5_000


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
    now = clock.now()
    begin, end = _instant(wish.begin or "24h", now, "--from"), _instant(wish.end or "0s", now, "--to")
    if not begin < end <= now:
        raise click.BadParameter("the span ends before it begins, or in the future", param_hint="--from/--to")
    targets = _targets(wish.targets, wish.config_path)
    ruleset = _rules(wish.files, wish.config_path)
    if wish.every:
        ruleset = _each(ruleset, _every(wish.every))
    replayed, pasts = asyncio.run(_replay(ruleset, targets, begin, end, clock))
    caveats = [_caveat(past, text, pasts) for past in pasts for text in past.caveats]
    click.echo(tell(replayed, about=_about(pasts), caveats=caveats), nl=False)


async def _replay(
    ruleset: RuleSet, targets: Sequence[Target], begin: Instant, end: Instant, clock: Clock
) -> tuple[Replayed, list[Past]]:
    from triggerdev_exporter.app import open_client

    since = begin - reach(ruleset)
    pasts: list[Past] = []
    for target in targets:
        told = 0

        def progress(runs: int, name: str = target.name) -> None:
            nonlocal told
            if runs - told >= _TOLD_EVERY:
                told = runs
                click.echo(f"{name}: {runs:,} runs read", err=True)

        async with open_client(target, clock) as client:
            pasts.append(await read_past(client, target, since=since, until=end, progress=progress))
    story = Story(start=begin, targets=tuple(past.story for past in pasts))
    return await replay_story(ruleset, story, start=begin, end=end), pasts


def _about(pasts: Sequence[Past]) -> str:
    told = [f"{past.story.name}: {len(past.story.runs):,} runs" for past in pasts]
    return "; ".join(told)


def _caveat(past: Past, text: str, pasts: Sequence[Past]) -> str:
    return text if len(pasts) == 1 else f"{past.story.name}: {text}"


def _rules(files: tuple[str, ...], config_path: Path | None) -> RuleSet:
    """The files alone; else what the config says; else the shipped rules."""
    if files:
        # Unlike for other commands a config may be named too: it tells the targets.
        return chosen_rules(files, None).ruleset
    if config_path is None and not os.environ.get(CONFIG):
        return read_rules(shipped_rules()).ruleset
    return chosen_rules((), config_path).ruleset


def _targets(names: tuple[str, ...], config_path: Path | None) -> list[Target]:
    config = load_config(config_path, os.environ).config
    known = {target.name: target for target in config.targets}
    missing = next((name for name in names if name not in known), None)
    if missing is not None:
        raise click.BadParameter(f"no target {found(missing)}; there are {', '.join(known)}", param_hint="--target")
    return [known[name] for name in names] if names else list(config.targets)


def _recorded(path: Path) -> RecordedSignals:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return RecordedSignals(lines, str(path))
    except OSError as error:
        raise RecordingError(f"{path}: the recording cannot be read: {error.strerror}") from error


def _instant(text: str, now: Instant, option: str) -> Instant:
    """``24h`` ago, or ``2026-01-05T12:00:00Z``."""
    try:
        return now - parse_duration(text)
    except Unfit:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter(
            f'{found(text)} is neither an instant nor a time ago; write it like "2026-01-05T12:00:00Z" or "24h"',
            param_hint=option,
        )
    return round(moment.timestamp() * 1000)


def _every(text: str) -> int:
    try:
        every = parse_duration(text)
    except Unfit as error:
        raise click.BadParameter(error.text, param_hint="--every") from error
    if every < 10 * SECOND or every > 60 * MINUTE:
        raise click.BadParameter("rules are evaluated every 10s at most, and every 1h at least", param_hint="--every")
    return every


def _each(ruleset: RuleSet, interval: int) -> RuleSet:
    return replace(ruleset, groups=tuple(replace(group, interval=interval) for group in ruleset.groups))
