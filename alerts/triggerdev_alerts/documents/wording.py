"""Our sentences for what pydantic finds. No word of pydantic's reaches a person, and no value without `found`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from triggerdev_alerts.documents.mistakes import Mistake, Place, Unfit, flow, found, nearest, suggestion
from triggerdev_alerts.documents.model import Model, keys_of
from triggerdev_alerts.documents.positions import Path

Where = Callable[[Path, bool], Place]
"""Path, whether its key is meant → the place of it."""
Refusal = Callable[[str, Path], tuple[str, str] | None]
"""An unknown key and its section → code and sentence, where there is more to say than that it is unknown."""

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "mapping_type": "a mapping of names to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than_equal": "the least is {ge}",
    "less_than_equal": "the most is {le}",
    "greater_than": "it must be more than {gt}",
    "less_than": "it must be less than {lt}",
    "too_short": "at least {min_length} are wanted",
    "too_long": "at most {max_length} are possible",
    "string_too_short": "it has at least {min_length} characters",
    "string_too_long": "it has at most {max_length} characters",
}


def _nothing_more(_: str, __: Path) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Wording:
    """How mistakes in one kind of document are told."""

    root: type[BaseModel]
    document: str
    """What a sentence calls the whole: ``a config file``."""
    refusal: Refusal = _nothing_more
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """What a key is called in documents of others → here."""

    def mistakes(self, errors: Sequence[ErrorDetails], where: Where) -> list[Mistake]:
        """A sentence with its place for each finding; none for what only follows from a misspelt key."""
        misspelt = {
            (*path[:-1], near)
            for path in (_path(error) for error in errors if error["type"] == "extra_forbidden")
            if (near := self._meant(str(path[-1]), self._known(path[:-1])))
        }
        return [
            self.mistake(error, where) for error in errors if error["type"] != "missing" or _path(error) not in misspelt
        ]

    def mistake(self, error: ErrorDetails, where: Where) -> Mistake:
        """One finding as a sentence with its place."""
        path = _path(error)
        about_key = error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",) or error["input"] is None
        code, text = self._sentence(error, path)
        blamed = getattr(error.get("ctx", {}).get("error"), "at", None)
        return Mistake(code, text, where(path if blamed is None else (*path, blamed), about_key))

    def _sentence(self, error: ErrorDetails, path: Path) -> tuple[str, str]:
        kind, value = error["type"], error["input"]
        context = error.get("ctx", {})
        if kind == "extra_forbidden":
            return self._unknown(str(path[-1]), path[:-1])
        if kind == "missing":
            return "missing", self._missing(path)
        if kind == "value_error" and isinstance(context.get("error"), Unfit):
            unfit: Unfit = context["error"]
            return unfit.code, unfit.text
        if kind == "literal_error":
            choices = self._choices(path)
            return (
                "enum",
                f"{found(value)} is not possible here; one of {', '.join(choices)}{suggestion(str(value), choices)}",
            )
        if kind in _BOUNDS:
            return "range", f"{self._named(path)} cannot be {found(value)}; {_BOUNDS[kind].format_map(context)}"
        wanted = _WANTED.get(kind)
        if wanted is None:
            return "value", f"{self._named(path)} cannot be {found(value)}"
        remedy = ": put it in quotes" if wanted == "text" and isinstance(value, int | float) else ""
        if wanted.startswith("a mapping"):
            remedy = self._like(path)
        return "type", f"{self._named(path)} wants {wanted}, not {found(value)}{remedy}"

    def _unknown(self, key: str, section: Path) -> tuple[str, str]:
        refused = self.refusal(key, section)
        if refused is not None:
            return refused
        known = self._known(section)
        inside = f" in {self._spoken(section)}" if section else ""
        near = self._meant(key, known)
        hint = listed(known) if near is None else f"; did you mean {found(near)}?"
        return "unknown-key", f"unknown key {found(key)}{inside}{hint}"

    def _meant(self, key: str, known: Collection[str]) -> str | None:
        own = self.elsewhere.get(key)
        return own if own in known else nearest(key, known)

    def _missing(self, path: Path) -> str:
        return f"{found(path[-1])} is required in {self._spoken(path[:-1]) or self.document}{self._like(path)}"

    def _like(self, path: Path) -> str:
        """``; write it like above: 10%``, where an example is known."""
        model = self.model_at(path[:-1]) if path else None
        row = None if model is None else keys_of(model).get(str(path[-1]))
        example = next(iter(row.examples or ()), None) if row is not None else None
        return f"; write it like {path[-1]}: {flow(example)}" if example is not None else ""

    def _spoken(self, section: Path) -> str:
        model = self.model_at(section)
        return (model.spoken if model is not None and issubclass(model, Model) else "") or spelled(section)

    def _named(self, path: Path) -> str:
        if not path:
            return self.document
        return f'"{path[-1]}"' if isinstance(path[-1], str) else f'each of "{path[-2]}"'

    def _known(self, section: Path) -> list[str]:
        model = self.model_at(section)
        return [] if model is None else list(keys_of(model))

    def _choices(self, path: Path) -> list[str]:
        return [str(choice) for choice in get_args(_plain(self._annotation_at(path)))]

    def model_at(self, path: Path) -> type[BaseModel] | None:
        """The model that stands at `path`, if one does."""
        model = _plain(self._annotation_at(path))
        return model if isinstance(model, type) and issubclass(model, BaseModel) else None

    def _annotation_at(self, path: Path) -> Any:
        annotation: Any = self.root
        for part in path:
            annotation = _plain(annotation)
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                field = keys_of(annotation).get(str(part))
                annotation = None if field is None else field.annotation
                continue
            origin, arguments = get_origin(annotation), get_args(annotation)
            is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
            annotation = arguments[1 if is_mapping else 0] if arguments else None
        return annotation


def _plain(annotation: Any) -> Any:
    """Without ``Annotated`` and ``| None``."""
    while get_origin(annotation) is Annotated or type(None) in get_args(annotation):
        annotation = next((one for one in get_args(annotation) if one is not type(None)), None)
    return annotation


def _path(error: ErrorDetails) -> Path:
    return tuple(part for part in error["loc"] if part != "[key]")


def listed(known: Collection[str]) -> str:
    """``; known are "a", "b" and "c"``, for a word that is near none of them."""
    *most, last = (found(key) for key in sorted(known)) if known else ("",)
    if not last:
        return ""
    return f"; known are {', '.join(most)} and {last}" if most else f"; only {last} is known"


def spelled(path: Path) -> str:
    """``targets[0].quota``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
