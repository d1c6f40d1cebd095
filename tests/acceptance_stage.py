"""Alerting as a whole on a virtual clock: rules as text, a story to read, real receivers against doubles on loopback.

Engine, courier and book are the daemon's, over a file; time moves only by `until`. A kill throws the process away and
leaves the file. What is slow takes time of the story, and none of the machine's.
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Protocol

from aiohttp import web
from jsonschema import Draft202012Validator

import slack_double
from notify_stage import clock as shown
from notify_stage import t
from slack_double import SlackDouble
from triggerdev_alerts.alert import Reason, Transition
from triggerdev_alerts.book import Book, Changes, Letter, LetterStatus
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import Outage, QueueSight, Story, StoryRun, TargetStory
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.instants import MINUTE, SECOND, Clock, Instant
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.outbox.courier import Courier
from triggerdev_alerts.outbox.retry import RetryPolicy
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.standing import enable_all
from triggerdev_alerts.outbox.store import BookStore, open_book_store
from triggerdev_alerts.receivers.addresses import Policy, policy
from triggerdev_alerts.receivers.build import open_receivers
from triggerdev_alerts.receivers.door import Door, DoorError, HttpDoor, Reply
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import Signals, Witness

__all__ = ["shown", "t"]

TIMEOUT_S = 15.0
"""How long an attempt that is not answered takes, on the story's clock."""
TIMEOUT_HERE_S = 1.0
"""And how long on the machine's: for receivers that hang."""
BODIES = Draft202012Validator(
    json.loads(files("triggerdev_alerts.receivers").joinpath("webhook.schema.json").read_text("utf-8"))
)
"""What a webhook is posted, by its own description; every body of every example is held to it."""
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
EXACT = RetryPolicy(jitter=0.0)

RECEIVERS = """\
receivers:
  W: {webhook: {url: "$hook", secret: "$secret", allow_private: true}}
  S: {slack: {bot_token: "$token", channel: "$channel", api_url: "$slack", allow_private: true}}
  P: {pagerduty: {routing_key: 0123456789abcdef0123456789abcdef, url: "$pager", allow_private: true}}
  F: {webhook: {url: "$other", allow_private: true}}
  H: {slack: {url: "$slack_hook", allow_private: true}}
"""
RULE = {
    "alert": "Backlog",
    "when": "{queue_depth: {above: 10}}",
    "for": "2m",
    "keep_firing_for": "0s",
}
ROUTE = {
    "receiver": "W",
    "startup": "each",
    "group_wait": "30s",
    "group_interval": "5m",
    "repeat_interval": "4h",
    "children": "[{receiver: W, continue: true}, {receiver: S}]",
}
SOURCE_UNREACHABLE = "{alert: SourceUnreachable, when: {source_down: }, for: 0s, severity: critical}"
NOTIFIER_FAILING = "{alert: NotifierFailing, when: {notifier_failing: }, for: 0s, severity: critical}"


def flow(settings: Mapping[str, str]) -> str:
    """A mapping of YAML on one line. ``for_`` is ``for``."""
    return "{" + ", ".join(f"{key.rstrip('_')}: {value}" for key, value in settings.items()) + "}"


def rule(**changes: str) -> str:
    """The rule of the baseline, changed."""
    return flow({**RULE, **{key.rstrip("_"): value for key, value in changes.items()}})


def routes(**changes: str) -> str:
    """The routes of the baseline, changed."""
    return flow({**ROUTE, **changes})


def written(*rules: str, routes: str = flow(ROUTE), receivers: str = RECEIVERS, more: str = "") -> str:
    """A file of rules; `$hook` and the like become addresses of doubles."""
    listed = "".join(f"      - {one}\n" for one in rules or (rule(),))
    group = f"groups:\n  - name: queues\n    align: exact\n    interval: 60s\n    rules:\n{listed}"
    return f"version: 1\n{receivers}routes: {routes}\n{more}{group}"


