"""Writes alerts/prometheus/ from the shipped rules, and the table of conditions in PromQL into docs/rules.md.

`make docs` runs it; tests compare.
"""

from __future__ import annotations

from pathlib import Path

from triggerdev_alerts.export.alerting import Mode, export
from triggerdev_alerts.export.conditions import ROWS
from triggerdev_alerts.export.prometheus import rules_file
from triggerdev_alerts.export.promtool import unit_tests
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "alerts" / "prometheus"
PAGE = ROOT / "docs" / "rules.md"
BEGIN, END = "<!-- promql:begin -->\n", "<!-- promql:end -->"


def documents() -> dict[str, str]:
    """Texts by file name: what `rules export` and its `--tests` write."""
    ruleset = read_rules(shipped_rules()).ruleset
    found = {}
    for mode in Mode:
        exported = export(ruleset, mode)
        found[f"{mode}.rules.yml"] = rules_file(exported)
        found[f"{mode}_test.yml"] = unit_tests(exported, f"{mode}.rules.yml")
    return found


def table() -> str:
    lines = ["| condition | in PromQL |", "| --- | --- |"]
    for name, row in ROWS.items():
        lines.append(f"| `{name}` | {row.how if row.write else f'– ({row.how})'} |")
    return "\n".join(lines) + "\n"


def filled(text: str) -> str:
    """The page with today's table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + END + after


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, "utf-8")
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
