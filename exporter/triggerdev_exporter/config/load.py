"""The door: a file and an environment in, a `Config` or all mistakes at once out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from triggerdev_alerts.documents.mistakes import Mistake, Unfit, in_order, render
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.documents.positions import Path, Plain
from triggerdev_exporter.config.access import read_access
from triggerdev_exporter.config.model import Config, WrittenConfig, WrittenTarget
from triggerdev_exporter.config.otlp import read_otlp
from triggerdev_exporter.config.state_path import default_state
from triggerdev_exporter.config.targets import resolve
from triggerdev_exporter.config.variables import in_vain, misspelt
from triggerdev_exporter.config.wording import CONFIG_WORDING
from triggerdev_exporter.config.written import Written, gather
from triggerdev_exporter.errors import ConfigError

_NO_KEY = (
    "there is no secret key to watch with: set TRIGGER_SECRET_KEY, or TRIGGER_SECRET_KEY_FILE to a file that holds it, "
    "or list targets in a config file (--config FILE)"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config that can be used, and what is odd about it, ready to print."""

    config: Config
    warnings: tuple[str, ...]
    files: tuple[FilePath, ...] = ()
    """What was read for it, but for the web config and rules."""


def load_config(path: FilePath | None, environ: Mapping[str, str], *, listen: str | None = None) -> Loaded:
    """The config at `path`, else at ``TRIGGERDEV_EXPORTER_CONFIG``, else from the environment alone.

    `listen` is the option of that name, and wins. Raises `ConfigError` with every mistake there is.
    """
    written = gather(path, environ, listen)
    written.warnings += misspelt(environ)
    config = _config(written, environ) if written.readable else None
    if written.mistakes or config is None:
        raise ConfigError([render(mistake) for mistake in in_order(written.mistakes)])
    warnings = tuple(render(warning) for warning in in_order(written.warnings))
    return Loaded(config, warnings, tuple(written.files))


def _config(written: Written, environ: Mapping[str, str]) -> Config | None:
    """The config, or ``None`` and at least one more mistake in `written`."""
    try:
        shape = WrittenConfig.model_validate(written.data, context=WRITTEN)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        written.mistakes += CONFIG_WORDING.mistakes(findings, written.place)
        # What depends on more than one key is told too, as far as the rest of a target allows.
        resolve(_targets(written.data, [finding["loc"] for finding in findings]), written, environ)
        return None
    targets = resolve(_targets(written.data, []), written, environ)
    state = _state(shape, written, environ)
    traces = read_otlp(environ, shape.traces.enabled)
    written.mistakes += traces.mistakes
    written.warnings += traces.warnings
    if not targets and not written.mistakes:
        hints = "".join(f"; is {name} meant to be {meant}?" for name, meant in in_vain(environ).items() if meant)
        written.mistakes.append(Mistake("secret", _NO_KEY + hints))
    if written.mistakes or state is None:
        return None
    web_file = shape.web.config_file
    if web_file is not None:
        web_file = str(written.file_path(web_file, ("web", "config_file")))
        _, mistakes = read_access(FilePath(web_file))
        written.mistakes += mistakes
        if mistakes:
            return None
    files = tuple(str(written.file_path(glob, ("alerts", "files"))) for glob in shape.alerts.files)
    return Config(
        targets=tuple(targets),
        state=state,
        web=shape.web.model_copy(update={"config_file": web_file}),
        metrics=shape.metrics,
        traces=shape.traces,
        otlp=traces.otlp,
        alerts=shape.alerts.model_copy(update={"files": files}),
        log=shape.log,
    )


#: A mistake in one of these makes what would be said of the target as a whole a guess.
_TELLING = frozenset({"name", "branch", "secret_key", "secret_key_file", "secret_key_env"})


def _targets(data: Plain, mistakes: Sequence[Path]) -> list[tuple[Path, WrittenTarget]]:
    """Each target of which something can be said, without the keys that have a mistake of their own."""
    targets = data.get("targets") if isinstance(data, dict) else None
    if not isinstance(targets, tuple):
        return []
    usable: list[tuple[Path, WrittenTarget]] = []
    for index, target in enumerate(targets):
        path: Path = ("targets", index)
        spoilt = {str(mistake[2]) if len(mistake) > 2 else "" for mistake in mistakes if mistake[:2] == path}
        if isinstance(target, dict) and not spoilt & (_TELLING | {""}):
            rest = {key: value for key, value in target.items() if key not in spoilt}
            usable.append((path, WrittenTarget.model_validate(rest, context=WRITTEN)))
    return usable


def _state(shape: WrittenConfig, written: Written, environ: Mapping[str, str]) -> FilePath | None:
    if shape.state is not None:
        return written.file_path(shape.state, ("state",))
    try:
        return default_state(environ)
    except Unfit as unfit:
        written.mistakes.append(Mistake(unfit.code, unfit.text))
        return None
