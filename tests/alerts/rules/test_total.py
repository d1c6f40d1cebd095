"""Whatever stands in the files, reading ends in rules or in sentences: no other exception, no secret."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggerdev_alerts.documents.mistakes import render
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.rules.files import gather_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile

EXAMPLE = (Path(__file__).parent / "example.yml").read_text("utf-8")
LINES = EXAMPLE.splitlines()
ODD = ["~", "[]", "{}", "0", "-1", "true", ".nan", "''", "&a [*a]", "x: y", "!t x", "\t", "\x00", "- -", "9" * 400]


def check(text: str) -> None:
    try:
        loaded = read_rules([RuleFile("rules.yml", text)])
    except RulesError as error:
        shown = "\n".join(error.mistakes) or "\0"  # there is at least one
    else:
        shown = "\n".join(map(render, loaded.warnings))
    assert "SeCrEt" not in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_a_mutated_example(seed: int) -> None:
    chance = random.Random(seed)
    lines = list(LINES)
    for _ in range(chance.randint(1, 4)):
        n = chance.randrange(len(lines))
        match chance.randrange(6):
            case 0:
                del lines[n]
            case 1:
                lines[n] = lines[n].split(":")[0] + ": " + chance.choice(ODD)
            case 2:
                lines[n] = lines[n].replace(chance.choice("aeiou:[]{},-") or "a", chance.choice([*"x:[]{},", ""]), 1)
            case 3:
                lines[n] = lines[chance.randrange(len(lines))]
            case 4:
                lines[n] = " " * chance.randint(0, 4) + lines[n]
            case _:
                lines[n] = lines[n].replace(chance.choice(lines[n].split() or [" "]), chance.choice(ODD), 1)
    check("\n".join(lines))


words = st.sampled_from(
    "version defaults owners time_intervals receivers routes inhibit groups tests name rules alert when for severity "
    "failure_rate queue_depth queue_paused window above by match receiver children mute times source target equal "
    "webhook slack url given expect at state 10% 5m 7 1.5 true ~ * !a {{".split()
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_tree(tree: object) -> None:
    check(repr(tree).replace("None", "~").replace("True", "true").replace("False", "false"))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(words, trees, max_size=8))
def test_any_sections(tree: object) -> None:
    check(repr(tree).replace("None", "~").replace("True", "true").replace("False", "false"))


@pytest.mark.parametrize(
    "text",
    ["", "~", "a", "[" * 500, "{a: " * 500, "a: &x [*x]", "routes: &r {children: [*r]}", "groups: [[[]]]", "\ufeff"],
)
def test_hostile_files(text: str) -> None:
    check(text)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"version: 1\n\xff", b"x" * (1 << 20) + b"x"])
def test_files_that_are_no_text(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_bytes(raw)
    gathered = gather_rules([str(path)])
    assert gathered.files == ()
    assert [mistake.code for mistake in gathered.mistakes] == ["file"]
