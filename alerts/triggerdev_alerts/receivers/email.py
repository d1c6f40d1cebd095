"""E-mail by SMTP: a plain text, threaded by group. The address is checked where it is connected to, like the others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from email.message import EmailMessage
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import FileName, Listed, Model, one_or_more
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.text import full, title
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.receivers.addresses import policy
from triggerdev_alerts.receivers.door import said_of
from triggerdev_alerts.receivers.port import Attempt, Envelope, Fate
from triggerdev_alerts.receivers.secret import SecretError, Source, optional_source, scrub
from triggerdev_alerts.receivers.verdict import excerpt
from triggerdev_alerts.receivers.webhook import AllowPrivate

if TYPE_CHECKING:
    import aiosmtplib

TIMEOUT_S = 15.0
_LONGEST_SUBJECT = 250
_DOMAIN = "triggerdev-exporter.invalid"


def _check_address(address: str) -> str:
    name, at, domain = address.rpartition("@")
    if not at or not name or not domain or not address.isprintable() or any(c in ' ,;<>"' for c in address):
        raise Unfit("address", f'{found(address)} is not a plain e-mail address; write it like "ops@example.com"')
    return address


def _check_server(server: str) -> str:
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or any(c.isspace() for c in server):
        raise Unfit("server", f'{found(server)} is not a mail server; write it like "smtp.example.com:587"')
    return server


Address = Annotated[str, AfterValidator(_check_address)]


class Settings(Model):
    """What stands under ``email:``."""

    spoken = "an e-mail receiver"

    server: Annotated[str, AfterValidator(_check_server)] = Field(
        description="The mail server and its port.", examples=["smtp.example.com:587"]
    )
    from_: Address = Field(alias="from", description="The sender.", examples=["alerts@example.com"])
    to: Annotated[tuple[Address, ...], Field(min_length=1), BeforeValidator(one_or_more), Listed()] = Field(
        description="One address or a list.", examples=["ops@example.com"]
    )
    username: str | None = Field(None, description="Who logs in; without it nobody does.")
    password: SecretStr | None = Field(None, description="Better password_file or password_env.")
    password_file: FileName | None = Field(None, description="The file that holds the password; relative to this file.")
    password_env: str | None = Field(None, description="The environment variable that holds the password.")
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is secured: starttls (587), tls (465), none (refuses a login)."
    )
    allow_private: AllowPrivate = Field(
        False, description="true or networks: where a server inside the own network is meant."
    )

    @whole(mode="after")
    def _login_is_whole(self) -> Settings:
        password = self.password_source
        if (self.username is None) != (password is None):
            raise Unfit("conflict", "username and password belong together")
        if self.username is not None and self.tls == "none":
            raise Unfit("conflict", "a password is not sent over an open line; set tls: starttls or tls")
        return self

    @property
    def password_source(self) -> Source | None:
        return optional_source("password", self.password, self.password_file, self.password_env)


class Email:
    """See `port.Receiver`."""

    kind = "email"
    opens_incidents = False
    edits = False
    rate: tuple[float, int] | None = None

    def __init__(self, name: str, settings: Settings, *, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._settings = settings
        self._policy = policy(settings.allow_private)
        self._timeout_s = timeout_s

    def render(self, notification: Notification) -> str:
        """Subject and text as JSON; headers are made of them and the letter's id when it is sent."""
        subject = title(notification).encode("utf-8", "replace").decode()
        text = full(notification).encode("utf-8", "replace").decode()
        return json.dumps({"subject": subject[:_LONGEST_SUBJECT], "text": text})

    async def send(self, envelope: Envelope) -> Attempt:
        from aiosmtplib.errors import SMTPException

        try:
            password = "" if self._settings.password_source is None else self._settings.password_source.read()
        except SecretError as error:
            return Attempt(Fate.FAILED, str(error))
        # Everything before the text itself was sent certainly brought nothing.
        progress = _Progress()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._deliver(mail(self._settings, envelope), password, progress)
        except (SMTPException, OSError, TimeoutError) as error:
            attempt = _translated(error, progress)
            return Attempt(attempt.fate, scrub(attempt.detail, [password]))
        return Attempt(Fate.DELIVERED)

    async def _deliver(self, message: EmailMessage, password: str, progress: _Progress) -> None:
        import aiosmtplib

        settings = self._settings
        host = settings.server.rpartition(":")[0].strip("[]")
        client = aiosmtplib.SMTP(
            hostname=host,
            sock=await self._connected(host, int(settings.server.rpartition(":")[2])),
            use_tls=settings.tls == "tls",
            start_tls=False,
            timeout=self._timeout_s,
            local_hostname="localhost",
        )
        try:
            await client.connect()
            if settings.tls == "starttls":
                await client.starttls()
            if settings.username is not None:
                await client.login(settings.username, password)
            await client.mail(settings.from_)
            for recipient in settings.to:
                await client.rcpt(recipient)
            progress.text_sent = True
            await client.data(message.as_bytes())
            progress.accepted = True
            await _part(client)
        finally:
            client.close()

    async def _connected(self, host: str, port: int) -> socket.socket:
        """A socket to the first address of `host` that may be used; what is checked is what is connected to."""
        refusal = self._policy.refusal_of_name(host)
        if refusal is not None:
            raise _RefusedError(refusal)
        loop = asyncio.get_running_loop()
        for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            refusal = self._policy.refusal(str(address[0]))
            if refusal is not None:
                continue
            sock = socket.socket(family, kind, protocol)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, address)
            except BaseException:
                sock.close()
                raise
            return sock
        raise _RefusedError(refusal or "the name has no address")

    async def close(self) -> None:
        """Each attempt closes what it opened."""


