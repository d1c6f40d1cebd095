"""TLS as it is served: certificates that change while the port stays open, clients that must show one, old versions."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from triggerdev_exporter.config.access import load_access
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.web.front import Front, open_front

CA, OTHER = trustme.CA(), trustme.CA()


@asynccontextmanager
async def front() -> AsyncIterator[Front]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    async with open_front(app, Listen("127.0.0.1", 0)) as opened:
        yield opened


def written(folder: Path, *lines: str, authority: trustme.CA = CA) -> ssl.SSLContext:
    """The context of a web config with a fresh certificate."""
    cert = authority.issue_cert("localhost", "127.0.0.1")
    cert.private_key_pem.write_to_path(folder / "key.pem")
    cert.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    CA.cert_pem.write_to_path(folder / "ca.pem")
    text = "".join(f"  {line}\n" for line in ("cert_file: cert.pem", "key_file: key.pem", *lines))
    (folder / "web.yml").write_text(f"tls_server_config:\n{text}", "utf-8")
    context = load_access(folder / "web.yml").context
    assert context is not None
    return context


def trusting(*authorities: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for authority in authorities or (CA,):
        authority.configure_trust(context)
    return context


async def get(port: int, context: ssl.SSLContext | None, path: str = "/") -> str:
    scheme = "http" if context is None else "https"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context or True)) as session,
        session.get(f"{scheme}://127.0.0.1:{port}{path}") as response,
    ):
        return await response.text()


async def test_a_certificate_changes_while_the_port_stays_open_and_who_is_there_stays(tmp_path: Path) -> None:
    async with front() as opened:
        await opened.use(written(tmp_path))
        connector = aiohttp.TCPConnector(ssl=trusting(CA))
        async with aiohttp.ClientSession(f"https://127.0.0.1:{opened.port}", connector=connector) as session:
            assert await (await session.get("/")).text() == "hello"
            await opened.use(written(tmp_path, authority=OTHER))
            assert await (await session.get("/")).text() == "hello", "on the connection that it has"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await get(opened.port, trusting(CA))
        assert await get(opened.port, trusting(OTHER)) == "hello"
        await opened.use(None)
        assert await get(opened.port, None) == "hello"
        assert not opened.is_tls


async def test_a_client_without_the_right_certificate_is_refused(tmp_path: Path) -> None:
    lines = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")
    async with front() as opened:
        await opened.use(written(tmp_path, *lines))
        right, wrong = trusting(CA), trusting(CA)
        CA.issue_cert("prometheus").configure_cert(right)
        OTHER.issue_cert("prometheus").configure_cert(wrong)
        assert await get(opened.port, right) == "hello"
        for refused in (wrong, trusting(CA)):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await get(opened.port, refused)


async def test_a_certificate_that_may_be_given_is_looked_at_if_it_is(tmp_path: Path) -> None:
    lines = ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.pem")
    async with front() as opened:
        await opened.use(written(tmp_path, *lines))
        wrong = trusting(CA)
        OTHER.issue_cert("prometheus").configure_cert(wrong)
        assert await get(opened.port, trusting(CA)) == "hello"
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await get(opened.port, wrong)


VERSIONS = (
    (ssl.TLSVersion.TLSv1, False),
    (ssl.TLSVersion.TLSv1_1, False),
    (ssl.TLSVersion.TLSv1_2, True),
    (ssl.TLSVersion.TLSv1_3, True),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the versions that are tried and refused
@pytest.mark.parametrize(("version", "spoken"), VERSIONS)
async def test_versions_before_1_2_are_not_spoken(tmp_path: Path, version: ssl.TLSVersion, spoken: bool) -> None:
    client = trusting(CA)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.minimum_version = client.maximum_version = version
    async with front() as opened:
        await opened.use(written(tmp_path))
        if spoken:
            assert await get(opened.port, client) == "hello"
        else:
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await get(opened.port, client)


WEAK = ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "aNULL", "NULL")


@pytest.mark.parametrize("suites", WEAK)
async def test_weak_suites_are_not_spoken(tmp_path: Path, suites: str) -> None:
    client = trusting(CA)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{suites}:@SECLEVEL=0")
    async with front() as opened:
        await opened.use(written(tmp_path))
        with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
            await get(opened.port, client)


async def test_plain_http_gets_no_answer_where_tls_is_spoken(tmp_path: Path) -> None:
    async with front() as opened:
        await opened.use(written(tmp_path))
        with pytest.raises(aiohttp.ClientError):
            await get(opened.port, None)


async def test_a_port_that_is_taken(free_port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            async with open_front(web.Application(), Listen("127.0.0.1", free_port)):
                pass


async def test_all_addresses_of_a_name_have_the_same_port() -> None:
    async with open_front(web.Application(), Listen("localhost", 0)) as opened:
        await opened.use(None)
        assert opened.port
