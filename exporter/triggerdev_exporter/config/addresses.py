"""Addresses as people write them: where we listen, where the API is. Parsing only; nothing is resolved or opened."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from triggerdev_alerts.documents.mistakes import Unfit, found

_LISTEN = re.compile(
    r"(?:(?P<plain>[A-Za-z0-9._-]*)|\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]):(?P<port>[0-9]{1,5})", re.ASCII
)
_HOST = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listen:
    """An address to listen on; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> Listen:
    """``127.0.0.1:9925``, ``[::1]:9925``, ``localhost:0``; ``:9925`` is all IPv4 interfaces."""
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unfit(
            "address", f'{found(value)} is not an address to listen on; write it like "127.0.0.1:9925" or ":9925"'
        )
    port = int(match["port"])
    if port > 65535:
        raise Unfit("address", f"{port} is not a port; the highest is 65535")
    return Listen(match["six"] or match["plain"] or "0.0.0.0", port)  # noqa: S104 - a bare port asks for it


def parse_api_url(value: object) -> str:
    """The origin of an API, without a slash at its end: ``https://api.trigger.dev``."""
    if not isinstance(value, str) or "://" not in value:
        raise Unfit("url", f'{found(value)} is not an address of an API; write it like "https://api.trigger.dev"')
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unfit("url", "this address cannot be read: its host or port is malformed") from None
    if parts.scheme not in ("http", "https"):
        raise Unfit("url", f'{parts.scheme}:// is not how an API is reached; write "https://…"')
    if parts.username is not None or parts.password is not None:
        raise Unfit("url", "an address holds no user or password; the key alone is sent")
    if not host or not _is_host(host) or port == 0:
        raise Unfit("url", "this address has no host that can be reached")
    if parts.path.strip("/") or parts.query or parts.fragment or "?" in value or "#" in value:
        raise Unfit("url", f'the address ends after the host: write "{_origin(parts.scheme, host, port)}"')
    return _origin(parts.scheme, host, port)


def _origin(scheme: str, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port is None else f"{scheme}://{shown}:{port}"


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_exposed(api_url: str) -> bool:
    """Whether a key sent to this origin crosses a network in the clear."""
    parts = urlsplit(api_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
