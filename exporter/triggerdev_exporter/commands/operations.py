"""What ``alerts``, ``silence``, ``outbox``, ``receivers`` and ``why`` do: ask the daemon and print what it answers.

Nothing is decided here, and no file of the daemon is touched. `ExporterError` leaves as it is.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence

import click
import msgspec

from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.message.characters import tame_line
from triggerdev_alerts.notify.matcher_text import format_matchers, parse_matchers, parse_words
from triggerdev_exporter.commands import listings
from triggerdev_exporter.commands.daemon import Daemon, Refused, open_daemon
from triggerdev_exporter.commands.entrance import Entrance
from triggerdev_exporter.web import alert_views as views
from triggerdev_exporter.web import task_views

COMMENT = "added by the command line"
_PAGE = 1_000


async def list_alerts(url: Entrance, state: str, format_: str) -> None:
    async with open_daemon(url) as daemon:
        found = await daemon.get(views.AlertList, "alerts", **({"state": state} if state else {}))
    _print(found, format_, listings.alerts_text(found, state))


async def why(url: Entrance, task: str, target: str, format_: str) -> None:
    async with open_daemon(url) as daemon:
        wanted = {"target": target} if target else {}
        found = await daemon.get(task_views.WhyList, "tasks", task, "why", **wanted)
    _print(found, format_, listings.why_text(found))


async def list_silences(url: Entrance, format_: str, *, with_expired: bool) -> None:
    async with open_daemon(url) as daemon:
        found = await daemon.get(views.SilenceList, "silences")
    _print(found, format_, listings.silences_text(found, with_expired=with_expired))


async def add_silence(url: Entrance, words: Sequence[str], duration: str, author: str, comment: str) -> None:
    wish = views.SilenceWish(
        matchers=matchers_text(words), duration=duration, author=author or whoever(), comment=comment or COMMENT
    )
    async with open_daemon(url) as daemon:
        click.echo(listings.silence_added(await daemon.post(views.SilenceAnswer, "silences", body=wish)))


def matchers_text(words: Sequence[str]) -> str:
    """What a shell handed over, as one line for the API. Raises `click.BadParameter`."""
    try:
        if len(words) == 1 and words[0].lstrip().startswith("{"):
            return format_matchers(parse_matchers(words[0]))
        return format_matchers(parse_words(words))
    except Unfit as error:
        raise click.BadParameter(error.text, param_hint="MATCHERS") from error


def whoever() -> str:
    """Who sits at the terminal."""
    if os.environ.get("USER"):
        return os.environ["USER"]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # In a container the user often has a number and no name; what a message says to paste must work there too.
        return "somebody"


async def expire_silences(url: Entrance, ids: Sequence[str]) -> None:
    async with open_daemon(url) as daemon:
        refused = [each for each in ids if not await _expire(daemon, each)]
    _end(refused)


async def _expire(daemon: Daemon, silence_id: str) -> bool:
    try:
        ended = (await daemon.delete(views.SilenceAnswer, "silences", silence_id)).silence
    except Refused as error:
        click.echo(str(error), err=True)
        return False
    click.echo(f"{ended.id} is over.")
    return True


async def list_notifications(url: Entrance, status: str, receiver: str, limit: int, format_: str) -> None:
    wanted = {"status": status, "receiver": receiver, "limit": str(limit)}
    async with open_daemon(url) as daemon:
        found = await daemon.get(views.NotificationList, "notifications", **{k: v for k, v in wanted.items() if v})
    _print(found, format_, listings.notifications_text(found, status))


async def change_dead(url: Entrance, verb: str, ids: Sequence[str], *, all_: bool, receiver: str) -> None:
    """`verb` is ``retry`` or ``drop``. One that cannot be changed does not stop the others; the exit code is then 1."""
    if bool(ids) is all_:
        raise click.UsageError("name notifications, or all dead ones with --all")
    async with open_daemon(url) as daemon:
        wanted = await _dead(daemon, receiver) if all_ else ids
        if not wanted:
            click.echo("No notification is dead.")
        refused = [each for each in wanted if not await _change(daemon, verb, each)]
    _end(refused)


async def _dead(daemon: Daemon, receiver: str) -> list[str]:
    """All ids, the oldest first, so that they keep their order."""
    wanted = {"status": "dead", "limit": str(_PAGE)} | ({"receiver": receiver} if receiver else {})
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = {"cursor": cursor} if cursor else {}
        found = await daemon.get(views.NotificationList, "notifications", **wanted, **more)
        ids += [each.id for each in found.notifications]
        cursor = found.next_cursor
    return ids[::-1]


async def _change(daemon: Daemon, verb: str, letter_id: str) -> bool:
    try:
        await daemon.post(views.NotificationAnswer, "notifications", letter_id, verb)
    except Refused as error:
        click.echo(f"{letter_id}: {error}", err=True)
        return False
    click.echo(f"{letter_id}: {'waits to be sent again' if verb == 'retry' else 'dropped'}")
    return True


async def list_receivers(url: Entrance, format_: str) -> None:
    async with open_daemon(url) as daemon:
        found = await daemon.get(views.ReceiverList, "receivers")
    _print(found, format_, listings.receivers_text(found))


async def test_receiver(url: Entrance, name: str) -> None:
    async with open_daemon(url) as daemon:
        done = await daemon.post(views.TryoutAnswer, "receivers", name, "test")
    click.echo(tame_line(f"{done.receiver}: {done.message}"), err=not done.delivered)
    _end([] if done.delivered else [name])


def _print(found: msgspec.Struct, format_: str, text: str) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(found)).decode() if format_ == "json" else text)


def _end(refused: Sequence[str]) -> None:
    if refused:
        raise click.exceptions.Exit(1)
