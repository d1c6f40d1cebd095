"""The door: a file and an environment in, a `Config` or all mistakes at once out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from triggerdev_exporter.config.mistakes import Mistake, Unfit, in_order, render
from triggerdev_exporter.config.model import WRITTEN, Config, WrittenConfig, WrittenTarget
from triggerdev_exporter.config.positions import Path, Plain
from triggerdev_exporter.config.state_path import default_state
from triggerdev_exporter.config.targets import resolve
from triggerdev_exporter.config.wording import mistake_of
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


def load_config(path: FilePath | None, environ: Mapping[str, str], *, listen: str | None = None) -> Loaded:
    """The config at `path`, else at ``TRIGGERDEV_EXPORTER_CONFIG``, else from the environment alone.

    `listen` is the option of that name, and wins. Raises `ConfigError` with every mistake there is.
    """
    written = gather(path, environ, listen)
    config = _config(written, environ) if written.readable else None
    if written.mistakes or config is None:
        raise ConfigError([render(mistake) for mistake in in_order(written.mistakes)])
    return Loaded(config, tuple(render(warning) for warning in in_order(written.warnings)))


def _config(written: Written, environ: Mapping[str, str]) -> Config | None:
    """The config, or ``None`` and at least one more mistake in `written`."""
    try:
        shape = WrittenConfig.model_validate(written.data, context=WRITTEN)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        written.mistakes += [mistake_of(finding, written.place) for finding in findings]
        # What depends on more than one key is still told for the targets that have a shape.
        broken = {finding["loc"][:2] for finding in findings}
        resolve(_targets(written.data, broken), written, environ)
        return None
    targets = resolve(_targets(written.data, set()), written, environ)
    state = _state(shape, written, environ)
    if not targets and not written.mistakes:
        written.mistakes.append(Mistake("secret", _NO_KEY))
    if written.mistakes or state is None:
        return None
    return Config(targets=tuple(targets), state=state, web=shape.web, metrics=shape.metrics, log=shape.log)


def _targets(data: Plain, broken: Collection[Path]) -> list[tuple[Path, WrittenTarget]]:
    """Each target that has no mistake of its own."""
    targets = data.get("targets") if isinstance(data, dict) else None
    if not isinstance(targets, tuple):
        return []
    paths: list[Path] = [("targets", index) for index in range(len(targets))]
    return [
        (path, WrittenTarget.model_validate(target, context=WRITTEN))
        for path, target in zip(paths, targets, strict=True)
        if path not in broken
    ]


def _state(shape: WrittenConfig, written: Written, environ: Mapping[str, str]) -> FilePath | None:
    if shape.state is not None:
        return written.file_path(shape.state, ("state",))
    try:
        return default_state(environ)
    except Unfit as unfit:
        written.mistakes.append(Mistake(unfit.code, unfit.text))
        return None
