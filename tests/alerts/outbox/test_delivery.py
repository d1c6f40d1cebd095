"""Delivery as the acceptance table tells it: exact instants of every request, on a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from alert_notices import NOW
from outbox_stage import AMBIGUOUS, DELIVERED, FAILED, GONE, REFUSED, SECOND, Outbox, Scripted, turns
from triggerdev_alerts.book import Changes, LetterStatus
from triggerdev_alerts.instants import DAY, HOUR, MINUTE
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_alerts.outbox.memory import MemoryStore
from triggerdev_alerts.outbox.retry import RetryPolicy
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate


def until(seconds: float, attempt: Attempt = FAILED) -> object:
    """An outage that ends `seconds` after the start."""
    return lambda envelope: attempt if envelope.at < NOW + seconds * SECOND else DELIVERED


async def test_an_outage_of_the_receiver_is_bridged_at_growing_distances_and_nobody_else_waits() -> None:
    hook, slack = Scripted(answer=until(270)), Scripted("slack")
    box = Outbox(hook, slack)
    await box.say("a")
    await box.say("a", receiver="slack")
    await box.at(600)
    assert hook.at == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303]
    assert {(envelope.id, envelope.body) for envelope in hook.got} == {
        (hook.got[0].id, "firing a=firing (first notification)")
    }
    assert [envelope.attempt for envelope in hook.got] == list(range(1, 12))
    assert slack.at == [0]
    assert box.counted("retried") == 10
    assert box.counted("delivered") == 1
    assert not box.book.letters


async def test_an_alert_that_lived_within_an_outage_is_told_once_as_missed_and_opens_no_incident() -> None:
    hook, pager = Scripted(answer=until(270)), Scripted("pager", answer=until(270), opens_incidents=True)
    box = Outbox(hook, pager)
    for receiver in ("hook", "pager"):
        await box.say("a", receiver=receiver)
    await box.at(200)
    for receiver in ("hook", "pager"):
        await box.say("-a", receiver=receiver)
    await box.at(900)
    assert hook.bodies == ["resolved a=resolved missed (all resolved)".replace("all resolved", "all alerts resolved")]
    assert Fate.DELIVERED not in pager.fates
    assert box.counted("superseded") == 1
    assert box.counted("superseded", "pager") == 2
    assert box.book.receivers["pager"].failing_since == 0, "nothing waits for it, so it is not said to fail for ever"


async def test_an_end_that_comes_while_the_first_message_is_on_its_way_is_told_as_missed_too() -> None:
    box = Outbox(hook := Scripted(answers=[FAILED]))

    async def meanwhile(envelope: Envelope) -> None:
        if envelope.attempt == 1 and envelope.notification.kind is NoticeKind.FIRING:
            await box.say("-a")

    hook.wait = meanwhile
    await box.say("a")
    await box.at(60)
    assert hook.bodies == ["resolved a=resolved missed (all alerts resolved)"]


async def test_what_may_have_arrived_is_repeated_as_it_was_and_stays_before_its_end() -> None:
    hook = Scripted(answers=[AMBIGUOUS, FAILED, AMBIGUOUS])
    box = Outbox(hook)
    await box.say("a")
    await box.at(0.5)
    await box.say("-a")
    await box.at(60)
    assert hook.bodies == ["firing a=firing (first notification)", "resolved a=resolved (all alerts resolved)"]
    ids = [envelope.id for envelope in hook.got]
    assert len(ids) == 5
    assert ids[:4] == [ids[0]] * 4
    assert ids[4] != ids[0]


async def test_a_server_error_is_tried_again_soon() -> None:
    hook = Scripted(answers=[FAILED] * 3)
    box = Outbox(hook)
    await box.say("a")
    await box.at(600)
    assert hook.at == [0, 1, 3, 7]


async def test_a_pause_that_is_asked_for_holds_for_every_group() -> None:
    hook = Scripted(answer=lambda envelope: DELIVERED)
    hook.answers = [Attempt(Fate.THROTTLED, "HTTP 429", retry_at=NOW + 90 * SECOND)]
    box = Outbox(hook)
    await box.say("a")
    await box.at(10)
    await box.say("b", group="other")
    await box.at(89.9)
    assert hook.at == [0]
    assert box.book.receivers["hook"].failing_since == 0
    await box.at(600)
    assert hook.at == [0, 90, 90]
    assert len(hook.bodies) == 2


@pytest.mark.parametrize(
    ("retry_at", "asked_again"),
    [(None, 1), (NOW + 86_400 * SECOND, 3_600), (NOW - 5 * SECOND, 1), (NOW + 90_500, 90.5)],
    ids=["not said: backoff", "a day: an hour at most", "the past: no tight loop", "a date"],
)
async def test_pauses_are_within_reason(retry_at: int | None, asked_again: float) -> None:
    hook = Scripted(answers=[Attempt(Fate.THROTTLED, "HTTP 429", retry_at=retry_at)])
    box = Outbox(hook)
    await box.say("a")
    await box.at(7_200)
    assert hook.at == [0, asked_again]


async def test_of_two_answers_that_cross_the_longer_pause_is_meant() -> None:
    hook = Scripted()
    hook.answers = [Attempt(Fate.THROTTLED, "429", retry_at=NOW + wait * SECOND) for wait in (90, 30)]
    box = Outbox(hook)
    await box.say("a")
    await box.say("b", group="other")
    await box.at(600)
    assert hook.at == [0, 0, 90, 90]


async def test_what_is_refused_is_dead_after_one_request_and_the_next_goes_on() -> None:
    hook = Scripted(answers=[REFUSED])
    box = Outbox(hook)
    await box.say("a")
    await box.at(5)
    await box.say("a b")
    await box.at(600)
    assert hook.at == [0, 5]
    assert await box.statuses() == ["dead", "sent"]
    assert [letter.last_error for letter in await box.letters(LetterStatus.DEAD)] == ["HTTP 400"]
    assert box.book.receivers["hook"].dead == (NOW,)
    assert box.book.receivers["hook"].failing_since == 0
    assert box.counted("dead") == 1


async def test_a_receiver_that_is_gone_gets_nothing_until_a_reload() -> None:
    hook = Scripted(answers=[GONE])
    box = Outbox(hook)
    await box.say("a")
    await box.at(1)
    await box.say("b", group="other")
    await box.at(3_600)
    assert hook.at == [0]
    assert box.book.receivers["hook"].disabled == "HTTP 410"
    assert box.book.receivers["hook"].failing_since == NOW, "it fails for as long as it is switched off"
    assert await box.statuses() == ["dead", "queued"]
    await box.restart()
    await box.at(3_601)
    assert hook.at == [0, 3_600]
    assert box.book.receivers["hook"].disabled == ""


async def test_a_body_that_is_refused_is_replaced_once() -> None:
    hook = Scripted(
        answers=[Attempt(Fate.REFUSED, "invalid_blocks", body="plain"), Attempt(Fate.REFUSED, "no", body="2nd")]
    )
    box = Outbox(hook)
    await box.say("a")
    await box.at(60)
    assert [(envelope.body, envelope.attempt) for envelope in hook.got] == [
        ("firing a=firing (first notification)", 1),
        ("plain", 2),
    ]
    assert len({envelope.id for envelope in hook.got}) == 1
    assert await box.statuses() == ["dead"]


async def test_the_handle_of_a_groups_message_is_given_back_until_all_is_over() -> None:
    slack = Scripted(
        "slack", edits=True, answer=lambda envelope: Attempt(Fate.DELIVERED, handle=f"C:{envelope.id[-3:]}")
    )
    box = Outbox(slack)
    first = await box.say("a", receiver="slack")
    await box.at(1)
    second = await box.say("a b", receiver="slack")
    await box.at(2)
    await box.say("-a -b", receiver="slack")
    await box.at(3)
    await box.say("a", receiver="slack")
    await box.at(4)
    assert [envelope.handle for envelope in slack.got] == ["", f"C:{first.id[-3:]}", f"C:{second.id[-3:]}", ""]


async def test_digests_and_samples_leave_no_handle() -> None:
    slack = Scripted("slack", answer=lambda envelope: Attempt(Fate.DELIVERED, handle="C:1"))
    box = Outbox(slack)
    await box.say("a", receiver="slack", kind=NoticeKind.DIGEST, group="slack/digest")
    await box.say("a", receiver="slack", group="test", is_test=True, why=Why.TEST)
    await box.at(1)
    assert len(slack.got) == 2
    assert box.book.receivers["slack"].handles == {}


async def test_a_letter_is_given_up_after_a_day_and_its_receiver_with_it_only_if_nothing_waits() -> None:
    hook = Scripted(answer=lambda envelope: FAILED)
    box = Outbox(hook, policy=RetryPolicy(jitter=0.0, first=HOUR // 2, longest=HOUR // 2))
    await box.say("a")
    await box.at(86_400)
    assert await box.statuses() == ["dead"]
    assert (await box.letters())[0].last_error == "given up after 24 h: refused"
    assert len(hook.got) == 49
    assert box.book.receivers["hook"].failing_since == 0
    assert box.book.receivers["hook"].dead == (NOW + DAY,)


async def test_a_letter_that_is_old_because_nobody_ran_is_still_tried() -> None:
    box = Outbox(hook := Scripted())
    await box.say("a")
    box.clock.advance(30 * 3_600)
    await box.restart()
    await box.at(31 * 3_600)
    assert len(hook.bodies) == 1


async def test_letters_to_a_receiver_that_is_not_configured_any_more_are_given_up_soon() -> None:
    box = Outbox(Scripted(answer=lambda envelope: FAILED))
    await box.say("a")
    await box.at(1)
    box.receivers = {}
    await box.restart()
    await box.at(9 * 60)
    assert await box.statuses() == ["queued"]
    await box.at(11 * 60)
    assert await box.statuses() == ["dead"]
    assert "no receiver of this name is configured" in (await box.letters())[0].last_error


async def test_a_hanging_receiver_delays_nobody_else_nor_its_own_answers() -> None:
    never, hook = asyncio.Event(), Scripted()

    async def hang(envelope: Envelope) -> None:
        await never.wait()

    slow = Scripted("slow", wait=hang)
    box = Outbox(hook, slow)
    stop = asyncio.Event()
    for group in range(10):
        await box.say("a", receiver="slow", group=f"g{group}")
    running = asyncio.create_task(box.courier.run(stop))
    await turns()
    assert len(slow.got) == 4, "no more at once"
    for number in range(3):
        await box.say("a", group=f"h{number}")
        box.courier.poke()
        await turns()
    assert len(hook.bodies) == 3
    never.set()
    await turns(60)
    assert len(slow.bodies) == 10
    stop.set()
    await running


async def test_a_mistake_of_ours_is_loud_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryStore):
        breaks = 0

        async def commit(self, changes: Changes) -> None:
            if self.breaks:
                self.breaks -= 1
                raise ZeroDivisionError("ours")
            await super().commit(changes)

    hook, store = Scripted(), Broken()
    box = Outbox(hook, storage=store)
    await box.say("a")
    store.breaks = 2
    stop = asyncio.Event()
    running = asyncio.create_task(box.courier.run(stop))
    await turns(60)
    assert len(hook.bodies) == 1
    errors = [(record.message, record.__dict__["why"]) for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [("nothing can be sent", "ZeroDivisionError: ours")]
    stop.set()
    await running


async def test_a_rate_is_kept_and_used() -> None:
    slack = Scripted("slack", rate=(1.0, 5))
    box = Outbox(slack)
    for group in range(12):
        await box.say("a", receiver="slack", group=f"g{group:02}")
    await box.at(60)
    assert slack.at[:5] == [0] * 5
    assert [round(at) for at in slack.at[5:]] == [1, 2, 3, 4, 5, 6, 7]
    assert [envelope.notification.group_key for envelope in slack.got] == [f"g{group:02}" for group in range(12)]


async def test_a_receiver_that_raises_loses_nothing() -> None:
    class Broken(Scripted):
        async def send(self, envelope: Envelope) -> Attempt:
            self.got.append(envelope)
            if len(self.got) == 1:
                raise RuntimeError("https://hooks.example/secret")
            self.fates += [Fate.FAILED, Fate.DELIVERED]
            return DELIVERED

    box = Outbox(hook := Broken())
    await box.say("a")
    await box.at(0.5)
    assert [letter.last_error for letter in box.book.letters.values()] == [
        "the receiver broke (RuntimeError); the log says where"
    ]
    await box.at(60)
    assert hook.at == [0, 1]
    assert not box.book.letters


async def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    box = Outbox(hook := Scripted(answers=[FAILED]))
    await box.say("a")
    await box.courier.step(NOW)
    box.clock.advance(-30 * 86_400)
    await box.courier.step(box.clock.now())
    assert len(hook.got) == 2


async def test_jitter_is_a_fifth_to_both_sides() -> None:
    policy = RetryPolicy()
    assert [policy.wait(attempts, lambda: 0.5) for attempts in (1, 2, 6, 7, 999)] == [
        1_000,
        2_000,
        32_000,
        60_000,
        60_000,
    ]
    assert (policy.wait(7, lambda: 0.0), policy.wait(7, lambda: 0.999999)) == (48_000, 72_000)
    assert policy.wait(1, lambda: 0.0) == 800
    assert policy.longest == MINUTE


async def test_what_waits_is_written_anew_for_a_receiver_that_a_reload_made_another_kind() -> None:
    class Loud(Scripted):
        def render(self, notification: Notification) -> str:
            return super().render(notification).upper()

    box = Outbox(quiet := Scripted(answer=until(99)))
    await box.say("a")
    await box.at(2)
    box.courier.use({"hook": (same := Scripted(answer=until(99)))})
    await box.at(8)
    assert {envelope.body for envelope in (*quiet.got, *same.got)} == {"firing a=firing (first notification)"}
    box.courier.use({"hook": (loud := Loud(kind="loud"))})
    await box.at(30)
    assert loud.bodies == ["FIRING A=FIRING (FIRST NOTIFICATION)"]
    assert loud.got[0].id == quiet.got[0].id
