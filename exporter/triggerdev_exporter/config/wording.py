"""Our sentences for what pydantic finds. No word of pydantic's reaches a person, and no value without `found`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from triggerdev_alerts.documents.mistakes import Mistake, Place, Unfit, found, suggestion
from triggerdev_alerts.documents.positions import Path
from triggerdev_exporter.config.model import WrittenConfig

Where = Callable[[Path, bool], Place]
"""Path, whether its key is meant → the place of it."""

# Where people put a key when they have not read how; the names that promise one.
_INLINE = frozenset({"secret_key", "secret", "key", "api_key", "apikey", "token", "access_token", "secretkey"})
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "mapping_type": "a mapping of names to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


def mistake_of(error: ErrorDetails, where: Where) -> Mistake:
    """One finding as a sentence with its place."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    about_key = error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",)
    code, text = _sentence(error, path)
    return Mistake(code, text, where(path, about_key))


def _sentence(error: ErrorDetails, path: Path) -> tuple[str, str]:
    kind, value = error["type"], error["input"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(path[-1]), path[:-1])
    if kind == "value_error" and isinstance(context.get("error"), Unfit):
        unfit: Unfit = context["error"]
        return unfit.code, unfit.text
    if kind == "literal_error":
        choices = _choices(path)
        return (
            "enum",
            f"{found(value)} is not possible here; one of {', '.join(choices)}{suggestion(str(value), choices)}",
        )
    wanted = _WANTED.get(kind)
    if wanted is None:
        return "value", f"{_named(path)} cannot be {found(value)}"
    remedy = ": put it in quotes" if wanted == "text" and isinstance(value, int | float) else ""
    return "type", f"{_named(path)} wants {wanted}, not {found(value)}{remedy}"


def _unknown(key: str, section: Path) -> tuple[str, str]:
    known = list(_model_at(section).model_fields)
    if key.lower() in _INLINE:
        remedy = "put it in a file (secret_key_file) or in a variable (secret_key_env)"
        return "secret", f"a secret key does not belong in a config file; {remedy}"
    inside = f" in {_spelled(section)}" if section else ""
    return "unknown-key", f"unknown key {found(key)}{inside}{suggestion(key, known) or _list_of(known)}"


def _list_of(known: Iterable[str]) -> str:
    *most, last = (found(key) for key in sorted(known))
    return f"; known are {', '.join(most)} and {last}" if most else f"; only {last} is known"


def _named(path: Path) -> str:
    if not path:
        return "a config file"
    return f'"{path[-1]}"' if isinstance(path[-1], str) else f'each of "{path[-2]}"'


def _spelled(path: Path) -> str:
    """``targets[0].quota``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _choices(path: Path) -> list[str]:
    annotation = _model_at(path[:-1]).model_fields[str(path[-1])].annotation
    return [str(choice) for choice in get_args(annotation)]


def _model_at(path: Path) -> type[BaseModel]:
    """The model that stands at `path` in a written config."""
    model: type[BaseModel] = WrittenConfig
    for part in path:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            model = next(
                one
                for one in (annotation, *get_args(annotation))
                if isinstance(one, type) and issubclass(one, BaseModel)
            )
    return model
