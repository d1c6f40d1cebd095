"""What is wrong, where, and how it is printed: ``file:line:col: error[code]: text``, the line and a caret below.

All text about a config passes through `render`, so this is also the one place that keeps secrets off the screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

# What a Trigger.dev credential looks like, wherever it stands.
_CREDENTIAL = re.compile(r"\b(?:tr_[a-z]+_|pk_[a-z]+_|eyJ)[\w.=-]{3,}|\btr_(?!preview_(?!\w))[\w-]{8,}")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
# Who knows the path may post, whatever key it stands under.
_HOOK = re.compile(r"""(?:(?<=hooks\.slack\.com/)|(?<=/api/webhooks/))[^\s"'},\]]+""")
# A key that promises a secret, up to the end of the line; secret_key_file and secret_key_env hold none. Who knows the
# URL of a webhook may post to it.
_PROMISED = re.compile(
    r"""(?i)(?P<key>[\w-]*(?:secret|token|password|(?:api|routing|service|integration)_?key|webhook_?url|\burl\b)(?!\w*_(?:file|env)\b)[\w-]*["']?\s*[:=]\s*)(?P<secret>\S.*)"""
)
_LONGEST_SOURCE = 160
_LONGEST_VALUE = 60
# Longer ones are data or an attack; masking them would take its time.
_LONGEST_TEXT = 1_000


class Unfit(ValueError):
    """One written value that cannot be used: a short code and a sentence. Where it stands is added further out."""

    def __init__(self, code: str, text: str, *, at: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.at = at
        """The key whose value is to blame, where the sentence is about a whole mapping."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written: a file with a position in it, or the name of a variable or an option."""

    name: str
    line: int | None = None
    """From 1, like `column`; ``None`` where there are no lines."""
    column: int | None = None
    source: str | None = None
    """The whole line."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """`code` is stable and for machines, `text` is for people and never holds a secret after `render`."""

    code: str
    text: str
    place: Place | None = None
    severity: Literal["error", "warning"] = "error"


def render(mistake: Mistake) -> str:
    """The mistake as it is printed, without a line end."""
    head = f"{mistake.severity}[{mistake.code}]: {shown(mistake)}"
    place = mistake.place
    if place is None:
        return head
    name = _printable(place.name)
    if place.line is None or place.column is None:
        return f"{name}: {head}"
    head = f"{name}:{place.line}:{place.column}: {head}"
    if not place.source or len(place.source) > _LONGEST_TEXT:
        return head
    return f"{head}\n{_excerpt(mask(place.source), place.column)}"


def shown(mistake: Mistake) -> str:
    """Its text without secrets and without characters that a terminal obeys."""
    return _printable(mask(mistake.text[:_LONGEST_TEXT]))


def _excerpt(source: str, column: int) -> str:
    start = max(0, column - _LONGEST_SOURCE // 2) if len(source) > _LONGEST_SOURCE else 0
    shown = _printable(source[start : start + _LONGEST_SOURCE].rstrip(), keep=" ")
    return f"    {shown}\n    {' ' * (column - 1 - start)}^"


def _printable(text: str, keep: str = "") -> str:
    """One character for one character, so that a caret stays true and nothing moves the cursor."""
    return "".join(c if c.isprintable() or c in keep else " " if c.isspace() else "�" for c in text)


def mask(text: str) -> str:
    """`text` with every credential in it turned into stars of the same length."""
    text = _PROMISED.sub(lambda m: m["key"] + re.sub(r"\S", "*", m["secret"]), text)
    for secret in (_CREDENTIAL, _USERINFO, _HOOK):
        text = secret.sub(lambda m: "*" * len(m[0]), text)
    return text


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """As a person works through them: by file and line; what has no position first."""
    return sorted(mistakes, key=_order)


def _order(mistake: Mistake) -> tuple[bool, str, int, int]:
    place = mistake.place
    if place is None:
        return False, "", 0, 0
    return place.line is not None, place.name, place.line or 0, place.column or 0


def found(value: object) -> str:
    """A written value in a sentence: text in quotes, everything else by what it is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"' if len(value) <= _LONGEST_VALUE else f'"{value[:_LONGEST_VALUE]}…"'
        case int() | float():
            return str(value)[:_LONGEST_VALUE]
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return "something else"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The one of `words` that was probably meant."""
    folded = {known.casefold(): known for known in words}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.7)  # below, "alerts" is near "targets"
    if near:
        return folded[near[0]]
    begun = [known for known in folded if len(word) >= 3 and known.startswith(word.casefold())]
    return folded[begun[0]] if len(begun) == 1 else None


def flow(value: object) -> str:
    """A value as YAML in one line, for a sentence: ``{window: 15m, by: [task]}``."""
    match value:
        case dict():
            return "{" + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(flow(one) for one in value) + "]"
        case bool():
            return "true" if value else "false"
        case str() if not value or value[0] in "*&!{[|>%@`\"'" or ": " in value:
            return f'"{value}"'
        case _:
            return str(value)


def suggestion(word: str, words: Iterable[str]) -> str:
    """``; did you mean "intervals"?``, or nothing when no word is near."""
    near = nearest(word, words)
    return f'; did you mean "{near}"?' if near else ""
