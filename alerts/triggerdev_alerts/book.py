"""The book: all that alerting remembers, in memory, and the `Draft` in which one step works out what changes. Pure.

Like the exporter's ledger: a step fills a draft, the store commits it in one transaction, and only then does the book
absorb it. Memory is never ahead of disk, so a notification that was decided is on disk before anybody is told.

Everything but letters is an *entry*: a small struct under (kind, key), saved as JSON. A field may be added with a
default; none may be removed or change its meaning within a major version of the state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import TypeVar, cast

import msgspec

from triggerdev_alerts.alert import Alert, Labels, Reason
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import AlertNotice, Notification


class Kind(StrEnum):
    """What an entry is about; the first half of its key."""

    ALERT = "alert"
    RULE = "rule"
    ENDED = "ended"
    FLAP = "flap"
    GROUP = "group"
    SILENCE = "silence"
    RECEIVER = "receiver"
    CLOCK = "clock"


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule fares, key: rule id."""

    known_since: Instant = 0
    """When it was evaluated for the first time."""
    evaluated_at: Instant = 0
    """The tick of the last evaluation."""
    ever_matched: bool = False
    """Whether any series was ever read for it."""
    error: str = ""
    """What is wrong with the rule itself or what it reads, in words; empty when nothing is."""
    error_since: Instant = 0
    seen: dict[str, tuple[tuple[str, ...], ...]] = {}
    """Target → its series at the last evaluation; only for a rule that fires when one of them is gone."""


class EndedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fired and ended, key: fingerprint. Kept 15 min for those that must be told again."""

    alert: Alert
    at: Instant
    reason: Reason


KEPT_ENDED = 15 * 60_000


class Flap(msgspec.Struct, frozen=True, kw_only=True):
    """Recent firing/resolved changes of an alert, key: fingerprint."""

    changes: tuple[Instant, ...] = ()
    """Ascending, within the rule's window."""
    since: Instant = 0
    """When it was found to flap; 0 while it does not."""
    until: Instant = 0
    """If nothing changes until then, it is stable (flapping) or its changes are out of the window: all is forgotten."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a group: what the receiver was told of it last."""

    told: str = ""
    """``firing``, ``resolved``, ``flapping`` or nothing yet."""
    told_at: Instant = 0
    muted_since: Instant = 0
    """Since when it is silenced or muted; 0 while it is not."""
    ended: AlertNotice | None = None
    """Resolved and not told yet: how it is to be told."""
    leaving: bool = False
    """Since a reload it belongs to another receiver: this one is only told that it ended."""


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A group of alerts for one receiver, key: receiver, route path and group labels (`notify/`)."""

    receiver: str
    route: str
    """`Route.path`."""
    labels: Labels
    members: dict[str, Member] = {}
    """By fingerprint."""
    created_at: Instant
    next_flush: Instant
    told_at: Instant = 0
    """Instant of the last flush that told something; repetition counts from here."""
    repeat_at: Instant = 0
    """When to repeat if nothing changes; 0 while nobody was told of anything that fires."""
    repeats: int = 0
    seq: int = 0
    """Of the last message. It starts at `created_at`, so a group that ends and comes back never uses a number again."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A silence, key: its id. Expired ones are kept a while for the page."""

    id: str
    matchers: tuple[tuple[str, bool, tuple[str, ...]], ...]
    """(label, negative, globs), as `rules.model.Matcher`."""
    starts_at: Instant
    ends_at: Instant
    author: str
    comment: str
    created_at: Instant


class Collapsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a group would have said, had its receiver not been at its ceiling."""

    group_key: str
    line: str
    """Empty, as `alert`, for those that a digest only counts."""
    alert: AlertNotice | None = None
    """Its first alert, without evidence."""
    alerts: int = 0
    """How many it was about."""


class ReceiverEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How a receiver fares, key: its name."""

    paused_until: Instant = 0
    """It asked for a pause (429)."""
    disabled: str = ""
    """Why nothing is sent to it until a reload; empty while it is in use."""
    failing_since: Instant = 0
    last_error: str = ""
    sent: tuple[Instant, ...] = ()
    """When it was written to in the last ten minutes: the flood ceiling."""
    collapsed: tuple[Collapsed, ...] = ()
    """What is to be told in the next digest, the newest of each group."""
    dead: tuple[Instant, ...] = ()
    """When letters to it were given up, in the last hour."""
    handles: dict[str, str] = {}
    """Group key → what the receiver needs to edit its own message (Slack: ``channel:ts``; empty where it needs
    nothing). It is there from the first message that arrived until one arrived that all is over."""


class ClockEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Key: empty; the one of the first step of this state is kept as ``first``, for those who summarise a start."""

    stepped_at: Instant = 0
    """Wall time of the last committed step."""
    started: bool = False
    """Whether this state ever ran: the first start may summarise."""


Entry = Alert | RuleEntry | EndedAlert | Flap | GroupEntry | Silence | ReceiverEntry | ClockEntry

ENTRY_TYPES: dict[Kind, type[Entry]] = {
    Kind.ALERT: Alert,
    Kind.RULE: RuleEntry,
    Kind.ENDED: EndedAlert,
    Kind.FLAP: Flap,
    Kind.GROUP: GroupEntry,
    Kind.SILENCE: Silence,
    Kind.RECEIVER: ReceiverEntry,
    Kind.CLOCK: ClockEntry,
}


class LetterStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    """A request is or was under way whose fate is unknown: never superseded, always repeated."""
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A notification on its way to one receiver: a row of the outbox."""

    id: str
    receiver: str
    group_key: str
    seq: int
    notification: Notification
    body: str
    """Rendered once, sent as it is."""
    kind: str = ""
    """Of the receiver that it was rendered for; empty in letters of an older version."""
    status: LetterStatus = LetterStatus.QUEUED
    attempts: int = 0
    ambiguous: bool = False
    """An attempt may have arrived."""
    is_degraded: bool = False
    """The receiver refused the first body, and this is the one that it gave instead: there is no third."""
    next_at: Instant = 0
    last_error: str = ""
    created_at: Instant = 0
    done_at: Instant = 0

    @property
    def is_open(self) -> bool:
        return self.status in (LetterStatus.QUEUED, LetterStatus.SENDING)


E = TypeVar("E", bound=Entry)
EntryKey = tuple[Kind, str]


class Changes:
    """What one step changes, ready to be committed."""

    def __init__(self) -> None:
        self.entries: dict[EntryKey, Entry | None] = {}
        """New values; ``None`` deletes."""
        self.letters: dict[str, Letter] = {}
        """New or changed letters by id, in the order in which they were decided."""
        self.counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        """(counter family, label values) → increment: the metrics of alerting, kept over restarts."""

    def __bool__(self) -> bool:
        return bool(self.entries or self.letters or self.counts)


class Book:
    """What is known. It changes only by `absorb` (and by loading)."""

    def __init__(self) -> None:
        self.entries: dict[Kind, dict[str, Entry]] = {kind: {} for kind in Kind}
        self.letters: dict[str, Letter] = {}
        """Open letters by id, oldest first. Those that are done live in the store."""
        self.letters_by_group: dict[tuple[str, str], dict[str, Letter]] = {}
        """The same by (receiver, group key): the lines in which they wait."""
        self.counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.alerts_by_rule: dict[str, dict[str, Alert]] = {}

    def absorb(self, changes: Changes) -> None:
        """Take over what was committed."""
        for (kind, key), entry in changes.entries.items():
            self.set_entry(kind, key, entry)
        for letter in changes.letters.values():
            self.set_letter(letter)
        self.counts.update(changes.counts)

    def set_entry(self, kind: Kind, key: str, entry: Entry | None) -> None:
        """Replace one entry; for `absorb` and for loading."""
        mine = self.entries[kind]
        if kind is Kind.ALERT:
            old = cast("Alert | None", mine.get(key))
            if old is not None:
                self.alerts_by_rule[old.rule].pop(key, None)
            if entry is not None:
                alert = cast("Alert", entry)
                self.alerts_by_rule.setdefault(alert.rule, {})[key] = alert
        if entry is None:
            mine.pop(key, None)
        else:
            mine[key] = entry

    def set_letter(self, letter: Letter) -> None:
        line = (letter.receiver, letter.group_key)
        if letter.is_open:
            self.letters[letter.id] = letter
            self.letters_by_group.setdefault(line, {})[letter.id] = letter
        else:
            self.letters.pop(letter.id, None)
            waiting = self.letters_by_group.get(line, {})
            waiting.pop(letter.id, None)
            if not waiting:
                self.letters_by_group.pop(line, None)

    @property
    def alerts(self) -> dict[str, Alert]:
        return cast("dict[str, Alert]", self.entries[Kind.ALERT])

    @property
    def rules(self) -> dict[str, RuleEntry]:
        return cast("dict[str, RuleEntry]", self.entries[Kind.RULE])

    @property
    def ended(self) -> dict[str, EndedAlert]:
        return cast("dict[str, EndedAlert]", self.entries[Kind.ENDED])

    @property
    def groups(self) -> dict[str, GroupEntry]:
        return cast("dict[str, GroupEntry]", self.entries[Kind.GROUP])

    @property
    def silences(self) -> dict[str, Silence]:
        return cast("dict[str, Silence]", self.entries[Kind.SILENCE])

    @property
    def receivers(self) -> dict[str, ReceiverEntry]:
        return cast("dict[str, ReceiverEntry]", self.entries[Kind.RECEIVER])

    @property
    def flaps(self) -> dict[str, Flap]:
        return cast("dict[str, Flap]", self.entries[Kind.FLAP])

    @property
    def clock(self) -> ClockEntry:
        return cast("ClockEntry", self.entries[Kind.CLOCK].get("", ClockEntry()))


