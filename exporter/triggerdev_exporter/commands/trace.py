"""``trace``: the ids of a run's trace and span, computed; and, with a target at hand, its tree, read from the API."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.clock import Clock
from triggerdev_exporter.commands.trace_tree import draw, rows
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.model import Config, Target
from triggerdev_exporter.config.written import CONFIG, KEY, KEY_FILE
from triggerdev_exporter.errors import ExporterError, NotFound
from triggerdev_exporter.records import Family
from triggerdev_exporter.replay import dialect_of
from triggerdev_exporter.spans.context import read_traceparent
from triggerdev_exporter.spans.ids import span_id, trace_id

_WIDEST = 160


@dataclass(frozen=True, slots=True)
class Found:
    """A tree, as far as it was read."""

    root_id: str
    families: dict[str, Family]
    unread: int
    """Children that are known of, and were not asked for."""


def print_trace(run_id: str, config_path: Path | None, *, target: str, most: int, clock: Clock) -> None:
    """Print what is known of `run_id`. Raises `ConfigError`, or `ExporterError` if no target knows it."""
    if not re.fullmatch(r"(run|batch)_[0-9A-Za-z]{1,64}", run_id):
        raise click.BadParameter('an id looks like "run_…" (or "batch_…")', param_hint="RUN_ID")
    named = config_path is not None or any(os.environ.get(name, "").strip() for name in (CONFIG, KEY, KEY_FILE))
    if run_id.startswith("batch_") or not named:
        _print_ids(run_id, run_id, None)
        if not run_id.startswith("batch_"):
            click.echo(f"\nThe trace is right if the run is a root. With {KEY} or --config, its tree is shown.")
        return
    # What the client would log of failures, the error says.
    logging.getLogger("triggerdev_exporter").setLevel(logging.CRITICAL)
    config = load_config(config_path, os.environ).config
    found = asyncio.run(_ask(config, _chosen(config, target), run_id, most, clock))
    run, root = found.families[run_id].run, found.families.get(found.root_id)
    given = None
    if config.traces.mode == "metadata":
        given = run.traceparent or (None if root is None else root.run.traceparent)
    _print_ids(run_id, found.root_id, given)
    width = min(shutil.get_terminal_size((120, 24)).columns, _WIDEST)
    tree = rows(found.families, found.root_id)
    if run_id not in [row.run.id for row in tree]:
        # Its root is gone, or it lies beyond what was read.
        tree += rows(found.families, run_id)
    click.echo("\n" + "\n".join(draw(tree, run_id, now=clock.now(), width=width)))
    if found.unread:
        click.echo(f"{found.unread} more runs are not shown; --most shows more.")


def _print_ids(run_id: str, root_id: str, traceparent: str | None) -> None:
    given = None if traceparent is None else read_traceparent(traceparent)
    if given is not None:
        click.echo(f"trace  {given.trace_id}  named by the metadata of the run or its root")
    else:
        click.echo(f"trace  {trace_id(root_id)}" + ("" if root_id == run_id else f"  of its root {root_id}"))
    click.echo(f"span   {span_id(run_id)}")


def _chosen(config: Config, name: str) -> Sequence[Target]:
    chosen = [target for target in config.targets if name in ("", target.name)]
    if not chosen:
        known = ", ".join(target.name for target in config.targets)
        raise click.BadParameter(f'there is no target "{name}"; known are {known}', param_hint="--target")
    return chosen


async def _ask(config: Config, targets: Sequence[Target], run_id: str, most: int, clock: Clock) -> Found:
    from triggerdev_exporter.app import open_client

    for target in targets:
        async with open_client(target, clock) as client:
            dialect = await dialect_of(client, target, config.traces.metadata_key)
            try:
                family = await client.fetch(dialect.family(run_id), Priority.SETTLE)
            except NotFound as error:
                if not error.is_json:
                    raise
                continue
            return await _tree(client, dialect, family, most)
    names = ", ".join(target.name for target in targets)
    raise ExporterError(f"{run_id} does not exist in {names}, or no more")


async def _tree(client: Client, dialect: Dialect, asked: Family, most: int) -> Found:
    """The tree that `asked` belongs to, level by level, up to `most` runs."""
    root_id = asked.run.root_id or asked.run.id
    families = {asked.run.id: asked}
    waiting, known = deque([root_id]), {root_id}
    while waiting and len(families) < most:
        run_id = waiting.popleft()
        if run_id not in families:
            try:
                families[run_id] = await client.fetch(dialect.family(run_id), Priority.SETTLE)
            except NotFound as error:
                if not error.is_json:
                    raise
                continue
        children = [child for child in families[run_id].children if child not in known]
        known.update(children)
        waiting.extend(children)
    return Found(root_id, families, len(waiting))
