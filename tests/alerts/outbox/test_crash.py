"""Kills at every point between the decision and the mark, and a clean end: what a new process on the same file does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alert_notices import NOW
from outbox_stage import DELIVERED, FAILED, Outbox, Scripted, turns
from triggerdev_alerts.book import Changes, LetterStatus
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.store import open_book_store
from triggerdev_alerts.receivers.port import Envelope


class Killed(BaseException):
    """The process ends here."""


class Dying(MemoryStore):
    """A storage that fails, or kills, at its n-th commit from now."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[int, BaseException] = {}
        self.commits = 0

    async def commit(self, changes: Changes) -> None:
        self.commits += 1
        error = self.fails.pop(self.commits, None)
        if error is not None:
            raise error
        await super().commit(changes)


async def test_killed_between_the_answer_and_the_mark_it_is_sent_again_with_the_same_id_and_bytes() -> None:
    storage = Dying()
    box = Outbox(hook := Scripted(), storage=storage)
    await box.say("a")
    storage.fails[3] = Killed()
    with pytest.raises(Killed):
        await box.at(0)
    assert [letter.status for letter in await box.letters()] == [LetterStatus.SENDING]
    await box.restart()
    await box.at(30)
    await box.say("-a")
    await box.at(60)
    assert len(hook.got) == 3
    assert hook.got[0].id == hook.got[1].id
    assert hook.got[0].body == hook.got[1].body
    assert [envelope.attempt for envelope in hook.got] == [1, 2, 1]
    assert len(hook.bodies) == 2


async def test_killed_after_the_commit_and_before_sending_it_is_sent_once() -> None:
    box = Outbox(hook := Scripted())
    await box.say("a")
    await box.restart()
    await box.at(30)
    assert len(hook.got) == 1


async def test_killed_before_the_commit_nothing_was_decided() -> None:
    storage = Dying()
    box = Outbox(hook := Scripted(), storage=storage)
    storage.fails[1] = Killed()
    with pytest.raises(Killed):
        await box.say("a")
    await box.restart()
    await box.at(30)
    assert hook.got == []
    box._seqs.clear()
    await box.say("a")
    await box.at(60)
    assert len(hook.got) == 1


async def test_what_was_sent_and_could_not_be_written_down_is_written_down_and_not_sent_again() -> None:
    storage = Dying()
    box = Outbox(hook := Scripted(), storage=storage)
    await box.say("a")
    storage.fails = {3: BookError("the disk is full"), 4: BookError("the disk is full")}
    with pytest.raises(BookError):
        await box.courier.step(NOW)
    await box.courier.step(NOW)
    assert len(hook.got) == 1
    assert await box.statuses() == ["sent"]
    assert box.counted("delivered") == 1


async def test_the_daemon_writes_down_first_what_was_sent_while_the_disk_was_full() -> None:
    storage = Dying()
    box = Outbox(hook := Scripted(), storage=storage)
    await box.say("a")
    storage.fails = {3: BookError("the disk is full")}
    for status in ("sending", "sent"):
        await box.courier.turn(box.clock.now())
        await box.courier.settled()
        assert await box.statuses() == [status]
    assert len(hook.got) == 1


async def test_a_full_disk_sends_nothing_and_the_daemon_goes_on_when_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    storage = Dying()
    box = Outbox(hook := Scripted(), storage=storage)
    await box.say("a")
    storage.fails = {number: BookError("the disk is full") for number in range(2, 6)}
    stop = asyncio.Event()
    running = asyncio.create_task(box.courier.run(stop))
    while not hook.got:
        await turns(1)
    await turns()
    stop.set()
    await running
    assert await box.statuses() == ["sent"]
    assert [record.message for record in caplog.records] == ["nothing can be sent", "notifications can be sent again"]
    assert box.clock.slept[:4] == [5.0] * 4


async def test_twenty_letters_and_a_receiver_that_hangs_end_in_time_and_are_delivered_after_the_restart(
    tmp_path: Path,
) -> None:
    store = open_book_store(tmp_path / "state-alerts.db")
    never = asyncio.Event()

    async def hang(envelope: Envelope) -> None:
        await never.wait()

    hook = Scripted(wait=hang)
    box = Outbox(hook, storage=store)
    stop = asyncio.Event()
    for group in range(20):
        await box.say("a", group=f"g{group}")
    running = asyncio.create_task(box.courier.run(stop))
    while len(hook.got) < 4:
        await turns(1)
    stop.set()
    box.courier.poke()
    ending = asyncio.create_task(box.courier.stop(grace=0.01))
    await ending
    await running
    await store.close()

    hook.wait, hung = None, len(hook.got)
    box.storage = open_book_store(tmp_path / "state-alerts.db")
    await box.restart()
    statuses = [letter.status for letter in box.book.letters.values()]
    assert statuses.count(LetterStatus.SENDING) == hung
    assert len(statuses) == 20
    await box.at(1)
    assert len({envelope.id for envelope in hook.got}) == 20
    assert len(hook.got) == 20 + hung
    assert await box.statuses() == ["sent"] * 20
    await box.storage.close()


async def test_an_answer_that_comes_within_the_grace_is_written_down() -> None:
    answered = asyncio.Event()

    async def wait(envelope: Envelope) -> None:
        await answered.wait()

    box = Outbox(hook := Scripted(wait=wait))
    await box.say("a")
    stop = asyncio.Event()
    running = asyncio.create_task(box.courier.run(stop))
    await turns()
    stop.set()
    await turns()
    answered.set()
    await running
    assert len(hook.got) == 1
    assert await box.statuses() == ["sent"]


async def test_a_step_that_is_cancelled_in_the_middle_of_a_commit_is_in_memory_too() -> None:
    class Slow(MemoryStore):
        async def commit(self, changes: Changes) -> None:
            await turns(5)
            await super().commit(changes)

    box = Outbox(Scripted(), storage=Slow())
    saying = asyncio.create_task(box.say("a"))
    await turns(2)
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    assert list(box.book.letters) == [letter.id for letter in await box.letters()] != []


async def test_pauses_and_failures_survive_a_restart(tmp_path: Path) -> None:
    store = open_book_store(tmp_path / "state-alerts.db")
    box = Outbox(hook := Scripted(answer=lambda envelope: FAILED), storage=store)
    await box.say("a")
    await box.at(10)
    await box.restart()
    await box.at(40)
    assert hook.at == [0, 1, 3, 7, 15, 31]
    assert box.book.receivers["hook"].failing_since == NOW
    hook.answer = lambda envelope: DELIVERED
    await box.at(100)
    assert box.book.receivers["hook"].failing_since == 0
    assert box.counted("retried") == 6
    await store.close()


async def test_the_daemon_forgets_old_letters_by_itself() -> None:
    box = Outbox(Scripted())
    await box.say("a")
    await box.at(1)
    box.clock.advance(8 * 86_400)
    stop = asyncio.Event()
    running = asyncio.create_task(box.courier.run(stop))
    await turns()
    stop.set()
    await running
    assert await box.letters() == []
