"""Secret keys of Trigger.dev environments: what one looks like, and where a person keeps it.

A key is read once. No message made here holds any part of one beyond its public prefix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from triggerdev_alerts.documents.mistakes import Unfit

_WANTED = (
    'the secret key of an environment is needed (it starts with "tr_prod_", "tr_stg_", "tr_preview_" or "tr_dev_")'
)
# Prefixes of credentials that look right and answer 401 at three in the morning.
_OTHER_KINDS = {
    "tr_pat_": "a personal access token (tr_pat_…)",
    "tr_oat_": "an organization access token (tr_oat_…)",
    "tr_uat_": "a token of a user (tr_uat_…)",
    "pk_": "a public key (pk_…)",
    "eyJ": "a public access token (eyJ…)",
}
_ENVIRONMENT = re.compile(r"tr_(prod|dev|stg|preview)_")
_KEY = re.compile(r"tr_[!-~]+", re.ASCII)
_LONGEST = 4096


def check_key(key: str, holder: str) -> str:
    """`key` without the space around it, or `Unfit`. `holder` begins the sentence: ``the file x``."""
    key = key.strip()
    if not key:
        raise Unfit("secret", f"{holder} is empty; put the secret key of your environment there")
    kind = next((kind for prefix, kind in _OTHER_KINDS.items() if key.startswith(prefix)), None)
    if kind is not None:
        raise Unfit("secret", f"{holder} holds {kind}; {_WANTED}")
    if any(c.isspace() for c in key):
        raise Unfit("secret", f"{holder} holds a key with white space inside; it wants one key and nothing else")
    if not _KEY.fullmatch(key):
        raise Unfit("secret", f"{holder} holds no key of Trigger.dev; {_WANTED}")
    return key


def key_from_file(path: Path) -> str:
    holder = f"the key file {path}"
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST + 1)
    except OSError as error:
        raise Unfit("secret", f"{holder} cannot be read: {why(error)}") from None
    if len(raw) > _LONGEST:
        raise Unfit("secret", f"{holder} is too long for a key; it wants one key and nothing else")
    try:
        return check_key(raw.decode("utf-8-sig"), holder)
    except UnicodeDecodeError:
        raise Unfit("secret", f"{holder} is not text; it wants one key and nothing else") from None


def key_from_variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise Unfit("secret", f"the environment variable {name} is not set; set it, or use secret_key_file")
    return check_key(environ[name], f"the environment variable {name}")


def environment_of(key: str) -> str:
    """``prod``, ``dev``, ``stg``, ``preview``, or nothing when the key does not tell."""
    match = _ENVIRONMENT.match(key)
    return match[1] if match else ""


def looks_like_key(text: str) -> bool:
    """Whether somebody wrote a key where the name of its holder belongs."""
    return text.startswith(("tr_", "pk_", "eyJ"))


def why(error: OSError) -> str:
    """An `OSError` in words, with what to do about the usual ones."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "permission denied; let the user of this process read it"
        case IsADirectoryError():
            return "it is a directory"
        case _:
            return (error.strerror or "unknown reason").lower()
