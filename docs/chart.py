"""Writes what the chart holds of other folders (rules, dashboards), and the table of values into the chart's README.

Helm reads nothing outside a chart, so these are copies. `make docs` runs it; tests compare.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm" / "triggerdev-exporter"
PAGE = CHART / "README.md"
BEGIN, END = "<!-- values:begin -->\n", "<!-- values:end -->\n"

SOURCES = {
    "rules": (ROOT / "alerts" / "prometheus", "*.rules.yml"),
    "dashboards": (ROOT / "grafana" / "dashboards", "*.json"),
}
"""Folders under files/ of the chart, and what each holds of which folder."""


def copies() -> dict[str, bytes]:
    """What has to lie in the chart, by path in it."""
    return {
        f"files/{kind}/{path.name}": path.read_bytes()
        for kind, (folder, pattern) in SOURCES.items()
        for path in sorted(folder.glob(pattern))
    }


def described(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The path of each value that a comment `# -- …` stands above, and what it says. The form is that of helm-docs."""
    path: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("# -- "):
            words = [bare[5:]]
        elif bare.startswith("# ") and words:
            words.append(bare[2:])
        elif key := re.match(r"( *)([A-Za-z]\w*):", line):
            indent = len(key[1])
            path = [(at, name) for at, name in path if at < indent] + [(indent, key[2])]
            if words:
                yield tuple(name for _, name in path), " ".join(words)
            words = []


def table() -> str:
    text = (CHART / "values.yaml").read_text("utf-8")
    values = YAML(typ="safe").load(text)
    lines = ["| value | default | what it means |", "| --- | --- | --- |"]
    for path, words in described(text):
        default = values
        for name in path:
            default = default[name]
        shown = "" if any(other[: len(path)] == path != other for other, _ in described(text)) else json.dumps(default)
        lines.append(f"| `{'.'.join(path)}` | {f'`{shown}`' if shown else ''} | {words.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def filled(text: str) -> str:
    """The page with today's table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    wanted = copies()
    for kind in SOURCES:
        for path in (CHART / "files" / kind).glob("*"):
            if str(path.relative_to(CHART)) not in wanted:
                path.unlink()
    for name, raw in wanted.items():
        (CHART / name).parent.mkdir(parents=True, exist_ok=True)
        (CHART / name).write_bytes(raw)
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