def queue(*depths: tuple[str, int], name: str = "emails") -> tuple[QueueSight, ...]:
    """A queue that is empty at first and as deep as told from each instant on; a negative depth is its end."""
    sights = (QueueSight(queue=name, at=t(at), depth=max(depth, 0), gone=depth < 0) for at, depth in depths)
    return (QueueSight(queue=name, at=t(depths[0][0]) - 24 * 60 * MINUTE), *sights)


def runs(task: str, finished: str, *, failed: int = 0, fine: int = 0, **more: Any) -> tuple[StoryRun, ...]:
    """Runs of a second that all end at one instant."""
    end = t(finished)
    return tuple(
        StoryRun(
            id=f"run_{task}_{finished}_{number}",
            task=task,
            status="FAILED" if number < failed else "COMPLETED",
            created=end - SECOND,
            started=end - SECOND,
            finished=end,
            **more,
        )
        for number in range(failed + fine)
    )


def outage(start: str, end: str, **more: Any) -> Outage:
    return Outage(start=t(start), end=t(end), **more)


class Timeline:
    """A clock that only its owner moves. Whoever sleeps on it wakes when it comes there."""

    speed = 1.0

    def __init__(self, start: Instant) -> None:
        self._now = start
        self._since_boot = 1_000.0
        self._sleepers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self._count = 0
        self.fell_asleep = asyncio.Event()

    def now(self) -> Instant:
        return self._now

    def monotonic(self) -> float:
        return self._since_boot

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + round(seconds * SECOND), self._count, waking))
        self.fell_asleep.set()
        await waking

    @property
    def sleeping(self) -> int:
        return sum(1 for *_, waking in self._sleepers if not waking.done())

    def next_wake(self) -> Instant | None:
        return min((at for at, _, waking in self._sleepers if not waking.done()), default=None)

    def move(self, to: Instant) -> None:
        assert to >= self._now, "time does not go back by itself"
        self._since_boot += (to - self._now) / SECOND
        self._now = to
        while self._sleepers and self._sleepers[0][0] <= to:
            waking = heapq.heappop(self._sleepers)[2]
            if not waking.done():
                waking.set_result(None)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock; no time passes."""
        self._now += round(seconds * SECOND)


@dataclass(frozen=True)
class Asked:
    """A request as it was sent, whether it reached anybody or not."""

    at: Instant
    url: str
    headers: Mapping[str, str]
    body: str
    outcome: str
    """A status, or a `Fate`."""


class Wire:
    """The way out of a receiver: real HTTP, noted. A timeout takes as long as it would, on the story's clock."""

    def __init__(self, stage: Stage, allowed: Policy) -> None:
        self._stage = stage
        self._door = HttpDoor(allowed, timeout_s=30.0)
        self._impatient = HttpDoor(allowed, timeout_s=TIMEOUT_HERE_S)

    async def post(self, url: str, body: str, headers: Mapping[str, str]) -> Reply:
        at, hook = self._stage.clock.now(), self._stage.hook
        # Only who will hang is given up soon: a machine that is slow now must not look like it.
        hangs = url == hook.url and hook.answers[:1] == [HANG]
        try:
            reply = await (self._impatient if hangs else self._door).post(url, body, headers)
        except DoorError as error:
            self._stage.asked.append(Asked(at, url, headers, body, str(error.fate)))
            if error.detail.startswith("no answer in time"):
                await self._stage.clock.sleep(TIMEOUT_S)
            raise
        self._stage.asked.append(Asked(at, url, headers, body, str(reply.status)))
        return reply

    async def close(self) -> None:
        await self._door.close()
        await self._impatient.close()


