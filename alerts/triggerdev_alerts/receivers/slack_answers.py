"""What Slack's answers mean for the letter: incoming webhooks answer with a word, the Web API with JSON. Pure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors and the error lists of
``chat.postMessage`` and ``chat.update``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.receivers.door import Reply
from triggerdev_alerts.receivers.port import Attempt, Fate
from triggerdev_alerts.receivers.verdict import excerpt, retry_at, verdict

HOOK_IS_GONE = frozenset({404, 410})

#: Not what we are allowed to do is wrong, but the form of the message: a plain one may be taken.
BAD_FORM = frozenset(
    """
    attachment_payload_limit_exceeded invalid_attachments invalid_blocks invalid_blocks_format invalid_payload
    invalid_metadata_format invalid_metadata_schema metadata_must_be_sent_from_app metadata_too_large
    msg_blocks_too_long msg_too_long too_many_attachments
    """.split()
)
#: The message that was to be changed, or the thread, is not there or may not be changed any more.
LOST_MESSAGE = frozenset(
    """cant_update_message edit_window_closed message_not_found thread_not_found cannot_reply_to_message""".split()
)
_FATES = {
    **dict.fromkeys(("ratelimited", "rate_limited", "rollup_rate_limited"), Fate.THROTTLED),
    **dict.fromkeys(("internal_error", "fatal_error", "request_timeout"), Fate.AMBIGUOUS),
    **dict.fromkeys(("service_unavailable", "rollup_error", "team_added_to_org", "org_login_required"), Fate.FAILED),
    **dict.fromkeys(("channel_is_archived", "is_archived"), Fate.GONE),
}
_HINTS = {
    "account_inactive": "the bot was removed from the workspace; make a new token",
    "channel_is_archived": "the channel is archived",
    "channel_not_found": "there is no such channel, or it is a private one that the bot was not invited to",
    "invalid_auth": "Slack does not know the bot token",
    "is_archived": "the channel is archived",
    "missing_scope": "the bot token lacks the scope chat:write",
    "no_service": "the webhook was switched off or removed",
    "not_in_channel": "invite the bot to the channel, or give it the scope chat:write.public",
    "token_revoked": "the bot token was revoked; make a new one",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the Web API said."""

    attempt: Attempt
    error: str = ""
    """Slack's word for what is wrong; empty if nothing is, or if there was no word."""
    channel: str = ""
    """Delivered: the id of the channel, and the message's time, which is its id there."""
    ts: str = ""


def of_hook(reply: Reply, now: Instant) -> Answer:
    """An incoming webhook's answer: only the word ``ok`` is success."""
    word = reply.text.strip()
    if 200 <= reply.status < 300:
        if word == "ok":
            return Answer(Attempt(Fate.DELIVERED))
        if word.startswith("{"):
            return of_api(reply, now)
        said = f'"{excerpt(word)}"' if word else "nothing"
        return Answer(
            Attempt(Fate.REFUSED, f'HTTP {reply.status}, but it said {said} and not "ok": is this a Slack webhook?')
        )
    attempt = verdict(reply, now, gone=HOOK_IS_GONE)
    error = word if word in BAD_FORM or word in _FATES or word in _HINTS else ""
    if error in _FATES and attempt.fate is Fate.REFUSED:
        attempt = Attempt(_FATES[error], attempt.detail)
    return Answer(_explained(attempt, error), error)


def of_api(reply: Reply, now: Instant) -> Answer:
    """The Web API's answer: HTTP 200 says nothing, ``ok`` does."""
    try:
        told = json.loads(reply.text)
    except ValueError:
        told = None
    error = told.get("error") if isinstance(told, dict) else None
    if reply.status == 429 or error in ("ratelimited", "rate_limited", "rollup_rate_limited"):
        return Answer(Attempt(Fate.THROTTLED, "Slack's rate limit", retry_at=retry_at(reply, now)), "ratelimited")
    if not 200 <= reply.status < 300:
        return Answer(verdict(reply, now))
    if not isinstance(told, dict) or not isinstance(told.get("ok"), bool):
        return Answer(Attempt(Fate.AMBIGUOUS, f"an answer that is not Slack's: {excerpt(reply.text)}"))
    if told["ok"]:
        channel, ts = told.get("channel"), told.get("ts")
        known = isinstance(channel, str) and isinstance(ts, str)
        return Answer(Attempt(Fate.DELIVERED), channel=str(channel) if known else "", ts=str(ts) if known else "")
    word = excerpt(str(error or "no reason"))
    return Answer(_explained(Attempt(_FATES.get(word, Fate.REFUSED), f"Slack says {word}"), word), word)


def _explained(attempt: Attempt, error: str) -> Attempt:
    hint = _HINTS.get(error)
    return Attempt(attempt.fate, f"{attempt.detail}: {hint}" if hint else attempt.detail, retry_at=attempt.retry_at)
