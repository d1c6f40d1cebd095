"""``rules preview``: the message of one rule to one receiver, as it would be sent. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from triggerdev_alerts.documents.mistakes import found, suggestion
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.message.sample import sample, sample_alert
from triggerdev_alerts.message.text import full
from triggerdev_alerts.notification import Notification
from triggerdev_alerts.notify.fallback import recipients
from triggerdev_alerts.pushing.assertions import LASTS, of_notice
from triggerdev_alerts.receivers import alertmanager
from triggerdev_alerts.receivers.build import open_receivers
from triggerdev_alerts.rules.model import Route, Rule, RuleSet
from triggerdev_exporter.commands.rule_files import chosen_rules


def preview(
    files: tuple[str, ...],
    config_path: Path | None,
    alert: str,
    receiver: str,
    *,
    is_resolved: bool,
    as_text: bool,
    now: Instant,
) -> None:
    """Print the body that `receiver` would get of `alert`, or the same as plain text."""
    ruleset = chosen_rules(files, config_path).ruleset
    rule = rule_named(ruleset, alert)
    if receiver not in ruleset.receivers:
        raise click.BadParameter(_unknown("receiver", receiver, list(ruleset.receivers)), param_hint="--receiver")
    route = route_to(ruleset, rule, receiver, now)
    if is_resolved and not route.send_resolved:
        click.echo(f"{receiver} is not told of this: send_resolved is off on route {route.path}", err=True)
    notification = sample(rule, route, ruleset.owners, now=now, is_resolved=is_resolved)
    click.echo(full(notification) if as_text else asyncio.run(_body(ruleset, notification)), nl=not as_text)


def rule_named(ruleset: RuleSet, name: str) -> Rule:
    """The rule of that name. Raises `click.BadParameter`."""
    rules = {rule.name: rule for rule in ruleset.rules}
    if name not in rules:
        raise click.BadParameter(_unknown("alert", name, list(rules)), param_hint="--alert")
    return rules[name]


def route_to(ruleset: RuleSet, rule: Rule, receiver: str, now: Instant) -> Route:
    """The route on which a sample of `rule` comes to `receiver`; if it never does, one with all defaults."""
    for route in recipients(sample_alert(rule, ruleset.owners, now).labels, ruleset):
        if route.receiver == receiver:
            return route
    return Route(receiver=receiver, path="0")


def _unknown(noun: str, name: str, known: list[str]) -> str:
    if not known:
        return f"there is no {noun} in these rules"
    return f"no {noun} is named {found(name)}" + (suggestion(name, known) or f"; there are {', '.join(known)}")


async def _body(ruleset: RuleSet, notification: Notification) -> str:
    """What its receiver makes of it; JSON is indented. Making receivers opens nothing."""
    settings = ruleset.receivers[notification.receiver].settings
    if isinstance(settings, alertmanager.Settings):
        lasts = LASTS * settings.resend_delay
        told = [of_notice(notice, lasts, notification.at) for notice in notification.alerts]
        body = alertmanager.body(told, settings.external_url)
    else:
        async with open_receivers(ruleset) as receivers:
            body = receivers[notification.receiver].render(notification)
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
