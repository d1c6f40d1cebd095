"""What a reload is: everything read anew and checked whole, and only then used. Here: what is read and what is refused.

Who uses it is `app.Exporter`. Pure but for `read_all`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.config.access import Access, load_access
from triggerdev_exporter.config.alerts import load_rules
from triggerdev_exporter.config.load import Loaded
from triggerdev_exporter.config.model import Config
from triggerdev_exporter.errors import ConfigError

Read = Callable[[], Loaded]
"""Reads the configuration as it was read at the start: the same file, environment and options."""


@dataclass(frozen=True, slots=True)
class Everything:
    """A configuration with all that it names."""

    loaded: Loaded
    rules: LoadedRules
    access: Access

    @property
    def files(self) -> tuple[Path, ...]:
        """What was read, but for the files of rules, which patterns name."""
        return (*self.loaded.files, *self.access.files)


@dataclass(slots=True)
class Reloads:
    """How the last attempt went."""

    at: Instant
    """When what is in use was loaded."""
    tried_at: Instant
    mistakes: Sequence[str] = field(default_factory=tuple)
    """Why the last attempt was given up; empty when it was not."""

    @property
    def is_well(self) -> bool:
        return not self.mistakes


def read_all(read: Read, before: Config | None) -> Everything:
    """Read and check all. Raises `ConfigError` with the mistakes of configuration and rules, and with what would need
    a restart."""
    mistakes: list[str] = []
    loaded = rules = access = None
    try:
        loaded = read()
        mistakes += [] if before is None else refused(before, loaded.config)
        web_file = loaded.config.web.config_file
        access = load_access(None if web_file is None else Path(web_file))
    except ConfigError as error:
        mistakes += error.mistakes
    alerts = loaded.config.alerts if loaded is not None else before.alerts if before is not None else None
    if alerts is not None:
        try:
            # The tests of shipped rules are as long as these, and a daemon runs none.
            rules = load_rules(alerts, shipped_tests=False)
        except RulesError as error:
            mistakes += error.mistakes
    if mistakes or loaded is None or rules is None or access is None:
        raise ConfigError(mistakes)
    return Everything(loaded, rules, access)


def refused(before: Config, after: Config) -> list[str]:
    """What cannot be changed while it runs, a sentence each."""
    said = []
    if before.web.listen != after.web.listen:
        said.append(_needs_restart("web.listen", before.web.listen, after.web.listen, "the port is open"))
    if before.state != after.state:
        said.append(_needs_restart("state", before.state, after.state, "what was counted is in it"))
    if before.otlp != after.otlp:
        said.append("traces.enabled: whether spans are exported changes at a restart only; restart, or change it back")
    return said


def _needs_restart(key: str, before: object, after: object, why: str) -> str:
    return f"{key}: from {before} to {after} takes a restart, since {why}; restart, or change it back"
