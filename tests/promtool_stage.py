"""promtool as tests use it: rules written one by one, what turned red, and thresholds that were moved."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from triggerdev_alerts.export.alerting import Exported
from triggerdev_alerts.export.prometheus import rules_file
from triggerdev_alerts.export.promtool import unit_tests


def call(promtool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)


def each(one: Exported) -> Iterator[Exported]:
    """Each rule by itself: promtool evaluates all rules of a file for every test."""
    for group in one.groups:
        for rule in group.rules:
            yield replace(one, groups=(replace(group, rules=(rule,)),))


def write(folder: Path, parts: Iterable[Exported], change: Callable[[str], str] = lambda text: text) -> list[str]:
    found = []
    for number, one in enumerate(parts):
        (folder / f"{number}.rules.yml").write_text(change(rules_file(one)), "utf-8")
        tests = folder / f"{number}_test.yml"
        tests.write_text(unit_tests(one, f"{number}.rules.yml"), "utf-8")
        found.append(str(tests))
    return found


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """What it says of tests that failed."""
    said = re.split(r"(?=Unit Testing: )", done.stdout + done.stderr)
    return "" if done.returncode == 0 else "".join(part for part in said if "SUCCESS" not in part)


def red(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The alerts of which a test failed."""
    return set(re.findall(r'ALERTS\{alertname=\\?"(\w+)', done.stdout + done.stderr))


def names(one: Exported) -> set[str]:
    return {rule.rule.name for rule in one.rules}


_THRESHOLD = re.compile(r"(?<= )(>=?|<) (?!0\n|0 |0\))(\d[\d.]*)(?![\d.]* \*)")


def threshold(expr: str) -> bool:
    """Whether a number decides, other than zero."""
    return _THRESHOLD.search(expr) is not None


def moved(text: str, factor: float) -> str:
    """The document of one rule with the first threshold of its alert changed."""
    records, alert = text.split("- alert:")
    alert = _THRESHOLD.sub(lambda match: f"{match[1]} {float(match[2]) * factor:.12g}", alert, count=1)
    return f"{records}- alert:{alert}"
