"""The command line: what each command reads and calls. Nothing is decided here; heavy imports come late."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

import click

from triggerdev_exporter import __version__
from triggerdev_exporter.commands.operate import alerts, outbox, receivers, silence, why
from triggerdev_exporter.commands.rules import rules

_CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file; default: $TRIGGERDEV_EXPORTER_CONFIG, or the environment alone.",
)
_SCENARIOS = ("shop", "busy", "idle", "empty")
_PROFILES = ("seed", "v4.4", "v4.5", "latest")


def with_default(arguments: list[str]) -> list[str]:
    """`run` is what happens when no command is named."""
    asks_for_help = any(argument in ("--help", "-h", "--version") for argument in arguments[:1])
    if not asks_for_help and (not arguments or arguments[0].startswith("-")):
        return ["run", *arguments]
    return arguments


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="triggerdev-exporter")
def cli() -> None:
    """Prometheus metrics for Trigger.dev, seen from outside: runs, queues, batches, schedules, deployments, waitpoints.

    Without a command it runs the daemon: TRIGGER_SECRET_KEY is enough. To see it without an account: demo.
    """


for group in (rules, alerts, silence, outbox, receivers, why):
    cli.add_command(group)


@cli.command()
@_CONFIG
@click.option("--listen", metavar="HOST:PORT", help="Where /metrics is served; default 0.0.0.0:9925.")
def run(config_path: Path | None, listen: str | None) -> None:
    """Run the daemon (the default)."""
    from triggerdev_exporter import logs
    from triggerdev_exporter.app import run_daemon
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.config.load import load_config
    from triggerdev_exporter.exporter import secrets_of

    read = partial(load_config, config_path, os.environ, listen=listen)
    loaded = read()
    _warn(loaded.warnings)
    config = loaded.config
    logs.set_up(config.log.level, config.log.format, secrets=secrets_of(config))
    asyncio.run(run_daemon(config, SystemClock(), read))


@cli.command()
@_CONFIG
def check(config_path: Path | None) -> None:
    """Check the configuration and the alert rules, offline.

    All mistakes at once; exit code 2 if there are any.
    """
    from triggerdev_exporter.commands.check import check_all

    check_all(config_path)


@cli.command()
@_CONFIG
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(config_path: Path | None, format_: str) -> None:
    """Look online at everything that must be right.

    Each with what to do about it: what the key may read, quota, clocks, state, rules, receivers. Asks each target a
    dozen times and sends receivers nothing. Exit code 1 if something is broken.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands.doctor import doctor_all

    doctor_all(config_path, format_, SystemClock())


@cli.command()
@_CONFIG
@click.argument("run_id", metavar="RUN_ID")
@click.option("--target", default="", help="Ask only this target; default: each until one knows the run.")
@click.option("--most", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Runs of a tree to read.")
def trace(config_path: Path | None, run_id: str, target: str, most: int) -> None:
    """Print a run's trace and span id, and its tree as bars.

    The ids need no key and no network. The tree takes a request for each run in it.
    """
    from triggerdev_exporter.clock import SystemClock
    from triggerdev_exporter.commands.trace import print_trace

    print_trace(run_id, config_path, target=target, most=most, clock=SystemClock())


@cli.command()
@click.option("--format", "format_", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
def metrics(format_: str) -> None:
    """Print the catalogue of all metrics."""
    from triggerdev_exporter.metrics import catalogue

    click.echo(catalogue.markdown() if format_ == "markdown" else catalogue.as_json(), nl=False)


@cli.group()
def assets() -> None:
    """Dashboards, rules and provisioning, out of the program."""


@assets.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def assets_export(folder: Path) -> None:
    """Write dashboards, provisioning, rules and runbooks into DIR.

    Grafana's dashboards and provisioning, and rules for Prometheus.
    """
    from triggerdev_exporter.commands.assets import export_assets

    export_assets(folder)


@cli.command()
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:9925", show_default=True)
@click.option(
    "--profile", type=click.Choice(_PROFILES), default="v4.5", show_default=True, help="Which server to play."
)
@click.option(
    "--speed", type=click.FloatRange(0.1, 1000), default=1.0, show_default=True, help="How fast its time runs."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed tells the same story.")
def demo(listen: str, profile: str, speed: float, seed: int) -> None:
    """Run the daemon against the built-in simulator. No account needed."""
    from triggerdev_exporter.demo import run_demo

    asyncio.run(run_demo(listen=_listen(listen), profile=profile, speed=speed, seed=seed))


@cli.command()
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:3030", show_default=True)
@click.option(
    "--profile", type=click.Choice(_PROFILES), default="v4.5", show_default=True, help="Which server to play."
)
@click.option("--scenario", type=click.Choice(_SCENARIOS), default="shop", show_default=True)
@click.option("--speed", type=click.FloatRange(0.0, 10000), default=1.0, show_default=True, help="0 stands still.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed tells the same story.")
@click.option("--history", default="2h", show_default=True, help="How much has happened before the start.")
def simulate(listen: str, profile: str, scenario: str, speed: float, seed: int, history: str) -> None:
    """Run the simulator alone: a Trigger.dev that takes any tr_* key."""
    from triggerdev_exporter.app import cannot_listen
    from triggerdev_exporter.process import told_to_stop
    from triggerdev_exporter.simulator.command import SimulatorOptions, run_simulator

    address = _listen(listen)
    options = SimulatorOptions(
        host=address.host,
        port=address.port,
        profile=profile,
        scenario=scenario,
        seed=seed,
        speed=speed,
        history_s=_duration(history, "--history") / 1000,
        announce=click.echo,  # at once, even into a file
    )

    async def serve() -> None:
        stopped = asyncio.ensure_future(told_to_stop().wait())
        serving = asyncio.ensure_future(run_simulator(options))
        # Whichever ends first: told to stop, or a port that is taken.
        await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if serving.done():
            try:
                serving.result()
            except OSError as error:
                raise cannot_listen(address, error) from error
        serving.cancel()
        # It closes its connections itself, while the loop still runs.
        await asyncio.wait((serving,))

    asyncio.run(serve())


def _listen(text: str):  # type: ignore[no-untyped-def]  # the type lives in a module that is imported late
    from triggerdev_alerts.documents.mistakes import Unfit
    from triggerdev_exporter.config.addresses import parse_listen

    try:
        return parse_listen(text)
    except Unfit as error:
        raise click.BadParameter(str(error), param_hint="--listen") from error


def _duration(text: str, option: str) -> int:
    from triggerdev_alerts.documents.mistakes import Unfit
    from triggerdev_alerts.documents.units import parse_duration

    try:
        return int(parse_duration(text))
    except Unfit as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        click.echo(warning, err=True)
