"""``alerts``, ``silence``, ``outbox``, ``receivers``, ``why``: what people ask a running daemon. Imports come late."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import click

from triggerdev_exporter.commands.entrance import takes_url

_STATES = ("pending", "firing", "recovering")
_STATUSES = ("queued", "sending", "sent", "dead", "superseded")


_formatted = click.option("--format", "format_", type=click.Choice(("text", "json")), default="text", show_default=True)
_receiver = click.option("--receiver", default="", metavar="NAME", help="Only those to this receiver.")


def _do(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@click.group()
def alerts() -> None:
    """Look at the alerts of a running daemon."""


@alerts.command("list")
@takes_url
@click.option("--state", type=click.Choice(_STATES), default=None, help="Only those.")
@_formatted
def list_alerts(url: Any, state: str | None, format_: str) -> None:
    """List what is pending or firing, and what silences it."""
    from triggerdev_exporter.commands import operations

    _do(operations.list_alerts(url, state or "", format_))


@click.command()
@click.argument("task")
@takes_url
@click.option("--target", default="", metavar="NAME", help="Only in that one; default: all that know the task.")
@_formatted
def why(task: str, url: Any, target: str, format_: str) -> None:
    """Say why TASK does its work, or does not.

    Is it triggered, queued, started, does it end well? Asks nobody but the daemon.
    """
    from triggerdev_exporter.commands import operations

    _do(operations.why(url, task, target, format_))


@click.group()
def silence() -> None:
    """Keep alerts from being told for a while. They stay on pages and metrics."""


@silence.command("add")
@click.argument("matchers", nargs=-1, required=True, metavar="MATCHERS…")
@takes_url
@click.option("--for", "duration", required=True, metavar="DURATION", help="How long, like 2h or 30m.")
@click.option("--author", default="", help="Who wants it; default: $USER.")
@click.option("--comment", default="", help="Why; it is shown beside the silence.")
def add_silence(matchers: tuple[str, ...], url: Any, duration: str, author: str, comment: str) -> None:
    """Silence the alerts that fit all MATCHERS, from now on.

    A matcher is LABEL=VALUE, LABEL!=VALUE, or with globs LABEL=~"billing-*|charge" and LABEL!~"test-*". Every message
    about an alert holds the line that silences it.
    """
    from triggerdev_exporter.commands import operations

    _do(operations.add_silence(url, matchers, duration, author, comment))


@silence.command("list")
@takes_url
@click.option("--expired", "with_expired", is_flag=True, help="Also those of the last days that are over.")
@_formatted
def list_silences(url: Any, with_expired: bool, format_: str) -> None:
    """List silences: until when, what, who and why."""
    from triggerdev_exporter.commands import operations

    _do(operations.list_silences(url, format_, with_expired=with_expired))


@silence.command("expire")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@takes_url
def expire_silences(ids: tuple[str, ...], url: Any) -> None:
    """End silences now. What still fires and was not told is told."""
    from triggerdev_exporter.commands import operations

    _do(operations.expire_silences(url, ids))


@click.group()
def outbox() -> None:
    """Look at notifications, and decide about those given up."""


@outbox.command("list")
@takes_url
@click.option("--status", type=click.Choice(_STATUSES), default=None, help="Only those; dead ones were given up.")
@_receiver
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, help="How many at most.")
@_formatted
def list_notifications(url: Any, status: str | None, receiver: str, limit: int, format_: str) -> None:
    """List notifications of the last days, and what became of them.

    The newest first.
    """
    from triggerdev_exporter.commands import operations

    _do(operations.list_notifications(url, status or "", receiver, limit, format_))


@outbox.command("retry")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@takes_url
@click.option("--all", "all_", is_flag=True, help="All that were given up, the oldest first.")
@_receiver
def retry(ids: tuple[str, ...], url: Any, all_: bool, receiver: str) -> None:
    """Send notifications again that were given up.

    Unless something newer of their group arrived since.
    """
    from triggerdev_exporter.commands import operations

    _do(operations.change_dead(url, "retry", ids, all_=all_, receiver=receiver))


@outbox.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@takes_url
@click.option("--all", "all_", is_flag=True, help="All that were given up.")
@_receiver
def drop(ids: tuple[str, ...], url: Any, all_: bool, receiver: str) -> None:
    """Put notifications away that were given up. They stay in the list as superseded."""
    from triggerdev_exporter.commands import operations

    _do(operations.change_dead(url, "drop", ids, all_=all_, receiver=receiver))


@click.group()
def receivers() -> None:
    """Look at receivers, and try them out."""


@receivers.command("list")
@takes_url
@_formatted
def list_receivers(url: Any, format_: str) -> None:
    """List receivers and how they fare."""
    from triggerdev_exporter.commands import operations

    _do(operations.list_receivers(url, format_))


@receivers.command("test")
@click.argument("name")
@takes_url
def test_receiver(name: str, url: Any) -> None:
    """Send a message that is marked as a test, now.

    Through the receiver NAME; exit code 1 if it does not arrive.
    """
    from triggerdev_exporter.commands import operations

    _do(operations.test_receiver(url, name))
