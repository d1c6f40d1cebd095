"""``rules test``: the tests in files of rules, and in ``X_test.yml`` beside ``X.yml``, on a clock of their own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import click

from triggerdev_alerts.history.test_report import report
from triggerdev_alerts.history.trial import run_tests
from triggerdev_alerts.rules.files import Gathered, gather_rules, shipped_rules
from triggerdev_alerts.rules.load import LoadedRules, read_rules
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.config.alerts import load_alerts
from triggerdev_exporter.config.written import CONFIG

_BESIDE = "_test"


def test_rules(files: tuple[str, ...], config_path: Path | None, *, verbose: bool) -> None:
    """Run the tests and print how they went. Exit code 1 if one fails, 2 if there is none or a file is wrong."""
    # What the engine would log is about the past or made up; the report says it.
    logging.getLogger("triggerdev_alerts").setLevel(logging.CRITICAL)
    loaded = tested_rules(files, config_path)
    cases = [case for case in loaded.cases if not case.shipped]
    if not cases:
        raise click.UsageError("there is no test in these files; write one under tests:, or in X_test.yml beside X.yml")
    results = asyncio.run(run_tests(loaded.ruleset, cases))
    click.echo(report(results, verbose=verbose), nl=False)
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


def tested_rules(files: tuple[str, ...], config_path: Path | None) -> LoadedRules:
    """The rules of `files`, or of the config, each with the file beside it, and the shipped ones below them."""
    if files and config_path is not None:
        raise click.UsageError("name files, or a config that names them: not both")
    if files:
        gathered, disabled = gather_rules(files), tuple[str, ...]()
    else:
        name = str(config_path) if config_path is not None else os.environ.get(CONFIG, "")
        if not name:
            raise click.UsageError("which rules? Name files, or a config by --config")
        alerts = load_alerts(config_path, os.environ)
        gathered, disabled = gather_rules(alerts.files, named_in=name), alerts.disable
    both = with_beside(gathered)
    own = {Path(file.name).resolve() for file in both.files}
    # One that is named is tested as it is written, also if it is one of those that are shipped.
    shipped = [file for file in shipped_rules() if Path(file.name).resolve() not in own]
    return read_rules((*shipped, *both.files), disable=disabled, besides=both.mistakes)


def with_beside(gathered: Gathered) -> Gathered:
    """The files, and for each the other half of ``X.yml`` and ``X_test.yml`` where it exists."""
    known = {Path(file.name).resolve() for file in gathered.files}
    beside = [str(path) for path in map(_other_half, gathered.files) if path.is_file() and path.resolve() not in known]
    more = gather_rules(beside)
    return Gathered(_once((*gathered.files, *more.files)), (*gathered.mistakes, *more.mistakes))


def _other_half(file: RuleFile) -> Path:
    path = Path(file.name)
    stem = path.stem.removesuffix(_BESIDE) if path.stem.endswith(_BESIDE) else path.stem + _BESIDE
    return path.with_name(stem + path.suffix)


def _once(files: Iterable[RuleFile]) -> tuple[RuleFile, ...]:
    return tuple({file.name: file for file in files}.values())
