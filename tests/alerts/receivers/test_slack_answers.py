"""What each of Slack's answers means, a row each."""

from __future__ import annotations

import json

import pytest

from triggerdev_alerts.receivers.door import Reply
from triggerdev_alerts.receivers.port import Attempt, Fate
from triggerdev_alerts.receivers.slack_answers import BAD_FORM, LOST_MESSAGE, of_api, of_hook

NOW = 1_760_000_000_000


@pytest.mark.parametrize(
    ("status", "text", "fate"),
    [
        (200, "ok", Fate.DELIVERED),
        (200, "ok\n", Fate.DELIVERED),
        (200, "", Fate.REFUSED),
        (200, "<html>", Fate.REFUSED),
        (200, '{"ok":false,"error":"invalid_blocks"}', Fate.REFUSED),
        (200, '{"ok":true}', Fate.DELIVERED),
        (302, "", Fate.REFUSED),
        (400, "invalid_payload", Fate.REFUSED),
        (400, "user_not_found", Fate.REFUSED),
        (403, "action_prohibited", Fate.REFUSED),
        (403, "invalid_token", Fate.REFUSED),
        (403, "channel_is_archived", Fate.GONE),
        (404, "channel_not_found", Fate.GONE),
        (404, "no_service", Fate.GONE),
        (410, "channel_is_archived", Fate.GONE),
        (429, "", Fate.THROTTLED),
        (500, "rollup_error", Fate.FAILED),
        (502, "", Fate.AMBIGUOUS),
        (503, "", Fate.FAILED),
    ],
)
def test_hook(status: int, text: str, fate: Fate) -> None:
    assert of_hook(Reply(status, {}, text), NOW).attempt.fate is fate


@pytest.mark.parametrize(
    ("words", "fate"),
    [
        ("ratelimited rate_limited", Fate.THROTTLED),
        ("internal_error fatal_error", Fate.AMBIGUOUS),
        ("service_unavailable", Fate.FAILED),
        ("channel_is_archived is_archived", Fate.GONE),
        ("invalid_auth account_inactive token_revoked missing_scope not_in_channel channel_not_found", Fate.REFUSED),
        ("invalid_blocks msg_too_long msg_blocks_too_long never_heard_of", Fate.REFUSED),
    ],
)
def test_api_errors(words: str, fate: Fate) -> None:
    for word in words.split():
        answer = of_api(Reply(200, {}, json.dumps({"ok": False, "error": word})), NOW)
        assert answer.attempt.fate is fate, word
        assert answer.attempt.detail


@pytest.mark.parametrize(
    ("status", "text", "fate"),
    [
        (200, '{"ok":true,"channel":"C1","ts":"1.2"}', Fate.DELIVERED),
        (200, "not json", Fate.AMBIGUOUS),
        (200, "[]", Fate.AMBIGUOUS),
        (200, '{"ok":"yes"}', Fate.AMBIGUOUS),
        (200, '{"ok":false}', Fate.REFUSED),
        (200, '{"ok":false,"error":["x"]}', Fate.REFUSED),
        (301, "", Fate.REFUSED),
        (429, '{"ok":false,"error":"ratelimited"}', Fate.THROTTLED),
        (500, "", Fate.FAILED),
        (504, "", Fate.AMBIGUOUS),
    ],
)
def test_api(status: int, text: str, fate: Fate) -> None:
    assert of_api(Reply(status, {}, text), NOW).attempt.fate is fate


def test_what_was_posted_can_be_found_again() -> None:
    answer = of_api(Reply(200, {}, '{"ok":true,"channel":"C1","ts":"1.2"}'), NOW)
    assert (answer.channel, answer.ts, answer.error) == ("C1", "1.2", "")
    assert of_api(Reply(200, {}, '{"ok":true,"channel":1}'), NOW).ts == ""


@pytest.mark.parametrize("status", [200, 429])
def test_how_long_to_wait(status: int) -> None:
    limited = '{"ok":false,"error":"ratelimited"}'
    assert of_api(Reply(status, {"retry-after": "30"}, limited), NOW).attempt == Attempt(
        Fate.THROTTLED, "Slack's rate limit", retry_at=NOW + 30_000
    )
    assert of_hook(Reply(429, {"retry-after": "86400"}, ""), NOW).attempt.retry_at == NOW + 3_600_000
    body = '{"ok":false,"error":"rate_limited","retry_after":7}'
    assert of_api(Reply(status, {}, body), NOW).attempt.retry_at == NOW + 7_000


def test_what_to_do_is_said() -> None:
    answer = of_api(Reply(200, {}, '{"ok":false,"error":"not_in_channel"}'), NOW)
    assert answer.attempt.detail == (
        "Slack says not_in_channel: invite the bot to the channel, or give it the scope chat:write.public"
    )
    assert of_hook(Reply(404, {}, "no_service"), NOW).attempt.detail == (
        "HTTP 404: no_service: the webhook was switched off or removed"
    )
    assert of_hook(Reply(200, {}, "<p>hi"), NOW).attempt.detail == (
        'HTTP 200, but it said "<p>hi" and not "ok": is this a Slack webhook?'
    )


def test_an_error_leads_to_one_thing() -> None:
    assert not BAD_FORM & LOST_MESSAGE
