"""Error texts made comparable: what differs from run to run becomes a placeholder. Pure."""

from __future__ import annotations

import re

LONGEST = 500

_UUID = re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")
_HEX = re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,})\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_SPACE = re.compile(r"\s+")


def normalised(text: str) -> str:
    """`text` in one line, without numbers, hashes and UUIDs, `LONGEST` characters at most."""
    # Cut before searching: nobody reads more, and no text may take long.
    text = _SPACE.sub(" ", text[: 4 * LONGEST]).strip()
    for pattern, placeholder in ((_UUID, "<uuid>"), (_HEX, "<hex>"), (_NUMBER, "<n>")):
        text = pattern.sub(placeholder, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
