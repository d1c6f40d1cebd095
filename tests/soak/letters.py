"""Two hundred kills of alerting: what was told is what would have been told without them, nothing more, nothing less.

A *world* is two hours of a story at many times the speed of life, one book of alerts, two receivers that are sometimes
unwell, and a row of kills; whoever is killed starts again at the instant of its death, and what was delivered must
be equal (`unlike`). In *rough* worlds minutes pass before the next start, and letters pile up and replace each other;
what must hold there, too, is `differences`. Run it alone (``PYTHONPATH=tests python -m soak.letters --kills 200``) or
through `make soak`; `make test` runs a short form.

A tick whose commit a kill prevents did not happen: nothing was sent, and the next tick decides (alerting.md, R9). So
the instants of messages may differ from the run without kills; what is said to whom, and in which order, may not.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from random import Random

from soak.failpoints import AFTER, BEFORE, INSIDE, STATEMENT, Failpoint
from soak.letters_child import BOOK, FACE, PROGRAM, Order, told
from soak.letters_sink import Request, Sink, open_sink
from soak.letters_story import BAD_MOODS, HOOK, MOODS, START, WHOLE, rules
from soak.nest import Hatched, Nest, nest_in
from soak.shown_clock import Face, make_face
from triggerdev_alerts.book import Letter, LetterStatus
from triggerdev_alerts.history.course import take
from triggerdev_alerts.history.rehearsal import rehearse
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.instants import MINUTE, SECOND, Instant, iso
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.outbox.store import open_book_store
from triggerdev_exporter.clock import SystemClock

INSTANT = "at an instant"
YOUNG = "while it starts"
MODES = (INSTANT, YOUNG, STATEMENT, BEFORE, INSIDE, AFTER)
DRAWN = (INSTANT, STATEMENT, BEFORE, INSIDE, AFTER)
WEIGHTS = (40, 15, 15, 15, 15)
KILLS_A_WORLD = 40
SPEED = 2_000.0
LONGEST_START_S, LONGEST_WORK_S = 0.08, 0.03
LONGEST_ABSENCE, ABSENT = 5 * MINUTE, 0.4
"""How long nobody runs after a death, and after what share of deaths, in rough worlds."""
PATIENCE_S = 60.0

Line = tuple[str, str]
"""(receiver, group key)."""
Said = tuple[str, tuple[tuple[str, str], ...]]
"""A transition of a group: the kind of message, and which alerts (fingerprints) have which status."""


# -- what must hold ----------------------------------------------------------------------------------------------------


def said(notification: Notification) -> Said:
    alerts = sorted((alert.fingerprint, alert.status) for alert in notification.alerts)
    return str(notification.kind), tuple(alerts)


@lru_cache
def notifications(lasts: int) -> tuple[Notification, ...]:
    """What the story makes an engine say that nobody kills, on a virtual clock."""
    world = told(lasts)
    engine, book = rehearse(rules("http://127.0.0.1:1"), StorySignals(world), StoryWitness(world), started_at=START)
    course = asyncio.run(take(engine, book, start=START, end=START + lasts))
    assert [*book.alerts, *book.groups, *course.errors] == [], "a story ends when all is over"
    return course.notifications


def by_line(told: Iterable[Notification]) -> dict[Line, list[Said]]:
    lines: dict[Line, list[Said]] = {}
    for one in told:
        lines.setdefault((one.receiver, one.group_key), []).append(said(one))
    return lines


@dataclass(frozen=True)
class Post:
    """A request and the letter that it carried."""

    request: Request
    letter: Letter


def sorted_out(requests: Sequence[Request], letters: Sequence[Letter]) -> tuple[list[Post], list[str]]:
    """Whose letter each request carried, and which carried none. Slack's have no id, so there the body must tell."""
    by_id = {letter.id: letter for letter in letters}
    by_body = {(letter.receiver, letter.body): letter for letter in letters}
    wrong = []
    if len(by_body) < len(letters):
        wrong.append("two letters have the same body")
    posts = []
    for request in requests:
        letter = by_body.get((request.receiver, request.body))
        if letter is None:
            wrong.append(f"no letter has these bytes: {request.id} {request.body[:200]}")
        elif request.receiver == HOOK and by_id.get(request.id) is not letter:
            wrong.append(f"the id {request.id} is not that of its letter, {letter.id}")
        else:
            posts.append(Post(request, letter))
    return posts, wrong


