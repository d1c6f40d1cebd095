"""What the checks found, as a table for people or as JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

import click

from triggerdev_alerts.instants import Instant, iso
from triggerdev_alerts.message.characters import tame_line
from triggerdev_exporter import __version__
from triggerdev_exporter.doctor.finding import Result, Verdict, worst

_COLOURS = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.BROKEN: "red"}
NARROWEST = 60


def as_text(found: Sequence[Result], width: int) -> str:
    """A row a check, what to do below it, and a last line that counts. What could not be looked at is one line."""
    shown = [one for one in found if one.finding.verdict is not Verdict.UNKNOWN]
    checks = max((len(one.check) for one in shown), default=0)
    about = max((len(one.about) for one in shown), default=0)
    margin = len(" warning  ") + checks + 2 + about + 2
    lines = []
    for one in shown:
        verdict = one.finding.verdict
        mark = click.style(f"{verdict.value:>8}", fg=_COLOURS[verdict], bold=(verdict is Verdict.BROKEN) or None)
        said = _wrapped(tame_line(one.finding.says), width, margin)
        lines.append(f"{mark}  {one.check:<{checks}}  {tame_line(one.about):<{about}}  {said[0]}".rstrip())
        lines += [" " * margin + line for line in said[1:]]
        if one.finding.remedy:
            remedy = _wrapped(f"→ {tame_line(one.finding.remedy)}", width, margin, later="  ")
            lines += [" " * margin + line for line in remedy]
    lines += ["", *_wrapped(_summary(found), width, 0)]
    return "\n".join(lines)


def _wrapped(text: str, width: int, margin: int, *, later: str = "") -> list[str]:
    room = max(width - margin, NARROWEST)
    return textwrap.wrap(text, room, subsequent_indent=later, break_long_words=False, break_on_hyphens=False) or [""]


def _summary(found: Sequence[Result]) -> str:
    counts = {verdict: [one for one in found if one.finding.verdict is verdict] for verdict in Verdict}
    broken, odd, dark = counts[Verdict.BROKEN], counts[Verdict.WARNING], counts[Verdict.UNKNOWN]
    said = f"{len(found)} checks: {len(broken)} broken, {len(odd)} to look at"
    if dark:
        names = ", ".join(dict.fromkeys(one.check for one in dark))
        said += f", {len(dark)} not to be made because of these ({names})"
    return f"{said}." if broken or odd or dark else f"{len(found)} checks, and all is well."


def as_json(found: Sequence[Result], now: Instant) -> str:
    """One object: the worst verdict, and each check with its finding."""
    document = {
        "version": __version__,
        "at": iso(now),
        "verdict": worst(found).value,
        "checks": [
            {
                "check": one.check,
                "about": one.about,
                "verdict": one.finding.verdict.value,
                "says": one.finding.says,
                "remedy": one.finding.remedy,
            }
            for one in found
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
