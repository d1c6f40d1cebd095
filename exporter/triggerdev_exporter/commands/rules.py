"""``rules …``: the tools around alert rules. A thin declaration a command; imports come late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])
_FORMATS = ("text", "json", "github", "sarif")


def takes_rules(command: _Command) -> _Command:
    """``[FILES]… [--config FILE]``: the rules that a command works on; see `rule_files.chosen_rules`."""
    files = click.argument("files", nargs=-1, type=click.Path(path_type=str))
    config = click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Take the rules that this config names; default: $TRIGGERDEV_EXPORTER_CONFIG.",
    )
    return files(config(command))


@click.group()
def rules() -> None:
    """Check, test and look at alert rules. Works without a key and without a network, unless it says otherwise."""


@rules.command()
@takes_rules
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="text", show_default=True)
def check(files: tuple[str, ...], config_path: Path | None, format_: str) -> None:
    """Tell every mistake in FILES at once.

    Or in the rules of the config. Exit code 2 if there are any.
    """
    from triggerdev_exporter.commands.rule_check import check_rules

    check_rules(files, config_path, format_)


@rules.command()
@takes_rules
@click.option("--effective", is_flag=True, help="All values as YAML: defaults and inherited ones too.")
def show(files: tuple[str, ...], config_path: Path | None, effective: bool) -> None:
    """List the rules, or print everything that holds with --effective."""
    from triggerdev_alerts.rules.effective import effective as written
    from triggerdev_exporter.commands.rule_files import chosen_rules
    from triggerdev_exporter.commands.rule_list import listed

    ruleset = chosen_rules(files, config_path).ruleset
    click.echo(written(ruleset) if effective else listed(ruleset), nl=not effective)


@rules.command()
def schema() -> None:
    """Print the JSON Schema of a file of rules, for editors and CI."""
    from triggerdev_alerts.rules.schema import schema_text

    click.echo(schema_text(), nl=False)


@rules.command()
@takes_rules
@click.option(
    "--labels",
    "labels",
    metavar="NAME=VALUE,…",
    multiple=True,
    required=True,
    help="The alert's labels; may be repeated. With alertname, the rule gives its own besides.",
)
def route(files: tuple[str, ...], config_path: Path | None, labels: tuple[str, ...]) -> None:
    """Tell who would get an alert with these labels, and why.

    Every route with its verdict, mutes, inhibitions.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands.rule_route import route_alert

    route_alert(files, config_path, labels, SystemClock().now())


@rules.command()
@takes_rules
@click.option("--alert", required=True, metavar="NAME", help="The rule.")
@click.option("--receiver", required=True, metavar="NAME", help="Who would get it.")
@click.option("--state", type=click.Choice(("firing", "resolved")), default="firing", show_default=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("payload", "text")),
    default="payload",
    show_default=True,
    help="What is posted (for Slack its JSON), or the same in plain text.",
)
def preview(
    files: tuple[str, ...], config_path: Path | None, alert: str, receiver: str, state: str, format_: str
) -> None:
    """Print the message that a receiver would get of an alert.

    With made-up numbers. Sends nothing.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands import rule_preview

    rule_preview.preview(
        files,
        config_path,
        alert,
        receiver,
        is_resolved=state == "resolved",
        as_text=format_ == "text",
        now=SystemClock().now(),
    )


@rules.command()
@takes_rules
@click.option("--verbose", "-v", is_flag=True, help="A line a test.")
def test(files: tuple[str, ...], config_path: Path | None, verbose: bool) -> None:
    """Run the tests in FILES and beside them.

    Or those of the rules of the config. Exit code 1 if one fails.

    The tests of X.yml stand in it under tests:, or beside it in X_test.yml. Rules of these files take part, and those
    shipped rules that a test names.
    """
    from triggerdev_exporter.commands.rule_test import test_rules

    test_rules(files, config_path, verbose=verbose)


@rules.command()
@takes_rules
@click.option("--from", "begin", metavar="WHEN", help="An instant, or how long ago; default: 24h.")
@click.option("--to", "end", metavar="WHEN", help="An instant, or how long ago; default: now.")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated.")
@click.option(
    "--recording",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take what a session recorded instead of asking the API.",
)
@click.option("--every", metavar="DURATION", help="Evaluate that often: coarser than live, and faster.")
@click.option("--format", "format_", type=click.Choice(("text", "json")), default="text", show_default=True)
def replay(
    files: tuple[str, ...],
    config_path: Path | None,
    begin: str | None,
    end: str | None,
    targets: tuple[str, ...],
    recording: Path | None,
    every: str | None,
    format_: str,
) -> None:
    """Tell what FILES would have sent. Sends nothing.

    Or the rules of the config, or the shipped ones. Reads the API. A week takes minutes: --every 1m is faster.

    Targets and keys are those of the config and the environment. What the API does not tell of the past is named, and
    rules that need it are not replayed.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands.rule_replay import Wish, replay_rules

    wish = Wish(files, config_path, begin or "", end or "", targets, recording, every or "", format_)
    replay_rules(wish, SystemClock())


