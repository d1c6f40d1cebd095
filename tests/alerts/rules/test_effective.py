"""What is shown as effective says everything: read back, it is the same rule set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from rule_files import rule_files
from triggerdev_alerts.rules.effective import effective
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import Place, RuleSet
from triggerdev_alerts.rules.sources import RuleFile

HERE = Path(__file__).parent


def anywhere(ruleset: RuleSet) -> RuleSet:
    """Without the lines in which things were written."""
    return replace(
        ruleset,
        groups=tuple(
            replace(group, rules=tuple(replace(rule, place=Place()) for rule in group.rules))
            for group in ruleset.groups
        ),
        receivers={name: replace(receiver, place=Place()) for name, receiver in ruleset.receivers.items()},
    )


def read(text: str) -> RuleSet:
    return read_rules([RuleFile("rules.yml", text)]).ruleset


@settings(max_examples=60, deadline=None)
@given(rule_files())
def test_it_reads_back_as_the_same(written: dict[str, Any]) -> None:
    ruleset = read(json.dumps(written))
    again = read(effective(ruleset))
    assert anywhere(again) == anywhere(ruleset)
    assert effective(again) == effective(ruleset)


def test_the_example_reads_back_as_the_same() -> None:
    ruleset = read((HERE / "example.yml").read_text("utf-8"))
    assert anywhere(read(effective(ruleset))) == anywhere(ruleset)


def test_a_secret_that_stood_in_a_file_is_not_shown() -> None:
    text = 'receivers: {hook: {webhook: {url: "https://hooks.example/SeCrEt"}}}\nroutes: {receiver: hook}'
    assert "SeCrEt" not in effective(read(text))


def test_nothing_at_all_is_something_that_can_be_read() -> None:
    assert read(effective(RuleSet())) == RuleSet()
