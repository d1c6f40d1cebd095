"""What may stand under ``when``: a model for each row of the catalogue, made from it, and the `Condition` it becomes.

No condition is named here; a new row is enough.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, cast

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, create_model
from pydantic import model_validator as whole

from triggerdev_alerts.conditions.catalogue import CONDITIONS, ConditionType
from triggerdev_alerts.conditions.keys import REQUIRED, Condition, Key, Kind, Value
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.documents.model import Globs, Listed, Model, OneOf, one_or_more
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.signals import Where

TARGET = "target"
_NARROWING = {
    "task": "Only tasks like these.",
    "queue": "Only queues like these.",
    "version": "Only versions like these.",
    "tag": "Only runs with a tag like these.",
}
_NARROWING_EXAMPLES = {"task": "billing-*", "queue": ["task/*", "emails"], "version": "20261123.*", "tag": "team:*"}


class WrittenCondition(Model):
    """What every condition may say."""

    row: ClassVar[ConditionType]

    @whole(mode="after")
    def _check_order(self) -> WrittenCondition:
        keys = {key.name: key for key in self.row.keys}
        clear, above = getattr(self, "clear_below", None), getattr(self, "above", None)
        if clear is not None and above is not None and clear >= above:
            shown = quantities.show(keys["clear_below"], clear)
            limit = quantities.show(keys["above"], above)
            raise Unfit("order", f"clear_below ({shown}) must be lower than above ({limit})", at="clear_below")
        return self


def _check_by(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Unfit("duplicate", f'"{twice}" is there twice; keep one of them')
    return names


def _by(row: ConditionType) -> tuple[Any, Any]:
    possible = (*(() if row.is_self else (TARGET,)), *row.dimensions)
    dimension = OneOf(f"what {row.name} can be split by", possible)
    annotation: Any = Annotated[tuple[Annotated[str, dimension], ...], BeforeValidator(_listed_by), Listed()] | None
    shown = [*(() if row.is_self else (TARGET,)), *row.by]
    return annotation, Field(
        None,
        description="One alert for each of these; each target has its own in any case.",
        examples=[shown],
        json_schema_extra={"default": shown},
    )


def _listed_by(value: object) -> object:
    names = one_or_more(value)
    return _check_by(names) if isinstance(names, tuple) and all(isinstance(name, str) for name in names) else names


def _statuses(key: Key) -> Any:
    """Each word is looked at by itself, so that each wrong one is told, and where it stands."""
    return Annotated[
        tuple[Annotated[str, quantities.status(key)], ...],
        BeforeValidator(lambda value: quantities.listed_statuses(key, value)),
        WithJsonSchema(quantities.schema(key)),
    ]


def _quantity(key: Key) -> Any:
    return Annotated[
        object,
        BeforeValidator(lambda value: quantities.parse(key, value)),
        PlainSerializer(lambda value: quantities.show(key, value), when_used="json-unless-none"),
        WithJsonSchema(quantities.schema(key)),
    ]


def _field(key: Key) -> tuple[Any, Any]:
    annotation = _statuses(key) if key.kind is Kind.STATUSES else _quantity(key)
    more: dict[str, Any] = {}
    if key.default is not REQUIRED and key.default is not None:
        more["default"] = quantities.show(key, cast("Value", key.default))
    shown = quantities.example(key)
    if key.default is not REQUIRED:
        annotation = annotation | None
    return annotation, Field(
        ... if key.default is REQUIRED else None,
        description=key.help,
        examples=None if shown is None else [shown],
        json_schema_extra=more or None,
    )


def _model(row: ConditionType) -> type[WrittenCondition]:
    fields: dict[str, Any] = {"by": _by(row)}
    if not row.is_self:
        fields[TARGET] = (Globs | None, Field(None, description="Only targets like these.", examples=["shop-*"]))
    for name in row.narrows:
        fields[name] = (Globs | None, Field(None, description=_NARROWING[name], examples=[_NARROWING_EXAMPLES[name]]))
    if "task" in row.narrows:
        fields["include_test"] = (bool, Field(False, description="Whether test runs count.", examples=[True]))
    fields |= {key.name: _field(key) for key in row.keys}
    model = create_model(row.name, __base__=WrittenCondition, __doc__=row.help, **fields)
    model.row = row
    model.spoken = row.name
    return model


MODELS: dict[str, type[WrittenCondition]] = {name: _model(row) for name, row in CONDITIONS.items()}


class _OneCondition(Model):
    """One condition: its name, and its keys below it."""

    spoken = "when"

    @whole(mode="before")
    @classmethod
    def _nothing_is_enough(cls, data: object) -> object:
        """``when: {queue_stalled: }`` says everything where no key is required."""
        if not isinstance(data, dict):
            return data
        return {key: {} if value is None and key in MODELS else value for key, value in data.items()}

    @whole(mode="after")
    def _exactly_one(self) -> _OneCondition:
        names = [name for name in MODELS if getattr(self, name) is not None]
        if not names:
            raise Unfit("missing", "a condition is required in when; write it like when: {queue_depth: {above: 500}}")
        if len(names) > 1:
            text = f"a rule has one condition, not {' and '.join(names)}; make a rule of each"
            raise Unfit("when", text, at=names[1])
        return self

    @property
    def written(self) -> WrittenCondition:
        found: WrittenCondition = next(one for one in (getattr(self, name) for name in MODELS) if one is not None)
        return found


WrittenWhen = create_model(
    "When",
    __base__=_OneCondition,
    __doc__="One condition: its name, and its keys below it.",
    **{  # type: ignore[call-overload]  # made from rows, so no type checker knows the names
        name: (model | None, Field(None, description=CONDITIONS[name].help)) for name, model in MODELS.items()
    },
)


def condition(written: WrittenCondition, *, min_sample: int | None = None) -> Condition:
    """The condition with every key filled in; `min_sample` is what the file's defaults say."""
    row = written.row
    values: dict[str, Value] = {}
    for key in row.keys:
        value: Value = getattr(written, key.name)
        if value is None and key.from_defaults and key.name == "min_sample":
            value = min_sample
        values[key.name] = key.default if value is None else value
    by: tuple[str, ...] | None = getattr(written, "by", None)
    return Condition(
        type=row.name,
        by=row.by if by is None else tuple(name for name in by if name != TARGET),
        targets=getattr(written, TARGET, None) or (),
        where=Where(
            **{name: getattr(written, name, None) or () for name in _NARROWING},
            include_test=bool(getattr(written, "include_test", False)),
        ),
        values=values,
    )
