"""``rules export``: rules for Prometheus, and tests of them for promtool. Writes files or prints; asks nobody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from triggerdev_alerts.export.alerting import Exported, Mode, export
from triggerdev_alerts.export.links import Places
from triggerdev_alerts.export.prometheus import FORMATS, differences, left_out
from triggerdev_alerts.export.promtool import unit_tests
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_exporter.commands.rule_files import chosen_rules
from triggerdev_exporter.config.written import CONFIG


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for."""

    files: tuple[str, ...]
    config_path: Path | None
    format: str
    mode: str
    folder: Path | None
    tests: Path | None
    places: Places


def export_rules(wish: Wish) -> None:
    """Print the document, or write it into the folder. What it cannot say is told on stderr, rule by rule."""
    if wish.tests is not None and wish.format != "prometheus":
        raise click.UsageError("promtool reads files of rules only; leave out --tests, or --format prometheusrule")
    exported = export(_rules(wish.files, wish.config_path), Mode(wish.mode), wish.places)
    document = FORMATS[wish.format](exported)
    path = None if wish.folder is None else wish.folder / f"{wish.mode}.{_ENDINGS[wish.format]}"
    if path is None:
        click.echo(document, nl=False)
    else:
        _write(path, document)
    if wish.tests is not None:
        named = f"{wish.mode}.rules.yml" if path is None else os.path.relpath(path, wish.tests.parent)
        _write(wish.tests, unit_tests(exported, Path(named).as_posix()))
    _tell(exported)


_ENDINGS = {"prometheus": "rules.yml", "prometheusrule": "prometheusrule.yml"}


def _rules(files: tuple[str, ...], config_path: Path | None) -> RuleSet:
    """The files alone; else what the config says; else the shipped rules."""
    if not files and config_path is None and not os.environ.get(CONFIG):
        return read_rules(shipped_rules()).ruleset
    return chosen_rules(files, config_path).ruleset


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise click.FileError(str(path), hint=(error.strerror or "it cannot be written").lower()) from None


def _tell(exported: Exported) -> None:
    for line in (*left_out(exported), *differences(exported)):
        click.echo(line, err=True)
