"""E-mail against a real mail server on loopback: what arrives, and what each refusal leads to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as Server
from pydantic import ValidationError

from alert_notices import NOW, notice, told
from triggerdev_alerts.documents.model import WRITTEN
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_alerts.receivers.email import Email, Settings
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate


class Mailbox:
    """A handler of aiosmtpd that keeps what comes and answers what it is told."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.answer = "250 OK"
        self.refuse: set[str] = set()
        self.hang = False
        self.port = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.hang:
            await asyncio.Event().wait()
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        return self.answer


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(box, hostname="mail.test", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()
    await server.wait_closed()


def settings(port: int, **changes: Any) -> Settings:
    written = {
        "server": f"127.0.0.1:{port}",
        "from": "alerts@example.com",
        "to": "ops@example.com",
        "tls": "none",
        "allow_private": True,
    }
    return Settings.model_validate(written | changes, context=WRITTEN)


async def send(config: Settings, notification: Notification | None = None, timeout_s: float = 2.0) -> Attempt:
    receiver = Email("mail", config, timeout_s=timeout_s)
    notification = notification or told()
    return await receiver.send(Envelope(notification.id, receiver.render(notification), notification, 1, NOW))


async def test_a_message_arrives_as_plain_text(mailbox: Mailbox) -> None:
    attempt = await send(settings(mailbox.port, to=("ops@example.com", "night@example.com")))
    assert attempt == Attempt(Fate.DELIVERED)
    (mail,) = mailbox.got
    assert mail["Subject"] == "[FIRING, critical] TaskFailureRateHigh in prod"
    assert mail["To"] == "ops@example.com, night@example.com"
    assert mail["Message-ID"] == "<msg_1@triggerdev-exporter.invalid>"
    assert mail["Date"] == "Thu, 09 Oct 2025 08:53:20 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    for line in ("42% of 57 runs failed in 15m (above 10%)", "3 × SmtpError: 550 mailbox full", "run_1"):
        assert line in text


async def test_a_group_is_one_thread_and_a_repeated_letter_the_same_message(mailbox: Mailbox) -> None:
    config = settings(mailbox.port)
    await send(config)
    await send(config)
    await send(config, told(notice(status="resolved"), id="msg_2", kind=NoticeKind.RESOLVED, why=Why.ALL_RESOLVED))
    first, again, last = mailbox.got
    assert bytes(first) == bytes(again)
    assert first["References"] == last["References"]
    assert first["Message-ID"] != last["Message-ID"]
    assert last["Subject"].startswith("[RESOLVED]")


async def test_a_hostile_text_makes_no_header(mailbox: Mailbox) -> None:
    hostile = "x\r\nBcc: all@example.com\r\n\r\n<b>\ud800\u202e"
    labels = (("alertname", hostile), ("target", "prod"))
    await send(settings(mailbox.port), told(notice(labels=labels), group_labels=(("alertname", hostile),)))
    (mail,) = mailbox.got
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


@pytest.mark.parametrize(
    ("answer", "fate"), [("451 try later", Fate.FAILED), ("554 no", Fate.REFUSED), ("250 fine", Fate.DELIVERED)]
)
async def test_what_the_server_says_of_the_text(mailbox: Mailbox, answer: str, fate: Fate) -> None:
    mailbox.answer = answer
    assert (await send(settings(mailbox.port))).fate is fate


async def test_a_recipient_that_does_not_exist(mailbox: Mailbox) -> None:
    mailbox.refuse = {"ops@example.com"}
    attempt = await send(settings(mailbox.port))
    assert attempt == Attempt(Fate.REFUSED, "the server said: 550 no such mailbox")


async def test_no_answer_after_the_text_may_have_arrived(mailbox: Mailbox) -> None:
    mailbox.hang = True
    assert (await send(settings(mailbox.port), timeout_s=0.5)).fate is Fate.AMBIGUOUS


async def test_a_server_that_is_not_there(mailbox: Mailbox) -> None:
    assert await send(settings(1)) == Attempt(Fate.FAILED, "no connection: connection refused")


async def test_loopback_wants_allow_private(mailbox: Mailbox) -> None:
    for server in (f"127.0.0.1:{mailbox.port}", f"localhost:{mailbox.port}"):
        attempt = await send(settings(mailbox.port, server=server, allow_private=False))
        assert attempt.fate is Fate.REFUSED
        assert "allow_private" in attempt.detail
    assert mailbox.got == []


async def test_a_server_without_starttls_gets_no_message(mailbox: Mailbox) -> None:
    attempt = await send(settings(mailbox.port, tls="starttls"))
    assert attempt.fate is Fate.REFUSED
    assert mailbox.got == []


async def test_the_stored_body_holds_no_secret() -> None:
    config = settings(25, username="me", password="hunter2hunter2", tls="starttls")
    body = Email("mail", config).render(told())
    assert set(json.loads(body)) == {"subject", "text"}
    assert "hunter2" not in body
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"server": "smtp.example.com"}, 'like "smtp.example.com:587"'),
        ({"to": ()}, "at least 1"),
        ({"to": "Ops <ops@example.com>"}, "not a plain e-mail address"),
        ({"from": "ops@example.com\nBcc: x@y.z"}, "not a plain e-mail address"),
        ({"username": "me"}, "belong together"),
        ({"username": "me", "password_env": "P"}, "not sent over an open line"),
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(25, **changes)
    assert says in str(caught.value)
