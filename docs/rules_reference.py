"""Writes the reference of rule files into docs/rules.md, between its markers. `make docs` runs it; a test compares."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from triggerdev_alerts.conditions.catalogue import CONDITIONS, ConditionType
from triggerdev_alerts.conditions.keys import REQUIRED, Key
from triggerdev_alerts.documents.mistakes import flow
from triggerdev_alerts.documents.model import keys_of
from triggerdev_alerts.message.template import FIELDS
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.rules import quantities, written, written_delivery

PAGE = Path(__file__).resolve().parent / "rules.md"
BEGIN, END = "<!-- reference:begin -->\n", "<!-- reference:end -->"

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", written.WrittenRules),
    ("`defaults`", written.WrittenDefaults),
    ("`groups`", written.WrittenGroup),
    ("A rule", written.WrittenRule),
    ("`flapping`", written.WrittenFlapping),
    ("`evidence`", written.WrittenEvidence),
    ("`routes`", written_delivery.WrittenRoute),
    ("`inhibit`", written_delivery.WrittenInhibition),
    ("`time_intervals`", written_delivery.WrittenTimeRange),
    ("`ping`", written_delivery.WrittenPing),
)


def reference() -> str:
    """Markdown: conditions, then every section, then receivers and the fields of templates."""
    parts = ["### Conditions", "", *_conditions(), ""]
    for title, model in SECTIONS:
        parts += [f"### {title}", "", *_keys(model), ""]
    for row in KINDS.values():
        parts += [f"### Receiver `{row.name}`", "", *_keys(row.settings), ""]
    fields = [("`labels.NAME`", "a label of the rule's own"), *((f"`{name}`", text) for name, text in FIELDS.items())]
    parts += ["### Fields of templates", "", *_table(("field", "is"), fields), ""]
    return "\n".join(parts)


def _conditions() -> Iterable[str]:
    rows = [(f"`{row.name}`", _said(row), _split(row), row.help) for row in CONDITIONS.values()]
    return _table(("condition", "keys (default)", "`by` (default), narrowed by", "true when"), rows)


def _said(row: ConditionType) -> str:
    return ", ".join(_key(key) for key in row.keys) or "–"


def _key(key: Key) -> str:
    if key.default is REQUIRED:
        return f"**`{key.name}`** like {quantities.example(key)}"
    return f"`{key.name}`" if key.default is None else f"`{key.name}` ({flow(quantities.show(key, key.default))})"


def _split(row: ConditionType) -> str:
    by = ", ".join(f"{name} (default)" if name in row.by else name for name in row.dimensions) or "–"
    narrowed = ", ".join((*(() if row.is_self else ("target",)), *row.narrows)) or "–"
    return f"{by}; {narrowed}"


def _keys(model: type[BaseModel]) -> Iterable[str]:
    rows = []
    for name, field in keys_of(model).items():
        required = "**" if field.is_required() else ""
        example = f"`{flow(field.examples[0])}`" if field.examples else ""
        rows.append((f"{required}`{name}`{required}", field.description or "", example))
    rows.sort(key=lambda row: not row[0].startswith("**"))
    return _table(("key", "meaning", "example"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def filled(text: str) -> str:
    """The page with today's reference."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + reference() + END + after


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
