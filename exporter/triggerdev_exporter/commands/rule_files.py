"""Which rules a command works on: the files that were named, or those of the config with the shipped ones."""

from __future__ import annotations

import os
from pathlib import Path

import click

from triggerdev_alerts.rules.files import gather_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_exporter.config.alerts import load_alerts, load_rules
from triggerdev_exporter.config.written import CONFIG


def chosen_rules(files: tuple[str, ...], config_path: Path | None) -> LoadedRules:
    """The rules of `files` (paths or globs) alone, else all rules of the config. Raises `RulesError`, `ConfigError`."""
    if files:
        if config_path is not None:
            raise click.UsageError("name files, or a config that names them: not both")
        gathered = gather_rules(files)
        return read_rules(gathered.files, besides=gathered.mistakes)
    name = str(config_path) if config_path is not None else os.environ.get(CONFIG, "")
    if not name:
        raise click.UsageError("which rules? Name files, or a config by --config")
    return load_rules(load_alerts(config_path, os.environ), named_in=name)