def first_taken(posts: Iterable[Post]) -> dict[str, Letter]:
    """The letters that were taken, by id, in the order in which they were taken first."""
    taken: dict[str, Letter] = {}
    for post in posts:
        if post.request.is_taken:
            taken.setdefault(post.letter.id, post.letter)
    return taken


def differences(requests: Sequence[Request], letters: Sequence[Letter]) -> Iterator[str]:
    """What is wrong with what arrived, whatever the story was and however long nobody ran."""
    posts, wrong = sorted_out(requests, letters)
    yield from wrong
    bodies: dict[str, set[str]] = {}
    for request in requests:
        if request.id:
            bodies.setdefault(request.id, set()).add(request.body)
    yield from (f"{letter_id} came with {len(each)} bodies" for letter_id, each in bodies.items() if len(each) > 1)
    taken = first_taken(posts)
    for letter in letters:
        if letter.status not in (LetterStatus.SENT, LetterStatus.SUPERSEDED):
            yield f"{letter.id} is {letter.status} in the end"
        if letter.status is LetterStatus.SENT and letter.id not in taken:
            yield f"{letter.id} is marked as sent and never arrived"
    yield from _out_of_order(posts)
    yield from _unended(taken.values())


def _out_of_order(posts: Iterable[Post]) -> Iterator[str]:
    """Nothing newer is sent before what is older was taken, and nothing older after it."""
    lines: dict[Line, list[int]] = {}
    for post in posts:
        lines.setdefault((post.letter.receiver, post.letter.group_key), []).append(post.letter.seq)
    for line, numbers in lines.items():
        yield from (
            f"{line}: {later} was sent after {earlier}" for earlier, later in pairwise(numbers) if later < earlier
        )


def _unended(taken: Iterable[Letter]) -> Iterator[str]:
    """Of whatever was told that it fires, the end was told."""
    last: dict[tuple[Line, str], str] = {}
    for letter in taken:
        for alert in letter.notification.alerts:
            last[(letter.receiver, letter.group_key), alert.fingerprint] = alert.status
    yield from (f"{place}: nobody was told that it ended" for place, status in last.items() if status != "resolved")


def unlike(requests: Sequence[Request], letters: Sequence[Letter], wanted: Iterable[Notification]) -> Iterator[str]:
    """Where the delivered (receiver, group, transition) are others than those of `wanted`."""
    posts, _ = sorted_out(requests, letters)
    came, expected = by_line(letter.notification for letter in first_taken(posts).values()), by_line(wanted)
    for line in sorted({*came, *expected}):
        if came.get(line) != expected.get(line):
            yield f"{line}: {_shown(came.get(line, ()))} instead of {_shown(expected.get(line, ()))}"


def _shown(line: Iterable[Said]) -> str:
    return " ".join(f"{kind}({' '.join(f'{name[:4]}={status}' for name, status in alerts)})" for kind, alerts in line)


# -- one world ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """One world, told by numbers: the same plan aims at the same places."""

    seed: int
    kills: int
    is_rough: bool = False
    """Whether time passes between a death and the next start, and the receivers are so unwell that letters pile up."""
    lasts: int = WHOLE
    only: str | None = None
    """One of `DRAWN`, where not all are wanted."""
    counts: tuple[int, ...] = (1, 2, 3, 4, 5)
    """Which commit after an instant is struck, in turn: the decision is committed, then that it is under way, then what
    became of each letter."""
    mistake: str = ""
    """One of `letters_child.MISTAKES`."""


@dataclass(frozen=True)
class Kill:
    mode: str
    at: Instant
    failpoint: Failpoint | None = None


@dataclass
class Outcome:
    """What was measured in one world."""

    plan: Plan
    kills: Counter[str] = field(default_factory=Counter)
    in_transaction: int = 0
    starts: int = 0
    requests: int = 0
    letters: int = 0
    superseded: int = 0
    """Letters that gave way to newer ones."""
    repeated: int = 0
    """Requests that were taken although the same had been taken before."""
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0


