"""The words that files of rules are made of: names, labels, patterns, and what an entry of a list is.

What any section may say is in `written.py` and `written_delivery.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from triggerdev_alerts.documents.mistakes import Unfit, found, mask
from triggerdev_alerts.documents.model import Listed, one_or_more

FORGIVING = "forgiving"
"""In the validation context: drop what is wrong instead of refusing, to look at the rest."""

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}", re.ASCII)
_ALERT_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,127}", re.ASCII)

TAKEN = frozenset("alertname alert severity target env task queue version tag schedule collector receiver rule".split())
"""Labels that every alert or its condition sets."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a list or a mapping. When forgiving, it is read without its wrong keys, or is ``None``."""

    def read(self, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if not (info.context or {}).get(FORGIVING):
            if value is None:
                raise Unfit("empty", "nothing is written here; remove it or fill it in")
            return handler(value)
        try:
            return handler(value)
        except ValidationError as error:
            spoilt = {finding["loc"][0] for finding in error.errors(include_url=False) if finding["loc"]}
        rest = {key: one for key, one in value.items() if key not in spoilt} if isinstance(value, dict) else {}
        try:
            return handler(rest) if rest and spoilt else None
        except ValidationError:
            return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_wrap_validator_function(self.read, handler(source))


ENTRY = _Entry()


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise Unfit("name", f"{found(name)} is not a name; use 1 to 64 visible characters")
    if mask(name) != name:
        raise Unfit("secret", "this is a key, and a name is shown to everyone")
    return name


def _check_alert(name: str) -> str:
    if not _ALERT_NAME.fullmatch(name):
        raise Unfit("name", f"{found(name)} is not a name for an alert; use letters, digits, _ and no digit first")
    return name


def _check_label(name: str) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise Unfit("label", f"{found(name)} is not a label name; use letters, digits and _, and no digit first")
    return name


def _check_own_label(name: str) -> str:
    if name in TAKEN:
        raise Unfit("label", f"the label {found(name)} is set by the rule itself; give yours another name")
    return _check_label(name)


def check_label_value(value: str) -> str:
    if len(value.encode("utf-8", "replace")) > 256 or not value.isprintable():
        raise Unfit("label", "a label value has at most 256 bytes, all of them visible")
    if "{{" in value:
        raise Unfit("template", "a label is plain text: a value in it would make another alert at each evaluation")
    if mask(value) != value:
        raise Unfit("secret", "this is a key, and a label is shown to everyone")
    return value


def _check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    if len(labels) > 20:
        raise Unfit("label", f"{len(labels)} labels are too many; a rule may add 20")
    return labels


def _check_patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise Unfit("match", "nothing can match an empty list; name a value")
    if len({value.startswith("!") for value in values}) > 1:
        raise Unfit("match", "either values or !values: what is not excluded cannot be listed too")
    return values


Name = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64})]
AlertName = Annotated[
    str,
    AfterValidator(_check_alert),
    WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$"}),
]
LabelName = Annotated[
    str, AfterValidator(_check_label), WithJsonSchema({"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,63}$"})
]
LabelNames = Annotated[tuple[LabelName, ...], BeforeValidator(one_or_more), Listed()]
Names = Annotated[tuple[Name, ...], BeforeValidator(one_or_more), Listed()]
OwnLabels = Annotated[
    Mapping[
        Annotated[
            str,
            AfterValidator(_check_own_label),
            WithJsonSchema({"pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,63}$", "not": {"enum": sorted(TAKEN)}}),
        ],
        Annotated[str, AfterValidator(check_label_value), WithJsonSchema({"type": "string", "maxLength": 256})],
    ],
    AfterValidator(_check_labels),
]
Annotations = Mapping[LabelName, Annotated[str, WithJsonSchema({"type": "string"})]]
Match = Mapping[
    LabelName,
    Annotated[
        tuple[Annotated[str, WithJsonSchema({"type": "string"})], ...],
        BeforeValidator(one_or_more),
        AfterValidator(_check_patterns),
        Listed(),
    ],
]
"""Label → globs, any of which may match; ``!glob`` excludes. An absent label is an empty one."""
