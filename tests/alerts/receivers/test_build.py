"""Receivers of a whole rule set: all are there under their names, and none stays open."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from triggerdev_alerts.receivers import alertmanager, email, slack, webhook
from triggerdev_alerts.receivers.build import http_door, open_receivers
from triggerdev_alerts.receivers.door import DoorError, Reply
from triggerdev_alerts.receivers.port import Fate
from triggerdev_alerts.rules.model import ReceiverConfig, RuleSet


class NotedDoor:
    """Knows for whom it was made, and whether it was closed."""

    def __init__(self, settings: object) -> None:
        self.settings = settings
        self.closed = 0

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        return Reply(200, {}, "ok")

    async def close(self) -> None:
        self.closed += 1


RULESET = RuleSet(
    receivers={
        row.name: row
        for row in (
            ReceiverConfig("hook", "webhook", webhook.Settings.model_validate({"url_env": "HOOK"})),
            ReceiverConfig("ops", "slack", slack.Settings.model_validate({"url_env": "SLACK"})),
            ReceiverConfig(
                "mail",
                "email",
                email.Settings.model_validate({"server": "mx.test:25", "from": "a@x.test", "to": "b@x.test"}),
            ),
            # It holds state itself: no letters are written to it.
            ReceiverConfig("am", "alertmanager", alertmanager.Settings.model_validate({"url": "http://am:9093"})),
        )
    }
)


async def test_each_has_its_name_its_kind_and_a_door_of_its_own() -> None:
    doors: list[NotedDoor] = []

    def door(settings: object) -> NotedDoor:
        doors.append(NotedDoor(settings))
        return doors[-1]

    async with open_receivers(RULESET, door) as receivers:
        assert {name: (one.name, one.kind) for name, one in receivers.items()} == {
            "hook": ("hook", "webhook"),
            "ops": ("ops", "slack"),
            "mail": ("mail", "email"),
        }
        assert [one.settings for one in doors] == [
            one.settings for name, one in RULESET.receivers.items() if name != "am"
        ]
    # E-mail has no use for one.
    assert [one.closed for one in doors] == [1, 1, 0]


async def test_private_addresses_are_what_the_settings_say() -> None:
    door = http_door(webhook.Settings.model_validate({"url_env": "HOOK"}))
    with pytest.raises(DoorError) as caught:
        await door.post("http://127.0.0.1:9/", "", {})
    assert caught.value.fate is Fate.REFUSED
    door = http_door(webhook.Settings.model_validate({"url_env": "HOOK", "allow_private": True}))
    with pytest.raises(DoorError) as caught:
        await door.post("http://127.0.0.1:9/", "", {})
    assert caught.value.fate is Fate.FAILED
    await door.close()
