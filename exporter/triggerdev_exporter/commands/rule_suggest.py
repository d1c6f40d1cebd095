"""``rules suggest``: thresholds out of what targets did in the last days. Reads the API; writes and sends nothing."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import click

from triggerdev_alerts.history.habits import Span
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.history.suggest import chosen, counted, findings, left_alone, suggested
from triggerdev_alerts.history.suggest_report import as_json, as_yaml, too_few
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.commands.past import about, caveats, chosen_targets, interval, read_pasts, span_of
from triggerdev_exporter.replay import Past

_FILE = "suggested.yml"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for, as it was written."""

    config_path: Path | None
    begin: str
    end: str
    targets: tuple[str, ...]
    every: str
    format: str
    only: tuple[str, ...] = ()
    """Globs of tasks."""
    without: tuple[str, ...] = ()


def suggest_rules(wish: Wish, clock: Clock) -> None:
    """Print rules, each with the numbers it was made of and the messages it would have sent."""
    # What the engine would log is about the past or made up; the report says it.
    logging.getLogger("triggerdev_alerts").setLevel(logging.CRITICAL)
    span = Span(*span_of(wish.begin, wish.end or "0s", clock.now()))
    every = interval(wish.every)
    targets = chosen_targets(wish.targets, wish.config_path)
    pasts = asyncio.run(read_pasts(targets, clock, since=span.start, until=span.end))
    click.echo(asyncio.run(_told(pasts, span, every, wish)), nl=False)


async def _told(pasts: list[Past], span: Span, every: int, wish: Wish) -> str:
    story = Story(start=span.start, targets=tuple(past.story for past in pasts))
    found = chosen(findings(story, span), wish.only, wish.without)
    rules = suggested(found)
    # Read back as a person's file would be, so that what is counted is what is pasted.
    text = as_yaml(rules, about="", span=span)
    ruleset = read_rules((*shipped_rules(), RuleFile(_FILE, text))).ruleset
    numbers = await counted(rules, ruleset, story, span, every=every)
    hopeless = [finding for finding in found if finding.threshold is None]
    alone = left_alone(found, rules)
    told = [*caveats(pasts), *_left_out(wish), *([] if found else [too_few()])]
    if wish.format == "json":
        return as_json(numbers, about=about(pasts), span=span, alone=alone, hopeless=hopeless, caveats=told)
    return as_yaml(rules, numbers, about=about(pasts), span=span, alone=alone, hopeless=hopeless, caveats=told)


def _left_out(wish: Wish) -> list[str]:
    """What the person who asked left out: whoever reads the output later must know."""
    only = [f"Only tasks like {', '.join(wish.only)} were asked for."] if wish.only else []
    return only + ([f"Tasks like {', '.join(wish.without)} were left out."] if wish.without else [])
