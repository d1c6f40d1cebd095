"""PromQL as text: strings, and patterns that match what our globs match."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.export.promql import any_of, counted, number, pattern, quoted
from triggerdev_alerts.export.stages import example

letters = st.text(alphabet="ab-!]^.|\\[*?", max_size=6)


@given(glob=st.text(alphabet="ab*?[]!-^.|\\", max_size=8), text=letters)
def test_a_pattern_matches_what_the_glob_does(glob: str, text: str) -> None:
    assert bool(re.fullmatch(pattern(glob), text)) == fnmatchcase(text, glob)


@pytest.mark.parametrize(
    ("globs", "written"),
    [
        (("send-email",), 'task="send-email"'),
        (("billing-*",), 'task=~"billing-.*"'),
        (("a.b", "c?"), 'task=~"a\\\\.b|c."'),
        (("[!a]*",), 'task=~"[^a].*"'),
        (('"\n',), 'task="\\"\\u000a"'),
    ],
)
def test_matchers(globs: tuple[str, ...], written: str) -> None:
    assert any_of("task", globs) == written


def test_strings_have_no_character_that_cannot_be_seen() -> None:
    assert quoted('\\ " é \x00 \u202e \U000e0001') == '"\\\\ \\" é \\u0000 \\u202e \\U000e0001"'


def test_a_window_is_a_difference() -> None:
    assert counted(lambda ago: f"x{ago}", 15, 5) == "x5\n- (\n  x20\n  or x5 * 0\n)"


@pytest.mark.parametrize(("value", "written"), [(0.1, "0.1"), (500, "500"), (2.0, "2"), (0.123456, "0.123456")])
def test_numbers(value: float, written: str) -> None:
    assert number(value) == written


@given(globs=st.lists(st.sampled_from(["billing-*", "a?c", "emails", "task/*"]), max_size=2))
def test_an_example_is_one_that_a_glob_matches(globs: list[str]) -> None:
    assert not globs or any(fnmatchcase(example(globs, "send-email"), glob) for glob in globs)
