"""Boards as Grafana's classic JSON (schemaVersion 39, read by Grafana 10 to 12). Pure: records in, dicts out.

What is written here is the provisioned flavour; `importable.py` makes the other one of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from boards.model import WIDTH, Board, Constant, Limit, Link, Look, Mark, Panel, Query, Row, Variable
from boards.style import COLOURS, TAG

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39
GRAFANA = "10.0.0"
"""The oldest that reads it. A panel that does not say so is taken for one of Grafana 6, and translated from there."""
_DATASOURCE_VARIABLE: Json = {
    "name": "datasource",
    "label": "Data source",
    "description": "The Prometheus that scrapes the exporter.",
    "type": "datasource",
    "query": "prometheus",
    "regex": "",
    "current": {},
    "options": [],
    "hide": 0,
    "includeAll": False,
    "multi": False,
    "refresh": 1,
    "skipUrlSync": False,
}
_RANGE = "$__range"


def dashboard(board: Board) -> Json:
    """The whole dashboard, for provisioning: its data source is a variable."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "refresh": "1m",
        "time": {"from": board.since, "to": "now"},
        "timepicker": {},
        "links": [_dashboards_link()],
        "annotations": {"list": [_annotation(mark) for mark in board.marks]},
        "templating": {"list": [_DATASOURCE_VARIABLE, *(_variable(one) for one in board.variables)]},
        "panels": list(_panels(board.rows)),
    }


def _dashboards_link() -> Json:
    return {
        "type": "dashboards",
        "title": "Trigger.dev",
        "tooltip": "The other dashboards, with the same time and choices",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "url": "",
    }


def _annotation(mark: Mark) -> Json:
    return {
        "name": mark.name,
        "datasource": DATASOURCE,
        "enable": mark.enabled,
        "hide": False,
        "iconColor": mark.colour,
        "expr": mark.expr,
        "step": "1m",
        "titleFormat": mark.title,
        "textFormat": mark.text,
        "useValueForTime": mark.value_is_time,
    }


