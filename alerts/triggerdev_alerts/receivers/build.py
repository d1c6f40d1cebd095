"""Opens the receivers of a rule set, each with a way out of its own, and closes them. It decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import Door, HttpDoor
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.receivers.port import Receiver
from triggerdev_alerts.rules.model import RuleSet


def http_door(settings: object) -> Door:
    """A way out that honours what `settings` say of private addresses. It opens nothing before it is used."""
    return HttpDoor(policy(getattr(settings, "allow_private", False)))


@asynccontextmanager
async def open_receivers(
    ruleset: RuleSet, door: Callable[[object], Door] = http_door
) -> AsyncIterator[Mapping[str, Receiver]]:
    """The receivers by name, closed on leaving: for the daemon, until a reload brings others.

    `door` makes the way out from a receiver's settings. Those that hold state are not here, so that no letters are
    written to them (`pushing/build.py`).
    """
    async with AsyncExitStack() as stack:
        receivers: dict[str, Receiver] = {}
        for name, config in ruleset.receivers.items():
            make = KINDS[config.kind].make
            if make is None:
                continue
            receiver = make(name, config.settings, door(config.settings))
            stack.push_async_callback(receiver.close)
            receivers[name] = receiver
        yield receivers
