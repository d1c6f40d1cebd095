"""A receiver's side of Standard Webhooks 1.0.0, written from its text and not from ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def verify(headers: Mapping[str, str], body: str, secret: str) -> None:
    """Constant-time compare: one of the signatures must be that of `secret`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    assert any(version == "v1" and hmac.compare_digest(text, wanted) for version, text in given)
