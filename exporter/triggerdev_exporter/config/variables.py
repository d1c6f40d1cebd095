"""Variables that somebody set for this program and that nobody reads: misspelt ones. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from triggerdev_alerts.documents.mistakes import Mistake, Place, nearest
from triggerdev_exporter.config.written import API_URL, BRANCH, CONFIG, KEY, KEY_FILE, OVERRIDES

_OURS = "TRIGGERDEV_EXPORTER_"
#: What commands take that ask a running daemon: `commands/entrance.py`.
_OF_COMMANDS = tuple(f"{_OURS}{name}" for name in "URL USER PASSWORD_FILE CA_FILE CERT_FILE KEY_FILE".split())
_READ = (KEY, KEY_FILE, API_URL, BRANCH, CONFIG, *OVERRIDES, *_OF_COMMANDS)
#: Names of Trigger.dev's own that look like one that is read here, and are something else.
_OF_THE_SDK = frozenset({"TRIGGER_ACCESS_TOKEN", "TRIGGER_PROJECT_REF", "TRIGGER_PUBLIC_KEY", "TRIGGER_VERSION"})
#: The name that the key had up to version 2 of Trigger.dev.
_FORMERLY = {"TRIGGER_API_KEY": KEY}
#: What Kubernetes sets in pods beside a service of our name.
_LINK = re.compile(_OURS + r"(?:SERVICE_(?:HOST|PORT)|PORT)(?:_.*)?")


def in_vain(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Each variable that is set in vain, with the one that was probably meant."""
    found: dict[str, str | None] = {}
    for name in sorted(environ):
        if name[:4].upper() != "TRIG" or name in _READ or name in _OF_THE_SDK or _LINK.fullmatch(name):
            continue
        meant = _FORMERLY.get(name) or nearest(name, _READ)
        # With a name of Trigger.dev's own, only what is near and missing was meant for us.
        if name.startswith(_OURS) or (meant is not None and meant not in environ):
            found[name] = meant
    return found


def misspelt(environ: Mapping[str, str]) -> list[Mistake]:
    """The same as warnings."""
    return [
        Mistake("unknown-variable", f"nothing reads this variable{_hint(meant)}", Place(name), severity="warning")
        for name, meant in in_vain(environ).items()
    ]


def _hint(meant: str | None) -> str:
    return f"; did you mean {meant}?" if meant else ""
