"""Standard Webhooks 1.0.0: the three headers that let a receiver trust a message. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from triggerdev_alerts.instants import Instant

PREFIX = "whsec_"


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in `text`: ``whsec_`` and base64 of 24 to 64 bytes, several (while they are changed) by white space.

    Raises `ValueError` with a sentence that holds nothing of the secret.
    """
    keys = []
    for word in text.split():
        if not word.startswith(PREFIX):
            raise ValueError('a signing secret begins with "whsec_"')
        try:
            key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("what follows whsec_ is not base64") from None
        if not 24 <= len(key) <= 64:
            raise ValueError(f"a signing secret holds 24 to 64 bytes, this one {len(key)}")
        keys.append(key)
    if not keys:
        raise ValueError("there is no signing secret in it")
    return tuple(keys)


def headers(keys: Sequence[bytes], message_id: str, at: Instant, body: str) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` of this attempt, and a signature a key."""
    seconds = str(at // 1000)
    found = {"webhook-id": message_id, "webhook-timestamp": seconds}
    if keys:
        signed = f"{message_id}.{seconds}.{body}".encode()
        found["webhook-signature"] = " ".join(
            "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys
        )
    return found
