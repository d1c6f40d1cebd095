"""The JSON Schema says what the reader does, as far as a schema can say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from rule_files import rule_files, whens
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.schema import rules_schema, schema_text
from triggerdev_alerts.rules.sources import RuleFile

HERE = Path(__file__).parent
SCHEMA = rules_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
Location = tuple[str | int, ...]


def example() -> Any:
    return YAML(typ="safe", pure=True).load((HERE / "example.yml").read_text("utf-8"))


def is_read(data: object) -> bool:
    try:
        read_rules([RuleFile("rules.yml", json.dumps(data))])
    except RulesError:
        return False
    return True


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(schema_text()) == SCHEMA


def test_the_example_is_valid() -> None:
    assert list(VALIDATOR.iter_errors(example())) == []


def keys(data: Any, at: Location = ()) -> Iterator[Location]:
    """Where every key stands, except those that a person makes up."""
    made_up = (
        at[-1:] in [("owners",), ("receivers",), ("time_intervals",), ("annotations",), ("labels",)]
        or at[-1:] in [("match",), ("source",)]
        or (at[-1:] == ("target",) and at[:1] == ("inhibit",))
    )
    if isinstance(data, dict):
        for key, value in data.items():
            if not made_up:
                yield (*at, key)
            yield from keys(value, (*at, key))
    elif isinstance(data, list):
        for n, value in enumerate(data):
            yield from keys(value, (*at, n))


@pytest.mark.parametrize("at", list(keys(example())), ids=lambda at: ".".join(map(str, at)))
def test_a_misspelt_key_is_neither_valid_nor_read(at: Location) -> None:
    data = example()
    section = data
    for part in at[:-1]:
        section = section[part]
    section[f"{at[-1]}z"] = section.pop(at[-1])
    assert not VALIDATOR.is_valid(data)
    assert not is_read(data)


@settings(max_examples=60, deadline=None)
@given(rule_files())
def test_what_is_read_is_valid(data: dict[str, Any]) -> None:
    assert is_read(data)
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


odd_values = st.sampled_from(
    ["", "5", "5 min", "10", "1h1d", "3y", "10 %", "fifty", -1, 1.5, 10, 1000, True, [], {}, ["x", 1], {"a": 1}, "p95"]
)


@settings(max_examples=200, deadline=None)
@given(whens, st.data())
def test_both_agree_on_a_condition_with_an_odd_value(when: dict[str, Any], data: st.DataObject) -> None:
    ((name, said),) = when.items()
    possible = [key.name for key in CONDITIONS[name].keys if key.name != "clear_below"]
    if not possible:
        return
    key = data.draw(st.sampled_from(possible))
    value = data.draw(odd_values)
    file = {"groups": [{"name": "g", "rules": [{"alert": "A", "when": {name: {**said, key: value}}}]}]}
    if VALIDATOR.is_valid(file):
        # What no schema says: bounds of durations and shares in text, whole cells, the order of two values.
        assert is_read(file) or _told(file) <= {"range", "window", "order"}
    else:
        assert not is_read(file)


def _told(data: object) -> set[str]:
    with pytest.raises(RulesError) as raised:
        read_rules([RuleFile("rules.yml", json.dumps(data))])
    return {mistake.code for mistake in raised.value.found}


def objects(schema: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a section with keys of its own."""
    if isinstance(schema, list):
        for n, one in enumerate(schema):
            yield from objects(one, f"{at}/{n}")
    elif isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield at, schema
        for key, one in schema.items():
            if key not in ("examples", "default"):
                yield from objects(one, f"{at}/{key}")


def test_every_section_is_closed_and_every_key_is_explained() -> None:
    sections = dict(objects(SCHEMA))
    assert len(sections) > 50
    assert [at for at, section in sections.items() if section["additionalProperties"] is not False] == []
    unexplained = [
        f"{at}/{key}"
        for at, section in sections.items()
        for key, schema in section["properties"].items()
        if not _explained(schema)
    ]
    assert unexplained == []


def _explained(schema: dict[str, Any]) -> bool:
    references = [one["$ref"] for one in (schema, *schema.get("anyOf", ())) if "$ref" in one]
    targets = (SCHEMA["$defs"][reference.rsplit("/", 1)[-1]] for reference in references)
    return "description" in schema or any(_explained(target) for target in targets)


def with_examples(schema: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        for n, one in enumerate(schema):
            yield from with_examples(one, f"{at}/{n}")
    elif isinstance(schema, dict):
        if "examples" in schema and isinstance(schema["examples"], list):
            yield at, schema
        for key, one in schema.items():
            if key not in ("examples", "default"):
                yield from with_examples(one, f"{at}/{key}")


def test_every_example_and_default_is_valid() -> None:
    wrong = [
        f"{at}: {value}"
        for at, schema in with_examples(SCHEMA)
        for value in (*schema["examples"], *([schema["default"]] if "default" in schema else []))
        if not VALIDATOR.evolve(schema={**schema, "$defs": SCHEMA["$defs"]}).is_valid(value)
    ]
    assert wrong == []


def test_every_condition_and_every_kind_of_receiver_is_there() -> None:
    assert set(SCHEMA["$defs"]["when"]["properties"]) == set(CONDITIONS)
    assert set(SCHEMA["$defs"]["receiver"]["properties"]) == set(KINDS)


def test_no_name_of_a_class_is_in_it() -> None:
    assert re.findall(r"Written\w+|__\w+|triggerdev_alerts", schema_text()) == []
