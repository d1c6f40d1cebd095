"""``check``: the configuration and the rules it names, offline. All mistakes of both at once."""

from __future__ import annotations

import os
from pathlib import Path

import click

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.receivers.reach import untold
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter.commands.rule_check import summary
from triggerdev_exporter.config.alerts import load_alerts, load_rules
from triggerdev_exporter.config.load import Loaded, load_config
from triggerdev_exporter.config.written import CONFIG
from triggerdev_exporter.errors import ConfigError


def check_all(config_path: Path | None) -> None:
    """Print what was read, or every mistake on stderr. Raises `ConfigError` with those of the config and the rules."""
    loaded, mistakes = _config(config_path)
    rules, rule_mistakes = _rules(config_path)
    if loaded is None or rules is None:
        raise ConfigError([*mistakes, *rule_mistakes])
    for warning in (*loaded.warnings, *(render(each) for each in rules.warnings)):
        click.echo(warning, err=True)
    for receiver, why in untold(rules.ruleset):
        click.echo(f"warning[secret]: receiver {receiver} can be told nothing yet: {why}", err=True)
    config = loaded.config
    targets = config.targets
    names = ", ".join(target.name for target in targets)
    click.echo(f"The configuration is fine: {len(targets)} target{'s' * (len(targets) != 1)}: {names}.")
    click.echo(f"State: {config.state}. Metrics: http://{config.web.listen}/metrics")
    click.echo(summary(rules))


def _config(path: Path | None) -> tuple[Loaded | None, list[str]]:
    try:
        return load_config(path, os.environ), []
    except ConfigError as error:
        return None, error.mistakes


def _rules(path: Path | None) -> tuple[LoadedRules | None, list[str]]:
    try:
        alerts = load_alerts(path, os.environ)
    except ConfigError:
        # The section itself is wrong: the config's mistakes say so.
        return None, []
    try:
        return load_rules(alerts, named_in=str(path or os.environ.get(CONFIG, ""))), []
    except RulesError as error:
        return None, list(error.mistakes)
