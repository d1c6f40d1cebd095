"""A server's side of TLS: from what was written to an `ssl.SSLContext`. Reads files of certificates; opens no port."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_exporter.config.keys import why

#: Go's names of the suites that it calls safe → OpenSSL's. Those of TLS 1.3 are always there and are not chosen.
SUITES: dict[str, str] = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
CURVES: dict[str, str] = {
    "X25519": "X25519",
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What was written, with the paths as they are opened."""

    cert: str | None = None
    cert_file: Path | None = None
    key: str | None = field(default=None, repr=False)
    key_file: Path | None = None
    client_ca: str | None = None
    client_ca_file: Path | None = None
    asks_clients: bool = False
    needs_clients: bool = False
    allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    suites: tuple[str, ...] = ()
    prefers_server: bool = True
    curves: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(one for one in (self.cert_file, self.key_file, self.client_ca_file) if one is not None)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Raises `Unfit`, with the key that is to blame."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.prefers_server:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    chosen = [SUITES[name] for name in tls.suites if SUITES[name]]
    context.set_ciphers(":".join(chosen or [name for name in SUITES.values() if name]))
    # The library offers its own good order; it can be held to one curve, not to an order of several.
    if len(tls.curves) == 1:
        context.set_ecdh_curve(CURVES[tls.curves[0]])
    _certify(context, tls)
    if tls.asks_clients:
        _ask(context, tls)
    return context


def _certify(context: ssl.SSLContext, tls: Tls) -> None:
    with ExitStack() as stack:
        cert = stack.enter_context(_on_disk(tls.cert, tls.cert_file, "cert"))
        key = stack.enter_context(_on_disk(tls.key, tls.key_file, "key"))
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except ssl.SSLError as error:
            text = f"certificate and key cannot be used: {_reason(error)}"
            raise Unfit("tls", text, at="cert" if tls.cert_file is None else "cert_file") from None


def _ask(context: ssl.SSLContext, tls: Tls) -> None:
    at = "client_ca" if tls.client_ca_file is None else "client_ca_file"
    try:
        with _on_disk(tls.client_ca, tls.client_ca_file, "client_ca") as path:
            context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise Unfit("tls", f"the clients' authority cannot be used: {_reason(error)}", at=at) from None
    context.verify_mode = ssl.CERT_REQUIRED if tls.needs_clients else ssl.CERT_OPTIONAL


@contextmanager
def _on_disk(text: str | None, path: Path | None, name: str) -> Iterator[str]:
    """The path of what is in a file already, or for a moment in one that only we can read."""
    if path is not None:
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise Unfit("file", f"{path} cannot be read: {why(error)}", at=f"{name}_file") from None
        yield str(path)
        return
    with tempfile.NamedTemporaryFile(prefix="triggerdev-exporter-", suffix=".pem") as file:
        file.write((text or "").encode())
        file.flush()
        yield file.name


def _no_password() -> str:
    # Without it OpenSSL would ask at the terminal, and wait.
    raise Unfit(
        "tls", "the key is encrypted, and nobody is there to type its password; store it decrypted", at="key_file"
    )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "no PEM").replace("_", " ").lower()