class _Progress:
    """How far an attempt came."""

    text_sent = False
    accepted = False


class _RefusedError(OSError):
    """The address is not allowed."""


async def _part(client: aiosmtplib.SMTP) -> None:
    from aiosmtplib.errors import SMTPException

    try:
        await client.quit()
    except (SMTPException, OSError):
        # It has the message; how it says goodbye is its own affair.
        return


def mail(settings: Settings, envelope: Envelope) -> EmailMessage:
    """The message. Its id is the letter's, so that a mail program shows a repeated one once."""
    body = json.loads(envelope.body)
    message = EmailMessage()
    message["Subject"] = " ".join(body["subject"].split())
    message["From"] = settings.from_
    message["To"] = ", ".join(settings.to)
    message["Date"] = _date(envelope.notification.at)
    message["Message-ID"] = f"<{envelope.id}@{_DOMAIN}>"
    group = hashlib.sha256(envelope.notification.group_key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    message["References"] = f"<{group}@{_DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body["text"])
    return message


def _date(at: Instant) -> str:
    from email.utils import formatdate

    return formatdate(at / 1000, usegmt=True)


def _translated(error: BaseException, progress: _Progress) -> Attempt:
    from aiosmtplib.errors import (
        SMTPAuthenticationError,
        SMTPException,
        SMTPNotSupported,
        SMTPRecipientsRefused,
        SMTPResponseException,
    )

    if progress.accepted:
        return Attempt(Fate.DELIVERED)
    if isinstance(error, _RefusedError):
        return Attempt(Fate.REFUSED, str(error))
    if isinstance(error, SMTPNotSupported) or type(error) is SMTPException:
        # What the library itself refuses to do: STARTTLS or AUTH that the server does not offer.
        return Attempt(Fate.REFUSED, f"the server cannot do what tls or username want: {excerpt(str(error))}")
    if isinstance(error, SMTPRecipientsRefused):
        return Attempt(Fate.REFUSED, "the server takes none of the addresses")
    if isinstance(error, SMTPResponseException):
        fate = Fate.FAILED if 400 <= error.code < 500 else Fate.REFUSED
        what = "the login was refused" if isinstance(error, SMTPAuthenticationError) else "the server said"
        return Attempt(fate, f"{what}: {error.code} {excerpt(error.message)}")
    if progress.text_sent:
        return Attempt(Fate.AMBIGUOUS, "the connection broke before the answer; it may have arrived")
    if isinstance(error, socket.gaierror):
        return Attempt(Fate.FAILED, "the name of the mail server cannot be resolved")
    if isinstance(error, TimeoutError):
        return Attempt(Fate.FAILED, "no answer in time")
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    reason = said_of(cause) if isinstance(cause, OSError) else excerpt(str(error)) or said_of(error)
    return Attempt(Fate.FAILED, f"no connection: {reason}")