@rules.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The config that names the targets; default: $TRIGGERDEV_EXPORTER_CONFIG.",
)
@click.option("--days", type=click.IntRange(1, 90), help="How many days are looked at; default: 7.")
@click.option("--from", "begin", metavar="WHEN", help="Instead of --days: an instant, or how long ago.")
@click.option("--to", "end", metavar="WHEN", help="An instant, or how long ago; default: now.")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; may be repeated.")
@click.option("--task", "only", multiple=True, metavar="GLOB", help="Only tasks like this; may be repeated.")
@click.option("--without", multiple=True, metavar="GLOB", help="No tasks like this; may be repeated.")
@click.option("--every", metavar="DURATION", default="5m", show_default=True, help="Evaluate that often.")
@click.option("--format", "format_", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
def suggest(
    config_path: Path | None,
    days: int | None,
    begin: str | None,
    end: str | None,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    without: tuple[str, ...],
    every: str,
    format_: str,
) -> None:
    """Print thresholds that fit the last days, task by task.

    Each with the messages it would have sent. The output is a file of rules, to be read and pasted. Reads the API;
    sends nothing.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands.rule_suggest import Wish, suggest_rules

    if days is not None and begin is not None:
        raise click.UsageError("say --days or --from, not both")
    wish = Wish(config_path, begin or f"{days or 7}d", end or "", targets, every, format_, only, without)
    suggest_rules(wish, SystemClock())


@rules.command()
@takes_rules
@click.option("--format", "format_", type=click.Choice(("prometheus", "prometheusrule")), default="prometheus")
@click.option(
    "--mode",
    type=click.Choice(("held", "promql")),
    default="held",
    show_default=True,
    help="held: this program decides and Prometheus passes it on. promql: Prometheus decides by itself.",
)
@click.option(
    "-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write MODE.rules.yml into it."
)
@click.option(
    "--tests", type=click.Path(path_type=Path, dir_okay=False), help="Write tests for promtool into this file."
)
@click.option("--runbooks-at", metavar="URL", default="", help="What stands before paths of runbooks in links.")
@click.option("--grafana-at", metavar="URL", default="", help="Where links to dashboards lead; else they are paths.")
@click.option("--status-at", metavar="URL", default="", help="Where this program's pages are; else links are paths.")
def export(
    files: tuple[str, ...],
    config_path: Path | None,
    format_: str,
    mode: str,
    folder: Path | None,
    tests: Path | None,
    runbooks_at: str,
    grafana_at: str,
    status_at: str,
) -> None:
    """Print FILES as rules for Prometheus.

    Or the rules of the config, or the shipped ones.

    Rules that Prometheus cannot express are left out: the document and stderr say which, and why.
    """
    from triggerdev_alerts.export.links import Places
    from triggerdev_exporter.commands.rule_export import Wish, export_rules

    export_rules(Wish(files, config_path, format_, mode, folder, tests, Places(runbooks_at, grafana_at, status_at)))
