"""Slack against a double on loopback: posts, edits, threads, what is tried once more and what is not, and secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from alert_notices import NOW, notice, told
from slack_double import CHANNEL, TOKEN, SlackDouble, running
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import HttpDoor
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.slack import Settings, Slack

FIRST = told()
MORE = told(notice("a"), notice("b"), id="msg_2", seq=2, why=Why.NEW_ALERTS)
REPEAT = told(id="msg_3", seq=3, why=Why.REPEAT)
DONE = told(notice(status="resolved"), id="msg_4", seq=4, kind=NoticeKind.RESOLVED, why=Why.ALL_RESOLVED)


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with running() as double:
        yield double


def by_token(slack: SlackDouble, tmp_path: Path, **more: Any) -> Slack:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", "utf-8")
    more = {"channel": CHANNEL, "api_url": slack.api, "allow_private": True, **more}
    settings = Settings.model_validate({"bot_token_file": str(file), **more}, context=WRITTEN)
    return Slack("ops-slack", settings, HttpDoor(policy(settings.allow_private), timeout_s=2.0))


def by_hook(slack: SlackDouble, tmp_path: Path, **more: Any) -> Slack:
    file = tmp_path / "url"
    file.write_text(f"{slack.hook}\n", "utf-8")
    settings = Settings.model_validate({"url_file": str(file), "allow_private": True, **more}, context=WRITTEN)
    return Slack("ops-slack", settings, HttpDoor(policy(settings.allow_private), timeout_s=2.0))


async def send(
    receiver: Slack, notification: Notification, handle: str = "", attempt: int = 1, body: str | None = None
) -> Attempt:
    try:
        body = receiver.render(notification) if body is None else body
        return await receiver.send(Envelope(notification.id, body, notification, attempt, NOW, handle))
    finally:
        await receiver.close()


async def tell(receiver: Slack, *notifications: Notification, handle: str = "") -> list[str]:
    """Send one after the other as the outbox does: each with the handle of the one before. The handles."""
    handles = []
    for notification in notifications:
        attempt = await send(receiver, notification, handle)
        assert attempt.fate is Fate.DELIVERED, attempt
        handle = attempt.handle
        handles.append(handle)
    return handles


async def test_a_webhook_gets_new_messages(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_hook(slack, tmp_path)
    assert not receiver.edits
    assert await tell(receiver, FIRST, MORE, DONE) == ["", "", ""]
    assert slack.methods() == ["hook"] * 3
    assert slack.broken == []
    assert slack.titles()[2].startswith("[RESOLVED]")
    assert slack.calls[0][1] == json.loads(receiver.render(FIRST))


async def test_d11_edits_are_one_post_and_two_updates(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    assert receiver.edits
    handles = await tell(receiver, FIRST, MORE, DONE)
    assert slack.methods() == ["chat.postMessage", "chat.update", "chat.update"]
    assert slack.titles() == ["[RESOLVED] TaskFailureRateHigh in prod"]
    assert slack.broken == []
    ts = next(iter(slack.messages))
    assert handles == [f"{CHANNEL}:{ts}", f"{CHANNEL}:{ts}", f"{CHANNEL}:{ts}:resolved"]


async def test_d11_a_message_that_is_gone_is_posted_anew(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    (handle,) = await tell(receiver, FIRST)
    slack.messages.clear()
    (other,) = await tell(receiver, MORE, handle=handle)
    assert slack.methods() == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert len(slack.messages) == 1
    assert other.startswith(CHANNEL)


async def test_a_new_incident_and_a_reminder_are_heard(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    await tell(receiver, FIRST, REPEAT, MORE, DONE, told(id="msg_5", why=Why.NEW_ALERTS))
    assert slack.methods() == [
        "chat.postMessage",
        "chat.postMessage",
        "chat.update",
        "chat.update",
        "chat.postMessage",
    ]
    assert [title[:9] for title in slack.titles()] == ["[FIRING, ", "[RESOLVED", "[FIRING, "]


async def test_a_thread_has_one_root_and_shows_reminders_in_the_channel(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path, on_update="thread")
    assert not receiver.edits
    handles = await tell(receiver, FIRST, MORE, REPEAT, DONE, FIRST)
    assert slack.methods() == ["chat.postMessage"] * 5
    root, _, _, _, next_root = slack.messages
    fields = [fields for _, fields in slack.calls]
    assert [one.get("thread_ts") for one in fields] == [None, root, root, root, None]
    assert [one.get("reply_broadcast") for one in fields] == [None, False, True, False, None]
    assert handles == [f"{CHANNEL}:{root}"] * 3 + [f"{CHANNEL}:{root}:resolved", f"{CHANNEL}:{next_root}"]


async def test_a_thread_that_is_gone_is_begun_anew(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path, on_update="thread")
    (handle,) = await tell(receiver, FIRST)
    slack.messages.clear()
    await tell(receiver, MORE, handle=handle)
    assert "thread_ts" not in slack.calls[-1][1]


async def test_new_messages_with_a_token(slack: SlackDouble, tmp_path: Path) -> None:
    await tell(by_token(slack, tmp_path, on_update="new"), FIRST, MORE, DONE)
    assert slack.methods() == ["chat.postMessage"] * 3


async def test_a_post_carries_its_id_and_looks_for_nothing_in_its_text(slack: SlackDouble, tmp_path: Path) -> None:
    await tell(by_token(slack, tmp_path), FIRST)
    ((_, fields),) = slack.calls
    assert fields["metadata"] == {"event_type": "triggerdev_alert", "event_payload": {"id": "msg_1"}}
    assert fields["channel"] == CHANNEL
    assert (fields["unfurl_links"], fields["unfurl_media"], fields["link_names"]) == (False, False, False)


async def test_d10_blocks_that_are_refused_become_one_plain_text(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    slack.next = [web.json_response({"ok": False, "error": "invalid_blocks"}) for _ in range(2)]
    attempt = await send(receiver, FIRST)
    assert attempt.fate is Fate.REFUSED
    assert attempt.body is not None
    again = await send(receiver, FIRST, attempt=2, body=attempt.body)
    assert (again.fate, again.body) == (Fate.REFUSED, None)
    assert slack.methods() == ["chat.postMessage"] * 2
    assert "blocks" not in slack.calls[1][1]
    assert slack.calls[1][1]["text"].startswith("[FIRING, critical] TaskFailureRateHigh in prod\n")
    assert "550 mailbox full" in slack.calls[1][1]["text"]


async def test_d10_by_a_webhook(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_hook(slack, tmp_path)
    slack.next = [web.json_response({"ok": False, "error": "invalid_blocks"})]
    attempt = await send(receiver, FIRST)
    assert attempt.body is not None
    assert (await send(receiver, FIRST, attempt=2, body=attempt.body)).fate is Fate.DELIVERED
    assert slack.broken == []


async def test_an_edit_in_plain_text_takes_the_old_blocks_away(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    (handle,) = await tell(receiver, FIRST)
    slack.next = [web.json_response({"ok": False, "error": "msg_blocks_too_long"})]
    attempt = await send(receiver, MORE, handle)
    assert (await send(receiver, MORE, handle, attempt=2, body=attempt.body)).fate is Fate.DELIVERED
    (message,) = slack.messages.values()
    assert (message["blocks"], message["attachments"]) == ([], [])


async def test_d8_an_archived_channel_is_gone(slack: SlackDouble, tmp_path: Path) -> None:
    slack.next = [web.Response(status=410, text="channel_is_archived")]
    attempt = await send(by_hook(slack, tmp_path), FIRST)
    assert attempt == Attempt(Fate.GONE, "HTTP 410: channel_is_archived: the channel is archived")
    slack.next = [web.json_response({"ok": False, "error": "is_archived"})]
    assert (await send(by_token(slack, tmp_path), FIRST)).fate is Fate.GONE


async def test_a_post_that_may_have_arrived_is_looked_for(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    slack.swallow = 1
    assert (await send(receiver, FIRST)).fate is Fate.AMBIGUOUS
    attempt = await send(receiver, FIRST, attempt=2)
    assert attempt == Attempt(Fate.DELIVERED, handle=f"{CHANNEL}:{next(iter(slack.messages))}")
    assert slack.methods() == ["chat.postMessage", "conversations.history"]
    assert slack.calls[1][1]["channel"] == CHANNEL
    assert len(slack.messages) == 1


async def test_after_a_restart_it_is_looked_for_too_and_posted_if_it_is_not_there(
    slack: SlackDouble, tmp_path: Path
) -> None:
    assert (await send(by_token(slack, tmp_path), FIRST, attempt=2)).fate is Fate.DELIVERED
    assert slack.methods() == ["conversations.history", "chat.postMessage"]


async def test_an_answer_in_a_thread_is_looked_for_there(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path, on_update="thread")
    (handle,) = await tell(receiver, FIRST)
    slack.swallow = 1
    assert (await send(receiver, MORE, handle)).fate is Fate.AMBIGUOUS
    assert await send(receiver, MORE, handle, attempt=2) == Attempt(Fate.DELIVERED, handle=handle)
    assert slack.methods()[-1] == "conversations.replies"


async def test_a_token_that_may_not_read_posts_again(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    slack.swallow, slack.may_read = 1, False
    assert (await send(receiver, FIRST)).fate is Fate.AMBIGUOUS
    assert (await send(receiver, FIRST, attempt=2)).fate is Fate.DELIVERED
    assert slack.methods() == ["chat.postMessage", "conversations.history", "chat.postMessage"]


async def test_what_certainly_did_not_arrive_is_not_looked_for(slack: SlackDouble, tmp_path: Path) -> None:
    receiver = by_token(slack, tmp_path)
    slack.next = [web.Response(status=503), web.Response(status=429, headers={"Retry-After": "3"})]
    assert (await send(receiver, FIRST)).fate is Fate.FAILED
    assert await send(receiver, FIRST, attempt=2) == Attempt(
        Fate.THROTTLED, "Slack's rate limit", retry_at=NOW + 3_000
    )  # fmt: skip
    assert (await send(receiver, FIRST, attempt=3)).fate is Fate.DELIVERED
    assert slack.methods() == ["chat.postMessage"] * 3


async def test_nobody_listens(tmp_path: Path) -> None:
    async with running() as slack:
        receiver = by_token(slack, tmp_path)
    attempt = await send(receiver, FIRST)
    assert attempt.fate is Fate.FAILED
    assert "no connection" in attempt.detail


async def test_a_changed_token_counts_at_once_and_a_missing_one_is_tried_again(
    slack: SlackDouble, tmp_path: Path
) -> None:
    receiver = by_token(slack, tmp_path)
    (tmp_path / "token").write_text("xoxb-another-token", "utf-8")
    attempt = await send(receiver, FIRST)
    assert attempt == Attempt(Fate.REFUSED, "Slack says invalid_auth: Slack does not know the bot token")
    (tmp_path / "token").unlink()
    attempt = await send(receiver, FIRST)
    assert (attempt.fate, attempt.detail) == (
        Fate.FAILED,
        f"the file {tmp_path / 'token'} cannot be read: No such file or directory",
    )
    (tmp_path / "token").write_text(TOKEN, "utf-8")
    assert (await send(receiver, FIRST)).fate is Fate.DELIVERED


async def test_what_slack_echoes_holds_no_secret(slack: SlackDouble, tmp_path: Path) -> None:
    slack.next = [web.json_response({"ok": False, "error": f"bad {TOKEN}"})]
    assert TOKEN not in (await send(by_token(slack, tmp_path), FIRST)).detail
    slack.next = [web.Response(status=400, text=f"no {slack.hook} here " + "x" * 9_000)]
    attempt = await send(by_hook(slack, tmp_path), FIRST)
    assert "hook-secret" not in attempt.detail
    assert len(attempt.detail) <= 512


async def test_redirects_are_not_followed(slack: SlackDouble, tmp_path: Path) -> None:
    slack.next = [web.Response(status=302, headers={"Location": slack.hook})]
    assert (await send(by_hook(slack, tmp_path), FIRST)).fate is Fate.REFUSED
    assert len(slack.calls) == 1


def test_settings_keep_secrets_to_themselves() -> None:
    url = "https://hooks.slack.com/services/T0/B0/very-secret"
    settings = Settings.model_validate({"url": url}, context=WRITTEN)
    assert "very-secret" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert "very-secret" not in repr(Slack("s", settings, HttpDoor(policy(False))).__dict__)


def test_mentions_are_made_safe() -> None:
    written = {"critical": "here", "warning": "U012AB3CD", "info": "<!subteam^S012AB3CD>"}
    settings = Settings.model_validate({"url_env": "A", "mention": written}, context=WRITTEN)
    assert settings.mention == {"critical": "<!here>", "warning": "<@U012AB3CD>", "info": "<!subteam^S012AB3CD>"}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "one of url_file, url_env, bot_token_file and bot_token_env is required"),
        ({"url_env": "A", "bot_token_env": "B", "channel": "C1"}, "two ways to the same place"),
        ({"bot_token_env": "B"}, "a bot token needs a channel"),
        ({"url_env": "A", "channel": "C1"}, "a webhook has its own channel"),
        ({"url_env": "A", "on_update": "edit"}, "a webhook cannot edit what it sent"),
        ({"url_env": "A", "url_file": "b"}, "say the same thing"),
        ({"url_env": "A", "max_alerts": 31}, "less than or equal to 30"),
        ({"url_env": "A", "mention": {"critical": "<https://x|y>"}}, "mentions nobody"),
        ({"url_env": "A", "mention": {"crit": "here"}}, "is not a severity"),
        ({"bot_token_env": "B", "channel": "a b"}, "is not a channel"),
        ({"bot_token_env": "B", "channel": "C1", "api_url": "slack"}, "a URL begins with https://"),
    ],
)
def test_settings_that_make_no_sense(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(written, context=WRITTEN)
    assert says in str(caught.value)
