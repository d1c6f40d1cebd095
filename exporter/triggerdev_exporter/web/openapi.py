"""The OpenAPI document of the HTTP API, made of the rows of its routes and the structs that they answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from triggerdev_exporter import __version__
from triggerdev_exporter.web.alert_views import ErrorAnswer
from triggerdev_exporter.web.api_route import ApiRoute, Parameter

_JSON = "application/json"
_REFS = "#/components/schemas/{name}"
_MEANS = {
    400: "What was asked for cannot be meant.",
    401: "Users are configured, and this is none of them.",
    403: "A browser sent it for a page of another site.",
    404: "There is nothing of that name.",
    409: "The thing is not in that state.",
    413: "The body is too large.",
    415: "The body must be JSON, and say so.",
    429: "Too many requests; `Retry-After` says when to ask again.",
    500: "Something broke; the log says what.",
    503: "It cannot be answered now: alerting is not running yet, or its state cannot be written.",
}


def document(routes: Iterable[ApiRoute]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    routes = list(routes)
    types = {ErrorAnswer, *(route.answers for route in routes), *(route.body for route in routes)} - {None}
    ordered = sorted(types, key=lambda one: one.__name__ if one else "")
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFS)
    of_type = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "triggerdev-exporter",
            "version": __version__,
            "description": "What the pages show, and what people may change. Fields are only ever added within a major "
            "version. Instants are RFC 3339 in UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": dict(components),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        # Without users nobody is asked.
        "security": [{}, {"basic": []}],
    }


def _operation(route: ApiRoute, of_type: dict[Any, Any]) -> dict[str, Any]:
    refusals = {400, 401, 429, 500, *route.refuses, *((403, 415) if route.is_write else ())} | (
        {413} if route.body else set()
    )
    answers = {"type": "object"} if route.answers is None else of_type[route.answers]
    operation: dict[str, Any] = {
        "operationId": _name(route),
        "summary": route.says,
        "responses": {
            str(route.status): {"description": HTTPStatus(route.status).phrase, "content": {_JSON: {"schema": answers}}}
        },
    }
    parameters = [_parameter(one, "path") for one in route.in_path]
    parameters += [_parameter(one, "query") for one in route.query]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        content: dict[str, Any] = {"schema": of_type[route.body]}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {"required": True, "content": {_JSON: content}}
    for status in sorted(refusals):
        content = {_JSON: {"schema": of_type[ErrorAnswer]}}
        operation["responses"][str(status)] = {"description": _MEANS[status], "content": content}
    return operation


def _name(route: ApiRoute) -> str:
    parts = [part.strip("{}") for part in route.path.split("/")[3:]]
    return "_".join([route.method.lower(), *parts]).replace(".", "_")


def _parameter(one: Parameter, where: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if one.is_number else "string"}
    if one.choices:
        schema["enum"] = list(one.choices)
    if one.least is not None:
        schema["minimum"] = one.least
    if one.most is not None:
        schema["maximum"] = one.most
    if one.default is not None:
        schema["default"] = one.default
    if one.pattern:
        schema["pattern"] = one.pattern
    return {"name": one.name, "in": where, "required": where == "path", "description": one.says, "schema": schema}
