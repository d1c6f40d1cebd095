"""Whether a name and a password are right. A try costs a bcrypt, so what was right before is remembered for a while."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Mapping

MOST_REMEMBERED = 100
AT_ONCE = 2
"""Tries that are worked out at a time: more of them would take the processor from everything else."""
_LONGEST = 1_024


def read_basic(header: str) -> tuple[str, str] | None:
    """Name and password out of ``Authorization: Basic …``; ``None`` for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST:
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


class Credentials:
    """The users, and who of them was there lately."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        # For names that are not there: they take as long as a wrong password, so that none can be found out.
        self._nobody = f"$2b${max((hashed[4:6] for hashed in users.values()), default='10')}$abcdefghijklmnopqrstuu"
        self._right: OrderedDict[bytes, None] = OrderedDict()
        # What is remembered is no use to whoever reads this memory without the key.
        self._pepper = os.urandom(32)
        self._turns = asyncio.Semaphore(AT_ONCE)

    def remembers(self, name: str, password: str) -> bool:
        """Whether they were found right before; costs nothing."""
        return self._print(name, password) in self._right

    async def check(self, name: str, password: str) -> bool:
        """Whether they are right."""
        mark = self._print(name, password)
        if mark in self._right:
            self._right.move_to_end(mark)
            return True
        hashed = self._users.get(name)
        async with self._turns:
            fits = await asyncio.to_thread(_fits, password, hashed or self._nobody)
        if not fits or hashed is None:
            return False
        self._right[mark] = None
        if len(self._right) > MOST_REMEMBERED:
            self._right.popitem(last=False)
        return True

    def _print(self, name: str, password: str) -> bytes:
        told = f"{name}\0{self._users.get(name, '')}\0{password}".encode()
        return hmac.new(self._pepper, told, hashlib.sha256).digest()


def _fits(password: str, hashed: str) -> bool:
    # Imported late: who has no users needs none of it.
    import bcrypt

    try:
        made = bcrypt.hashpw(password.encode(), hashed.encode())
    except ValueError:
        # Longer than the 72 bytes that bcrypt looks at.
        return False
    return hmac.compare_digest(made, hashed.encode())
