"""How a command gets to the daemon: where it is, whom it trusts, as whom it comes. Secrets come out of files only."""

from __future__ import annotations

import base64
import functools
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from yarl import URL  # imported late: help should not wait for it

_Command = TypeVar("_Command", bound=Callable[..., object])
_LONGEST = 1_024


@dataclass(frozen=True, slots=True)
class Entrance:
    """What `daemon.open_daemon` needs."""

    url: URL
    authorization: str = field(default="", repr=False)
    """The header, or nothing."""
    context: ssl.SSLContext | None = None
    """For https: whom to trust, and our certificate."""


#: (option, variable, help); all of them name a file but the first.
_OPTIONS = (
    ("--user", "TRIGGERDEV_EXPORTER_USER", "Who comes, where the daemon has users."),
    ("--password-file", "TRIGGERDEV_EXPORTER_PASSWORD_FILE", "The file that holds the password of that user."),
    ("--ca-file", "TRIGGERDEV_EXPORTER_CA_FILE", "For https: the authority that signed the daemon's certificate."),
    ("--cert-file", "TRIGGERDEV_EXPORTER_CERT_FILE", "The certificate to show, where the daemon wants one."),
    ("--key-file", "TRIGGERDEV_EXPORTER_KEY_FILE", "The key of that certificate."),
)


def takes_url(command: _Command) -> _Command:
    """``--url`` and what else it takes to come in; the command gets an `Entrance` as ``url``."""

    @functools.wraps(command)
    def entered(url: str, *args: Any, **options: Any) -> object:
        names = [name.removeprefix("--").replace("-", "_") for name, _, _ in _OPTIONS]
        given = {name: options.pop(name) for name in names}
        return command(*args, url=entrance(url, **given), **options)

    wrapped: Any = entered
    for name, variable, help_ in reversed(_OPTIONS):
        wrapped = click.option(name, envvar=variable, metavar="NAME" if name == "--user" else "FILE", help=help_)(
            wrapped
        )
    url = click.option(
        "--url",
        default="http://127.0.0.1:9925",
        envvar="TRIGGERDEV_EXPORTER_URL",
        help="Where the daemon is; default: $TRIGGERDEV_EXPORTER_URL, else http://127.0.0.1:9925.",
    )
    return url(wrapped)  # type: ignore[no-any-return]  # the command that came in


def entrance(
    url: str,
    *,
    user: str | None = None,
    password_file: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
) -> Entrance:
    """Raises `click.BadParameter` for what cannot be used."""
    try:
        read = _read_url(url)
    except ValueError as error:
        raise click.BadParameter(
            "this is no address; write it like http://127.0.0.1:9925", param_hint="--url"
        ) from error
    if read.user is not None or read.password is not None:
        raise click.BadParameter("a password in an address is seen by everyone here; use --user and --password-file")
    if (user is None) is not (password_file is None):
        raise click.UsageError("--user and --password-file belong together")
    authorization = "" if user is None or password_file is None else _basic(user, _password(password_file))
    if read.scheme == "https":
        return Entrance(read, authorization, _context(ca_file, cert_file, key_file))
    if ca_file or cert_file or key_file:
        raise click.UsageError("certificates are for https: write --url https://…")
    return Entrance(read, authorization)


def _read_url(text: str) -> URL:
    """``http://127.0.0.1:9925``, also without ``http://``. Raises `ValueError`."""
    from yarl import URL

    url = URL(text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(text)
    return url.with_query(None).with_fragment(None)


def _password(path: str) -> str:
    try:
        text = Path(path).read_bytes()[:_LONGEST].decode("utf-8-sig").rstrip("\r\n")
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--password-file") from error
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{path} is not text", param_hint="--password-file") from error
    if not text:
        raise click.BadParameter(f"{path} is empty", param_hint="--password-file")
    return text


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _context(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    if (cert_file is None) is not (key_file is None):
        raise click.UsageError("--cert-file and --key-file belong together")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file, password=_no_password)
    except ssl.SSLError as error:
        raise click.BadParameter(f"a certificate or key cannot be used: {error.reason or 'no PEM'}") from error
    except OSError as error:
        raise click.BadParameter(f"a certificate or key cannot be read: {error.strerror}") from error
    return context


def _no_password() -> str:
    raise click.BadParameter("the key is encrypted; store it decrypted", param_hint="--key-file")
