"""The dashboards as they lie in grafana/, and what of them tests look at: panels, queries, selectors. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

GRAFANA = Path(__file__).parents[2] / "grafana"
NAMES = ("overview", "task", "queues", "batches", "deployments", "cost", "alerts", "exporter")
_SELECTOR = re.compile(r"(?<![\w:$\"])([a-zA-Z_:][\w:]*)\{([^}]*)\}(\[[^\]]*\])?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def read(name: str, folder: str = "dashboards") -> Json:
    found: Json = json.loads((GRAFANA / folder / f"{name}.json").read_text("utf-8"))
    return found


@dataclass(frozen=True)
class Selector:
    """A selector of a query: the metric, its matchers, the range behind it, and the function around that."""

    metric: str
    matchers: Mapping[str, tuple[str, str]]
    range: str
    function: str


def selectors(expr: str) -> Iterator[Selector]:
    for match in _SELECTOR.finditer(expr):
        before = re.search(r"(\w+)\($", expr[: match.start()])
        yield Selector(
            match[1],
            {name: (how, value) for name, how, value in _MATCHER.findall(match[2])},
            (match[3] or "").strip("[]"),
            before[1] if before else "",
        )


def panels(dashboard: Json) -> Iterator[Json]:
    """All but the headings, those of collapsed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def expressions(dashboard: Json) -> Iterator[tuple[str, str]]:
    """(where, expression) of every panel, variable and annotation."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"panel “{panel['title']}” {target['refId']}", target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])
            assert inner, variable["definition"]
            yield f"variable {variable['name']}", inner[1] if "{" in inner[1] else f"{inner[1]}{{}}"
    for mark in dashboard["annotations"]["list"]:
        yield f"annotation {mark['name']}", mark["expr"]
