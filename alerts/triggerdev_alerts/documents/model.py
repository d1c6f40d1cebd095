"""The ground of everything a person writes: a strict, frozen model, and the ready types of its fields.

A type here says three things at once: how the value is written, what it is in code, and how a JSON Schema describes it.
In a file a duration is text with a unit; in code it is a number of milliseconds, and a share a fraction. What a single
key means is not here, nor any sentence about where a mistake stands (`wording.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic import model_validator as whole
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from triggerdev_alerts.documents.mistakes import Unfit, found, suggestion
from triggerdev_alerts.documents.units import format_duration, format_percent, parse_duration, parse_percent

FOLDER = "folder"
WRITTEN: Mapping[str, object] = {"written": True}
"""The validation context that says: this comes from a person, so numbers want units."""


def written_in(folder: FilePath) -> dict[str, object]:
    """`WRITTEN`, for a file that lies in `folder`: what it names is relative to it."""
    return {**WRITTEN, FOLDER: folder}


class Model(BaseModel):
    """Frozen, strict, and no key that means nothing. A key without a value is as if it was not written."""

    # Built when it is first used: a command that reads no rules should not pay for the models of all conditions.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, defer_build=True)
    spoken: ClassVar[str] = ""
    """What a sentence calls it: ``a rule``; its path where this is empty."""

    @whole(mode="before")
    @classmethod
    def _drop_empty(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        known = keys_of(cls)
        return {key: value for key, value in data.items() if value is not None or key not in known}


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of `model` by the keys that a person writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def as_written(parse: Callable[[object], object]) -> BeforeValidator:
    """Read by `parse` what a person wrote, and leave alone what code gives."""

    def read(value: object, info: ValidationInfo) -> object:
        return parse(value) if info.context or isinstance(value, str) else value

    return BeforeValidator(read)


@dataclass(frozen=True, slots=True)
class Between:
    """See `between`."""

    low: float
    high: float
    show: Callable[[Any], str]

    def check(self, value: Any) -> Any:
        if not self.low <= value <= self.high:
            low, high = self.show(self.low), self.show(self.high)
            raise Unfit("range", f"{self.show(value)} is out of range; between {low} and {high} is possible")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        is_plain = described.get("type") in ("integer", "number")
        return {**described, "minimum": self.low, "maximum": self.high} if is_plain else described


def between(low: float, high: float, show: Callable[[Any], str]) -> Between:
    """Within the bounds, both possible; `show` writes a value for a person."""
    return Between(low, high, show)


def one_or_more(value: object) -> object:
    """One word where a list is wanted is a list of one."""
    return (value,) if isinstance(value, str | int | float) else value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word out of a closed list. `kind` completes the sentence: ``a severity``."""

    kind: str
    choices: Collection[str]

    def check(self, value: object) -> object:
        if isinstance(value, str) and value in self.choices:
            return value
        near = suggestion(value, self.choices).replace("; did", " – did") if isinstance(value, str) else ""
        raise Unfit("enum", f"{found(value)} is not {self.kind}; one of {', '.join(self.choices)}{near}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": list(self.choices)}


@dataclass(frozen=True, slots=True)
class Listed:
    """In a schema: a list, or one of its items alone (see `one_or_more`)."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        shape = handler(schema)
        return {"anyOf": [shape["items"], shape]}


def _one_glob(glob: str) -> str:
    if not glob or len(glob) > 256 or not glob.isprintable():
        raise Unfit("glob", f"{found(glob)} is not a pattern of names; use up to 256 visible characters, * and ?")
    return glob


def _beside(path: str, info: ValidationInfo) -> str:
    """`path` as it is opened: relative to the folder of the file that names it."""
    if not path or "\0" in path:
        raise Unfit("file", f"{found(path)} is not the name of a file")
    folder = (info.context or {}).get(FOLDER)
    return str(folder / path) if isinstance(folder, FilePath) else path


DURATION_PATTERN = r"^(?=.)([0-9]{1,12}w)?([0-9]{1,12}d)?([0-9]{1,12}h)?([0-9]{1,12}m)?([0-9]{1,12}s)?([0-9]{1,12}ms)?$"
PERCENT_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,6})?%$"

Duration = Annotated[
    int,
    as_written(parse_duration),
    PlainSerializer(format_duration, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["5m"]}),
]
"""``5m`` → milliseconds."""
Percent = Annotated[
    float,
    as_written(parse_percent),
    PlainSerializer(format_percent, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "pattern": PERCENT_PATTERN, "examples": ["10%"]}),
]
"""``10%`` → 0.1."""
Count = Annotated[int, between(0, 1_000_000_000, str), WithJsonSchema({"type": "integer", "minimum": 0})]
Glob = Annotated[str, AfterValidator(_one_glob), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})]
"""A pattern of names: ``*`` any characters, ``?`` one."""
Globs = Annotated[tuple[Glob, ...], BeforeValidator(one_or_more), Listed()]
"""One pattern or a list of them."""
FileName = Annotated[str, AfterValidator(_beside), WithJsonSchema({"type": "string", "minLength": 1})]
"""The name of a file, relative to the file that names it; in code as it is opened."""
