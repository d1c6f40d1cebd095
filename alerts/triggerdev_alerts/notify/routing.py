"""Who gets an alert: the walk down the route tree, the same for sending and for explaining. Knows no state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.notify.matching import label_value, matches
from triggerdev_alerts.rules.model import Matcher, Route

ALL_LABELS = "..."
"""In `group_by`: every label, so that each alert is a group of its own."""

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)


class Verdict(StrEnum):
    """What became of a node while one alert was routed."""

    CHOSEN = "chosen"
    PASSED_ON = "passed on"
    """It matched, and so did a route below it, which gets the alert instead."""
    REFUSED = "refused"
    SKIPPED = "skipped"
    """Never tried: an earlier sibling matched and does not continue."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One node of the tree, and why it gets the alert or not."""

    route: Route
    depth: int
    verdict: Verdict
    failed: Matcher | None = None
    """Refused: the first matcher that did not fit."""
    says: str = ""
    """The reason in words."""


def routes_of(labels: Labels, root: Route) -> tuple[Route, ...]:
    """The deepest routes that match, in the order in which they are written; at least one if the root matches."""
    return tuple(trial.route for trial in explain(labels, root) if trial.verdict is Verdict.CHOSEN)


def explain(labels: Labels, root: Route) -> tuple[Trial, ...]:
    """Every node of the tree in the order in which it is written, each with its verdict."""
    return tuple(_try(labels, root, 0))


def _try(labels: Labels, route: Route, depth: int) -> list[Trial]:
    failed = next((matcher for matcher in route.match if not matches(matcher, labels)), None)
    if failed is not None:
        return [Trial(route, depth, Verdict.REFUSED, failed, _why_refused(failed, labels))]
    below: list[Trial] = []
    taken: Route | None = None
    for child in route.children:
        if taken is not None and not taken.continue_:
            below.append(Trial(child, depth + 1, Verdict.SKIPPED, says=f"route {taken.path} took it, without continue"))
            continue
        trials = _try(labels, child, depth + 1)
        if trials[0].verdict is not Verdict.REFUSED:
            taken = child
        below += trials
    if any(trial.verdict is Verdict.CHOSEN for trial in below):
        return [Trial(route, depth, Verdict.PASSED_ON, says="a route below it matches"), *below]
    says = f"sent to {route.receiver}" + (", no route below it matches" if route.children else "")
    return [Trial(route, depth, Verdict.CHOSEN, says=says), *below]


def _why_refused(matcher: Matcher, labels: Labels) -> str:
    value = label_value(matcher.label, labels)
    has = f'{matcher.label} is "{value}"' if value else f"there is no {matcher.label}"
    wanted = " or ".join(f'"{glob}"' for glob in matcher.values)
    return f"{has}, it must {'not ' if matcher.negative else ''}match {wanted}"


def every_route(root: Route) -> Iterator[Route]:
    """The nodes of the tree, from the top, in the order in which they are written."""
    yield root
    for child in root.children:
        yield from every_route(child)


def routes_by_path(root: Route | None) -> dict[str, Route]:
    """The nodes of the tree by their path."""
    return {} if root is None else {route.path: route for route in every_route(root)}


def route_of(receiver: str, path: str, routes: Mapping[str, Route]) -> Route:
    """The route of a group; for one whose route is gone a route with all defaults, to tell what is left to tell."""
    route = routes.get(path)
    return route if route is not None and route.receiver == receiver else Route(receiver=receiver, path=path)


def group_labels(route: Route, labels: Labels) -> Labels:
    """The labels that make the group of an alert on this route; those that it has not are left out."""
    if ALL_LABELS in route.group_by:
        return labels
    return tuple(pair for pair in labels if pair[0] in route.group_by)


def group_key(route: Route, labels: Labels) -> str:
    """Names a group for ever: receiver, route and group labels, like ``ops-slack/0/1{alertname="X"}``.

    `labels` are those of an alert or already of a group. The text is made to be read; equal keys mean equal groups.
    """
    receiver = route.receiver if _PLAIN.fullmatch(route.receiver) else json.dumps(route.receiver)
    pairs = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in group_labels(route, labels))
    return f"{receiver}/{route.path}{{{pairs}}}"