class Draft:
    """The working-out of one step. It reads through: what it decided already shadows the book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._lines: dict[tuple[str, str], list[str]] = {}
        self.changes = Changes()

    def get(self, kind: Kind, key: str, as_type: type[E]) -> E | None:
        """The entry as it will be after this draft."""
        place = (kind, key)
        if place in self.changes.entries:
            return cast("E | None", self.changes.entries[place])
        return cast("E | None", self._book.entries[kind].get(key))

    def put(self, kind: Kind, key: str, entry: Entry) -> None:
        if self.get(kind, key, type(entry)) != entry:
            self.changes.entries[kind, key] = entry

    def drop(self, kind: Kind, key: str) -> None:
        if key in self._book.entries[kind]:
            self.changes.entries[kind, key] = None
        else:
            self.changes.entries.pop((kind, key), None)

    def all(self, kind: Kind, as_type: type[E]) -> dict[str, E]:
        """All entries of a kind as they will be, in a dict of their own."""
        merged = dict(self._book.entries[kind])
        for (that_kind, key), entry in self.changes.entries.items():
            if that_kind is kind:
                if entry is None:
                    merged.pop(key, None)
                else:
                    merged[key] = entry
        return cast("dict[str, E]", merged)

    def alerts_of(self, rule_id: str) -> dict[str, Alert]:
        """The alerts of one rule by fingerprint, as they were before this draft: a rule is evaluated once a step."""
        return self._book.alerts_by_rule.get(rule_id, {})

    def put_letter(self, letter: Letter) -> None:
        if letter.id not in self.changes.letters:
            self._lines.setdefault((letter.receiver, letter.group_key), []).append(letter.id)
        self.changes.letters[letter.id] = letter

    def letters_of(self, receiver: str, group_key: str) -> list[Letter]:
        """The open letters of one group to one receiver, as they will be, in the order in which they are sent."""
        line = (receiver, group_key)
        waiting = dict(self._book.letters_by_group.get(line, {}))
        waiting.update((letter_id, self.changes.letters[letter_id]) for letter_id in self._lines.get(line, ()))
        return sorted((letter for letter in waiting.values() if letter.is_open), key=lambda letter: letter.seq)

    def open_letters(self) -> Iterator[Letter]:
        """Open letters, oldest first, as they will be."""
        for letter_id, letter in self._book.letters.items():
            changed = self.changes.letters.get(letter_id, letter)
            if changed.is_open:
                yield changed
        for letter_id, letter in self.changes.letters.items():
            if letter_id not in self._book.letters and letter.is_open:
                yield letter

    def count(self, family: str, labels: tuple[str, ...], by: int = 1) -> None:
        self.changes.counts[family, labels] += by
