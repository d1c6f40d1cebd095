"""The ``alerts`` section alone, and the rules it means: they can be checked where there is no key and no target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from triggerdev_alerts.documents.mistakes import in_order, render
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.rules.files import gather_rules, shipped_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_exporter.config.model import Alerts, WrittenConfig
from triggerdev_exporter.config.wording import CONFIG_WORDING
from triggerdev_exporter.config.written import gather
from triggerdev_exporter.errors import ConfigError


def load_alerts(path: Path | None, environ: Mapping[str, str]) -> Alerts:
    """The section of the file at `path` (or where the environment says), with its globs relative to that file.

    Raises `ConfigError` with the mistakes of this section; those of others are not looked at.
    """
    written = gather(path, environ, None)
    section = written.data.get("alerts") if isinstance(written.data, dict) else None
    mistakes = [] if written.readable else written.mistakes
    if not mistakes:
        try:
            alerts = WrittenConfig.model_validate({"alerts": section}, context=WRITTEN).alerts
        except ValidationError as error:
            mistakes = CONFIG_WORDING.mistakes(error.errors(include_url=False), written.place)
        else:
            files = tuple(str(written.file_path(glob, ("alerts", "files"))) for glob in alerts.files)
            return alerts.model_copy(update={"files": files})
    raise ConfigError([render(mistake) for mistake in in_order(mistakes)])


def load_rules(alerts: Alerts, *, named_in: str = "", shipped_tests: bool = True) -> LoadedRules:
    """The rules that the config means: its files and the shipped ones, these with their tests where they are wanted.

    Raises `RulesError` with every mistake.
    """
    gathered = gather_rules(alerts.files, named_in=named_in)
    shipped = shipped_rules(tests=shipped_tests) if alerts.shipped else ()
    return read_rules((*shipped, *gathered.files), disable=alerts.disable, besides=gathered.mistakes)
