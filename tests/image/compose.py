"""compose.yaml as text that compose would read. No expectations here."""

from __future__ import annotations

import re
from collections.abc import Mapping


def filled(text: str, environ: Mapping[str, str]) -> str:
    """A value with its variables: ${NAME:-default}."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: environ.get(match[1]) or match[2], text)
