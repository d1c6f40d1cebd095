"""The process that dies: alerting as the daemon opens it, over a story instead of a ledger, on a clock that is shown.

It ends by itself when the story is over and everybody has been told everything. Its last argument may name a mistake
(`MISTAKES`) that it is to make: the harness must notice each of them, or it would prove nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from msgspec.structs import replace

from soak.failpoints import Failpoint, install
from soak.letters_story import START, rules, story
from soak.shown_clock import Face, ShownClock
from triggerdev_alerts.book import Book, Changes, Letter, LetterStatus
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.instants import SECOND, Instant
from triggerdev_alerts.outbox.courier import Courier, _line, _Sent
from triggerdev_alerts.outbox.store import BookStore, open_book_store
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate, Receiver
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.waiting import wait_for
from triggerdev_exporter import alerting
from triggerdev_exporter.alerting import Alerting, open_alerting

PROGRAM = "soak.letters_child:main"
BOOK, FACE = "state-alerts.db", "face"


@dataclass(frozen=True)
class Order:
    """What a child is told, as JSON."""

    url: str
    """Where the receivers listen."""
    lasts: int
    """How long the story is, milliseconds."""
    start: Instant
    """When it is, for this process."""
    speed: float
    failpoint: Failpoint | None = None
    armed_at: Instant = 0
    """From when on the failpoint counts."""
    mistake: str = ""

    def write(self) -> str:
        return json.dumps(asdict(self))


def read(text: str) -> Order:
    told = json.loads(text)
    failpoint = told.pop("failpoint")
    return Order(**told, failpoint=None if failpoint is None else Failpoint(**failpoint))


class _Told(StorySignals):
    def use(self, ruleset: RuleSet) -> None:
        """A story knows everything anyway."""

    def stale(self, now: Instant) -> tuple[str, ...]:
        return ()


@lru_cache
def told(lasts: int) -> Story:
    """Made once for all children, by whoever forks them."""
    return story(lasts)


async def live(order: Order) -> None:
    """Run alerting until the story is over."""
    clock = ShownClock(Face(Path(FACE)), order.start)
    if order.failpoint is not None:
        install(order.failpoint, Path("mark"), lambda: clock.seen >= order.armed_at)
    world = told(order.lasts)
    ruleset = rules(order.url)
    async with open_alerting(Path(BOOK), ruleset, _Told(world), StoryWitness(world), clock) as running:
        # Nothing has been waited for yet: opening took no time of the story.
        clock.start(order.speed, hands=3, is_out=lambda: bool(running.courier._tasks))
        while clock.now() < START + order.lasts or not _is_quiet(running):
            await wait_for(clock, max(START + order.lasts - clock.now(), 10 * SECOND))


def _is_quiet(running: Alerting) -> bool:
    return not (running.book.alerts or running.book.groups or running.book.letters)


def main() -> None:
    """Be the child; the order is the only argument."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(why)s", defaults={"why": ""}))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    order = read(sys.argv[1])
    if order.mistake:
        MISTAKES[order.mistake]()
    asyncio.run(live(order))


# -- mistakes, to be found ---------------------------------------------------------------------------------------------


class _MarksFirst(Courier):
    """At most once: a letter is marked as sent, and then sent."""

    async def _deliver(self, letter: Letter, receiver: Receiver, envelope: Envelope) -> None:
        self._unmarked[_line(letter)] = _Sent(letter, receiver, Attempt(Fate.DELIVERED), self._clock.now())
        await self._mark_one(_line(letter))
        try:
            await receiver.send(envelope)
        finally:
            del self._tasks[_line(letter)]
            self.poke()


class _TwoTransactions(BookStore):
    """What was decided and the letters about it are committed one after the other."""

    def _commit(self, changes: Changes) -> None:
        letters, changes.letters = changes.letters, {}
        super()._commit(changes)
        later = Changes()
        later.letters = changes.letters = letters
        super()._commit(later)


class _Forgets(BookStore):
    """What was under way when the process ended is taken for sent."""

    def _load(self) -> Book:
        book = super()._load()
        for letter in list(book.letters.values()):
            if letter.status is LetterStatus.SENDING:
                book.set_letter(replace(letter, status=LetterStatus.SENT))
        return book


class _WordsAnew(BookStore):
    """What waits is written anew at a start, and is no longer the same bytes."""

    def _load(self) -> Book:
        book = super()._load()
        for letter in list(book.letters.values()):
            book.set_letter(replace(letter, body=f"{letter.body} "))
        return book


class _NumbersAnew(BookStore):
    """What was under way is sent as something new."""

    def _load(self) -> Book:
        book = super()._load()
        for letter in list(book.letters.values()):
            if letter.status is LetterStatus.SENDING:
                book.set_letter(replace(letter, status=LetterStatus.SENT))
                anew = f"{letter.id}b"
                book.set_letter(replace(letter, id=anew, notification=replace(letter.notification, id=anew)))
        return book


def _courier(wrong: type[Courier]) -> Callable[[], None]:
    def make() -> None:
        alerting.Courier = wrong  # type: ignore[misc]  # in this process, which is wrong on purpose

    return make


def _store(wrong: type[BookStore]) -> Callable[[], None]:
    def make() -> None:
        def open_wrong(path: Path) -> BookStore:
            return wrong(open_book_store(path)._file)

        alerting.open_book_store = open_wrong  # type: ignore[attr-defined]  # likewise

    return make


MISTAKES = {
    "marks first": _courier(_MarksFirst),
    "two transactions": _store(_TwoTransactions),
    "forgets": _store(_Forgets),
    "words anew": _store(_WordsAnew),
    "numbers anew": _store(_NumbersAnew),
}
