"""``rules route``: who would get an alert with these labels, and why; the walk is the one that sending takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.documents.mistakes import found
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.evaluation.labels import bounded, owner_of
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.template import ALIASES
from triggerdev_alerts.message.values import show_instant
from triggerdev_alerts.notify.calendar import is_inside
from triggerdev_alerts.notify.fallback import PATH, recipients
from triggerdev_alerts.notify.matcher_text import format_matchers
from triggerdev_alerts.notify.matching import label_value, matches_all
from triggerdev_alerts.notify.routing import Trial, Verdict, explain, group_key
from triggerdev_alerts.receivers.kinds import KINDS
from triggerdev_alerts.rules.model import Inhibition, Matcher, Route, RuleSet
from triggerdev_exporter.commands.columns import columns
from triggerdev_exporter.commands.rule_files import chosen_rules


def route_alert(files: tuple[str, ...], config_path: Path | None, written: Sequence[str], now: Instant) -> None:
    """Print who gets it. Raises `click.BadParameter` for labels that cannot be read."""
    given = read_labels(written)
    ruleset = chosen_rules(files, config_path).ruleset
    click.echo(explained(ruleset, completed(ruleset, given), now))


def read_labels(written: Sequence[str]) -> dict[str, str]:
    """``a=b,c=d``, several times if a value holds a comma."""
    labels: dict[str, str] = {}
    for text in written:
        for part in text.split(",") if text.count("=") > 1 else [text]:
            name, sign, value = part.strip().partition("=")
            if not sign or not name:
                raise click.BadParameter(
                    f"{found(part)} is not a label; write them like severity=critical,task=send-email",
                    param_hint="--labels",
                )
            labels[ALIASES.get(name, name)] = value
    return labels


def completed(ruleset: RuleSet, given: dict[str, str]) -> Labels:
    """`given`, and what an alert of the rule that ``alertname`` names would have besides."""
    rules = [rule for rule in ruleset.rules if rule.name == given.get("alertname")]
    known = {**rules[0].labels, "severity": rules[0].severity} if len(rules) == 1 else {}
    owner = owner_of(given, ruleset.owners)
    return bounded({**known, **({"owner": owner} if owner and "owner" not in known else {}), **given})


def explained(ruleset: RuleSet, labels: Labels, now: Instant) -> str:
    """Every route with its verdict, then each receiver with what holds for it at `now`."""
    lines = [f"An alert with {_pairs(labels) or 'no labels'}:", ""]
    if ruleset.routes is None:
        return "\n".join([*lines, "There are no routes: it shows on pages and metrics, and nobody is told."])
    trials = explain(labels, ruleset.routes)
    lines += columns([_walked(trial) for trial in trials])
    chosen = recipients(labels, ruleset)
    for trial in trials:
        if trial.verdict is Verdict.CHOSEN and trial.route not in chosen:
            lines += ["", f"{trial.route.receiver} is not told: the alert is about it"]
    if not chosen:
        lines += ["", "Nobody is told: the first route does not take it."]
    above = {trial.route.path: trial.route for trial in trials}
    for route in chosen:
        by = "as the fallback" if route.path == PATH else f"by route {route.path}"
        lines += ["", f"{route.receiver} is told, {by}"]
        lines += (f"  {line}" for line in _holds(ruleset, labels, route, above, now))
    if chosen:
        lines += ["", *_inhibited(ruleset, labels)]
    return "\n".join(lines)


def _walked(trial: Trial) -> tuple[str, str, str, str]:
    indent = "  " * trial.depth
    wants = format_matchers(trial.route.match) or "everything"
    return f"{indent}route {trial.route.path}", wants, trial.verdict.value, trial.says


def _holds(ruleset: RuleSet, labels: Labels, route: Route, above: dict[str, Route], now: Instant) -> Iterator[str]:
    if route.path != PATH:
        matched = [above[path].match for path in _path(route.path) if path in above]
        every = tuple(matcher for matchers in matched for matcher in matchers)
        yield f"matched:  {format_matchers(every) or 'everything comes here'}"
    config = ruleset.receivers.get(route.receiver)
    if config is not None and KINDS[config.kind].holds_state:
        yield "told:     at once, and again while it fires; it groups, mutes, silences and inhibits by itself"
        return
    yield f"grouped:  {', '.join(route.group_by) or 'all in one'}, so in {group_key(route, labels)}"
    yield f"told:     after {format_duration(route.group_wait)}; {_again(route)}"
    yield f"mutes:    {_mutes(ruleset, route, now)}"


def _path(path: str) -> list[str]:
    """``0/1/0`` → ``0``, ``0/1``, ``0/1/0``."""
    parts = path.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _again(route: Route) -> str:
    resolved = "" if route.send_resolved else "; its end is not told"
    return (
        f"changes of the group every {format_duration(route.group_interval)}, "
        f"again every {format_duration(route.repeat_interval)}{resolved}"
    )


def _mutes(ruleset: RuleSet, route: Route, now: Instant) -> str:
    """Whether anything is sent at `now`, by which intervals."""
    if not route.mute and not route.active:
        return "none"
    inside = {name for name in (*route.mute, *route.active) if is_inside(ruleset.time_intervals.get(name, ()), now)}
    muting = [name for name in route.mute if name in inside]
    at = f"now ({show_instant(now)})"
    if muting:
        return f"{', '.join(muting)} mutes it {at}"
    if route.active and not inside & set(route.active):
        return f"it is only sent in {', '.join(route.active)}, which is not {at}"
    return f"not {at}; it is muted in {_parts(route)}"


def _parts(route: Route) -> str:
    parts = [", ".join(route.mute)] if route.mute else []
    parts += [f"all but {', '.join(route.active)}"] if route.active else []
    return " and in ".join(parts)


def _inhibited(ruleset: RuleSet, labels: Labels) -> list[str]:
    possible = [each for each in ruleset.inhibitions if matches_all(each.target, labels)]
    if not possible:
        return ["No inhibition can withhold it."]
    return ["It is withheld while another alert fires with", *(f"  {_source(each, labels)}" for each in possible)]


def _source(inhibition: Inhibition, labels: Labels) -> str:
    same = tuple(Matcher(name, (label_value(name, labels),)) for name in inhibition.equal)
    return format_matchers((*inhibition.source, *same)) or "any labels"


def _pairs(labels: Labels) -> str:
    return " ".join(f"{name}={value}" for name, value in labels)
