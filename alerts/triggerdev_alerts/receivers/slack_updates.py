"""Which earlier message of a group a new one belongs to: what a handle says, and when an incident starts anew. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from triggerdev_alerts.notification import NoticeKind, Notification, Why

#: These are meant to be heard, and an edit makes no sound.
ANEW = frozenset({Why.FIRST, Why.REPEAT, Why.MUTE_ENDED})
#: After these there is nothing left to tell of what the message was about.
OVER = frozenset({NoticeKind.RESOLVED, NoticeKind.DIGEST})


@dataclass(frozen=True, slots=True)
class Handle:
    """A message that was posted: where it is, and whether its incident is over."""

    channel: str
    ts: str
    is_over: bool = False

    def __str__(self) -> str:
        return f"{self.channel}:{self.ts}" + (":resolved" if self.is_over else "")


def read_handle(text: str) -> Handle | None:
    """What `str` of a handle wrote; ``None`` for anything else."""
    match text.split(":"):
        case [channel, ts] if channel and ts:
            return Handle(channel, ts)
        case [channel, ts, "resolved"] if channel and ts:
            return Handle(channel, ts, is_over=True)
    return None


def continues(notification: Notification, text: str, *, updates: str) -> Handle | None:
    """The earlier message that this one belongs to; ``None``: it is a new one.

    An incident that is over is not reopened by an edit that nobody notices, and reminders are meant to be noticed: in
    a thread they are shown in the channel too.
    """
    handle = read_handle(text)
    if handle is None or updates == "new" or handle.is_over:
        return None
    if notification.kind is NoticeKind.DIGEST or notification.why is Why.FIRST:
        return None
    return None if updates == "edit" and notification.why in ANEW else handle
