"""Mistakes for machines: JSON, annotations of GitHub Actions, SARIF 2.1.0. Text for people is `mistakes.render`'s."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from triggerdev_alerts.documents.mistakes import Mistake, render, shown

Report = Callable[[Sequence[Mistake]], str]
_TOOL = "triggerdev-exporter"


def as_text(mistakes: Sequence[Mistake]) -> str:
    return "\n".join(render(mistake) for mistake in mistakes)


def as_json(mistakes: Sequence[Mistake]) -> str:
    """A list of objects; ``line`` and ``column`` count from 1 and are null where there are none."""
    return json.dumps([_plain(mistake) for mistake in mistakes], indent=2, ensure_ascii=False)


def _plain(mistake: Mistake) -> dict[str, str | int | None]:
    place = mistake.place
    return {
        "file": None if place is None else place.name,
        "line": None if place is None else place.line,
        "column": None if place is None else place.column,
        "severity": mistake.severity,
        "code": mistake.code,
        "text": shown(mistake),
    }


def as_github(mistakes: Sequence[Mistake]) -> str:
    """A workflow command a mistake: GitHub shows it beside the line."""
    return "\n".join(_command(mistake) for mistake in mistakes)


def _command(mistake: Mistake) -> str:
    place = mistake.place
    where = {} if place is None else {"file": place.name, "line": place.line, "col": place.column}
    told = {**where, "title": f"{mistake.severity}[{mistake.code}]"}
    properties = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in told.items() if value is not None)
    return f"::{mistake.severity} {properties}::{_escaped(shown(mistake))}"


def _escaped(text: str, more: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + more else c for c in text)


def as_sarif(mistakes: Sequence[Mistake]) -> str:
    """One run of one tool; a rule a code."""
    codes = sorted({mistake.code for mistake in mistakes})
    run = {
        "tool": {"driver": {"name": _TOOL, "rules": [{"id": code} for code in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(mistake, codes) for mistake in mistakes],
    }
    document = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _result(mistake: Mistake, codes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": mistake.code,
        "ruleIndex": codes.index(mistake.code),
        "level": mistake.severity,
        "message": {"text": shown(mistake)},
    }
    place = mistake.place
    if place is not None:
        where: dict[str, Any] = {"artifactLocation": {"uri": place.name.replace("\\", "/")}}
        if place.line is not None:
            where["region"] = {"startLine": place.line, "startColumn": place.column or 1}
        result["locations"] = [{"physicalLocation": where}]
    return result


REPORTS: dict[str, Report] = {"text": as_text, "json": as_json, "github": as_github, "sarif": as_sarif}
