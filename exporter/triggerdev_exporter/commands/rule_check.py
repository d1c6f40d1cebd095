"""``rules check``: mistakes in the format that was asked for, then one line of what was read."""

from __future__ import annotations

from pathlib import Path

import click

from triggerdev_alerts.documents.mistakes import Mistake
from triggerdev_alerts.documents.reports import REPORTS
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.rules.load import LoadedRules
from triggerdev_exporter.commands.rule_files import chosen_rules


def check_rules(files: tuple[str, ...], config_path: Path | None, format_: str) -> None:
    """Print what is wrong and what is odd: text on stderr, else on stdout. Exit code 2 if anything is wrong."""
    try:
        loaded = chosen_rules(files, config_path)
    except RulesError as error:
        _tell(error.found, format_)
        raise click.exceptions.Exit(error.exit_code) from None
    _tell(loaded.warnings, format_)
    if format_ == "text":
        click.echo(summary(loaded))


def _tell(mistakes: tuple[Mistake, ...], format_: str) -> None:
    report = REPORTS[format_](mistakes)
    if report:
        click.echo(report, err=format_ == "text")


def summary(loaded: LoadedRules) -> str:
    """``12 rules (10 shipped) in 3 groups, 2 receivers, 4 tests and 30 of the shipped rules``."""
    ruleset = loaded.ruleset
    kinds = {
        "shipped": sum(rule.shipped for rule in ruleset.rules),
        "off": sum(not rule.enabled for rule in ruleset.rules),
    }
    told = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    shipped_tests = sum(case.shipped for case in loaded.cases)
    parts = [
        _count(len(ruleset.rules), "rule")
        + (f" ({told})" if told else "")
        + f" in {_count(len(ruleset.groups), 'group')}",
        _count(len(ruleset.receivers), "receiver"),
        _count(len(loaded.cases) - shipped_tests, "test")
        + (f" and {shipped_tests} of the shipped rules" if shipped_tests else ""),
    ]
    odd = f", {_count(len(loaded.warnings), 'warning')}" if loaded.warnings else ""
    return f"The rules are fine: {', '.join(parts)}{odd}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
