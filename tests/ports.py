"""Ports for programs that cannot listen on port 0: free a moment ago, and taken by nobody by chance."""

from __future__ import annotations

import socket
from random import SystemRandom

#: Below what the system gives to whoever asks for any port, or connects: between our look and the program that is to
#: listen, one of those would be handed to somebody else, or to a client that then speaks with itself.
_RANGE = range(16_000, 32_000)


def free_ports(count: int) -> list[int]:
    """So many, each another."""
    found: list[int] = []
    for port in SystemRandom().sample(_RANGE, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port is free")
