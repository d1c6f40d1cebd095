"""Who may come in, and how: the file of ``web.config_file``, in the schema of Prometheus' exporter-toolkit.

What that schema allows and cannot be kept here is refused with what to write instead, never ignored. `load_access` is
the door; certificates are read by it too, so that a mistake in one is told with the others. No password is in here,
only hashes, and neither is shown in a mistake.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic import model_validator as whole

from triggerdev_alerts.documents.mistakes import Mistake, Place, Unfit, found, in_order, render
from triggerdev_alerts.documents.model import WRITTEN, Duration, Model, between
from triggerdev_alerts.documents.positions import Document, Path, read_yaml
from triggerdev_alerts.documents.wording import Wording
from triggerdev_exporter.config.keys import why
from triggerdev_exporter.config.tls import CURVES, SUITES, Tls, server_context
from triggerdev_exporter.errors import ConfigError

_LARGEST = 1 << 20
_HASH = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
DEAREST = 16
"""A cost beyond it takes many seconds a try, and anybody can make us try."""


def _check_hash(written: SecretStr) -> SecretStr:
    match = _HASH.fullmatch(written.get_secret_value())
    if match is None:
        raise Unfit(
            "hash",
            "this is no bcrypt hash; make one with: htpasswd -nBC 10 NAME (a password itself does not belong here)",
        )
    if not 4 <= int(match["cost"]) <= DEAREST:
        raise Unfit("hash", f"a cost of {int(match['cost'])} is out of range; 4 to {DEAREST} is possible, 10 is usual")
    return written


def _check_user(name: str) -> str:
    if not name or ":" in name or not name.isprintable():
        raise Unfit("user", f"{found(name)} is not the name of a user; it has no colon and is not empty")
    return name


def _check_version(version: str) -> str:
    if version in ("TLS10", "TLS11"):
        raise Unfit("tls", f"{version} is broken and not spoken here; write TLS12 or TLS13")
    if version not in ("TLS12", "TLS13"):
        raise Unfit("enum", f"{found(version)} is not a version of TLS; one of TLS12, TLS13")
    return version


_TRUSTING = {"RequestClientCert": "NoClientCert", "RequireAnyClientCert": "RequireAndVerifyClientCert"}
_CLIENT_AUTH = ("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")


def _check_client_auth(word: str) -> str:
    if word in _TRUSTING:
        raise Unfit("tls", f"{word} would trust a certificate that anybody made; write {_TRUSTING[word]}")
    if word not in _CLIENT_AUTH:
        raise Unfit("enum", f"{found(word)} is not possible here; one of {', '.join(_CLIENT_AUTH)}")
    return word


def _check_suite(name: str) -> str:
    if name not in SUITES:
        raise Unfit("tls", f"{found(name)} is not a cipher suite that is safe; known are {', '.join(sorted(SUITES))}")
    return name


def _check_curve(name: str) -> str:
    if name not in CURVES:
        raise Unfit("tls", f"{found(name)} is not a known curve; one of {', '.join(CURVES)}")
    return name


def _check_header(value: str) -> str:
    if not value.isprintable():
        raise Unfit("header", "a header is one line")
    return value


_Header = Annotated[str, AfterValidator(_check_header)]


class WrittenTls(Model):
    """``tls_server_config``."""

    cert: str | None = None
    key: SecretStr | None = None
    client_ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    client_auth_type: Annotated[str, AfterValidator(_check_client_auth)] = "NoClientCert"
    client_ca_file: str | None = None
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Annotated[str, AfterValidator(_check_version)] = "TLS12"
    max_version: Annotated[str, AfterValidator(_check_version)] = "TLS13"
    cipher_suites: tuple[Annotated[str, AfterValidator(_check_suite)], ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[Annotated[str, AfterValidator(_check_curve)], ...] = ()

    @whole(mode="after")
    def _is_whole(self) -> WrittenTls:
        for name in ("cert", "key", "client_ca"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise Unfit("conflict", f"{name} and {name}_file are both written; keep one of them", at=name)
        if self.cert is None and self.cert_file is None:
            raise Unfit("missing", "a server needs a certificate: write cert_file")
        if self.key is None and self.key_file is None:
            raise Unfit("missing", "a server needs the key of its certificate: write key_file")
        has_ca = self.client_ca is not None or self.client_ca_file is not None
        if self.client_auth_type != "NoClientCert" and not has_ca:
            raise Unfit("missing", f"{self.client_auth_type} needs client_ca_file: who signs the clients' certificates")
        if has_ca and self.client_auth_type == "NoClientCert":
            text = "with an authority for clients and no client_auth_type nobody is asked for a certificate; write "
            raise Unfit("tls", text + "client_auth_type: RequireAndVerifyClientCert")
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            text = "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert, or there may be no name"
            raise Unfit("tls", text, at="client_allowed_sans")
        if self.min_version > self.max_version:
            raise Unfit("tls", "min_version is above max_version", at="min_version")
        return self


class WrittenHeaders(Model):
    """``http_server_config.headers``: each is added to every answer, in place of ours where we set it too."""

    content_security_policy: _Header = Field("", alias="Content-Security-Policy")
    x_frame_options: Literal["deny", "sameorigin"] | None = Field(None, alias="X-Frame-Options")
    x_content_type_options: Literal["nosniff"] | None = Field(None, alias="X-Content-Type-Options")
    x_xss_protection: _Header = Field("", alias="X-XSS-Protection")
    strict_transport_security: _Header = Field("", alias="Strict-Transport-Security")


class WrittenServer(Model):
    """``http_server_config``."""

    http2: bool = True
    """Taken and without effect: HTTP/1.1 is spoken, which every scraper does too."""
    headers: WrittenHeaders = Field(default_factory=WrittenHeaders)


class WrittenRate(Model):
    """``rate_limit``: one request an interval, `burst` at once; over all who ask."""

    interval: Annotated[Duration, between(0, 3_600_000, str)] = 0
    burst: Annotated[int, between(0, 1_000_000, str)] = 0


class WrittenAccess(Model):
    """The file."""

    tls_server_config: WrittenTls | None = None
    http_server_config: WrittenServer = Field(default_factory=WrittenServer)
    basic_auth_users: Mapping[
        Annotated[str, AfterValidator(_check_user)], Annotated[SecretStr, AfterValidator(_check_hash)]
    ] = Field(default_factory=dict)
    rate_limit: WrittenRate = Field(default_factory=WrittenRate)


@dataclass(frozen=True, slots=True)
class Access:
    """What holds for whoever comes."""

    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name → bcrypt hash. Empty: nobody is asked who they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    allowed_sans: frozenset[str] = frozenset()
    """If not empty: a client's certificate has one of these names."""
    interval_ms: int = 0
    burst: int = 0
    context: ssl.SSLContext | None = None
    """``None``: plain HTTP."""
    files: tuple[FilePath, ...] = ()
    """Everything that was read; when one changes it is time to read again."""