def aims(plan: Plan) -> list[Kill]:
    """The kills of a world: anywhere, and for a good part where letters are written and sent."""
    dice = Random(plan.seed)
    letters = sorted({one.at for one in notifications(plan.lasts)})
    kills = []
    for number in range(plan.kills):
        mode = plan.only or dice.choices(DRAWN, WEIGHTS)[0]
        at = round(dice.uniform(START, START + plan.lasts - 6 * MINUTE))
        if dice.random() < (0.5 if mode == INSTANT else 0.75):
            at = dice.choice(letters) - round(dice.uniform(0, 2 * SECOND))
        if mode == INSTANT:
            kills.append(Kill(mode, at))
            continue
        count = plan.counts[number % len(plan.counts)] if mode != STATEMENT else dice.randint(1, 20)
        inside = 10 ** dice.uniform(-5.0, -2.3) if mode == INSIDE else 0.0
        kills.append(Kill(mode, at, Failpoint(mode, count, inside, dice.choice((None, None, 8)))))
    return sorted(kills, key=lambda kill: kill.at)


@dataclass
class World:
    """One row of kills, in a folder of its own."""

    plan: Plan
    folder: Path
    nest: Nest
    face: Face
    sink: Sink
    outcome: Outcome
    dice: Random
    resume: Instant = START

    def start(self, kill: Kill | None = None) -> Hatched:
        (self.folder / "mark").unlink(missing_ok=True)
        self.face.show(self.resume, self.resume, 0.0)
        order = Order(
            url=self.sink.url,
            lasts=self.plan.lasts,
            start=self.resume,
            speed=SPEED,
            failpoint=None if kill is None else kill.failpoint,
            armed_at=self.resume if kill is None else kill.at,
            mistake=self.plan.mistake,
        )
        self.outcome.starts += 1
        return self.nest.hatch(
            [order.write()],
            folder=self.folder,
            out=self.folder / "out",
            err=self.folder / "err",
            environ={},
            program=PROGRAM,
        )

    def kill_once(self, kill: Kill) -> None:
        """A life and its end."""
        child, mode = self.start(kill), kill.mode
        if kill.failpoint is None:
            if kill.at <= self.resume:
                mode = YOUNG
                ended = _within(child, self.dice.uniform(0, LONGEST_START_S))
            else:
                # A little later, in real time: its own stands still where it works, and there it must die, too.
                ended = self._until(child, kill.at) or _within(child, self.dice.uniform(0, LONGEST_WORK_S))
            died_at = self.face.now()
            assert not ended, "it ended before it was killed"
            child.kill()
        else:
            assert _within(child, PATIENCE_S), f"nothing led to {kill}"
            died_at = self.face.last()
        child.wait(PATIENCE_S)
        assert child.returncode == -signal.SIGKILL, f"it ended by itself: {child.returncode}"
        self.outcome.kills[mode] += 1
        mark = self.folder / "mark"
        self.outcome.in_transaction += mark.exists() and mark.read_text("utf-8").startswith("in\t")
        # What it looked at last may be later than what was seen a moment before it was killed.
        self.resume = max(died_at, self.face.last())
        if self.plan.is_rough:
            self.resume += round(self.dice.uniform(0, LONGEST_ABSENCE)) * (self.dice.random() < ABSENT)

    def _until(self, child: Hatched, at: Instant) -> bool:
        """Wait until it is `at` for the child; whether it ended before."""
        clock = SystemClock()
        end = clock.monotonic() + PATIENCE_S
        while (left := at - self.face.now()) > 0:
            assert clock.monotonic() < end, f"its time stands still at {iso(self.face.now())}"
            if _within(child, min(max(left / SPEED / 1000, 0.0005), 0.02)):
                return True
        return False

    def play(self) -> None:
        """All kills, and in the end what came of it."""
        for kill in aims(self.plan):
            self.kill_once(kill)
        last = self.start()
        assert _within(last, PATIENCE_S), f"it is {iso(self.face.now())}, and not all has been told"
        assert last.returncode == 0, f"it ended with {last.returncode}"
        self._examine(asyncio.run(_letters(self.folder / BOOK)))

    def _examine(self, letters: Sequence[Letter]) -> None:
        requests, outcome = self.sink.requests, self.outcome
        outcome.requests, outcome.letters = len(requests), len(letters)
        outcome.superseded = sum(letter.status is LetterStatus.SUPERSEDED for letter in letters)
        posts, _ = sorted_out(requests, letters)
        outcome.repeated = sum(request.is_taken for request in requests) - len(first_taken(posts))
        outcome.differences += differences(requests, letters)
        if not self.plan.is_rough:
            outcome.differences += unlike(requests, letters, notifications(self.plan.lasts))
        complaints = [line for line in self.said().splitlines() if line.startswith(("ERROR", "Traceback"))]
        outcome.differences += complaints

    def said(self) -> str:
        """What all children said on stderr."""
        err = self.folder / "err"
        return err.read_text("utf-8") if err.exists() else ""


