"""What `rules suggest` prints: rules to paste with their evidence as comments, or the same for machines. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from triggerdev_alerts.documents.units import format_duration, format_quantile
from triggerdev_alerts.history.habits import MIN_SAMPLE, Span
from triggerdev_alerts.history.suggest import Counted, Finding, Suggested, written
from triggerdev_alerts.instants import HOUR, iso
from triggerdev_alerts.message.values import show, show_duration

WIDTH = 118
_BARE = re.compile(r"(?!(?:true|false|null)$)[a-z][\w/.-]*", re.IGNORECASE | re.ASCII)
MOST_LISTED = 20
"""Tasks of one rule whose evidence is told; JSON tells all."""
_HEAD = """\
Thresholds from {begin} to {end} ({lasts}) of {about}.
Each leaves room above what was usual, or above the longest where that says more. An incident in that time may have
raised it, so read the numbers before you paste this into a file that the config names under alerts.files.
"Messages" is how many each alert would have sent then, its end included.\
"""


def as_yaml(
    rules: Sequence[Suggested],
    counted: Sequence[Counted] = (),
    *,
    about: str,
    span: Span,
    alone: Sequence[Finding] = (),
    hopeless: Sequence[Finding] = (),
    caveats: Sequence[str] = (),
) -> str:
    """A file of rules. Without `counted` it is only good to be read back."""
    numbers = {one.rule.name: one for one in counted}
    head = _HEAD.format(
        begin=_instant(span.start), end=_instant(span.end), lasts=show_duration(span.end - span.start), about=about
    )
    lines = [*_comment(head, keep=True)]
    for one in hopeless:
        lines += _comment(f"No threshold fits {_evidence(one)}. Mend it first, or silence it.")
    if alone:
        names = ", ".join(f"{one.habit.subject} ({_usual(one)})" for one in alone)
        lines += _comment(f"The shipped TaskFailureRateHigh fits {names}.")
    for caveat in caveats:
        lines += _comment(caveat)
    lines.append("version: 1")
    tight = [rule.name for rule in rules if rule.kind.condition == "failure_rate" and not rule.is_base]
    if tight:
        lines += ["inhibit:", *_comment("The shipped rules say it louder.", "  ")]
        lines += ["  - source: {alertname: [TaskFailureRateHigh, TaskFailureRateCritical]}"]
        lines += [*_filled("    target: {alertname: [", tight, "]}"), "    equal: [target, task]"]
    lines += ["groups:", "  - name: suggested", "    rules:" + ("" if rules else " []")]
    for rule in rules:
        lines += _rule(rule, numbers.get(rule.name))
    return "\n".join(lines) + "\n"


def as_json(
    counted: Sequence[Counted],
    *,
    about: str,
    span: Span,
    alone: Sequence[Finding] = (),
    hopeless: Sequence[Finding] = (),
    caveats: Sequence[str] = (),
) -> str:
    """One object, indented; instants in RFC 3339, durations in milliseconds."""
    told = {
        "about": about,
        "from": iso(span.start),
        "to": iso(span.end),
        "rules": [
            {
                "alert": one.rule.name,
                "condition": one.rule.kind.condition,
                "window": one.rule.window or None,
                one.rule.kind.key: one.rule.threshold,
                "target": one.rule.target or None,
                "messages": one.total,
                "for": [_finding(finding) | {"messages": one.about(finding)} for finding in one.rule.findings],
            }
            for one in counted
        ],
        "fit_by_the_shipped_rule": [_finding(finding) for finding in alone],
        "never_well": [_finding(finding) for finding in hopeless],
        "caveats": list(caveats),
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


def _rule(rule: Suggested, counted: Counted | None) -> Iterator[str]:
    if rule.is_base:
        yield from _comment("In place of the shipped rule, for all tasks: so high because of", "      ")
    for finding in rule.findings[:MOST_LISTED]:
        sent = "" if counted is None else f"; would have sent {_count(counted.about(finding), 'message')}"
        yield from _comment(f"{_evidence(finding)}{sent}", "      ")
    if len(rule.findings) > MOST_LISTED:
        rest = "" if counted is None else f"; all of them {_count(counted.total, 'message')}"
        yield from _comment(f"… and {len(rule.findings) - MOST_LISTED} more{rest}", "      ")
    yield f"      - alert: {rule.name}"
    end = "}}" if rule.is_base or not rule.kind.subject else "]}}"
    yield from _filled(f"        when: {{{rule.kind.condition}: {{", list(_keys(rule)), end)
    yield "        severity: warning"
    if rule.kind.runbook:
        yield f"        annotations: {{runbook: alerts/runbooks/{rule.kind.runbook}.md}}"


def _keys(rule: Suggested) -> Iterator[str]:
    kind = rule.kind
    if rule.window:
        yield f"window: {format_duration(rule.window)}"
    yield f"{kind.key}: {written(kind.unit, rule.threshold)}"
    if kind.condition == "failure_rate":
        # Half of it, so that a rate around the threshold is one alert and not many.
        yield f"clear_below: {written(kind.unit, rule.threshold / 2)}"
    yield from (f"{name}: {value}" for name, value in kind.keys)
    if rule.target:
        yield f"target: {_word(_literal(rule.target))}"
    if kind.subject and not rule.is_base:
        first, *others = [_word(_literal(finding.habit.subject)) for finding in rule.findings]
        yield from (f"{kind.subject}: [{first}", *others)


def _evidence(finding: Finding) -> str:
    window = format_duration(finding.habit.window)
    what = finding.kind.what.format(window=window)
    subject = finding.habit.subject or finding.target
    return f"{subject}: {what} {_usual(finding)}, {_shown(finding, finding.worst)} at most"


def _usual(finding: Finding) -> str:
    return f"{_shown(finding, finding.usual)} at {format_quantile(finding.kind.quantile)}"


def _shown(finding: Finding, number: float) -> str:
    return show(number, finding.kind.unit)


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "condition": finding.kind.condition,
        "target": finding.target,
        finding.kind.subject or "subject": finding.habit.subject or None,
        "window": finding.habit.window or None,
        "usual": finding.usual,
        "quantile": finding.kind.quantile,
        "worst": finding.worst,
        "numbers": len(finding.habit.values),
        "threshold": finding.threshold,
    }


def _literal(name: str) -> str:
    """A pattern that only this name matches."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _filled(begin: str, parts: Sequence[str], end: str) -> Iterator[str]:
    """`parts` with commas between them, in as many lines as it takes: YAML allows that within brackets."""
    line = begin
    for n, part in enumerate(parts):
        text = part + ("," if n + 1 < len(parts) else end)
        if n and len(line) + 1 + len(text) > WIDTH:
            yield line
            line = f"          {text}"
        else:
            line += text if n == 0 else f" {text}"
    yield line


def _word(text: str) -> str:
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _comment(text: str, indent: str = "", *, keep: bool = False) -> list[str]:
    # Names of tasks come from outside; a line end in one would end the comment.
    parts = text.split("\n") if keep else ["".join(sign if sign.isprintable() else "?" for sign in text)]
    return [f"{indent}# {line}" for part in parts for line in wrap(part, WIDTH - len(indent)) or [""]]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _instant(at: int) -> str:
    return iso(at)[:19] + "Z"


def too_few() -> str:
    """What to say where nothing follows."""
    return f"There is nothing to suggest: no task had {MIN_SAMPLE} runs in a window for a whole {show_duration(HOUR)}."
