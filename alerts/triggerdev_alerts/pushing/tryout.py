"""A receiver that holds state is tried out: every member is told of a marked sample that ends by itself in a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.message.sample import TEST_RULE, sample
from triggerdev_alerts.message.text import remarks
from triggerdev_alerts.pushing.assertions import of_notice
from triggerdev_alerts.pushing.build import http_door
from triggerdev_alerts.receivers.alertmanager import Alertmanager, Assertion, Settings, Taken
from triggerdev_alerts.receivers.door import Door
from triggerdev_alerts.receivers.port import Attempt, Fate
from triggerdev_alerts.rules.model import Route


async def try_out_members(
    name: str, settings: Settings, now: Instant, door: Callable[[Settings], Door] = http_door
) -> Attempt:
    """Delivered if every member took it; else what the first that did not said. Raises nothing but cancellation."""
    told = test_assertion(name, now)
    for url in settings.url:
        member = Alertmanager(url, settings, door(settings))
        try:
            answer = await member.post([told], now)
        finally:
            await member.close()
        if answer.taken is not Taken.ALL:
            fate = Fate.FAILED if answer.taken is Taken.NONE else Fate.REFUSED
            return Attempt(fate, f"{member.name}: {answer.detail}")
    return Attempt(Fate.DELIVERED)


def test_assertion(name: str, now: Instant) -> Assertion:
    """The sample, whose summary says that it is one."""
    notification = sample(TEST_RULE, Route(receiver=name, path="test"), now=now, is_test=True)
    assertion = of_notice(notification.alerts[0], MINUTE, now)
    annotations = {**dict(assertion.annotations), "summary": " ".join(remarks(notification))}
    return replace(assertion, annotations=tuple(sorted(annotations.items())))
