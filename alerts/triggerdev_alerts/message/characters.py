"""Text from outside, made harmless to look at and cut where a reader sees no cut. Pure; knows no receiver's syntax."""

from __future__ import annotations

import re
import unicodedata

MARK = "�"
"""Stands where something was that may not be shown."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_LINE_END = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
# Control characters; what turns the direction of text around; half surrogate pairs; tags that nobody sees.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_JOINER = "\u200d"
_LONGEST_CLUSTER = 32


def tame(text: str) -> str:
    """`text` in lines, without anything that moves the cursor, colours it or turns it around."""
    lines = _LINE_END.sub("\n", _ANSI.sub("", text)).replace("\t", "    ")
    return _UNSEEN.sub(MARK, lines)


def tame_line(text: str) -> str:
    """Like `tame`, on one line, with single spaces."""
    return " ".join(tame(text).split())


def size(text: str) -> int:
    """Its length in UTF-16 units, which is the most that any receiver counts for a character."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut(text: str, most: int) -> str:
    """`text` if its `size` is at most `most`; else its beginning and ``…``, never within what is one sign on screen."""
    if len(text) <= most and size(text) <= most:
        return text
    room = most - 1
    end = 0
    for character in text[: most + 1]:
        room -= 2 if character > "\uffff" else 1
        if room < 0:
            break
        end += 1
    return text[: seam(text, end)].rstrip() + "…" if most > 0 else ""


def seam(text: str, end: int) -> int:
    """The last place at or before `end` where `text` can be parted. A cluster longer than any real one is parted."""
    for at in range(end, max(end - _LONGEST_CLUSTER, 0), -1):
        if not _belongs_to_previous(text, at):
            return at
    return 0 if end <= _LONGEST_CLUSTER else end


def _belongs_to_previous(text: str, at: int) -> bool:
    if at >= len(text):
        return False
    character, before = text[at], text[at - 1]
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or character == _JOINER
        or before == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or ("\U0001f1e6" <= character <= "\U0001f1ff" and "\U0001f1e6" <= before <= "\U0001f1ff")
    )
