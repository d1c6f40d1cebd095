"""Matchers as people type them for a silence: ``alertname=QueueStalled task=~"billing-*" owner!=payments``.

Text to matchers and back. What is pasted from Alertmanager (``{a="b", c="d"}``) is understood too, but patterns are
globs here, never regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.message.template import ALIASES
from triggerdev_alerts.rules.model import Matcher

LONGEST = 4_096
_NAME_AND_SIGN = r"([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_IN_LINE = re.compile(rf'{_NAME_AND_SIGN}({_QUOTED}|[^\s,"]*)(?=[\s,]|$)', re.ASCII | re.DOTALL)
_ALONE = re.compile(rf"{_NAME_AND_SIGN}(.*)", re.ASCII | re.DOTALL)
_WHOLE_QUOTE = re.compile(_QUOTED, re.DOTALL)
_BETWEEN = re.compile(r"[\s,]*")
_BARE = re.compile(r"[\w.:/@+*?-]+", re.ASCII)
_GLOB_SIGNS = re.compile(r"([*?[])")


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Matchers of one line; ``=~`` and ``!~`` take globs, several with ``|`` between them.

    Raises:
        Unfit: with the part that cannot be read.
    """
    _check_length(text)
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    matchers: list[Matcher] = []
    at = _past_gap(text, 0)
    while at < len(text):
        match = _IN_LINE.match(text, at)
        if match is None:
            raise _unreadable(text[at:])
        matchers.append(_matcher(*match.groups()))
        at = _past_gap(text, match.end())
    return _some(matchers)


def parse_words(words: Sequence[str]) -> tuple[Matcher, ...]:
    """Matchers that are separate already, as a shell hands them over: a space in a value needs no more quotes.

    Raises:
        Unfit: with the word that cannot be read.
    """
    matchers: list[Matcher] = []
    for word in words:
        _check_length(word)
        match = _ALONE.fullmatch(word)
        if match is None:
            raise _unreadable(word)
        matchers.append(_matcher(*match.groups()))
    return _some(matchers)


def _past_gap(text: str, at: int) -> int:
    gap = _BETWEEN.match(text, at)
    return gap.end() if gap else at


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise Unfit("matcher", f"these matchers are longer than {LONGEST} characters")


def _some(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    if not matchers:
        raise Unfit("matcher", "there is no matcher; write it like alertname=QueueStalled")
    return tuple(matchers)


def _unreadable(text: str) -> Unfit:
    return Unfit("matcher", f'{found(text)} is not a matcher; write it like task=mail, task=~"billing-*" or owner!=x')


def _matcher(name: str, sign: str, written: str) -> Matcher:
    value = re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL) if _WHOLE_QUOTE.fullmatch(written) else written
    negative = sign.startswith("!")
    label = ALIASES.get(name, name)
    if not sign.endswith("~"):
        return Matcher(label, (_literal(value),), negative)
    if value.startswith("^") or value.endswith("$"):
        raise Unfit("matcher", f'{found(value)} is a regular expression; write a glob, like {label}=~"billing-*"')
    return Matcher(label, tuple(value.split("|")), negative)


def format_matchers(matchers: tuple[Matcher, ...]) -> str:
    """Text that `parse_matchers` reads as the same matchers."""
    return " ".join(_format(matcher) for matcher in matchers)


def _format(matcher: Matcher) -> str:
    literal = _as_literal(matcher.values[0]) if len(matcher.values) == 1 else None
    if literal is not None:
        return f"{matcher.label}{'!=' if matcher.negative else '='}{_quoted(literal)}"
    return f"{matcher.label}{'!~' if matcher.negative else '=~'}{_quoted('|'.join(matcher.values))}"


def _literal(value: str) -> str:
    """A glob that fits `value` alone."""
    return _GLOB_SIGNS.sub(r"[\1]", value)


def _as_literal(glob: str) -> str | None:
    """The one value that a glob fits, ``None`` if it fits several."""
    value = re.sub(r"\[([*?[])\]", r"\1", glob)
    return value if _literal(value) == glob else None


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