def _within(child: Hatched, seconds: float) -> bool:
    """Whether it ends within that time."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


async def _letters(path: Path) -> list[Letter]:
    store = open_book_store(path)
    try:
        return await store.letters(limit=100_000)
    finally:
        await store.close()


def play(plan: Plan, folder: Path | None = None) -> Outcome:
    """Play one world; what goes wrong is told, not raised."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="letters-") as made:
            return play(plan, Path(made))
    clock = SystemClock()
    begun = clock.monotonic()
    outcome = Outcome(plan)
    face = make_face(folder / FACE, START)
    with open_sink(face.last, BAD_MOODS if plan.is_rough else MOODS) as sink, nest_in(folder) as nest:
        world = World(plan, folder, nest, face, sink, outcome, Random(plan.seed))
        try:
            world.play()
        except AssertionError as error:
            outcome.differences.append(f"after {outcome.kills.total()} kills: {error}\n{world.said()[-2_000:]}")
    outcome.seconds = clock.monotonic() - begun
    return outcome


# -- all of them -------------------------------------------------------------------------------------------------------


def plans(kills: int, seed: int) -> list[Plan]:
    """One world without kills, worlds for so many kills, and as many rough ones for half as many."""
    many = -(-kills // KILLS_A_WORLD)
    shares = [kills // many + (index < kills % many) for index in range(many)]
    strict = [Plan(seed + index, share) for index, share in enumerate(shares)]
    # These come on top, since not everything can be compared in them.
    rough = [Plan(seed + many + index, -(-share // 2), is_rough=True) for index, share in enumerate(shares)]
    return [Plan(seed, 0), *strict, *rough]


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """What was measured, as a table in Markdown."""
    kills: Counter[str] = Counter()
    for outcome in outcomes:
        kills += outcome.kills

    def total(number: Callable[[Outcome], int]) -> int:
        return sum(number(outcome) for outcome in outcomes)

    rows: Mapping[str, int] = {
        "worlds of two hours": len(outcomes),
        "– rough ones": total(lambda each: each.plan.is_rough),
        "kills": kills.total(),
        **{f"– {mode}": kills[mode] for mode in MODES},
        "kills inside a transaction, by failpoint": total(lambda each: each.in_transaction),
        "starts": total(lambda each: each.starts),
        "letters": total(lambda each: each.letters),
        "– replaced by newer ones": total(lambda each: each.superseded),
        "requests": total(lambda each: each.requests),
        "– taken again, with the same id and bytes": total(lambda each: each.repeated),
        "differences": total(lambda each: len(each.differences)),
        "seconds": round(seconds),
    }
    return "\n".join(
        ["| crash harness of alerting | measured |", "| --- | ---: |", *(f"| {k} | {v:,} |" for k, v in rows.items())]
    )


def main() -> int:
    """Print the table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first world; the others follow")
    parser.add_argument("--lanes", type=int, default=2, help="worlds at a time")
    wish = parser.parse_args()
    clock = SystemClock()
    begun = clock.monotonic()
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(wish.lanes) as pool:
        playing = [pool.submit(play, plan) for plan in plans(wish.kills, wish.seed)]
        try:
            for done in as_completed(playing):
                outcome = done.result()
                outcomes.append(outcome)
                wanted = "sound" if outcome.plan.is_rough else "equal to the run without kills"
                verdict = "\n".join(outcome.differences) or wanted
                sys.stdout.write(
                    f"world {outcome.plan.seed:>3}{', rough' if outcome.plan.is_rough else ''}: "
                    f"{outcome.kills.total()} kills, {outcome.letters} letters "
                    f"({outcome.superseded} replaced), {outcome.requests} requests "
                    f"({outcome.repeated} taken again), {outcome.seconds:.0f} s: {verdict}\n"
                )
                sys.stdout.flush()
        finally:
            pool.shutdown(cancel_futures=True)
    sys.stdout.write("\n" + table(outcomes, clock.monotonic() - begun) + "\n")
    return 1 if any(outcome.differences for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
