"""The JSON Schema of a file of rules (draft 2020-12), from the models and rows that read it. For editors and CI."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import REQUIRED
from triggerdev_alerts.documents.model import DURATION_PATTERN, PERCENT_PATTERN
from triggerdev_alerts.rules.written import WrittenRules

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = {"type": "string", "pattern": DURATION_PATTERN}
_PERCENT = {"type": "string", "pattern": PERCENT_PATTERN}
_GLOB = {"type": "string", "minLength": 1, "maxLength": 256}
_GLOBS = {"anyOf": [_GLOB, {"type": "array", "items": _GLOB}]}
_SHARE = {"anyOf": [_PERCENT, {"type": "number", "minimum": 0, "maximum": 1}]}
#: Shapes that stand in many places, by the name that they get.
_SHAPES: dict[str, dict[str, Any]] = {"duration": _DURATION, "share": _SHARE, "globs": _GLOBS}
_HELP = {
    "duration": "A number with a unit, or several, the largest first: 30s, 5m, 1h30m, 7d.",
    "share": "A percentage like 10%, or a fraction between 0 and 1.",
    "globs": "A pattern or a list of them: * any characters, ? one, [ab] one of these.",
}


class _Generator(GenerateJsonSchema):
    """Without what pydantic knows and a person does not: class names, nulls, numbers of milliseconds."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = self.generate_inner(schema["schema"])
        default = schema.get("default")
        # A duration is a number in code: only what reads the same in a file is told.
        plain = isinstance(default, bool | int) and described.get("type") in ("boolean", "integer")
        return {**described, "default": default} if plain or isinstance(default, str) else described

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value  # the order of keys is the order in which they are explained


def rules_schema() -> dict[str, Any]:
    """The schema as plain data."""
    described = WrittenRules.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = described.pop("$defs")
    for name in ("When", "Receiver"):
        definitions[name] |= {"minProperties": 1, "maxProperties": 1}
    _bare_conditions(definitions["When"])
    shapes = {name: {"description": _HELP[name], **shape} for name, shape in _SHAPES.items()}
    whole = {
        "$schema": _DIALECT,
        "title": "Alert rules of triggerdev-exporter",
        **_without_titles(described),
        "$defs": shapes | {_short(name): _without_titles(one) for name, one in definitions.items()},
    }
    return cast("dict[str, Any]", _shared(whole))


def schema_text() -> str:
    """The schema as it is printed."""
    return json.dumps(rules_schema(), indent=2, ensure_ascii=False) + "\n"


def _bare_conditions(when: dict[str, Any]) -> None:
    """A condition without required keys may stand there with nothing below it."""
    properties = when["properties"]
    for name, row in CONDITIONS.items():
        if all(key.default is not REQUIRED for key in row.keys):
            reference = {"$ref": properties[name].pop("$ref")}
            properties[name] = {"anyOf": [reference, {"type": "null"}], **properties[name]}


def _short(name: str) -> str:
    """``WrittenTimeRange`` → ``time_range``, ``…__slack__Settings`` → ``slack_settings``, ``cost`` → ``when_cost``."""
    if name in CONDITIONS:
        return f"when_{name}"
    name = re.sub(r"^.*__(\w+)__Settings$", r"\1_settings", name).removeprefix("Written")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _without_titles(schema: Any) -> Any:
    """`schema` and all below it without ``title``, which repeats the name of a class or a key."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        # Below properties stand names of a person's keys, and one of them may be "title".
        key: {name: _without_titles(one) for name, one in value.items()}
        if key == "properties"
        else value
        if key in ("examples", "default")
        else _without_titles(value)
        for key, value in schema.items()
        if key != "title"
    }


def _shared(schema: Any) -> Any:
    """`schema` with references for the shapes that stand in many places, and short names in references."""
    if isinstance(schema, list):
        return [_shared(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(reference := schema.get("$ref"), str):
        return {**schema, "$ref": f"#/$defs/{_short(reference.rsplit('/', 1)[-1])}"}
    for name, shape in _SHAPES.items():
        if all(schema.get(word) == value for word, value in shape.items()) and schema.get("description") != _HELP[name]:
            rest = {word: value for word, value in schema.items() if word not in shape}
            return {"$ref": f"#/$defs/{name}", **rest}
    return {key: value if key in ("examples", "default") else _shared(value) for key, value in schema.items()}
