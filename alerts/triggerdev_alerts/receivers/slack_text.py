"""Slack's markup: data is escaped first and cut second; links, dates and fences are the only markup there is. Pure.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.characters import cut, size, tame_line
from triggerdev_alerts.message.values import show_instant

_GAP = "\u200b"
_LONGEST_SOURCE = 20_000
"""Longer texts are cut before they are looked at: the rest would not be shown anyway."""
_LONGEST_URL = 1_500
# What begins bold, italic or struck text stands before a word and behind none; there a sign that looks like it does no
# harm, and names like send_email stay as they are. Slack has no way to escape these.
_STYLE = re.compile(r"(?<![^\W_])[*_~](?=\S)")
_LOOKALIKES = {"*": "∗", "_": "ˍ", "~": "∼"}
_EMOJI = re.compile(r":(?=[\w+'-]{0,64}[a-z][\w+'-]{0,64}:)")
_NOT_IN_URL = re.compile(r"[^!#$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]")


def escape(text: str) -> str:
    """The three characters that mean something to Slack; nothing else may be escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut_escaped(text: str, most: int) -> str:
    """Like `characters.cut`, for text that is escaped: ``&amp;`` stays whole."""
    if size(text) <= most:
        return text
    kept = cut(text, most).removesuffix("…")
    start = kept.rfind("&", max(len(kept) - 4, 0))
    if start >= 0 and ";" not in kept[start:]:
        kept = kept[:start]
    return f"{kept.rstrip()}…" if most > 0 else ""


def mrkdwn(text: str, most: int) -> str:
    """Data as it may stand in a ``mrkdwn`` text: one line, no markup of its own, at most `most` long when escaped."""
    line = tame_line(text[:_LONGEST_SOURCE]).replace("`", "ˋ")
    line = _EMOJI.sub(f":{_GAP}", _STYLE.sub(lambda match: _LOOKALIKES[match[0]], line))
    shown = cut_escaped(escape(line), most)
    # A line that begins with this would be shown as a quotation.
    return _GAP + shown if shown.startswith("&gt;") and most > size(shown) else shown


def lines(text: str, most: int) -> str:
    """Tame text of many lines, for a message without blocks."""
    return cut_escaped(escape(text[:_LONGEST_SOURCE].replace("`", "ˋ")), most)


def plain(text: str, most: int) -> str:
    """Data for a ``plain_text`` object, which knows no markup; what could be taken for a mention is parted still."""
    return cut(re.sub("<(?=[!@#])", f"<{_GAP}", tame_line(text[:_LONGEST_SOURCE])), most)


def fence(code: Iterable[str], most: int) -> str:
    """Lines as code, at most `most` long with the fence; three backticks in them do not end it. Empty without room."""
    room = most - len("```\n\n```")
    kept: list[str] = []
    for line in code:
        left = room - sum(size(known) + 1 for known in kept)
        if left < 12:
            break
        tamed = re.sub("`(?=`)", f"`{_GAP}", tame_line(line[:_LONGEST_SOURCE]))
        kept.append(cut_escaped(escape(tamed), left))
    return "```\n" + "\n".join(kept) + "\n```" if kept else ""


def url(text: str) -> str:
    """`text` as an address that may stand in a link or a button; empty if it is none, or too long."""
    encoded = _NOT_IN_URL.sub(lambda match: quote(match[0], safe="", errors="replace"), text.strip()[:_LONGEST_SOURCE])
    try:
        parts = urlsplit(encoded)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return encoded if good and len(encoded) <= _LONGEST_URL else ""


def link(address: str, label: str, most: int = 80) -> str:
    """A link with a label; just the label where `address` is none."""
    shown = mrkdwn(label.replace("|", "¦"), most)
    target = url(address)
    return f"<{escape(target)}|{shown}>" if target and shown else shown


def date(at: Instant) -> str:
    """An instant that Slack shows in the reader's time zone."""
    return f"<!date^{at // 1000}^{{date_short_pretty}} {{time}}|{show_instant(at)}>"