EVERYBODY = Access()
_WORDING = Wording(WrittenAccess, "a web config file")


def load_access(path: FilePath | None) -> Access:
    """The file at `path`; without one everybody may come. Raises `ConfigError` with every mistake there is."""
    if path is None:
        return EVERYBODY
    access, mistakes = read_access(path)
    if mistakes:
        raise ConfigError([render(mistake) for mistake in in_order(mistakes)])
    return access


def read_access(path: FilePath) -> tuple[Access, list[Mistake]]:
    """The file and what is wrong with it."""
    document = _read(path)
    if document.mistakes:
        return EVERYBODY, document.mistakes
    try:
        written = WrittenAccess.model_validate(document.data or {}, context=WRITTEN)
    except ValidationError as error:
        return EVERYBODY, _WORDING.mistakes(error.errors(include_url=False), _places(document))
    tls, context = None, None
    if written.tls_server_config is not None:
        tls = _tls(written.tls_server_config, path.parent)
        try:
            context = server_context(tls)
        except Unfit as unfit:
            here: Path = ("tls_server_config", *([unfit.at] if unfit.at else []))
            return EVERYBODY, [Mistake(unfit.code, unfit.text, _places(document)(here, False))]
    headers = written.http_server_config.headers.model_dump(by_alias=True)
    access = Access(
        users={name: hashed.get_secret_value() for name, hashed in written.basic_auth_users.items()},
        headers={name: value for name, value in headers.items() if value},
        allowed_sans=frozenset(tls.allowed_sans if tls else ()),
        interval_ms=written.rate_limit.interval,
        burst=written.rate_limit.burst,
        context=context,
        files=(path, *(tls.files if tls else ())),
    )
    return access, []


def _tls(written: WrittenTls, folder: FilePath) -> Tls:
    def beside(name: str | None) -> FilePath | None:
        return None if name is None else folder / name

    return Tls(
        cert=written.cert,
        cert_file=beside(written.cert_file),
        key=None if written.key is None else written.key.get_secret_value(),
        key_file=beside(written.key_file),
        client_ca=written.client_ca,
        client_ca_file=beside(written.client_ca_file),
        asks_clients=written.client_auth_type != "NoClientCert",
        needs_clients=written.client_auth_type == "RequireAndVerifyClientCert",
        allowed_sans=written.client_allowed_sans,
        min_version=written.min_version,
        max_version=written.max_version,
        suites=written.cipher_suites,
        prefers_server=written.prefer_server_cipher_suites,
        curves=written.curve_preferences,
    )


def _places(document: Document):  # type: ignore[no-untyped-def]  # documents.wording.Where
    def place(path: Path, key: bool) -> Place:
        at = document.place(path, key=key)
        # A line of these holds a hash or a key, and a mistake shows its line.
        secret = path[:1] == ("basic_auth_users",) or path[-1:] == ("key",)
        return replace(at, source=None) if secret else at

    return place


def _read(path: FilePath) -> Document:
    document = Document(str(path), [])
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        document.mistakes.append(Mistake("file", f"the web config file cannot be read: {why(error)}", Place(str(path))))
        return document
    except UnicodeDecodeError:
        document.mistakes.append(Mistake("file", "the web config file is not UTF-8 text", Place(str(path))))
        return document
    if len(raw) > _LARGEST:
        document.mistakes.append(Mistake("file", "the web config file is larger than 1 MiB", Place(str(path))))
        return document
    return read_yaml(text, str(path))
