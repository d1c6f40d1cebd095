"""How log lines look: text for a person, JSON for a machine; events with keys, and no secret in either."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from typing import TextIO
from urllib.parse import quote

SHORTEST = 6
"""Shorter ones would be found in words that are no secret."""
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class _Scrub:
    """The second line of defence: a key that got into a text all the same is taken out of it."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def add(self, secrets: Iterable[str]) -> None:
        """From now on these are taken out too. The longest first: one may be part of another."""
        found = set(self._secrets)
        for secret in secrets:
            if len(secret) >= SHORTEST:
                # As it is, and as it looks inside a list, a JSON text or an address.
                found |= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")}
        self._secrets = sorted(found, key=len, reverse=True)

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text


def _keys(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in record.__dict__.items() if key not in _PLAIN and not key.startswith("_")}


_SCRUB = _Scrub()
"""Of this process: a reload brings new keys, and the old ones stay secret."""


def hide(secrets: Iterable[str]) -> None:
    """Take these out of every line from now on, whatever wrote it."""
    _SCRUB.add(secrets)


def set_level(level: str) -> None:
    """The least that is logged from now on, once `set_up` was called."""
    if logging.getLogger().handlers:
        logging.getLogger().setLevel(level.upper())


class TextFormatter(logging.Formatter):
    """``12:00:01 WARNING failing target=prod collector=queues why="…"``."""

    def __init__(self, scrub: _Scrub) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
        self._scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        keys = " ".join(f"{key}={_quoted(self._scrub.clean(str(value)))}" for key, value in _keys(record).items())
        head, newline, rest = self._scrub.clean(super().format(record)).partition("\n")
        return f"{_tame(head)} {keys}".rstrip() + newline + "\n".join(map(_tame, rest.split("\n")))


class JsonFormatter(logging.Formatter):
    """One object a line: ``ts``, ``level``, ``event``, and the event's keys."""

    def __init__(self, scrub: _Scrub) -> None:
        super().__init__()
        self._scrub = scrub

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        line |= {key: value for key, value in _keys(record).items() if key not in line}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Value by value: written as JSON, a secret with a quote in it would look different.
        clean = {key: self._clean(value) for key, value in line.items()}
        return json.dumps(clean, ensure_ascii=False)

    def _clean(self, value: object) -> object:
        return value if value is None or isinstance(value, bool | int | float) else self._scrub.clean(str(value))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is at the moment: a progress bar puts itself in between while it is shown."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there, asked anew each time here
        return sys.stderr


def _quoted(value: object) -> str:
    text = str(value)
    is_odd = not text or any(c in ' "=' or not c.isprintable() for c in text)
    return _tame(json.dumps(text, ensure_ascii=False)) if is_odd else text


def _tame(text: str) -> str:
    """Without what moves a terminal's cursor: names and errors come from elsewhere."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def set_up(level: str, format_: str, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Log to `stream` (stderr). `format_` is ``text``, ``json``, or ``auto``: text on a terminal."""
    out = sys.stderr if stream is None else stream
    hide(secrets)
    scrub = _SCRUB
    as_text = format_ == "text" or (format_ == "auto" and out.isatty())
    handler = _Stderr() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter(scrub) if as_text else JsonFormatter(scrub))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They speak of every wake-up and every request; what matters of that is in the metrics.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
