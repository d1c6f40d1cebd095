"""Silences as people add them: the text of matchers, what is refused, and when they are forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_stage import labels_of, t
from triggerdev_alerts.book import Book, Draft, Kind, Silence
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.instants import DAY, HOUR, MINUTE
from triggerdev_alerts.notify.matcher_text import format_matchers, parse_matchers, parse_words
from triggerdev_alerts.notify.matching import matches_all
from triggerdev_alerts.notify.silences import add_silence, expire_silence, prune_silences
from triggerdev_alerts.notify.withholding import is_active, matchers_of
from triggerdev_alerts.rules.model import Matcher

NOW = t("12:00:00")


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("alertname=X", (Matcher("alertname", ("X",)),)),
        ("alert=X env=shop", (Matcher("alertname", ("X",)), Matcher("target", ("shop",)))),
        ("task=~bill*|mail* owner!=a", (Matcher("task", ("bill*", "mail*")), Matcher("owner", ("a",), negative=True))),
        ('task!~"my *"', (Matcher("task", ("my *",), negative=True),)),
        ("task=a*b", (Matcher("task", ("a[*]b",)),)),
        ('{alertname="X", task=~"y*"}', (Matcher("alertname", ("X",)), Matcher("task", ("y*",)))),
        ('task="it\'s \\"quoted\\", \\\\ too"', (Matcher("task", ('it\'s "quoted", \\ too',)),)),
        ("queue=", (Matcher("queue", ("",)),)),
        ("queue=task/mail", (Matcher("queue", ("task/mail",)),)),
    ],
)
def test_matchers_as_they_are_typed(text: str, matchers: tuple[Matcher, ...]) -> None:
    assert parse_matchers(text) == matchers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no matcher; write it like alertname=QueueStalled"),
        ("{}", "there is no matcher; write it like alertname=QueueStalled"),
        ("QueueStalled", '"QueueStalled" is not a matcher; write it like task=mail, task=~"billing-*" or owner!=x'),
        ("a-b=c", '"a-b=c" is not a matcher; write it like task=mail, task=~"billing-*" or owner!=x'),
        ("task=~^mail", '"^mail" is a regular expression; write a glob, like task=~"billing-*"'),
        ('task="mail', '"task="mail" is not a matcher; write it like task=mail, task=~"billing-*" or owner!=x'),
        ("x" * 5000, "these matchers are longer than 4096 characters"),
    ],
)
def test_what_is_no_matcher(text: str, says: str) -> None:
    with pytest.raises(Unfit) as refused:
        parse_matchers(text)
    assert refused.value.text == says


def test_words_of_a_shell_need_no_quotes_of_their_own() -> None:
    assert parse_words(["task=my task", 'owner!="a b"', "queue=~x*|y"]) == (
        Matcher("task", ("my task",)),
        Matcher("owner", ("a b",), negative=True),
        Matcher("queue", ("x*", "y")),
    )
    with pytest.raises(Unfit, match='"two words" is not a matcher'):
        parse_words(["two words"])


NAMES = st.from_regex(r"[a-z_]{1,5}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_exact_matchers_survive_their_text_and_fit_nothing_else(one: dict[str, str], other: dict[str, str]) -> None:
    one = {name: value for name, value in one.items() if name not in ("env", "alert")}
    if not one:
        return
    matchers = parse_matchers(" ".join(f"{name}={_quoted(value)}" for name, value in one.items()))
    assert parse_matchers(format_matchers(matchers)) == matchers
    assert matches_all(matchers, labels_of(**one))
    expected = all(other.get(name, "") == value for name, value in one.items())
    assert matches_all(matchers, labels_of(**other)) == expected


@given(st.lists(st.text(st.sampled_from("a*?[]!. \"'\\,{}="), max_size=5), min_size=1, max_size=3), st.booleans())
def test_globs_survive_their_text(globs: list[str], negative: bool) -> None:
    matchers = (Matcher("task", tuple(globs), negative),)
    again = parse_matchers("task" + ("!~" if negative else "=~") + _quoted("|".join(globs)))
    assert parse_matchers(format_matchers(again)) == again
    assert again == matchers


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def add(draft: Draft, text: str = "alertname=X", duration: int = HOUR, **more: object) -> Silence:
    given_: dict[str, object] = {"author": "ann", "comment": "deploying", "now": NOW} | more
    return add_silence(draft, parse_matchers(text) if text else (), duration=duration, **given_)  # type: ignore[arg-type]


def test_added_ended_and_forgotten() -> None:
    book = Book()
    draft = Draft(book)
    silence = add(draft)
    assert (silence.starts_at, silence.ends_at, silence.created_at) == (NOW, NOW + HOUR, NOW)
    assert matchers_of(silence) == (Matcher("alertname", ("X",)),)
    assert add(draft) == silence
    assert add(draft, comment="another").id != silence.id
    assert expire_silence(draft, silence.id, NOW + MINUTE).ends_at == NOW + MINUTE
    assert expire_silence(draft, silence.id, NOW + HOUR).ends_at == NOW + MINUTE
    prune_silences(draft, NOW + MINUTE + 5 * DAY - 1)
    assert silence.id in draft.all(Kind.SILENCE, Silence)
    prune_silences(draft, NOW + MINUTE + 5 * DAY)
    assert silence.id not in draft.all(Kind.SILENCE, Silence)


def test_a_silence_holds_from_its_start_and_not_at_its_end() -> None:
    silence = add(Draft(Book()), starts_at=NOW + MINUTE)
    assert [is_active(silence, NOW + at) for at in (0, MINUTE, MINUTE + HOUR - 1, MINUTE + HOUR)] == [
        False,
        True,
        True,
        False,
    ]


def test_one_that_has_not_begun_is_expired_before_it_begins() -> None:
    draft = Draft(Book())
    silence = expire_silence(draft, add(draft, starts_at=NOW + HOUR).id, NOW)
    assert not any(is_active(silence, NOW + minute * MINUTE) for minute in range(200))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"text": ""},
            "this fits an alert without labels, so nearly all; add one that must be there, like alertname=QueueStalled",
        ),
        (
            {"text": "task=~* queue!=x"},
            "this fits an alert without labels, so nearly all; add one that must be there, like alertname=QueueStalled",
        ),
        ({"duration": 1000}, 'a silence lasts at least a minute; write "1h" or "30m"'),
        ({"duration": 400 * DAY}, "a silence lasts at most 366d; switch the rule off instead"),
        ({"starts_at": NOW - HOUR}, "this silence would be over already; let it start later or last longer"),
        ({"author": " "}, "a silence needs an author: who wants it, or why"),
        ({"comment": "\x1b\n"}, "a silence needs a comment: who wants it, or why"),
    ],
)
def test_what_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(Unfit) as refused:
        add(Draft(Book()), **settings)  # type: ignore[arg-type]
    assert refused.value.text == says


def test_one_that_is_not_there() -> None:
    with pytest.raises(Unfit) as refused:
        expire_silence(Draft(Book()), "sil_1", NOW)
    assert refused.value.text == 'there is no silence "sil_1"; see "silence list"'


def test_comments_are_one_line_of_text() -> None:
    assert add(Draft(Book()), comment="two\n\x1b[31mlines ").comment == "two [31mlines"
