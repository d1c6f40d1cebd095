"""Writes the dashboards: grafana/dashboards/ for provisioning, grafana/import/ for import by file.

`make docs` runs it; tests compare.
"""

from __future__ import annotations

import json
from pathlib import Path

from boards.catalogue import BOARDS
from boards.classic import dashboard
from boards.importable import importable

HERE = Path(__file__).resolve().parent


def documents() -> dict[str, str]:
    """Texts by path below grafana/."""
    found = {}
    for board in BOARDS:
        made = dashboard(board)
        name = f"{board.uid.removeprefix('triggerdev-')}.json"
        found[f"dashboards/{name}"] = _text(made)
        found[f"import/{name}"] = _text(importable(made))
    return found


def _text(made: object) -> str:
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in documents().items():
        (HERE / path).parent.mkdir(exist_ok=True)
        (HERE / path).write_text(text, "utf-8")