@dataclass(frozen=True)
class Got:
    """A request that a hook got, and what it answered."""

    at: Instant
    headers: Mapping[str, str]
    text: str
    status: int
    """0: no answer."""

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def body(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded


HANG = 0
"""An answer that never comes."""


@dataclass
class Hook:
    """A webhook's other end, on a port that stays its own while it is `shut`."""

    clock: Clock
    answer: Callable[[Instant], int | web.Response] = lambda at: 200
    answers: list[int | web.Response] = field(default_factory=list)
    """Used up first."""
    got: list[Got] = field(default_factory=list)
    path: str = "/hook"

    def __post_init__(self) -> None:
        self._port = socket.socket()
        # Bound and not listening: nobody else gets the port, and whoever connects is refused.
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._port.bind(("127.0.0.1", 0))
        self._runner: web.AppRunner | None = None
        self._over = asyncio.Event()
        self._came = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port.getsockname()[1]}{self.path}"

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        host, port = self._port.getsockname()
        await web.TCPSite(self._runner, host, port, reuse_port=True).start()

    async def shut(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def close(self) -> None:
        self._over.set()
        await self.shut()
        self._port.close()

    async def _take(self, request: web.Request) -> web.Response:
        text = await request.text()
        at = self.clock.now()
        said = self.answers.pop(0) if self.answers else self.answer(at)
        response = said if isinstance(said, web.Response) else web.Response(status=said or 200)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(at, headers, text, HANG if said == HANG else response.status))
        self._came.set()
        if said == HANG:
            await self._over.wait()
        return response

    async def has(self, requests: int) -> None:
        """Wait until so many requests have come."""
        while self.req < requests:
            self._came.clear()
            await self._came.wait()

    @property
    def req(self) -> int:
        """How many requests reached it."""
        return len(self.got)

    @property
    def taken(self) -> list[Got]:
        """What it took, the first request of each id."""
        first: dict[str, Got] = {}
        for each in self.got:
            if 200 <= each.status < 300:
                first.setdefault(each.id, each)
        return list(first.values())

    @property
    def n(self) -> int:
        """How many distinct ids it took."""
        return len(self.taken)

    @property
    def told(self) -> list[str]:
        """What it took, like ``12:02:30 firing``; resolved ones with their reason."""
        return [f"{shown(each.at)} {_said(each.body)}" for each in self.taken]


def _said(body: Mapping[str, Any]) -> str:
    kind = body["type"].removeprefix("alert.")
    reasons = {alert["reason"] for alert in body["alerts"] if alert["status"] == "resolved"} - {
        Reason.CONDITION_CLEARED.value
    }
    return " ".join([kind, *sorted(reasons)]) if kind == "resolved" else kind


class ToldClock(Clock, Protocol):
    """A clock that moves when it is told to."""

    fell_asleep: asyncio.Event

    @property
    def sleeping(self) -> int: ...

    def next_wake(self) -> Instant | None: ...

    def move(self, to: Instant) -> None: ...


SignalsOf = Callable[[RuleSet], Signals]
"""Who answers the rules of a process: it is told what will be asked."""


class Killed(BaseException):
    """The process ends here."""


Failpoint = Callable[[Changes], str | None]
"""``before`` or ``after`` the commit of these changes the process is killed; ``None``: it goes on."""


