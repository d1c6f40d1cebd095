"""Which waiting letters a newer one of the same group replaces, and what it then says. Pure.

A letter that may have arrived is never replaced: it is sent again as it is, before anything newer. One that certainly
did not arrive gives way to a newer state, but nothing that it alone tells is lost: alerts that ended are carried over,
and one that still fires and is not in the newer letter (something inhibits it now) keeps its own letter.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from triggerdev_alerts.book import Draft, Letter, LetterStatus
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why
from triggerdev_alerts.notify.flush import MOST_LISTED
from triggerdev_alerts.outbox.counts import Outcome, count
from triggerdev_alerts.outbox.standing import calm, standing
from triggerdev_alerts.receivers.port import Receiver

_STATES = frozenset({NoticeKind.FIRING, NoticeKind.RESOLVED})


def supersede(draft: Draft, receiver: Receiver, group_key: str, now: Instant) -> None:
    """Let the newest letter of a group replace those before it that it may replace.

    To be called when a letter was written, and when one certainly did not arrive.
    """
    line = draft.letters_of(receiver.name, group_key)
    if not line or not _may_change(line[-1]) or line[-1].notification.kind not in _STATES:
        return
    *earlier, newest = line
    replaced = [letter for letter in earlier if _gives_way(letter, newest.notification)]
    if not replaced:
        return
    for letter in replaced:
        _close(draft, letter, now)
    stays = len(replaced) < len(earlier)
    is_told = stays or group_key in standing(draft, receiver.name).handles
    is_unheard = not is_told and newest.notification.kind is NoticeKind.RESOLVED
    if is_unheard and receiver.opens_incidents:
        # Nothing was opened there, so there is nothing to close.
        _close(draft, newest, now)
        calm(draft, receiver.name)
        return
    merged = _merged([letter.notification for letter in replaced], newest.notification, is_unheard=is_unheard)
    if merged != newest.notification:
        draft.put_letter(replace(newest, notification=merged, body=receiver.render(merged), is_degraded=False))


def _may_change(letter: Letter) -> bool:
    return letter.status is LetterStatus.QUEUED and not letter.ambiguous


def _gives_way(letter: Letter, newest: Notification) -> bool:
    old = letter.notification
    if not _may_change(letter) or old.is_test or newest.is_test:
        return False
    if newest.why is Why.ALL_RESOLVED:
        return True
    if old.kind not in _STATES or (old.kind is NoticeKind.RESOLVED and newest.kind is NoticeKind.FIRING):
        # A flapping message tells what no other tells; and what is over was over before the next thing began.
        return False
    if newest.truncated:
        # It stands for more alerts than it lists.
        return True
    listed = {alert.fingerprint for alert in newest.alerts}
    return all(alert.fingerprint in listed for alert in old.alerts if alert.status == "firing")


def _close(draft: Draft, letter: Letter, now: Instant) -> None:
    draft.put_letter(replace(letter, status=LetterStatus.SUPERSEDED, done_at=now))
    count(draft, letter.receiver, Outcome.SUPERSEDED)


def _merged(replaced: Sequence[Notification], newest: Notification, *, is_unheard: bool) -> Notification:
    listed = {alert.fingerprint: alert for alert in newest.alerts}
    ended = {alert.fingerprint: alert for old in replaced for alert in old.alerts if alert.status == "resolved"}
    carried = [alert for fingerprint, alert in ended.items() if fingerprint not in listed]
    alerts = sorted([*newest.alerts, *carried], key=_place) if carried else newest.alerts
    return replace(
        newest,
        alerts=tuple(alerts[:MOST_LISTED]),
        truncated=newest.truncated + max(0, len(alerts) - MOST_LISTED),
        why=_why(replaced, newest),
        missed_firing=newest.missed_firing or is_unheard,
    )


def _why(replaced: Sequence[Notification], newest: Notification) -> Why:
    """Whoever missed the first message gets the newer one as the first: it must be heard, not edited in."""
    if newest.kind is NoticeKind.FIRING:
        whys = {old.why for old in replaced}
        for why in (Why.FIRST, Why.MUTE_ENDED):
            if why in whys:
                return why
    return newest.why


def _place(alert: AlertNotice) -> tuple[bool, object, str]:
    return alert.status != "firing", alert.labels, alert.fingerprint
