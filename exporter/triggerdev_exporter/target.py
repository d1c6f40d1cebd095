"""One watched environment: its client, dialect, journal and sights, and what is known of its key.

A target opens by itself: the first request tells the dialect and the server's time, which becomes the birth of its
ledger if the state does not know the target yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.api.client import Client
from triggerdev_exporter.api.dialects.probe import dialects, probe_call
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, Clock, Instant, iso
from triggerdev_exporter.config.model import Target as TargetConfig
from triggerdev_exporter.errors import ApiError, Forbidden, NotFound, StateError, Unauthorized
from triggerdev_exporter.ledger.facts import Coverage
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import Limits
from triggerdev_exporter.ledger.news import Notice
from triggerdev_exporter.ledger.store import Store
from triggerdev_exporter.ledger.strips import Needs
from triggerdev_exporter.ledger.tags import TAGGED
from triggerdev_exporter.records import Run
from triggerdev_exporter.sights import Sights
from triggerdev_exporter.spans.exports import Exports
from triggerdev_exporter.spans.policy import Policy

log = logging.getLogger(__name__)

COLLECTORS = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")
LOOK_AGAIN = HOUR
"""How long an endpoint that said no is left alone."""
MAX_BLIND = 100
FIRST_PAUSE, LONGEST_PAUSE = 30 * SECOND, 5 * MINUTE


@dataclass(slots=True)
class CollectorState:
    """How one collector fares; read by the metrics and the pages."""

    interval_ms: int
    up: bool | None = None
    """Whether the last tick succeeded; ``None`` before the first."""
    supported: bool | None = None
    last_success: Instant | None = None
    duration_s: float | None = None
    errors: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None
    """What is wrong now, in words; ``None`` when nothing is."""
    asked_at: Instant | None = None
    """When the last tick began that asked; ``None`` before the first."""
    look_again_at: Instant = 0
    failing_since: Instant | None = None
    """Server time of the first failed tick of those that failed in a row."""
    blind: deque[tuple[Instant, Instant]] = field(default_factory=lambda: deque(maxlen=MAX_BLIND))
    """From a first failed tick to the next good one, server time: the latest such times since this process began."""

    def sees(self, is_well: bool, now: Instant) -> None:
        """A tick ended, or was not even tried, at `now` (server time)."""
        if not is_well:
            self.failing_since = now if self.failing_since is None else self.failing_since
        elif self.failing_since is not None:
            self.blind.append((self.failing_since, now))
            self.failing_since = None

    def blind_spans(self, now: Instant) -> list[tuple[Instant, Instant]]:
        """Times in which it could not look, the one that lasts at `now` (server time) included."""
        lasting = [] if self.failing_since is None else [(self.failing_since, max(now, self.failing_since) + 1)]
        return [*self.blind, *lasting]

    @property
    def next_at(self) -> Instant | None:
        """About when it is asked again."""
        if self.asked_at is None:
            return None
        return max(self.asked_at + self.interval_ms, self.look_again_at)

    def is_stale(self, now: Instant) -> bool:
        """Whether its gauges are too old to show: no success within three intervals."""
        return self.last_success is None or now - self.last_success > 3 * self.interval_ms


class Target:
    """One environment. Collectors read from it and write through its journal."""

    def __init__(
        self,
        config: TargetConfig,
        *,
        name: str,
        client: Client,
        clock: Clock,
        store: Store,
        limits: Limits,
        policy: Policy | None = None,
        metadata_key: str | None = None,
    ) -> None:
        self.config = config
        self.name = name
        self.client = client
        self.clock = clock
        self.sights = Sights()
        self.states = {key: CollectorState(interval_ms=getattr(config.intervals, key)) for key in COLLECTORS}
        self.policy = policy
        """What becomes of spans; ``None``: none are exported."""
        self.exports = Exports()
        self.journal: Journal | None = None
        self._dialects = dialects(metadata_key)
        self.dialect: Dialect | None = None if config.dialect == "auto" else self._dialects[config.dialect]
        self._needs: Needs = {}
        self._store = store
        self._limits = limits
        self._over_budget: set[str] = set()
        self._opening = asyncio.Lock()
        self._probed = False
        self._pause = FIRST_PAUSE
        self._shut_until: Instant = 0
        self._refused = False
        self._verified = False
        self._foreign: str | None = None

    @property
    def ledger(self) -> Ledger | None:
        """``None`` until the server's time is known for the first time."""
        return None if self.journal is None else self.journal.ledger

    def blind_to_slots(self) -> list[tuple[Instant, Instant]]:
        """Times in which nobody could see whether a schedule started its runs."""
        now = self.server_now()
        return [span for name in ("runs", "schedules") for span in self.states[name].blind_spans(now)]

    def server_now(self) -> Instant:
        """The server's time as far as we know it, Unix ms."""
        return self.client.meter.server_now(self.clock.now())

    def keep(self, needs: Needs) -> None:
        """What loaded rules ask for windows of: kept from the next page of runs on."""
        self._needs = needs
        if self.ledger is not None:
            self.ledger.strips.needs = needs

    async def load(self) -> None:
        """Take up what the state file knows, before any request."""
        ledger = await self._store.load(self.name)
        if ledger is not None:
            self._keep(ledger)

    def inherit(self, before: Target) -> None:
        """Go on where `before` was, which had the same name and is not asked any more: show what it saw until then."""
        self.sights, self.exports = before.sights, before.exports
        if self.ledger is not None and before.ledger is not None:
            self.ledger.recent = before.ledger.recent
        for name, state in self.states.items():
            # What it was refused may be allowed now: a key may be another one.
            self.states[name] = replace(before.states[name], interval_ms=state.interval_ms, look_again_at=0)

    def _keep(self, ledger: Ledger) -> None:
        ledger.keep_within(self._limits)
        ledger.spans = self.policy
        ledger.strips.needs = self._needs
        self.journal = Journal(self.name, ledger, self._store)
        if ledger.coverage is not None and ledger.coverage.walked_at:
            # Its open runs are as old as its last walk: shown until they are stale, as if we had not been away.
            self.states["runs"].last_success = ledger.coverage.walked_at

    @property
    def is_refused(self) -> bool:
        """Whether the key was refused and not accepted since."""
        return self._refused

    def is_shut(self, now: Instant) -> bool:
        """Whether a refused key is left alone for now."""
        return now < self._shut_until

    async def open(self) -> tuple[Dialect, Journal]:
        """Dialect and journal, asking the server first where that is needed. Raises `ApiError`, `StateError`."""
        async with self._opening:
            if self.is_shut(self.clock.now()):
                # All collectors wake at once: one refusal is enough to know.
                raise Unauthorized("the key was refused a moment ago")
            if self._foreign is not None:
                raise StateError(self._foreign)
            if not self._probed:
                await self._probe()
            if self.journal is None:
                birth = self.server_now()
                self._keep(await self._store.begin(self.name, birth))
                log.info("counting begins", extra={"target": self.name, "birth": iso(birth)})
            if self.dialect is None or self.journal is None:  # pragma: no cover - both were just set
                raise AssertionError
            if not self._verified:
                await self._verify(self.dialect, self.journal.ledger)
            return self.dialect, self.journal

    async def _verify(self, dialect: Dialect, ledger: Ledger) -> None:
        """Before anybody writes into a state that knows its environment: is this key of the same one?"""
        known = ledger.coverage
        if known is not None and known.environment_id is not None:
            try:
                page = await self.client.fetch(dialect.runs(created_from=1), Priority.LIVE)
            except ApiError:
                # The run list may be down while all else works. The runs collector looks at each page anyway.
                pass
            else:
                self.check_environment(known, page.items)
        self._verified = True

    def check_environment(self, known: Coverage, runs: Iterable[Run]) -> Run | None:
        """A run that tells its environment. Raises `StateError`, from now on, if it is not the one that we count."""
        told = next((run for run in runs if run.environment_id), None)
        if told is not None and known.environment_id not in (None, told.environment_id):
            self._foreign = (
                f"target {self.name}: the state counts environment {known.environment_id} ({known.environment}), "
                f"but this key belongs to {told.environment_id} ({told.environment}). "
                "Give the new environment a target name or a state file of its own."
            )
            raise StateError(self._foreign)
        return told

    async def _probe(self) -> None:
        try:
            spoken = await self.client.fetch(probe_call(), Priority.LIVE)
        except Unauthorized as error:
            self.shut(self.clock.now(), str(error))
            raise
        except (Forbidden, NotFound):
            # A key that may not read queues tells nothing about the dialect; the real server is the likelier one.
            spoken = "trigger"
        if self.dialect is None:
            self.dialect = self._dialects[spoken]
            log.info("the server answers", extra={"target": self.name, "dialect": spoken})
        self._probed = True

    async def refuses_key(self) -> bool:
        """After a 401: whether the key itself is refused, or only that endpoint. Legacy routes answer 401 for both."""
        try:
            await self.client.fetch(probe_call(), Priority.LIVE)
        except Unauthorized:
            return True
        except (Forbidden, NotFound):
            return False
        return False

    def shut(self, now: Instant, why: str) -> None:
        """The key was refused: poll slower until it is accepted."""
        if self.is_shut(now):
            # All collectors are woken together: six refusals of one moment are one.
            return
        if not self._refused:
            log.error(
                "the key is refused: it is wrong, revoked or of another server; asked again, less and less often",
                extra={"target": self.name, "why": why},
            )
        self._refused = True
        self._shut_until = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def told(self, collector: str, notices: Sequence[Notice]) -> None:
        """Count what the ledger noticed about single runs, and say it."""
        for notice in notices:
            self.states[collector].errors[notice.reason] += 1
            log.warning(notice.text, extra={"target": self.name, "reason": notice.reason})

    def overflowed(self, families: Iterable[str]) -> None:
        """Say once that a family is over its budget: its numbers stay true in sum, but not by task."""
        for family in sorted(set(families) - self._over_budget):
            what, limit = ("values of tags", "metrics.tags") if family == TAGGED else ("tasks", "metrics.max_series")
            log.warning(
                "over the budget of series: new %s are counted under __other__ (%s)",
                what,
                limit,
                extra={"target": self.name, "family": family},
            )
            self._over_budget.add(family)

    def key_accepted(self) -> None:
        """A tick went through."""
        if self._refused:
            log.info("the key is accepted again", extra={"target": self.name})
        self._refused = False
        self._pause, self._shut_until = FIRST_PAUSE, 0