class Disk:
    """The book's file, where a kill can be planned. A killed process writes nothing any more."""

    def __init__(self, store: BookStore) -> None:
        self._store = store
        self.failpoint: Failpoint = lambda changes: None
        self.is_dead = False

    async def commit(self, changes: Changes) -> None:
        self._check()
        when = self.failpoint(changes)
        if when != "before":
            await self._store.commit(changes)
        if when is not None:
            self.is_dead = True
        self._check()

    def _check(self) -> None:
        if self.is_dead:
            raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Stage:
    """The whole. `process` is ``None`` while none runs."""

    def __init__(self, folder: Path, signals: SignalsOf, witness: Witness | None, text: str, clock: ToldClock) -> None:
        self.folder = folder
        self.clock = clock
        self.hook, self.pager, self.other = Hook(self.clock), Hook(self.clock), Hook(self.clock)
        self.slack = SlackDouble()
        self._signals_of = signals
        self.witness = witness
        self.text = text
        self.asked: list[Asked] = []
        self.transitions: list[Transition] = []
        self.notifications: list[Notification] = []
        self.ticks: list[Instant] = []
        """When the engine stepped."""
        self.before_step: Callable[[Instant], Awaitable[None] | None] = lambda now: None
        self._process: AsyncExitStack | None = None
        self._poked = False
        self._plan: dict[Instant, list[Callable[[], Any]]] = {}

    # The process.

    def read(self, text: str) -> RuleSet:
        """Raises `RulesError`."""
        places = {
            "hook": self.hook.url,
            "pager": self.pager.url,
            "other": self.other.url,
            "slack": self.slack.api,
            "slack_hook": self.slack.hook,
            "secret": SECRET,
            "token": slack_double.TOKEN,
            "channel": slack_double.CHANNEL,
            "folder": str(self.folder),
        }
        return read_rules([RuleFile("rules.yml", Template(text).substitute(places))]).ruleset

    async def start(self) -> None:
        """A new process on the same file, as the daemon starts."""
        ruleset = self.read(self.text)
        self._process = AsyncExitStack()
        store = open_book_store(self.folder / "state-alerts.db")
        self._process.push_async_callback(store.close)
        self.disk = Disk(store)
        self.scribe = Scribe(await store.load(), self.disk)  # type: ignore[arg-type]  # it passes the rest through
        self.courier = Courier(self.scribe, {}, self.clock, lambda: 0.5, EXACT)
        self.engine = Engine(
            ruleset, self._signals_of(ruleset), self.witness, self.scribe, {}, started_at=self.clock.now()
        )
        await self._use(ruleset)

    async def _use(self, ruleset: RuleSet) -> None:
        assert self._process is not None
        receivers = await self._process.enter_async_context(open_receivers(ruleset, self._door))
        await self.engine.reload(ruleset, receivers, self.clock.now())
        await self.scribe.write(enable_all)
        self.courier.use(receivers)
        self.poke()

    def poke(self) -> None:
        """Step at once: what the book or the rules say has changed."""
        self._poked = True

    def _door(self, settings: object) -> Door:
        return Wire(self, policy(getattr(settings, "allow_private", False)))

    async def reload(self, text: str) -> None:
        """Other rules. Raises `RulesError`, and then the old ones stay."""
        await self._use(self.read(text))
        self.text = text

    async def kill(self) -> None:
        """SIGKILL: whatever was not on disk is lost."""
        self.disk.is_dead = True
        await self._end(grace=0.0)

    async def stop(self, grace: float) -> None:
        """SIGTERM."""
        await self._end(grace)

    async def _end(self, grace: float) -> None:
        assert self._process is not None
        process, self._process = self._process, None
        for task in self._tasks():
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        with suppress(Killed):
            await self.courier.stop(grace)
        await process.aclose()

    @property
    def book(self) -> Book:
        return self.scribe.book

    # Time.

    def at(self, instant: str, change: Callable[[], Any]) -> None:
        """Plan something, before whatever else is due then."""
        self._plan.setdefault(t(instant), []).append(change)

    async def until(self, instant: str) -> None:
        """Let time pass, and do whatever is due by then, that instant included."""
        end = t(instant)
        while (due := self._next_due()) <= end:
            self.clock.move(max(due, self.clock.now()))
            await self._turn()
        self.clock.move(end)

    async def only_begin(self, instant: str) -> None:
        """Let time pass, and at its end start what is due without waiting for any answer."""
        await self.until(shown(t(instant) - SECOND))
        self.clock.move(t(instant))
        await self._step(self.clock.now())
        await self.courier.turn(self.clock.now())

    def _next_due(self) -> Instant:
        now = self.clock.now()
        dues = [*self._plan]
        if (wake := self.clock.next_wake()) is not None:
            dues.append(wake)
        if self._process is not None:
            dues.append(now if self._poked else self.engine.next_due(now))
            if (letter := self.courier.next_due(now)) is not None:
                dues.append(letter)
        return min(dues, default=now + 365 * 24 * 60 * MINUTE)

    async def _turn(self) -> None:
        """Everything that is due now, and what becomes due now by that."""
        now = self.clock.now()
        for change in self._plan.pop(now, []):
            made = change()
            if asyncio.iscoroutine(made):
                await made
        if self._process is None:
            return
        try:
            if self._poked or self.engine.next_due(now) <= now:
                self._poked = False
                await self._step(now)
            while True:
                await self.courier.turn(now)
                await self._quiet()
                due = self.courier.next_due(now)
                if due is None or due > now:
                    break
        except Killed:
            await self.kill()

    async def _step(self, now: Instant) -> None:
        looking = self.before_step(now)
        if looking is not None:
            await looking
        self.ticks.append(now)
        step = await self.engine.step(now, steady=self.clock.monotonic())
        self.transitions += step.transitions
        self.notifications += step.notifications

    def _tasks(self) -> list[asyncio.Task[None]]:
        return list(self.courier._tasks.values())

    async def _quiet(self) -> None:
        """Wait until every request is answered, or waits for the story's clock."""
        while len(tasks := self._tasks()) > self.clock.sleeping:
            self.clock.fell_asleep.clear()
            asleep = asyncio.ensure_future(self.clock.fell_asleep.wait())
            done, _ = await asyncio.wait([*tasks, asleep], return_when=asyncio.FIRST_COMPLETED)
            asleep.cancel()
            for task in done - {asleep}:
                task.result()

    # What came of it.

    @property
    def changes(self) -> list[str]:
        """Transitions, like ``12:02:00 firing``; an end by another reason than the condition is told with it."""
        return [_change(each) for each in self.transitions]

    def sent(self, url: str) -> list[float]:
        """When requests to an address were sent, reached or not: seconds after the first."""
        instants = [each.at for each in self.asked if each.url.startswith(url)]
        return [(at - instants[0]) / SECOND for at in instants]

    def slack_told(self) -> list[str]:
        """When Slack was posted to or a message edited, and how."""
        return [
            f"{shown(each.at)} {each.url.rpartition('/')[2]}"
            for each in self.asked
            if each.url.startswith(self.slack.api) and "conversations." not in each.url
        ]

    async def letters(self, status: LetterStatus | None = None) -> list[Letter]:
        """Of any age, by receiver, in the order in which they were written."""
        found = await self.scribe.storage.letters(status=status, limit=1_000)
        return sorted(found, key=lambda letter: (letter.receiver, letter.created_at, letter.seq))

    def outcomes(self, alertname: str) -> dict[str, int]:
        """How often a rule said what, so far."""
        return {
            outcome: number
            for (family, labels), number in sorted(self.book.counts.items())
            if family == "rule_evaluations_total"
            for _, name, outcome in [labels]
            if name == alertname
        }


