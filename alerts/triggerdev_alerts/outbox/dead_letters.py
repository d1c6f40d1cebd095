"""Dead letters by hand: sent again, or put away. What commands and pages call."""

from __future__ import annotations

from collections.abc import Mapping

from triggerdev_alerts.book import Draft, Letter, LetterStatus
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.outbox import conclusions
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.superseding import supersede
from triggerdev_alerts.receivers.port import Receiver


async def retry(scribe: Scribe, receivers: Mapping[str, Receiver], letter_id: str, now: Instant) -> Letter:
    """Put a dead letter into its line again; the courier must be poked. How it stands afterwards.

    Raises:
        Unfit: there is no such dead letter, its receiver is gone, or what it tells was overtaken.
    """
    letter = await _dead(scribe, letter_id)
    receiver = receivers.get(letter.receiver)
    if receiver is None:
        raise Unfit(
            "letter", f'no receiver "{letter.receiver}" is configured any more; configure it, or drop the letter'
        )
    sent = await scribe.storage.letters(
        status=LetterStatus.SENT, receiver=letter.receiver, group_key=letter.group_key, limit=1_000
    )
    if any(other.seq > letter.seq for other in sent):
        raise Unfit("letter", "a newer message about the same group was delivered since; drop this one")

    def decide(draft: Draft) -> Letter:
        _check_still_dead(draft, letter)
        again = conclusions.retry(draft, letter, now)
        supersede(draft, receiver, letter.group_key, now)
        return draft.changes.letters[again.id]

    return await scribe.write(decide)


async def drop(scribe: Scribe, letter_id: str, now: Instant) -> Letter:
    """Put a dead letter away.

    Raises:
        Unfit: there is no such dead letter.
    """
    letter = await _dead(scribe, letter_id)

    def decide(draft: Draft) -> Letter:
        _check_still_dead(draft, letter)
        return conclusions.drop(draft, letter, now)

    return await scribe.write(decide)


def _check_still_dead(draft: Draft, letter: Letter) -> None:
    # Two hands at once: what the other one sent again may be under way by now, and must not be touched.
    if any(other.id == letter.id for other in draft.letters_of(letter.receiver, letter.group_key)):
        raise Unfit("letter", f"{letter.id} was just put into its line again by somebody else")


async def _dead(scribe: Scribe, letter_id: str) -> Letter:
    letter = await scribe.storage.letter(letter_id)
    if letter is None:
        raise Unfit("letter", f'there is no notification "{letter_id}"; see "outbox list"')
    if letter.status is not LetterStatus.DEAD:
        raise Unfit(
            "letter", f"{letter_id} is {letter.status}, not dead; only what was given up can be changed by hand"
        )
    return letter
