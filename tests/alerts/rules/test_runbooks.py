"""A runbook for each shipped rule, and none besides; what can be copied out of them fits what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from triggerdev_alerts.notify.matcher_text import parse_words
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.lints import labels_of
from triggerdev_alerts.rules.load import read_rules
from triggerdev_exporter.metrics.catalogue import ALL

FOLDER = Path(__file__).parents[3] / "alerts" / "runbooks"
RULESET = read_rules(shipped_rules()).ruleset
RULES = {rule.name: rule for rule in RULESET.rules}
BOOKS = {path.stem: path.read_text("utf-8") for path in FOLDER.iterdir()}
SECTIONS = ["Look first", "Likely causes", "Do", "Silence"]
each_book = pytest.mark.parametrize("name", sorted(BOOKS))


def test_each_rule_has_one_and_no_other_is_there() -> None:
    assert BOOKS.keys() == RULES.keys()


@each_book
def test_it_is_short_and_in_the_usual_order(name: str) -> None:
    text = BOOKS[name]
    assert text.startswith(f"# {name}\n\n")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == SECTIONS
    assert len(text) < 3_000, "nobody reads more at three in the morning"


@each_book
def test_its_commands_can_be_pasted(name: str) -> None:
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", BOOKS[name], flags=re.DOTALL))
    subprocess.run(["bash", "-n"], input=commands, text=True, check=True)


@each_book
def test_the_metrics_that_it_looks_for_exist(name: str) -> None:
    names = "\n".join(family.full_name for family in ALL)
    wanted = re.findall(r"^ours '([^']*)'", BOOKS[name], flags=re.MULTILINE)
    for pattern in wanted:
        for one in spelt_out(pattern.partition(".*")[0]):
            assert one.removesuffix("_sum").removesuffix("_count") in names, pattern


def spelt_out(pattern: str) -> list[str]:
    """``a_(b|c)|d`` → a_b, a_c, d."""
    group = re.search(r"(\w*)\(([\w|]*)\)(\w*)", pattern)
    if group is None:
        return pattern.split("|")
    inside = "|".join(f"{group[1]}{one}{group[3]}" for one in group[2].split("|"))
    return spelt_out(pattern[: group.start()] + inside + pattern[group.end() :])


@each_book
def test_its_silence_is_about_labels_that_the_alert_has(name: str) -> None:
    (line,) = re.findall(r"^triggerdev-exporter silence add (.*) --for 2h$", BOOKS[name], flags=re.MULTILINE)
    matchers = {one.label: one.values for one in parse_words(line.split())}
    assert matchers["alertname"] == (name,)
    assert matchers.keys() <= labels_of(RULES[name], RULESET)


@each_book
def test_other_alerts_that_it_names_exist(name: str) -> None:
    named = set(re.findall(r"\b(?:see|disable: \[) ?([A-Z][A-Za-z]+)", BOOKS[name]))
    assert named <= RULES.keys()
