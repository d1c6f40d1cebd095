"""Whatever is said, however receivers answer and whenever the process dies: in order, once, and nothing is lost."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outbox_stage import AMBIGUOUS, DELIVERED, FAILED, Outbox, Scripted
from triggerdev_alerts.book import Letter, LetterStatus
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import Why
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate

ANSWERS = st.sampled_from(
    [DELIVERED, FAILED, AMBIGUOUS, Attempt(Fate.THROTTLED, "429", retry_at=None), Attempt(Fate.REFUSED, "bad")]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from("ggh"), st.sampled_from(["", "", "a", "ab", "bc", "abc"])),
        st.tuples(st.just("wait"), st.sampled_from([0, 1, 5, 90]), ANSWERS),
        st.tuples(st.just("restart"), st.just(0), ANSWERS),
        st.tuples(st.just("kill"), st.booleans(), ANSWERS),
    ),
    min_size=6,
    max_size=25,
)


class Group:
    """What fires in a group, and the messages that notify would make of its changes."""

    def __init__(self) -> None:
        self.fires: frozenset[str] = frozenset()

    def becomes(self, fires: frozenset[str]) -> tuple[str, Why] | None:
        ended, new = self.fires - fires, fires - self.fires
        first, self.fires = not self.fires, fires
        if not ended and not new:
            return None
        words = " ".join([*sorted(fires), *(f"-{name}" for name in sorted(ended))])
        if not fires:
            return words, Why.ALL_RESOLVED
        return words, Why.FIRST if first else Why.NEW_ALERTS if new else Why.SOME_RESOLVED


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
async def test_in_order_once_and_nothing_lost(steps: list[tuple[Any, Any, Any]], opens: bool) -> None:
    hook = Scripted(opens_incidents=opens)
    box = Outbox(hook)
    groups = {"g": Group(), "h": Group()}
    arrived: list[Envelope] = []
    answer: Attempt = DELIVERED

    def receive(envelope: Envelope) -> Attempt:
        if answer.fate in (Fate.DELIVERED, Fate.AMBIGUOUS):
            arrived.append(envelope)
        return answer

    hook.answer = receive
    for what, first, second in steps:
        if what == "say":
            message = groups[first].becomes(frozenset(second))
            if message is not None:
                await box.say(message[0], group=first, why=message[1])
            continue
        answer = second
        if what == "kill":
            # The commit that marks letters as under way is the last thing that this process did, but for sending.
            begun = await box.scribe.write(lambda draft: box.courier._begin(draft, box.clock.now()))
            if first:
                arrived += [as_sent(letter, box.clock.now()) for letter, _, _ in begun]
        if what in ("kill", "restart"):
            await box.restart()
        await box.at(box.seconds + (first if what == "wait" else 0))
        assert box.book.letters == (await box.storage.load()).letters
    answer = DELIVERED
    await box.at(box.seconds + 7_200)

    letters = await box.letters()
    assert not box.book.letters, "everything came to an end"
    for name, group in groups.items():
        mine = [envelope for envelope in arrived if envelope.notification.group_key == name]
        seqs = [envelope.notification.seq for envelope in mine]
        assert seqs == sorted(seqs), "strictly in order, repetitions beside each other"
        assert len({(envelope.id, envelope.body) for envelope in mine}) == len(set(seqs)), "one id, one body"
        for before, envelope in itertools.pairwise(mine):
            if envelope.notification.missed_firing and before.id != envelope.id:
                assert not before.notification.is_firing, "it is not missed if it was told"
        if all(letter.status is not LetterStatus.DEAD for letter in letters if letter.group_key == name):
            heard = {a.label("task"): a.status for envelope in mine for a in envelope.notification.alerts}
            assert {task for task, status in heard.items() if status == "firing"} == group.fires
    sent = {letter.id for letter in letters if letter.status is LetterStatus.SENT}
    assert box.counted("delivered") == len(sent)
    assert sent <= {envelope.id for envelope in arrived}


def as_sent(letter: Letter, at: Instant) -> Envelope:
    return Envelope(letter.id, letter.body, letter.notification, letter.attempts, at)
