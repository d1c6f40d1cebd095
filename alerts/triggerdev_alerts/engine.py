"""The engine: one step of alerting at an instant. Rules are asked, alerts advance, groups speak, letters are written.

It is the only caller of the parts, and drives them in the same way for the daemon, `rules test`, `rules replay` and the
stories: only the signals, the store and whoever tells the time differ. It sends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from triggerdev_alerts.alert import Alert, Change, Reason, Transition
from triggerdev_alerts.book import ClockEntry, Draft, Kind, RuleEntry
from triggerdev_alerts.conditions.catalogue import shown
from triggerdev_alerts.evaluation.evaluator import Cache, evaluate, retire, shifted
from triggerdev_alerts.evaluation.judge import Judgement, judge, targets_of
from triggerdev_alerts.evaluation.ticks import latest_tick, missed, next_tick, offset
from triggerdev_alerts.instants import SECOND, Instant
from triggerdev_alerts.introspection import WithSelf
from triggerdev_alerts.message.compose import compose
from triggerdev_alerts.notification import AlertNotice, Notification
from triggerdev_alerts.notify.dispatch import dispatch
from triggerdev_alerts.notify.flush import settle, speak
from triggerdev_alerts.notify.next_due import next_due
from triggerdev_alerts.notify.rebind import rebind
from triggerdev_alerts.outbox.letters import post
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.receivers.port import Receiver
from triggerdev_alerts.rules.model import Group, Rule, RuleSet
from triggerdev_alerts.signals import NO_EVIDENCE, Answer, Evidence, Question, Signals, Wanted, Witness

log = logging.getLogger(__name__)

LARGEST_DRIFT = 30 * SECOND
"""Wall and steady time may part by that much before stored instants are moved."""
AT_A_TIME = 200
"""Transitions that are taken into groups before others get the loop."""
EVIDENCE_WINDOW = 3_600_000
"""How far back evidence is looked for where the condition has no window."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    at: Instant
    transitions: tuple[Transition, ...] = ()
    notifications: tuple[Notification, ...] = ()
    evaluated: int = 0
    """Rules."""
    missed: int = 0
    """Ticks that were skipped because an earlier one took too long."""


@dataclass(slots=True)
class _Running:
    """What lives as long as the process."""

    next: dict[str, Instant] = field(default_factory=dict)
    """Group → its next tick."""
    last: tuple[Instant, float] | None = None
    """Wall and steady time of the last step."""
    retired: bool = False
    failed: bool = False
    """The step before failed: ticks that are late now are not late because evaluating takes long."""


async def _no_pause() -> None:
    return


