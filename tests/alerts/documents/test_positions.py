"""Texts of a document are what a person wrote, in each style that YAML has."""

from __future__ import annotations

import pytest

from triggerdev_alerts.documents.positions import read_yaml


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (">-", "one two\nthree"),
        (">", "one two\nthree\n"),
        ("|-", "one\ntwo\n\nthree"),
    ],
)
def test_long_texts_hold_what_was_written_and_no_marks_of_the_reader(style: str, text: str) -> None:
    document = read_yaml(f"summary: {style}\n  one\n  two\n\n  three\nnext: 1 # a comment\n", "rules.yml")
    assert document.data == {"summary": text, "next": 1}
    assert document.mistakes == []
    assert document.place(("next",)).line == 6