def _change(transition: Transition) -> str:
    usual = (Reason.CONDITION_MET, Reason.CONDITION_CLEARED)
    reason = "" if transition.reason in usual else f" {transition.reason}"
    return f"{shown(transition.at)} {transition.change}{reason}"


def story_of(**parts: Any) -> Story:
    """A story of one target, looked at every minute for hours before it begins."""
    return Story(start=t("2026-01-01T00:00:00Z"), targets=(TargetStory(name="prod", **parts),))


DEEP = story_of(queues=queue(("12:00:00", 20)))
ENDS = story_of(queues=queue(("12:00:00", 20), ("12:20:30", 5)))
ONLY_HOOK = routes(children="[]")


@asynccontextmanager
async def play(
    folder: Path,
    story: Story | None = None,
    text: str | None = None,
    *,
    signals: Signals | SignalsOf | None = None,
    witness: Witness | None = None,
    start: str = "11:59:30",
    clock: ToldClock | None = None,
) -> AsyncIterator[Stage]:
    """A stage with its doubles, and a process that began at `start`."""
    told = StorySignals(story or story_of())
    read = signals or told
    stage = Stage(
        folder,
        read if callable(read) else lambda ruleset: read,
        witness or (None if story is None else StoryWitness(story)),
        text or written(),
        clock or Timeline(t(start)),
    )
    if read is told:
        stage.before_step = told.look
    async with AsyncExitStack() as open_doubles:
        for hook in (stage.hook, stage.pager, stage.other):
            await hook.open()
            open_doubles.push_async_callback(hook.close)
        stage.slack = await open_doubles.enter_async_context(slack_double.running())
        await stage.start()
        try:
            yield stage
        finally:
            if stage._process is not None:
                await stage.kill()
        for hook in (stage.hook, stage.other):
            for got in hook.got:
                BODIES.validate(got.body)