class Engine:
    """Alerting over one book. `step` may be called at any instant; `next_due` says when it has something to do.

    `pause` is awaited between rules, so that a large tick does not stall whoever shares the loop.
    """

    def __init__(
        self,
        ruleset: RuleSet,
        signals: Signals,
        witness: Witness | None,
        scribe: Scribe,
        receivers: Mapping[str, Receiver],
        *,
        started_at: Instant,
        pause: Callable[[], Awaitable[None]] = _no_pause,
    ) -> None:
        self._scribe = scribe
        self._signals = WithSelf(signals, scribe.book)
        self._witness = witness
        self._pause = pause
        self._running = _Running()
        self._turn = asyncio.Lock()
        """A reload waits for the step under way: both write alerts and groups, and nobody else does."""
        self.ruleset = ruleset
        self.receivers = receivers
        self._take(ruleset, started_at)

    def _take(self, ruleset: RuleSet, now: Instant) -> None:
        known = {
            _timing(group): self._running.next[group.name]
            for group in self.ruleset.groups
            if group.name in self._running.next
        }
        self.ruleset = ruleset
        self._rules = {rule.id: rule for rule in ruleset.rules}
        # A tick that passed while nobody ran is not made up for: what was not observed counts for nothing.
        self._running.next = {
            group.name: known.get(_timing(group), next_tick(group, now - 1)) for group in ruleset.groups
        }
        self._running.retired = False

    async def reload(self, ruleset: RuleSet, receivers: Mapping[str, Receiver], now: Instant) -> None:
        """Use other rules from now on. Alerts, groups and their timers stay where rules and routes are the same.

        Raises `BookError`, and then the old rules stay in use.
        """
        async with self._turn:
            await self._scribe.write(lambda draft: rebind(draft, ruleset, now))
            self.receivers = receivers
            self._take(ruleset, now)

    def next_due(self, now: Instant) -> Instant:
        """When `step` has something to do again; at the latest in a minute."""
        dues = [now + 60 * SECOND, *self._running.next.values()]
        spoken = next_due(self._scribe.book, self.ruleset, now)
        if spoken is not None:
            dues.append(spoken)
        return min(dues)

    async def step(self, now: Instant, *, steady: float | None = None) -> Step:
        """Do everything that is due at `now`. `steady` (seconds) tells a jump of the clock from time that passed.

        Whatever it raises, nothing was done: what was due still is, and the next step decides anew.
        """
        async with self._turn:
            before = replace(self._running, next=dict(self._running.next))
            try:
                return await self._step(now, steady)
            except Exception:
                self._running = replace(before, failed=True)
                raise

    async def _step(self, now: Instant, steady: float | None) -> Step:
        draft = Draft(self._scribe.book)
        self._re_anchor(draft, now, steady)
        transitions, evaluated, skipped = await self._evaluate(draft, now)
        said = await self._speak(draft, transitions, now)
        # Alerts, rules and groups are written here only, so the long part needs no turn of the scribe; what follows
        # is short and has it.
        notifications = await self._scribe.write(lambda mine: self._post(mine, said, now), draft=draft)
        self._running.failed = False
        return Step(now, tuple(transitions), tuple(notifications), evaluated, skipped)

    def _re_anchor(self, draft: Draft, now: Instant, steady: float | None) -> None:
        last, self._running.last = self._running.last, None if steady is None else (now, steady)
        if last is None or steady is None:
            return
        jump = round((now - last[0]) - (steady - last[1]) * 1000)
        if abs(jump) <= LARGEST_DRIFT:
            return
        log.warning("the clock jumped; durations of alerts go on as if it had not", extra={"seconds": jump / 1000})
        shifted(draft, jump)
        self._running.next = {group.name: next_tick(group, now - 1) for group in self.ruleset.groups}

    async def _evaluate(self, draft: Draft, now: Instant) -> tuple[list[Transition], int, int]:
        transitions: list[Transition] = []
        if not self._running.retired:
            transitions += retire(draft, self.ruleset, self._signals.targets(), now)
            self._running.retired = True
        cache: Cache = {}
        evaluated = skipped = 0
        for group in self.ruleset.groups:
            due = self._running.next[group.name]
            if due > now:
                continue
            at = latest_tick(group, now)
            skipped += 0 if self._running.failed else missed(group, due, at)
            self._running.next[group.name] = next_tick(group, at)
            for rule in group.rules:
                if rule.enabled:
                    transitions += self._evaluate_rule(draft, group, rule, at, cache)
                    evaluated += 1
                    await self._pause()
        return transitions, evaluated, skipped

    def _evaluate_rule(self, draft: Draft, group: Group, rule: Rule, at: Instant, cache: Cache) -> list[Transition]:
        before = draft.get(Kind.RULE, rule.id, RuleEntry)
        elapsed = 0 if before is None or not before.evaluated_at else max(0, at - before.evaluated_at)
        made = evaluate(
            draft, group, rule, self._signals, owners=self.ruleset.owners, at=at, elapsed=elapsed, cache=cache
        )
        if self._witness is not None:
            for transition in made:
                if transition.change in (Change.PENDING, Change.FIRING):
                    # The message waits for its group; what is worth showing is looked up meanwhile.
                    self._witness.prepare(self._wanted(rule, transition.alert))
        return made

    async def _speak(self, draft: Draft, transitions: list[Transition], now: Instant) -> list[Notification]:
        notice = self._notice_at(now)
        for start in range(0, max(len(transitions), 1), AT_A_TIME):
            dispatch(draft, self.ruleset, transitions[start : start + AT_A_TIME], notice, now)
            await self._pause()
        said: list[Notification] = []
        for of_a_group in speak(draft, self.ruleset, notice, now):
            said += of_a_group
            await self._pause()
        return said

    def _post(self, draft: Draft, said: list[Notification], now: Instant) -> list[Notification]:
        notifications = settle(draft, self.ruleset, said, now)
        for notification in notifications:
            receiver = self.receivers.get(notification.receiver)
            if receiver is not None:
                post(draft, notification, receiver, now)
        draft.put(Kind.CLOCK, "", ClockEntry(stepped_at=now, started=True))
        return notifications

    def _notice_at(self, now: Instant) -> Callable[[Alert, Instant | None, Reason], AlertNotice]:
        def notice(alert: Alert, ended_at: Instant | None, reason: Reason) -> AlertNotice:
            rule = self._rules.get(alert.rule) or _removed(alert)
            evidence = self.evidence_of(rule, alert, now) if ended_at is None else NO_EVIDENCE
            return compose(rule, alert, ended_at=ended_at, reason=reason, evidence=evidence, now=now)

        return notice

    def evidence_of(self, rule: Rule, alert: Alert, now: Instant) -> Evidence:
        """What is known by now of why `alert` fires; nothing if that cannot be had."""
        if self._witness is None:
            return NO_EVIDENCE
        try:
            return self._witness.evidence(self._wanted(rule, alert), now)
        except Exception:
            # A message without evidence is better than none, whatever went wrong while it was looked for.
            log.exception("no evidence could be gathered", extra={"alertname": rule.name})
            return NO_EVIDENCE

    def judged(self, rule: Rule, now: Instant) -> dict[str, Judgement]:
        """What the condition of `rule` says now, by target: for people who ask, it changes nothing."""
        delay = self._delay(rule)

        def read_of(target: str) -> Callable[[Question], Answer]:
            return lambda question: self._signals.read(
                question, target, now if question.window is None else now - delay
            )

        return {target: judge(rule, read_of(target)) for target in targets_of(rule, self._signals.targets())}

    def _delay(self, rule: Rule) -> int:
        """How long before an evaluation its windows end."""
        group = next((group for group in self.ruleset.groups if group.name == rule.group), None)
        return 0 if group is None else group.query_delay

    def _wanted(self, rule: Rule, alert: Alert) -> Wanted:
        return Wanted(
            condition=rule.when.type,
            target=alert.target,
            labels=alert.labels,
            # Evidence is of now; what was judged happened a little before.
            window=rule.window + self._delay(rule) if rule.window else EVIDENCE_WINDOW,
            where=rule.when.where,
            statuses=shown(rule.when),
            older_than=rule.when.millis("older_than") if rule.when.type == "stuck_runs" else 0,
            errors=rule.evidence.top_errors,
            runs=rule.evidence.failing_runs,
            texts=rule.evidence.errors,
        )


def _timing(group: Group) -> tuple[str, int, int]:
    """What says when it is evaluated."""
    return group.name, group.interval, offset(group)


def _removed(alert: Alert) -> Rule:
    """A stand-in for a rule that is no longer there, for the last message about its alert."""
    from triggerdev_alerts.conditions.keys import Condition

    group, _, name = alert.rule.rpartition("/")
    return Rule(name=name, group=group, when=Condition(type="removed", by=()))
