"""``doctor``: everything that must be right for this to work, looked at once; exit code 1 when something is broken."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter.alerting import book_path
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.config.alerts import load_rules
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.config.written import CONFIG
from triggerdev_exporter.doctor.checkup import check_up
from triggerdev_exporter.doctor.finding import Result, Verdict, worst
from triggerdev_exporter.doctor.report import as_json, as_text

_WIDEST = 140


def doctor_all(config_path: Path | None, format_: str, clock: Clock) -> None:
    """Print the table. Raises `ConfigError` or `RulesError` for what `check` would tell."""
    loaded = load_config(config_path, os.environ)
    rules = load_rules(loaded.config.alerts, named_in=str(config_path or os.environ.get(CONFIG, "")))
    if format_ == "text" and sys.stderr.isatty():
        click.echo(f"asking {', '.join(target.name for target in loaded.config.targets)} …", err=True)
    with _quiet():
        found = asyncio.run(_found(loaded.config, rules, clock, loaded.warnings))
    width = min(shutil.get_terminal_size((110, 24)).columns, _WIDEST)
    click.echo(as_json(found, clock.now()) if format_ == "json" else as_text(found, width))
    if worst(found) is Verdict.BROKEN:
        raise click.exceptions.Exit(1)


@contextmanager
def _quiet() -> Iterator[None]:
    """What the client would log of failures, the table says."""
    ours = logging.getLogger("triggerdev_exporter")
    before = ours.level
    ours.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ours.setLevel(before)


async def _found(config: Config, rules: LoadedRules, clock: Clock, odd: Sequence[str]) -> list[Result]:
    from triggerdev_exporter.app import open_client

    checks = check_up(config, rules, clock, open_client=open_client, book=book_path(config.state), odd=odd)
    return [result async for result in checks]