def _variable(one: Variable | Constant) -> Json:
    common = {"name": one.name, "label": one.label, "description": one.description, "hide": 0, "skipUrlSync": False}
    if isinstance(one, Constant):
        current = {"text": one.value, "value": one.value, "selected": True}
        return {**common, "type": "textbox", "query": one.value, "current": current, "options": [current]}
    every = {"text": ["All"], "value": ["$__all"]} if one.several else {}
    return {
        **common,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": one.query,
        "query": {"query": one.query, "refId": f"variable-{one.name}"},
        "regex": "",
        "refresh": 2,
        "sort": 1,
        "multi": one.several,
        "includeAll": one.several,
        **({"allValue": one.all_value} if one.several else {}),
        "current": every,
        "options": [],
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[Json]:
    """Headings and panels, from left to right and top to bottom, each with its place and a number."""
    number, y = 0, 0
    for row in rows:
        number += 1
        heading: Json = {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        y += 1
        placed, height = _placed(row.panels, y)
        shown = []
        for panel, place in placed:
            number += 1
            shown.append({"id": number, "gridPos": place, **_panel(panel)})
        if row.collapsed:
            yield {**heading, "panels": shown}
        else:
            yield heading
            yield from shown
            y += height


def _placed(panels: tuple[Panel, ...], y: int) -> tuple[list[tuple[Panel, Json]], int]:
    found: list[tuple[Panel, Json]] = []
    x, line, tallest = 0, y, 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, line, tallest = 0, line + tallest, 0
        found.append((panel, {"x": x, "y": line, "w": panel.width, "h": panel.height}))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return found, line + tallest - y


def _panel(panel: Panel) -> Json:
    return {
        "type": panel.look.value,
        "pluginVersion": GRAFANA,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "targets": [_target(panel, query, chr(ord("A") + number)) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": _OPTIONS[panel.look](panel),
        **({"transformations": list(_transformations(panel))} if panel.look is Look.TABLE else {}),
        **({"links": [_link(one) for one in panel.links]} if panel.links else {}),
    }


def _target(panel: Panel, query: Query, ref: str) -> Json:
    # A single number is asked of this moment: the last one of a range would stay when we go blind.
    instant = panel.look is not Look.LINES
    return {
        "refId": ref,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "instant": instant,
        "range": not instant,
        "format": "table" if panel.look is Look.TABLE else "time_series",
        "legendFormat": query.legend,
        "exemplar": query.exemplars,
        "editorMode": "code",
    }


def _link(link: Link) -> Json:
    return {"title": link.title, "url": link.url, "targetBlank": link.new_tab}


def _steps(limits: tuple[Limit, ...], best: str) -> Json:
    steps = [{"color": best, "value": None}, *({"color": one.colour, "value": one.value} for one in limits)]
    return {"mode": "absolute", "steps": steps}


def _defaults(panel: Panel) -> Json:
    in_lines = panel.look is Look.LINES
    found: Json = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if in_lines else "thresholds"},
        "thresholds": _steps(panel.limits, panel.best if panel.limits or panel.words else "text"),
        "mappings": _mappings(panel),
        "links": [],
        "custom": _CUSTOM[panel.look](panel),
    }
    if panel.look is not Look.TABLE:
        found["min"] = 0
    if panel.most is not None:
        found["max"] = panel.most
    if panel.decimals is not None:
        found["decimals"] = panel.decimals
    if panel.quiet:
        found["noValue"] = panel.quiet
    return found


def _mappings(panel: Panel) -> list[Json]:
    if not panel.words:
        return []
    options = {
        f"{value:g}": {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(panel.words.items())
    }
    return [{"type": "value", "options": options}]


def _overrides(panel: Panel) -> Iterator[Json]:
    if panel.look is Look.TABLE:
        yield from _columns(panel)
        return
    for label, colours in COLOURS.items():
        if any(query.legend == f"{{{{{label}}}}}" for query in panel.queries):
            for value, colour in colours.items():
                yield _override(value, **_fixed(colour))
    for query in panel.queries:
        if query.colour:
            yield _override(query.legend, **_fixed(query.colour))


def _fixed(colour: str) -> Json:
    return {"color": {"mode": "fixed", "fixedColor": colour}}


def _columns(panel: Panel) -> Iterator[Json]:
    if panel.quiet:
        # What an empty panel says stands in no empty cell.
        for heading in (*panel.headings.values(), *(query.column for query in panel.queries if query.column)):
            yield _override(heading, noValue="–")
    for query in panel.queries:
        if not query.column:
            continue
        properties: Json = {"unit": query.unit or panel.unit}
        if query.limits:
            properties["thresholds"] = _steps(query.limits, panel.best)
            properties["custom.cellOptions"] = {"type": "color-text"}
        yield _override(query.column, **properties)
    for heading, colours in panel.column_colours.items():
        options = {
            text: {"text": text, "color": colour, "index": index}
            for index, (text, colour) in enumerate(colours.items())
        }
        yield _override(
            heading, mappings=[{"type": "value", "options": options}], **{"custom.cellOptions": {"type": "color-text"}}
        )
    for heading, width in panel.widths.items():
        yield _override(heading, **{"custom.width": width})
    for heading, links in panel.column_links.items():
        yield _override(heading, links=[_link(one) for one in links])


def _override(name: str, **properties: Any) -> Json:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


def _line_style(panel: Panel) -> Json:
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if panel.stacked else 8,
        "gradientMode": "none",
        "showPoints": "never",
        "pointSize": 4,
        "spanNulls": False,
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"},
        "axisPlacement": "auto",
        "axisLabel": "",
        "axisSoftMin": 0,
        "scaleDistribution": {"type": "linear"},
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
    }


def _lines(panel: Panel) -> Json:
    # Beside the graph every series has its line; below it there is room for a few.
    several = len(panel.queries) > 1 or any("{{" in query.legend for query in panel.queries)
    place = "right" if panel.width >= 12 else "bottom"
    beside = {"displayMode": "table", "placement": place, "calcs": ["lastNotNull", "max"]}
    return {
        "legend": {
            "showLegend": True,
            **(beside if several else {"displayMode": "list", "placement": "bottom", "calcs": []}),
            **({"sortBy": "Max", "sortDesc": True} if several and len(panel.queries) == 1 else {}),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _stat(panel: Panel) -> Json:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "name" if panel.name_only else "value",
        "justifyMode": "center",
        "orientation": "auto",
        "wideLayout": True,
    }


def _bars(panel: Panel) -> Json:
    return {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "auto",
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 32,
    }


def _table(panel: Panel) -> Json:
    sorts = ((panel.ascending, False), (panel.descending, True))
    sort = [{"displayName": name, "desc": desc} for name, desc in sorts if name]
    return {
        "showHeader": True,
        "cellHeight": "sm",
        "sortBy": sort,
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
    }


_OPTIONS: dict[Look, Callable[[Panel], Json]] = {
    Look.LINES: _lines,
    Look.STAT: _stat,
    Look.BARS: _bars,
    Look.TABLE: _table,
}
_CUSTOM: dict[Look, Callable[[Panel], Json]] = {
    Look.LINES: _line_style,
    Look.STAT: lambda panel: {},
    Look.BARS: lambda panel: {},
    Look.TABLE: lambda panel: {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "inspect": False,
        "minWidth": 70,
    },
}


def _transformations(panel: Panel) -> Iterator[Json]:
    """One row a label set: the labels that are shown, then the value of each query under its heading."""
    alone = len(panel.queries) == 1
    values = {
        "Value" if alone else f"Value #{chr(ord('A') + number)}": query.column
        for number, query in enumerate(panel.queries)
    }
    shown = {label: panel.headings.get(label, label) for label in panel.columns}
    shown.update({name: heading for name, heading in values.items() if heading})
    if not alone:
        yield {"id": "merge", "options": {}}
    yield {"id": "filterFieldsByName", "options": {"include": {"names": list(shown)}}}
    yield {
        "id": "organize",
        "options": {
            "excludeByName": {},
            "indexByName": {name: number for number, name in enumerate(shown)},
            "renameByName": shown,
        },
    }
