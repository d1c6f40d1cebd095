"""The web config file: every mistake in its whole text, and what a good one means."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from triggerdev_exporter.config.access import load_access
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.errors import ConfigError

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
CA = trustme.CA()
CERT = CA.issue_cert("localhost")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CERT.private_key_pem.write_to_path(tmp_path / "key.pem")
    CERT.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path


FILES = "cert_file: cert.pem, key_file: key.pem"

BAD = (
    ("basic_auth_users: {ann: hunter22}", "web.yml:1:25: error[hash]: this is no bcrypt hash; make one with:"),
    ("basic_auth_users: {ann: $2y$20$" + HASH[7:] + "}", "a cost of 20 is out of range; 4 to 16"),
    (f'basic_auth_users: {{"a:b": "{HASH}"}}', '"a:b" is not the name of a user'),
    ("basic_auth_user: {}", 'unknown key "basic_auth_user"; did you mean "basic_auth_users"?'),
    ("tls_server_config: {cert_file: cert.pem}", "write key_file"),
    ("tls_server_config: {key_file: key.pem}", "write cert_file"),
    (f"tls_server_config: {{{FILES}, cert: x}}", "cert and cert_file are both written; keep one of them"),
    (f"tls_server_config: {{{FILES}, min_version: TLS10}}", "TLS10 is broken and not spoken here"),
    (f"tls_server_config: {{{FILES}, min_version: TLS14}}", "one of TLS12, TLS13"),
    (f"tls_server_config: {{{FILES}, min_version: TLS13, max_version: TLS12}}", "min_version is above max_version"),
    (f"tls_server_config: {{{FILES}, client_auth_type: RequireAnyClientCert}}", "write RequireAndVerifyClientCert"),
    (f"tls_server_config: {{{FILES}, client_auth_type: RequestClientCert}}", "would trust a certificate that anybody"),
    (f"tls_server_config: {{{FILES}, client_auth_type: Always}}", "one of NoClientCert, VerifyClientCertIfGiven"),
    (f"tls_server_config: {{{FILES}, client_auth_type: RequireAndVerifyClientCert}}", "needs client_ca_file"),
    (f"tls_server_config: {{{FILES}, client_ca_file: ca.pem}}", "nobody is asked for a certificate"),
    (f"tls_server_config: {{{FILES}, client_allowed_sans: [a]}}", "client_allowed_sans needs client_auth_type"),
    (
        f"tls_server_config: {{{FILES}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}",
        "is not a cipher suite that is safe",
    ),
    (f"tls_server_config: {{{FILES}, curve_preferences: [CurveP224]}}", "one of X25519, CurveP256"),
    ("tls_server_config: {cert_file: nope.pem, key_file: key.pem}", "nope.pem cannot be read: there is no such file"),
    ("tls_server_config: {cert_file: key.pem, key_file: key.pem}", "certificate and key cannot be used"),
    ("tls_server_config: {cert_file: cert.pem, key_file: encrypted.pem}", "the key is encrypted"),
    (
        f"tls_server_config: {{{FILES}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: key.pem}}",
        "the clients' authority cannot be used",
    ),
    ("http_server_config: {headers: {X-Powered-By: me}}", 'unknown key "X-Powered-By" in http_server_config.headers'),
    ("http_server_config: {headers: {X-Frame-Options: allow}}", "one of deny, sameorigin"),
    ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb"}}', "a header is one line"),
    ("rate_limit: {interval: 5}", "a duration"),
    ("tls: [", "web.yml:"),
)


@pytest.mark.parametrize(("text", "words"), BAD, ids=[text for text, _ in BAD])
def test_every_mistake_is_told_and_shows_no_secret(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "encrypted.pem").write_bytes(encrypted())
    (folder / "web.yml").write_text(text + "\n", "utf-8")
    with pytest.raises(ConfigError) as raised:
        load_access(Path("web.yml"))
    told = "\n".join(raised.value.mistakes)
    assert words in told
    assert told.startswith("web.yml:")
    assert "hunter22" not in told
    assert HASH[7:] not in told


def encrypted() -> bytes:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(CERT.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter22"),
    )


def test_a_mistake_in_it_is_told_with_those_of_the_config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "config.yml").write_text("web: {config_file: web.yml}\n", "utf-8")
    for text, words in ((None, "there is no such file"), ("basic_auth_users: {a: b}", "no bcrypt hash")):
        if text is not None:
            (folder / "web.yml").write_text(text, "utf-8")
        with pytest.raises(ConfigError, match=words):
            load_config(Path("config.yml"), {"TRIGGER_SECRET_KEY": "tr_prod_x", "HOME": "/home/me"})


def test_what_a_file_means(folder: Path) -> None:
    path = folder / "web.yml"
    path.write_text(
        f"""\
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example]
  min_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  curve_preferences: [X25519, CurveP256]
http_server_config:
  http2: false
  headers: {{Strict-Transport-Security: max-age=63072000, X-Frame-Options: sameorigin}}
basic_auth_users: {{ann: "{HASH}"}}
rate_limit: {{interval: 100ms, burst: 20}}
""",
        "utf-8",
    )
    access = load_access(path)
    assert access.users == {"ann": HASH}
    assert access.headers == {"Strict-Transport-Security": "max-age=63072000", "X-Frame-Options": "sameorigin"}
    assert (access.interval_ms, access.burst, access.allowed_sans) == (100, 20, frozenset({"prometheus.example"}))
    assert [file.name for file in access.files] == ["web.yml", "cert.pem", "key.pem", "ca.pem"]
    assert HASH not in repr(access)
    context = access.context
    assert context is not None
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED)
    assert {"ECDHE-RSA-AES128-GCM-SHA256"} == {
        one["name"] for one in context.get_ciphers() if not one["name"].startswith("TLS_")
    }


def test_certificates_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    def block(pem: bytes) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())

    text = f"tls_server_config:\n  cert: {block(CERT.cert_chain_pems[0].bytes())}"
    (tmp_path / "web.yml").write_text(text + f"  key: {block(CERT.private_key_pem.bytes())}", "utf-8")
    access = load_access(tmp_path / "web.yml")
    assert access.context is not None
    assert access.files == (tmp_path / "web.yml",)


def test_what_is_not_written_is_safe(folder: Path) -> None:
    (folder / "web.yml").write_text(f"tls_server_config: {{{FILES}}}\n", "utf-8")
    context = load_access(folder / "web.yml").context
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not [one["name"] for one in context.get_ciphers() if "CBC" in one["name"] or "ECDHE" not in one["name"]][3:]
    (folder / "web.yml").write_text("", "utf-8")
    assert load_access(folder / "web.yml").context is None
