"""The flavour for import by file: whoever imports it is asked for the data source. Pure: made of the provisioned one.

Grafana fills in `${DS_PROMETHEUS}` at an import and nowhere else: a provisioned file with it says "not found".
"""

from __future__ import annotations

from typing import Any

from boards.classic import GRAFANA

Json = dict[str, Any]

INPUT = "DS_PROMETHEUS"
_NAMES = {"timeseries": "Time series", "stat": "Stat", "table": "Table", "bargauge": "Bar gauge"}


def importable(dashboard: Json) -> Json:
    """The same dashboard, with an input instead of the variable `datasource`."""
    variables = [one for one in dashboard["templating"]["list"] if one["type"] != "datasource"]
    found = _replaced({**dashboard, "templating": {"list": variables}})
    return {"__inputs": [_INPUT], "__requires": _requires(dashboard), **found}


_INPUT: Json = {
    "name": INPUT,
    "label": "Prometheus",
    "description": "The Prometheus that scrapes the exporter.",
    "type": "datasource",
    "pluginId": "prometheus",
    "pluginName": "Prometheus",
}


def _requires(dashboard: Json) -> list[Json]:
    looks = sorted({panel["type"] for panel in dashboard["panels"]} - {"row"})
    return [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": GRAFANA},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *({"type": "panel", "id": look, "name": _NAMES[look], "version": ""} for look in looks),
    ]


def _replaced(value: Any) -> Any:
    """Every mention of the variable replaced; links to the other dashboards lose it."""
    if isinstance(value, dict):
        return {key: _replaced(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one) for one in value]
    if isinstance(value, str):
        return value.replace("${datasource:queryparam}&", "").replace("${datasource}", f"${{{INPUT}}}")
    return value
