"""Opens the pushers of a rule set, one a member of each Alertmanager, lets them run and ends them. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from triggerdev_alerts.instants import SECOND, Clock
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.standing import calm_absent
from triggerdev_alerts.pushing.assertions import EvidenceOf, Plan
from triggerdev_alerts.pushing.pusher import Pusher, Standing
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.alertmanager import Alertmanager, Settings
from triggerdev_alerts.receivers.door import TIMEOUT_S, Door, HttpDoor
from triggerdev_alerts.rules.model import RuleSet


def http_door(settings: Settings) -> Door:
    """A way out whose requests end before the next ones are due."""
    return HttpDoor(policy(settings.allow_private), timeout_s=min(TIMEOUT_S, settings.resend_delay / SECOND))


class Pushers:
    """All of them."""

    def __init__(self, pushers: Sequence[Pusher]) -> None:
        self._pushers = pushers

    def __len__(self) -> int:
        return len(self._pushers)

    def poke(self) -> None:
        """An alert may have fired or ended: look at once."""
        for pusher in self._pushers:
            pusher.poke()


@asynccontextmanager
async def open_pushers(
    ruleset: RuleSet,
    scribe: Scribe,
    clock: Clock,
    *,
    evidence_of: EvidenceOf | None = None,
    door: Callable[[Settings], Door] = http_door,
) -> AsyncIterator[Pushers]:
    """Pushers that run until this is left: for the daemon, until a reload brings others. Raises `BookError`."""
    # A member that was given another name failed under the old one, and nothing else would ever take that back.
    await scribe.write(lambda draft: calm_absent(draft, ruleset.receivers))
    async with AsyncExitStack() as stack:
        pushers: list[Pusher] = []
        stop = asyncio.Event()
        for name, config in ruleset.receivers.items():
            settings = config.settings
            if not isinstance(settings, Settings):
                continue
            plan = Plan(ruleset, name, settings.resend_delay)
            standing = Standing(name, scribe, len(settings.url))
            for url in settings.url:
                member = Alertmanager(url, settings, door(settings))
                stack.push_async_callback(member.close)
                pushers.append(
                    Pusher(
                        member,
                        name,
                        plan,
                        settings.resend_delay,
                        scribe,
                        standing,
                        clock,
                        evidence_of=evidence_of,
                        pause=lambda: clock.sleep(0),
                    )
                )
        tasks = [asyncio.create_task(pusher.run(stop), name="pusher") for pusher in pushers]
        stack.push_async_callback(_end, tasks, stop)
        yield Pushers(pushers)


async def _end(tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    stop.set()
    for task in tasks:
        # What is under way need not end: the whole state is asserted anew by whoever starts next.
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
