"""What docs/rules.md shows is true: its example loads without a warning, and its tables are today's."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.schema import rules_schema
from triggerdev_alerts.rules.sources import RuleFile

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "rules.md").read_text("utf-8")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules_reference", DOCS / "rules_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example() -> str:
    (block,) = (block for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL) if "groups:" in block)
    return str(block)


def test_the_example_loads_without_a_warning() -> None:
    loaded = read_rules([RuleFile("rules.yml", example())])
    assert loaded.warnings == ()
    assert len(loaded.ruleset.rules) == 4
    assert len(loaded.cases) == 1


def test_the_example_is_valid() -> None:
    data = YAML(typ="safe", pure=True).load(example())
    assert [error.message for error in Draft202012Validator(rules_schema()).iter_errors(data)] == []


def test_the_reference_is_todays() -> None:
    assert generator().filled(PAGE) == PAGE, "run make docs"


def test_every_condition_is_in_it() -> None:
    assert [name for name in CONDITIONS if f"| `{name}` |" not in PAGE] == []
