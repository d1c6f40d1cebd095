"""The OpenAPI document: all routes are in it, its references resolve, and answers are as it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pages_stage import paged
from triggerdev_exporter.web.server import api_routes


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


async def test_it_describes_what_is_served(tmp_path: Path) -> None:
    async with paged(tmp_path, "shop", history_s=600) as stage, stage.serving() as client:
        await stage.daemon.poll()
        await stage.put("TaskFailureRateHigh", task="charge-card")
        await stage.dead("charge-card")
        await stage.silence("task=charge-card")
        document = await (await client.get("/api/v1/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        for reference in references(document):
            assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
        described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
        assert described == {(route.method, route.path) for route in api_routes(stage)}
        for path, operations in document["paths"].items():
            if "get" not in operations:
                continue
            answer = await (await client.get(path.replace("{task}", "charge-card"))).json()
            schema = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            # The references of a schema lead from the root of its own document.
            Draft202012Validator({**schema, "components": document["components"]}).validate(answer)
