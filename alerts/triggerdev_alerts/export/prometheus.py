"""Documents: a file of rules for Prometheus, or the PrometheusRule that its operator takes. Pure text.

They are written by hand, not dumped: a person reads them, with the condition above each rule and what differs.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from triggerdev_alerts.export.alerting import AlertGroup, AlertRule, Exported, Mode
from triggerdev_alerts.export.conditions import RECORDED
from triggerdev_alerts.export.promql import duration, indented

NAME = "triggerdev-exporter"
_HEAD = {
    Mode.HELD: "The exporter decides, and holds an alert while its source cannot be read; Prometheus passes it on.",
    Mode.PROMQL: "Prometheus decides by itself. docs/rules.md says how each condition is written, and what differs.",
}
_WIDTH = 118


def rules_file(exported: Exported) -> str:
    """What ``rule_files`` of Prometheus names."""
    return _head(exported, "prometheus") + _groups(exported)


def prometheus_rule(exported: Exported) -> str:
    """The same, for the Prometheus operator."""
    return (
        _head(exported, "prometheusrule")
        + "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n"
        + f"  name: {NAME}-{exported.mode}\n  labels:\n    app.kubernetes.io/name: {NAME}\nspec:\n"
        + indented(_groups(exported).rstrip("\n"))
        + "\n"
    )


FORMATS = {"prometheus": rules_file, "prometheusrule": prometheus_rule}


def left_out(exported: Exported) -> list[str]:
    """A sentence for each rule that is not in the document."""
    return [f"{one.rule.name} ({one.rule.when.type}) is left out: {one.why}" for one in exported.left_out]


def differences(exported: Exported) -> list[str]:
    """A sentence for each way in which a rule in the document differs from ours."""
    return [f"{one.rule.name}: {note}" for one in exported.rules for note in one.notes]


def scalar(text: str) -> str:
    """A string of YAML in double quotes."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def comment(text: str, indent: str = "") -> str:
    """Lines of a comment, those after the first a little to the right."""
    lines = textwrap.wrap(text, _WIDTH - len(indent) - 2, subsequent_indent="  ", break_on_hyphens=False)
    return "".join(f"{indent}# {line}\n" for line in lines)


def _head(exported: Exported, form: str) -> str:
    lines = [
        f"Made by `triggerdev-exporter rules export --format {form} --mode {exported.mode}`. "
        "Change the rules, not this.",
        _HEAD[exported.mode],
        *left_out(exported),
    ]
    return "".join(comment(line) for line in lines)


def _groups(exported: Exported) -> str:
    if not exported.groups:
        return "groups: []\n"
    return "groups:\n" + "".join(map(_group, exported.groups))


def _group(group: AlertGroup) -> str:
    rules = "".join(line for rule in group.rules for line in _rule(rule))
    return f"  - name: {scalar(group.group.name)}\n    interval: {duration(group.group.interval)}\n    rules:\n{rules}"


def _rule(one: AlertRule) -> Iterator[str]:
    indent = " " * 6
    yield comment(f"{one.rule.name}: {one.says}", indent)
    for note in one.notes:
        yield comment(f"differs: {note}", indent)
    for name in one.reworded:
        yield comment(f"its {name} is another one: ours tells what only the exporter knows", indent)
    for record in one.records:
        yield f"{indent}- record: {RECORDED}{record.name}\n"
        yield from _fields([("expr", record.expr), ("labels", {"alertname": one.rule.name})])
    yield f"{indent}- alert: {one.rule.name}\n"
    yield from _fields(
        [
            ("expr", one.expr),
            ("for", duration(one.for_)),
            ("keep_firing_for", duration(one.keep_firing_for) if one.keep_firing_for else ""),
            ("labels", one.labels),
            ("annotations", one.annotations),
        ]
    )


def _fields(fields: Iterable[tuple[str, str | dict[str, str]]]) -> Iterator[str]:
    indent = " " * 8
    for name, value in fields:
        if isinstance(value, dict):
            yield f"{indent}{name}:\n"
            yield from (f"{indent}  {key}: {scalar(text)}\n" for key, text in value.items())
        elif name == "expr":
            yield f"{indent}expr: |\n{indented(value, indent + '  ')}\n"
        elif value:
            yield f"{indent}{name}: {value}\n"
