"""Writes the shipped rules and the reference of rule files into docs/rules.md, between their markers.

`make docs` runs it; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from triggerdev_alerts.conditions.catalogue import CONDITIONS, ConditionType
from triggerdev_alerts.conditions.keys import REQUIRED, Key, Kind
from triggerdev_alerts.documents.mistakes import flow
from triggerdev_alerts.documents.model import keys_of
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.message.template import FIELDS
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.rules import quantities, written, written_delivery
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import SEVERITIES, Rule

PAGE = Path(__file__).resolve().parent / "rules.md"
BEGIN, END = "<!-- reference:begin -->\n", "<!-- reference:end -->"
SHIPPED_BEGIN, SHIPPED_END = "<!-- shipped:begin -->\n", "<!-- shipped:end -->"

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


def shipped() -> str:
    """Markdown: the rules that come with the program, the worst first, those that are off last."""
    rules = sorted(
        read_rules(shipped_rules()).ruleset.rules,
        key=lambda rule: (not rule.enabled, SEVERITIES.index(rule.severity)),
    )
    rows = [
        (
            f"[{rule.name}](../{rule.annotations['runbook']})",
            rule.severity if rule.enabled else f"off ({rule.severity})",
            _condition(rule),
        )
        for rule in rules
    ]
    return "\n".join([*_table(("alert", "severity", "fires on"), rows), ""])


def _condition(rule: Rule) -> str:
    """``queue_age above 10m, clear_below 5m, for 2m``: all numbers, and words that are not the default."""
    row = CONDITIONS[rule.when.type]
    values = ((key, rule.when.values[key.name]) for key in row.keys)
    wordy = (Kind.FLAG, Kind.STATUSES, Kind.WORD)
    said = [
        f"{key.name} {_words(key, value)}"
        for key, value in values
        if value is not None and not (key.kind in wordy and value == key.default)
    ]
    said += [f"by {', '.join(rule.when.by) or 'target'}"] if rule.when.by != row.by else []
    said += [f"for {format_duration(rule.for_)}"] if rule.for_ else []
    return f"`{row.name}` {', '.join(said)}".strip()


def _words(key: Key, value: object) -> str:
    shown = quantities.show(key, value)  # type: ignore[arg-type]  # a value of that key
    return " ".join(map(str, shown)) if isinstance(shown, list | tuple) else str(shown)


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
    """The page with today's tables."""
    return _between(SHIPPED_BEGIN, shipped(), SHIPPED_END, _between(BEGIN, reference(), END, text))


def _between(begin: str, inner: str, end: str, text: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return before + begin + "\n" + inner + end + after


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
