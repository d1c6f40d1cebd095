"""Draws the dashboards into docs/images, light and dark: the bad day of the tests, answered by a real Prometheus, drawn
by Grafana's own panel components in chromium. `make previews` runs it.

A development tool: it needs node, npm, chromium and prometheus, and nothing of it is shipped. It is a preview and not
Grafana: no server and no plugins of it are there.
"""

from __future__ import annotations

import asyncio
import html
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dashboards.days import END, HOURS, bad_day, told
from dashboards.memory import ALL, Memory, expand, remember
from dashboards.shipped import NAMES, Json, panels, read
from end_to_end.processes import stage_in

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parents[1] / "docs" / "images"
WIDTH = 1500
SHOWN_S = HOURS * 3600
LARGEST = 300_000
_ROW, _GAP, _HEAD = 30, 8, 48


def tool(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        sys.exit(f"{names[0]} is missing")
    return found


def bundle(folder: Path) -> None:
    """The page's script, with Grafana's components in it."""
    if not (HERE / "node_modules").is_dir():
        subprocess.run([tool("npm"), "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    options = ["--bundle", "--minify", "--log-level=warning", "--loader:.svg=dataurl", "--define:global=window"]
    production = '--define:process.env.NODE_ENV="production"'
    esbuild = HERE / "node_modules" / ".bin" / "esbuild"
    subprocess.run(
        [str(esbuild), "preview.jsx", *options, production, f"--outfile={folder / 'preview.js'}"], cwd=HERE, check=True
    )


def answered(memory: Memory, dashboard: Json) -> Json:
    """What the page is told of a dashboard."""
    answers = {
        panel["id"]: [list(_answer(memory, target)) for target in panel["targets"]] for panel in panels(dashboard)
    }
    shown = [(one["label"], _chosen(one)) for one in dashboard["templating"]["list"] if one["type"] != "textbox"]
    end = END // 1000
    return {
        "dashboard": dashboard,
        "answers": answers,
        "marks": list(_marks(memory, dashboard)),
        "choices": [*shown, ("Last", f"{HOURS} hours")],
        "from": end - SHOWN_S,
        "to": end,
    }


def _chosen(variable: Json) -> str:
    return {"datasource": "Prometheus"}.get(variable["name"], "All" if variable.get("includeAll") else "shop")


def _answer(memory: Memory, target: Json) -> Iterator[Json]:
    query = expand(target["expr"], ALL, SHOWN_S)
    if target["instant"]:
        for labels, (value,) in memory.now(query):
            yield {"labels": labels, "values": [[END // 1000, value]]}
        return
    for series in memory.points(query, SHOWN_S):
        yield {"labels": series["metric"], "values": [[at, float(value)] for at, value in series["values"]]}


def _marks(memory: Memory, dashboard: Json) -> Iterator[Json]:
    for mark in dashboard["annotations"]["list"]:
        if not mark["enable"]:
            continue
        for series in memory.points(expand(mark["expr"], ALL, SHOWN_S), SHOWN_S):
            for at in {float(value) / 1000 for _, value in series["values"]}:
                yield {"at": at, "colour": mark["iconColor"]}


def picture(folder: Path, name: str, theme: str, told_of: Json) -> Path:
    """Have chromium draw one dashboard."""
    page = folder / f"{name}-{theme}.html"
    data = json.dumps({**told_of, "theme": theme}).replace("</", "<\\/")
    page.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(name)}</title>'
        # Grafana's own style sheet, which is not in its components, begins with the same.
        '<link rel="stylesheet" href="preview.css"><style>*, ::before, ::after { box-sizing: border-box; }</style>'
        f'<div id="root"></div><script>window.PREVIEW = {data}</script>'
        '<script src="preview.js"></script></html>',
        "utf-8",
    )
    target = IMAGES / f"dashboard-{name}-{theme}.png"
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in told_of["dashboard"]["panels"])
    _chromium(page, target, bottom * (_ROW + _GAP) + _HEAD)
    return target


def _chromium(page: Path, target: Path, height: int) -> None:
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--no-sandbox", "--disable-dev-shm-usage"]
    command = [tool("chromium", "chromium-browser", "google-chrome"), *options]
    command += [f"--window-size={WIDTH},{height}", "--virtual-time-budget=8000", f"--screenshot={target}", str(page)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    # 256 colours: half the size, and nobody sees it.
    subprocess.run([tool("node"), str(HERE / "shrink.mjs"), str(target)], check=True)


def draw(names: Sequence[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bundle(folder)
        known = asyncio.run(told(bad_day(), folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        with stage_in(folder) as stage:
            memory = remember(stage, tool, port, known.text)
            pages: dict[str, Any] = {name: answered(memory, read(name)) for name in names}
        for name, told_of in pages.items():
            for theme in ("light", "dark"):
                path = picture(folder, name, theme, told_of)
                print(f"{path.relative_to(IMAGES.parents[1])}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    draw(sys.argv[1:] or NAMES)
