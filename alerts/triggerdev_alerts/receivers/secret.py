"""Where a receiver keeps its secrets: a file, a variable, or (with a warning) the rules file itself.

They are read at every send, so that a changed file counts at once and nothing here holds one for longer than it takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from triggerdev_alerts.documents.mistakes import Unfit

_LONGEST = 8_192
_SHORTEST_SCRUBBED = 8
MASK = "<secret>"


class SecretError(Exception):
    """A secret that cannot be read now. The text names the file or variable, never what is in it."""


@dataclass(frozen=True, slots=True)
class Source:
    """One secret: exactly one of the three is set."""

    inline: SecretStr | None = None
    file: str | None = None
    env: str | None = None

    def read(self, environ: Mapping[str, str] = os.environ) -> str:
        """The secret, without the line end that editors add. Raises `SecretError`."""
        if self.inline is not None:
            return self.inline.get_secret_value()
        if self.file is not None:
            return _from_file(self.file)
        text = environ.get(self.env or "", "").strip()
        if not text:
            raise SecretError(f"the variable {self.env} is not set")
        return text


def _from_file(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8-sig").strip()
    except OSError as error:
        raise SecretError(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the file {path} is not text") from None
    if not text:
        raise SecretError(f"the file {path} is empty")
    return text


def one_source(key: str, inline: SecretStr | None, file: str | None, env: str | None) -> Source:
    """The source that ``key``, ``key_file`` or ``key_env`` names. Raises `Unfit` unless there is exactly one."""
    source = optional_source(key, inline, file, env)
    if source is None:
        raise Unfit("missing", f"one of {key}_file, {key}_env and {key} is required")
    return source


def optional_source(key: str, inline: SecretStr | None, file: str | None, env: str | None) -> Source | None:
    """Like `one_source`, where none is fine too."""
    named = [name for name, value in ((key, inline), (f"{key}_file", file), (f"{key}_env", env)) if value is not None]
    if len(named) > 1:
        raise Unfit("conflict", f"{' and '.join(named)} say the same thing; keep one of them")
    return Source(inline, file, env) if named else None


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` without any of `secrets`: the second line, for what a receiver echoes."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SCRUBBED:
            text = text.replace(secret, MASK)
    return text
