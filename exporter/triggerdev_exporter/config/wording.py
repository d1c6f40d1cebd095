"""How mistakes in a config are told: as in every document, and what is said of a key that was written into it."""

from __future__ import annotations

from triggerdev_alerts.documents.positions import Path
from triggerdev_alerts.documents.wording import Wording
from triggerdev_exporter.config.model import WrittenConfig

# Where people put a key when they have not read how; the names that promise one.
_INLINE = frozenset({"secret_key", "secret", "key", "api_key", "apikey", "token", "access_token", "secretkey"})


def _no_key_here(key: str, _: Path) -> tuple[str, str] | None:
    if key.lower() not in _INLINE:
        return None
    remedy = "put it in a file (secret_key_file) or in a variable (secret_key_env)"
    return "secret", f"a secret key does not belong in a config file; {remedy}"


CONFIG_WORDING = Wording(WrittenConfig, "a config file", _no_key_here)
