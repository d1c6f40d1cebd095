"""Commands come in over https and as somebody; what they come in with is shown nowhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import bcrypt
import pytest
import trustme
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from operated_stage import Operated
from outbox_stage import Scripted
from triggerdev_exporter.cli import cli
from triggerdev_exporter.config.access import Access
from triggerdev_exporter.web.gate import Gate
from triggerdev_exporter.web.server import make_app

PASSWORD = "correct horse: battery"
USERS = {"ann": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}
CA = trustme.CA()


@pytest.fixture
async def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A daemon that wants a certificate and a password; the files for both are where the test is."""
    monkeypatch.chdir(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    CA.issue_cert("localhost").configure_cert(context)
    CA.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = CA.issue_cert("ann")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "password").write_text(PASSWORD + "\n", "utf-8")
    stage = Operated(Scripted("hook"))
    server = TestServer(make_app(stage, Gate(stage.clock, Access(users=USERS))))
    await server.start_server(ssl=context)
    yield f"https://localhost:{server.port}"
    await server.close()


async def run(*arguments: str, **environ: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments), env=environ)


TLS = ("--ca-file", "ca.pem", "--cert-file", "cert.pem", "--key-file", "key.pem")


async def test_with_all_of_it_one_comes_in(url: str) -> None:
    done = await run("silence", "list", "--url", url, *TLS, "--user", "ann", "--password-file", "password")
    assert (done.exit_code, done.output) == (0, "There is no silence.\n"), done.exception
    by_environment = {
        "TRIGGERDEV_EXPORTER_URL": url,
        "TRIGGERDEV_EXPORTER_USER": "ann",
        "TRIGGERDEV_EXPORTER_PASSWORD_FILE": "password",
        "TRIGGERDEV_EXPORTER_CA_FILE": "ca.pem",
        "TRIGGERDEV_EXPORTER_CERT_FILE": "cert.pem",
        "TRIGGERDEV_EXPORTER_KEY_FILE": "key.pem",
    }
    done = await run("silence", "add", "task=x", "--for", "2h", **by_environment)
    assert done.exit_code == 0, done.exception


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (TLS, "a name and a password are needed (HTTP basic): use --user and --password-file"),
        ((*TLS, "--user", "bob", "--password-file", "password"), "the name or the password is wrong"),
        ((), "its certificate is not trusted; name its authority with --ca-file"),
        (TLS[:2], "no daemon answers"),
    ],
)
async def test_who_lacks_something_is_told_what(url: str, arguments: tuple[str, ...], words: str) -> None:
    done = await run("alerts", "list", "--url", url, *arguments)
    assert done.exit_code == 1
    assert words in str(done.exception)
    assert PASSWORD not in f"{done.output}{done.exception}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "https://ann:secret@localhost"), "use --user and --password-file"),
        (("--user", "ann"), "--user and --password-file belong together"),
        (("--user", "ann", "--password-file", "nope"), "nope cannot be read"),
        (("--user", "ann", "--password-file", "empty"), "empty is empty"),
        (("--user", "ann", "--password-file", "binary"), "binary is not text"),
        (("--url", "https://localhost", "--ca-file", "nope"), "cannot be read"),
        (("--url", "https://localhost", "--ca-file", "empty"), "cannot be used"),
        (("--url", "https://localhost", "--cert-file", "x"), "--cert-file and --key-file belong together"),
        (("--ca-file", "empty"), "certificates are for https"),
        (("--url", "ftp://localhost"), "this is no address"),
    ],
)
async def test_what_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    done = await run("alerts", "list", *arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert "secret" not in done.output
