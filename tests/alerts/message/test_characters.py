"""Text from outside: nothing moves the cursor, and a cut never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.message.characters import cut, size, tame, tame_line

_TEXT = st.text() | st.text(alphabet="ae\u0301\u200d👩🚀\U0001f3ff🇩🇪 \n", max_size=30)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text \x1b]8;;http://x\x1b\\link", "text link"),
        ("\x00\x07\x7f\x9b", "����"),
        ("invoice\u202egpj.exe\u2066", "invoice�gpj.exe�"),
        ("half \ud83d pair", "half � pair"),
        ("tab\there", "tab    here"),
        ("👩\u200d🚀 é ß 日本", "👩\u200d🚀 é ß 日本"),
    ],
)
def test_tame(text: str, shown: str) -> None:
    assert tame(text) == shown


def test_one_line() -> None:
    assert tame_line("  a \n\n b\t\tc ") == "a b c"


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("abce\u0301f", 5, "abc…"),
        ("ab👩\u200d🚀f", 6, "ab…"),
        ("a🇩🇪bc", 4, "a…"),
        ("👍🏿x", 4, "…"),
        ("😀😀😀", 5, "😀😀…"),
        ("😀😀😀", 6, "😀😀😀"),
        ("a", 0, ""),
    ],
)
def test_cut(text: str, most: int, shown: str) -> None:
    assert cut(text, most) == shown


def test_a_cluster_of_a_thousand_marks_is_no_reason_to_show_nothing() -> None:
    assert len(cut("e" + "\u0301" * 5_000, 100)) > 50


@given(_TEXT, st.integers(0, 40))
def test_what_is_cut_fits_and_begins_like_the_whole(text: str, most: int) -> None:
    shown = cut(text, most)
    assert size(shown) <= most
    assert text.startswith(shown.removesuffix("…")) or shown == text
    assert (shown == text) == (size(text) <= most)


@given(_TEXT)
def test_taming_twice_changes_nothing(text: str) -> None:
    once = tame_line(text)
    assert tame_line(once) == once
    assert "\n" not in once
