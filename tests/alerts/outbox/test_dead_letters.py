"""Dead letters by hand, and what the dead man's switch is told."""

from __future__ import annotations

import pytest

from alert_notices import NOW
from outbox_stage import FAILED, REFUSED, Outbox, Scripted
from triggerdev_alerts.book import Book, ClockEntry, Kind
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.outbox import dead_letters
from triggerdev_alerts.outbox.deadman import Proof, should_ping
from triggerdev_alerts.outbox.pace import Pace


async def test_a_dead_letter_is_sent_again_with_the_id_and_the_bytes_that_it_had() -> None:
    box = Outbox(hook := Scripted(answers=[REFUSED]))
    message = await box.say("a")
    await box.at(90_000)
    await dead_letters.retry(box.scribe, box.receivers, message.id, box.clock.now())
    hook.answers = [FAILED]
    await box.at(90_060)
    assert hook.at == [0, 90_000, 90_001]
    assert len({(envelope.id, envelope.body) for envelope in hook.got}) == 1
    assert await box.statuses() == ["sent"]


async def test_dead_letters_of_a_group_go_out_in_their_order_or_as_the_newest_state() -> None:
    box = Outbox(hook := Scripted(answers=[REFUSED, REFUSED]))
    first, last = await box.say("a"), None
    await box.at(1)
    last = await box.say("-a")
    await box.at(2)
    assert await box.statuses() == ["dead", "dead"]
    for message in (last, first):
        await dead_letters.retry(box.scribe, box.receivers, message.id, box.clock.now())
    await box.at(3)
    assert hook.bodies == ["resolved a=resolved missed (all alerts resolved)"]


async def test_a_dead_letter_that_was_overtaken_is_not_sent_and_can_be_put_away() -> None:
    box = Outbox(hook := Scripted(answers=[REFUSED]))
    message = await box.say("a")
    await box.at(1)
    await box.say("-a")
    await box.at(2)
    with pytest.raises(Unfit, match="a newer message about the same group was delivered since; drop this one"):
        await dead_letters.retry(box.scribe, box.receivers, message.id, box.clock.now())
    dropped = await dead_letters.drop(box.scribe, message.id, box.clock.now())
    assert (dropped.status, dropped.done_at) == ("superseded", NOW + 2_000)
    await box.at(600)
    assert len(hook.got) == 2


async def test_what_cannot_be_done_by_hand_says_why() -> None:
    box = Outbox(Scripted(answers=[REFUSED]))
    message = await box.say("a")
    with pytest.raises(Unfit, match='there is no notification "msg_x"; see "outbox list"'):
        await dead_letters.drop(box.scribe, "msg_x", NOW)
    with pytest.raises(Unfit, match="is queued, not dead"):
        await dead_letters.retry(box.scribe, box.receivers, message.id, NOW)
    await box.at(1)
    with pytest.raises(Unfit, match='no receiver "hook" is configured any more'):
        await dead_letters.retry(box.scribe, {}, message.id, NOW)


@pytest.mark.parametrize(
    ("now", "ticked", "stale", "why"),
    [
        (60, True, (), ""),
        (60, False, (), "the last evaluation failed"),
        (181, True, (), "nothing was evaluated for 181 s"),
        (60, True, ("shop", "dev"), "no fresh data of dev, shop"),
    ],
)
def test_the_switch_is_told_only_if_all_is_well(now: int, ticked: bool, stale: tuple[str, ...], why: str) -> None:
    book = Book()
    book.set_entry(Kind.CLOCK, "", ClockEntry(stepped_at=NOW, started=True))
    assert should_ping(book, stale, NOW + now * 1_000, ticked=ticked) == Proof(not why, why)


async def test_the_switch_is_not_told_while_a_notification_waits_for_long() -> None:
    box = Outbox(Scripted(answer=lambda envelope: FAILED))
    await box.say("a")
    for seconds, pings in ((899, True), (900, False)):
        now = NOW + seconds * 1_000
        box.book.set_entry(Kind.CLOCK, "", ClockEntry(stepped_at=now, started=True))
        assert should_ping(box.book, (), now, ticked=True).pings is pings
    assert should_ping(box.book, (), now, ticked=True).reason == "a notification waits for 900 s"


def test_a_pace_gives_what_time_brought_and_no_more() -> None:
    pace = Pace((0.5, 3))
    pace.take(NOW, 3)
    assert pace.free(NOW) == 0
    again = pace.free_at(NOW)
    assert NOW + 2_000 <= again <= NOW + 2_001
    assert pace.free(again) == 1
    assert pace.free_at(again) == again
    assert pace.free(NOW - 86_400_000) == 1, "a clock that was set back neither gives nor takes"
    assert pace.free(NOW + 86_400_000) == 3
    assert Pace(None).free(NOW) is None
