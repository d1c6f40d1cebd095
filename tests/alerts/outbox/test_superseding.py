"""Which waiting letters a newer one replaces, and what it says then: lines of messages that meet an outage."""

from __future__ import annotations

import pytest

from outbox_stage import AMBIGUOUS, DELIVERED, FAILED, REFUSED, Outbox, Scripted, those
from triggerdev_alerts.notification import NoticeKind, Why
from triggerdev_alerts.notify.flush import MOST_LISTED

FIRST, MORE, DONE, SOME = Why.FIRST, Why.NEW_ALERTS, Why.ALL_RESOLVED, Why.SOME_RESOLVED

#: (what the claim is, what was said during the outage, what arrives after it)
LINES: tuple[tuple[str, tuple[tuple[str, Why], ...], tuple[str, ...]], ...] = (
    ("one waits", (("a", FIRST),), ("firing a=firing (first notification)",)),
    (
        "a newer state replaces an older one, and is the first that is heard",
        (("a", FIRST), ("a b", MORE), ("a b", Why.REPEAT)),
        ("firing a=firing b=firing (first notification)",),
    ),
    (
        "what ended in between is carried over",
        (("a b", FIRST), ("a -b", SOME), ("a c", MORE)),
        ("firing a=firing c=firing b=resolved (first notification)",),
    ),
    (
        "what ended and fires again is told as it is now",
        (("a b", FIRST), ("a -b", SOME), ("a b", MORE)),
        ("firing a=firing b=firing (first notification)",),
    ),
    (
        "what fires and is not in the newer one, since something inhibits it, keeps its own letter",
        (("a b", FIRST), ("b c", MORE)),
        ("firing a=firing b=firing (first notification)", "firing b=firing c=firing (new alerts added)"),
    ),
    (
        "all that was missed is one message",
        (("a", FIRST), ("a b", MORE), ("a -b", SOME), ("-a", DONE)),
        ("resolved a=resolved b=resolved missed (all alerts resolved)",),
    ),
    (
        "an end is not replaced by the beginning of the next",
        (("a", FIRST), ("-a", DONE), ("a", FIRST)),
        ("resolved a=resolved missed (all alerts resolved)", "firing a=firing (first notification)"),
    ),
    (
        "but two incidents that are over are one message",
        (("a", FIRST), ("-a", DONE), ("b", FIRST), ("-b", DONE)),
        ("resolved a=resolved b=resolved missed (all alerts resolved)",),
    ),
    (
        "a mute that ended is heard as that",
        (("a", Why.MUTE_ENDED), ("a b", MORE)),
        ("firing a=firing b=firing (mute ended)",),
    ),
)


@pytest.mark.parametrize(("said", "arrives"), [line[1:] for line in LINES], ids=[line[0] for line in LINES])
async def test_what_is_said_in_an_outage(said: tuple[tuple[str, Why], ...], arrives: tuple[str, ...]) -> None:
    hook = Scripted(answer=lambda envelope: FAILED)
    box = Outbox(hook)
    for second, (alerts, why) in enumerate(said):
        await box.say(alerts, why=why)
        await box.at(second + 1)
    hook.answer = lambda envelope: DELIVERED
    await box.at(600)
    assert tuple(hook.bodies) == arrives


@pytest.mark.parametrize("opens_incidents", [False, True])
async def test_the_end_of_what_was_told_is_told_and_not_as_missed(opens_incidents: bool) -> None:
    hook = Scripted(opens_incidents=opens_incidents)
    box = Outbox(hook)
    await box.say("a")
    await box.at(1)
    hook.answer = lambda envelope: FAILED
    await box.say("a b")
    await box.at(2)
    await box.say("-a -b")
    await box.at(3)
    hook.answer = lambda envelope: DELIVERED
    await box.at(60)
    assert hook.bodies[1:] == ["resolved a=resolved b=resolved (all alerts resolved)"]
    assert await box.statuses() == ["sent", "superseded", "sent"]


async def test_an_incident_is_closed_although_one_more_came_and_went_while_nobody_answered() -> None:
    pager = Scripted(opens_incidents=True)
    box = Outbox(pager)
    await box.say("a")
    await box.at(1)
    pager.answer = lambda envelope: FAILED
    for second, alerts in enumerate(("-a", "b", "-b"), start=2):
        await box.say(alerts, why=FIRST if alerts == "b" else None)
        await box.at(second)
    pager.answer = lambda envelope: DELIVERED
    await box.at(60)
    assert pager.bodies[1:] == ["resolved a=resolved b=resolved (all alerts resolved)"]


async def test_a_flapping_message_is_replaced_by_the_end_of_all_only() -> None:
    hook = Scripted(answer=lambda envelope: FAILED)
    box = Outbox(hook)
    await box.say("a", kind=NoticeKind.FLAPPING, why=Why.FLAPPING, changes=6)
    await box.at(1)
    await box.say("b", why=FIRST)
    await box.at(2)
    assert await box.statuses() == ["queued", "queued"]
    await box.say("-a -b")
    hook.answer = lambda envelope: DELIVERED
    await box.at(60)
    assert hook.bodies == ["resolved a=resolved b=resolved missed (all alerts resolved)"]


async def test_other_groups_and_other_receivers_replace_nothing() -> None:
    hook, other = Scripted(answer=lambda envelope: FAILED), Scripted("other", answer=lambda envelope: FAILED)
    box = Outbox(hook, other)
    await box.say("a")
    await box.say("-a", group="h")
    await box.say("-a", receiver="other")
    await box.at(10)
    assert await box.statuses() == ["queued"] * 3


async def test_what_may_have_arrived_once_is_never_replaced_however_it_failed_later() -> None:
    hook = Scripted(answers=[AMBIGUOUS], answer=lambda envelope: FAILED)
    box = Outbox(hook)
    await box.say("a")
    await box.at(10)
    await box.say("a b")
    await box.say("-a -b")
    assert await box.statuses() == ["queued", "superseded", "queued"]
    assert "missed" not in (await box.letters())[2].body


async def test_what_is_carried_over_never_grows_a_message_without_end() -> None:
    hook = Scripted(answer=lambda envelope: FAILED)
    box = Outbox(hook)
    names = [f"t{number}" for number in range(MOST_LISTED)]
    await box.say("x")
    await box.at(1)
    await box.say(those(f"x {' '.join('-' + name for name in names[1:])}"), why=SOME)
    await box.say(those(f"x {' '.join('-u' + name for name in names[1:])}"), why=SOME)
    newest = (await box.letters())[-1].notification
    assert len(newest.alerts) == MOST_LISTED
    assert newest.truncated == 99
    assert newest.alerts[0].status == "firing"


async def test_a_letter_that_stands_for_more_than_it_lists_replaces_what_it_does_not_list() -> None:
    box = Outbox(Scripted(answer=lambda envelope: FAILED))
    await box.say("a b")
    await box.say("b c", truncated=20)
    assert await box.statuses() == ["superseded", "queued"]


async def test_what_may_have_opened_an_incident_and_was_given_up_is_closed_later() -> None:
    pager = Scripted(opens_incidents=True, answers=[AMBIGUOUS, REFUSED])
    box = Outbox(pager)
    await box.say("a")
    await box.at(2)
    assert await box.statuses() == ["dead"]
    pager.answer = lambda envelope: FAILED
    await box.say("a b")
    await box.say("-a -b")
    await box.at(3)
    pager.answer = lambda envelope: DELIVERED
    await box.at(60)
    assert await box.statuses() == ["dead", "superseded", "sent"]
