"""Which exposition format and encoding a scraper gets, decided from its headers. Pure.

The library's own choice ignores ``q``; ours follows RFC 9110, section 12.5: the highest q wins, then the more specific
range, then our order; q=0 refuses; nothing acceptable gets text 0.0.4, which everything reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Format(Enum):
    """What we can write, best first."""

    OPENMETRICS_1 = ("application/openmetrics-text", "1.0.0")
    OPENMETRICS_0 = ("application/openmetrics-text", "0.0.1")
    TEXT_1 = ("text/plain", "1.0.0")
    TEXT_0 = ("text/plain", "0.0.4")

    @property
    def is_openmetrics(self) -> bool:
        return self.value[0] == "application/openmetrics-text"


ESCAPINGS = ("underscores", "dots", "values", "allow-utf-8")
"""Our names need none of them, so whichever is asked for is what they get."""


@dataclass(frozen=True, slots=True)
class _Range:
    media: str
    version: str | None
    escaping: str | None
    q: float

    def accepts(self, candidate: Format) -> int:
        """How specifically this range names `candidate`; 0 if it does not."""
        media, version = candidate.value
        if self.media == media:
            if self.version is None:
                # OpenMetrics without a version is 1.0.0 or older; text without one is 0.0.4.
                return 2 if candidate is not Format.TEXT_1 else 0
            return 3 if self.version == version else 0
        if self.version is None and candidate is Format.TEXT_0 and self.media in ("text/*", "*/*"):
            return 1
        return 0


def choose_format(accept: str) -> tuple[Format, str]:
    """The format for an Accept header, and its Content-Type."""
    ranges = [found for part in accept.split(",") if (found := _read(part)) is not None]
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen, escaping = Format.TEXT_0, None
    for order, candidate in enumerate(Format):
        naming = [(one.accepts(candidate), one.q, one) for one in ranges if one.accepts(candidate)]
        if not naming:
            continue
        # The most specific range speaks for a format, even when it refuses it.
        specific, q, by = max(naming, key=lambda row: (row[0], row[1]))
        if q > 0 and (q, specific, -order) > best:
            best, chosen, escaping = (q, specific, -order), candidate, by.escaping
    media, version = chosen.value
    content_type = f"{media}; version={version}; charset=utf-8"
    if chosen is Format.TEXT_1 or (chosen is Format.OPENMETRICS_1 and escaping is not None):
        content_type += f"; escaping={escaping or 'underscores'}"
    return chosen, content_type


def _read(part: str) -> _Range | None:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    if "/" not in media:
        return None
    version = escaping = None
    q = 1.0
    for parameter in parameters:
        name, _, value = (piece.strip() for piece in parameter.partition("="))
        value = value.strip('"')
        match name.lower():
            case "q":
                q = _quality(value)
            case "version":
                version = value
            case "escaping":
                escaping = value.lower() if value.lower() in ESCAPINGS else None
    return _Range(media.lower(), version, escaping, q)


def _quality(text: str) -> float:
    try:
        q = float(text)
    except ValueError:
        return 0.0
    return q if 0.0 <= q <= 1.0 else 0.0


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a body may be sent compressed by gzip."""
    named: float | None = None
    other: float | None = None
    for part in accept_encoding.split(","):
        coding, _, parameters = part.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        q = _quality(value.strip()) if name.strip().lower() == "q" else 1.0
        match coding.strip().lower():
            case "gzip" | "x-gzip":
                named = q
            case "*":
                other = q
    q_for_gzip = named if named is not None else other
    return bool(q_for_gzip)
