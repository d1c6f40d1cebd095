"""Which addresses a receiver may have. Pure.

URLs come from files that may be templated or edited by others, so a message must not be a way into the network it is
sent from. The list is explicit: Python's ``is_global`` calls NAT64, 6to4 and multicast addresses global, and
``is_private`` does not know 100.64.0.0/10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# IANA's special-purpose registries, and what wraps an IPv4 address in an IPv6 one.
_DENIED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 "
        "::/96 ::1/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16 2001::/32 fc00::/7 fe80::/10 ff00::/8 "
        "2001:db8::/32"
    ).split()
)
_DENIED_NAMES = ("localhost",)
_DENIED_SUFFIXES = (".localhost", ".local", ".internal")


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed besides the public internet."""

    everything: bool = False
    networks: tuple[Network, ...] = ()

    def refusal(self, address: str) -> str | None:
        """Why nothing may be sent to `address` (an IP address as text); ``None`` if it may."""
        try:
            found: Address = ip_address(address.split("%", 1)[0])
        except ValueError:
            return f"{address} is no address"
        if self.everything or any(_holds(network, found) for network in self.networks):
            return None
        if any(_holds(network, found) for network in _DENIED):
            return f"{found} is a private or special address; if it is meant, set allow_private for this receiver"
        return None

    def refusal_of_name(self, host: str) -> str | None:
        """Why the name alone forbids it, before anybody is asked for its address."""
        name = host.lower().rstrip(".")
        inner = name in _DENIED_NAMES or name.endswith(_DENIED_SUFFIXES)
        if inner and not self.everything and not self.networks:
            return f"{name} is a name of an inner network; if it is meant, set allow_private for this receiver"
        return None


def policy(allow_private: bool | Iterable[str]) -> Policy:
    """The policy that ``allow_private`` says: ``true``, or networks like ``10.1.0.0/16``. Raises `ValueError`."""
    if isinstance(allow_private, bool):
        return Policy(everything=allow_private)
    return Policy(networks=tuple(ip_network(text, strict=False) for text in allow_private))


def _holds(network: Network, address: Address) -> bool:
    if network.version == address.version:
        return address in network
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped is not None and mapped in network


def problem_of_url(url: str) -> str | None:
    """What is wrong with a receiver's URL as text; ``None`` if it can be tried. Never holds the URL itself."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return "this is not a URL"
    if parts.scheme not in ("http", "https"):
        return "a URL begins with https:// or http://"
    if parts.username is not None or parts.password is not None:
        return "a user name or password cannot stand in the URL; use headers"
    if not parts.hostname or not port_is_fine or any(character.isspace() for character in url):
        return "this is not a URL"
    return None
