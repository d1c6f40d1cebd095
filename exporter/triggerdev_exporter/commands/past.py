"""What `rules replay` and `rules suggest` share: which targets, since when, and their past read from the API."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.units import parse_duration
from triggerdev_exporter.clock import MINUTE, SECOND, Clock, Instant
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.model import Target
from triggerdev_exporter.replay import Past, read_past

_TOLD_EVERY = 5_000


def span_of(begin: str, end: str, now: Instant) -> tuple[Instant, Instant]:
    """The span that ``--from`` and ``--to`` mean."""
    first, last = instant(begin, now, "--from"), instant(end, now, "--to")
    if not first < last <= now:
        raise click.BadParameter("the span ends before it begins, or in the future", param_hint="--from/--to")
    return first, last


def instant(text: str, now: Instant, option: str) -> Instant:
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


def interval(text: str) -> int:
    """What ``--every`` means."""
    try:
        every = parse_duration(text)
    except Unfit as error:
        raise click.BadParameter(error.text, param_hint="--every") from error
    if every < 10 * SECOND or every > 60 * MINUTE:
        raise click.BadParameter("rules are evaluated every 10s at most, and every 1h at least", param_hint="--every")
    return every


def chosen_targets(names: tuple[str, ...], config_path: Path | None) -> list[Target]:
    """Those of the config and the environment, or some of them by name."""
    config = load_config(config_path, os.environ).config
    known = {target.name: target for target in config.targets}
    missing = next((name for name in names if name not in known), None)
    if missing is not None:
        raise click.BadParameter(f"no target {found(missing)}; there are {', '.join(known)}", param_hint="--target")
    return [known[name] for name in names] if names else list(config.targets)


async def read_pasts(targets: Sequence[Target], clock: Clock, *, since: Instant, until: Instant) -> list[Past]:
    """Of each target in turn; stderr hears how far it is."""
    from triggerdev_exporter.app import open_client

    pasts: list[Past] = []
    for target in targets:
        told = 0

        def progress(runs: int, name: str = target.name) -> None:
            nonlocal told
            if runs - told >= _TOLD_EVERY:
                told = runs
                click.echo(f"{name}: {runs:,} runs read", err=True)

        async with open_client(target, clock) as client:
            pasts.append(await read_past(client, target, since=since, until=until, progress=progress))
    return pasts


def about(pasts: Sequence[Past]) -> str:
    """``prod: 12,345 runs; staging: 8 runs``."""
    return "; ".join(f"{past.story.name}: {len(past.story.runs):,} runs" for past in pasts)


def caveats(pasts: Sequence[Past]) -> list[str]:
    """What the pasts do not tell; with the target's name where there are several."""
    return [text if len(pasts) == 1 else f"{past.story.name}: {text}" for past in pasts for text in past.caveats]
