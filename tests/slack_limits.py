"""What Slack refuses, and what we promise beyond that: a checker that knows nothing of how payloads are made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BLOCKS, MOST_IN_BLOCKS, MOST_TEXT, MOST_SECTION = 45, 10_000, 4_000, 2_900
_OURS = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-0-9: UTC]+>|<https?://[^\s<>|\"]+\|[^<>|\n]+>")
_ENTITY = re.compile(r"&(?:amp|lt|gt);")


def size(text: str) -> int:
    """UTF-16 units: the most that Slack can count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def problems(payload: Mapping[str, Any], mentions: tuple[str, ...] = ()) -> list[str]:
    """Every limit and promise that `payload` breaks. `mentions` are the ones that settings put there."""
    return list(_problems(payload, mentions))


def blocks_of(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All blocks, those of the attachments too."""
    return [*payload.get("blocks", ()), *(b for a in payload.get("attachments", ()) for b in a["blocks"])]


def _problems(payload: Mapping[str, Any], mentions: tuple[str, ...]) -> Iterator[str]:
    blocks = blocks_of(payload)
    text = payload.get("text", "")
    if not text.strip():
        yield "no text"
    if size(text) > MOST_TEXT:
        yield f"text of {size(text)}"
    yield from _markup_problems("text", text, mentions)
    if len(blocks) > MOST_BLOCKS:
        yield f"{len(blocks)} blocks"
    if payload.get("unfurl_links") is not False or payload.get("unfurl_media") is not False:
        yield "unfurls"
    total = sum(size(words) for block in blocks for words in _strings(block))
    if total > MOST_IN_BLOCKS:
        yield f"{total} characters in blocks"
    for block in blocks:
        yield from _block_problems(block, mentions)


def _block_problems(block: Mapping[str, Any], mentions: tuple[str, ...]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield from _text_problems(block["text"], "plain_text", 150, mentions)
        case "section":
            yield from _text_problems(block["text"], "mrkdwn", MOST_SECTION, mentions)
        case "context":
            if not 1 <= len(block["elements"]) <= 10:
                yield "elements of a context"
            for element in block["elements"]:
                yield from _text_problems(element, "mrkdwn", 2_000, mentions)
        case "actions":
            if not 1 <= len(block["elements"]) <= 25:
                yield "elements of actions"
            for element in block["elements"]:
                yield from _text_problems(element["text"], "plain_text", 75, mentions)
                if not re.fullmatch(r"https?://[^\s<>|\"]{1,2990}", element["url"]):
                    yield f"url {element['url']}"
        case other:
            yield f"block {other}"


def _text_problems(text: Mapping[str, Any], kind: str, most: int, mentions: tuple[str, ...]) -> Iterator[str]:
    words = text["text"]
    if text["type"] != kind:
        yield f"{text['type']} instead of {kind}"
    if not 1 <= size(words) <= most:
        yield f"a text of {size(words)}"
    if kind == "plain_text":
        if text.get("emoji") is not False:
            yield "emoji"
        if re.search("<[!@#]", words):
            yield f"mention in {words}"
        yield from _seen_problems(words)
        return
    if text.get("verbatim") is not True:
        yield "not verbatim"
    yield from _markup_problems(kind, words, mentions)


def _markup_problems(where: str, words: str, mentions: tuple[str, ...]) -> Iterator[str]:
    for mention in mentions:
        words = words.replace(mention, "")
    bare = _ENTITY.sub("", _OURS.sub("", words))
    for sign in "<>&":
        if sign in bare:
            at = bare.index(sign)
            yield f"bare {sign} in {where}: {bare[max(at - 20, 0) : at + 20]!r}"
    if words.count("```") % 2:
        yield f"an open fence in {where}"
    yield from _seen_problems(words)


def _seen_problems(words: str) -> Iterator[str]:
    for character in words:
        unseen = unicodedata.category(character) in ("Cc", "Cs") and character != "\n"
        if unseen or unicodedata.bidirectional(character) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI"):
            yield f"U+{ord(character):04X}"


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "type":
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
