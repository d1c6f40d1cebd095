"""What is possible in rules and probably not meant: warnings, with the place. They never change an exit code.

Only rules without mistakes come here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from pydantic import SecretStr

from triggerdev_alerts.conditions.catalogue import CONDITIONS, Absent
from triggerdev_alerts.documents.mistakes import Mistake, Place, found, nearest
from triggerdev_alerts.documents.model import Model, keys_of
from triggerdev_alerts.documents.positions import Path
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.message.template import fields, own_label
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.rules.assembly import ALIASES, matchers
from triggerdev_alerts.rules.model import Matcher, Route, Rule, RuleSet
from triggerdev_alerts.rules.sources import Source
from triggerdev_alerts.rules.words import Match


def warnings_of(sources: Sequence[Source], ruleset: RuleSet) -> list[Mistake]:
    """Everything odd."""
    return [
        *_inline_secrets(sources),
        *_windows(sources, ruleset),
        *_thresholds(sources),
        *_series(sources),
        *_texts(sources, ruleset),
        *_routes(sources, ruleset),
        *_unused_receivers(sources, ruleset),
        *_unused_intervals(sources),
        *_inhibitions(sources, ruleset),
        *_expected_labels(sources, ruleset),
    ]


def _warning(code: str, text: str, place: Place) -> Mistake:
    return Mistake(code, text, place, severity="warning")


def _inline_secrets(sources: Sequence[Source]) -> Iterable[Mistake]:
    """A secret that stands in the file itself. Its value is never told."""
    for source in sources:
        holders: list[tuple[Path, Model]] = [
            (("receivers", name, receiver.kind), receiver.settings)
            for name, receiver in source.shape.receivers.items()
            if receiver is not None
        ]
        if source.shape.ping is not None:
            holders.append((("ping",), source.shape.ping))
        for path, settings in holders:
            keys = keys_of(type(settings))
            for key in keys:
                if not isinstance(getattr(settings, key, None), SecretStr):
                    continue
                instead = " or ".join(one for one in (f"{key}_file", f"{key}_env") if one in keys)
                text = f"{key} is a secret, and this file is not the place for one; put it in {instead or 'a file'}"
                yield _warning("secret", text, source.place((*path, key), True))


def _windows(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    groups = {group.name: group for group in ruleset.groups}
    for source in sources:
        for path, rule in source.rules():
            group = groups.get(source.shape.groups[int(path[1])].name)  # type: ignore[union-attr]  # it has a rule
            read = next((one for one in group.rules if one.name == rule.alert), None) if group else None
            if group is None or read is None or read.shipped != source.file.shipped:
                continue
            when = (*path, "when", read.when.type)
            every = format_duration(group.interval)
            if read.window and read.window < 2 * group.interval:
                text = f"a window of {format_duration(read.window)} sees every run at one or two evaluations only"
                yield _warning("window", f"{text}; they are {every} apart", source.place((*when, "window")))
            if read.for_ % group.interval and rule.for_ is not None:
                late = format_duration(-(-read.for_ // group.interval) * group.interval)
                text = f"for is not a multiple of the interval ({every}): it fires after {late}"
                yield _warning("window", text, source.place((*path, "for")))


def _thresholds(sources: Sequence[Source]) -> Iterable[Mistake]:
    """Thresholds that nothing can be beyond. They can be meant by nobody, but they break nothing either."""
    for source in sources:
        for path, rule in source.rules():
            written = rule.when.written
            for key in written.row.keys:
                value = getattr(written, key.name, None)
                if value is None:
                    continue
                shown = quantities.show(key, value)
                # A number of 1 is no share of 100%.
                if value == key.never and isinstance(value, float):
                    side = "below" if key.name == "below" else "above"
                    text = f"nothing is ever {side} {shown}: the rule can never fire"
                elif key.name == "clear_below" and value == 0 and written.row.absent is not Absent.ZERO:
                    text = f"nothing is ever below {shown}: once it fires, no value clears it"
                else:
                    continue
                yield _warning("never", text, source.place((*path, "when", written.row.name, key.name)))


def _series(sources: Sequence[Source]) -> Iterable[Mistake]:
    """Splits that give too many series, or one that means nothing. Tags are made by the user's code: there may be any
    number of them. A concurrency limit is a single queue's.
    """
    for source in sources:
        for path, rule in source.rules():
            written = rule.when.written
            by = getattr(written, "by", None)
            if written.row.name == "queue_saturated" and by is not None and "queue" not in by:
                text = "queues without a limit count too when all are taken together; split by queue"
                yield _warning("series", text, source.place((*path, "when", written.row.name, "by")))
            if "tag" in (by or ()) and not getattr(written, "tag", None):
                text = "every tag becomes a series of its own; narrow it with tag, or the first ones are kept only"
                yield _warning("series", text, source.place((*path, "when", written.row.name, "by")))


def _texts(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    """Fields that are labels which the rule's alerts never have: the sentence would have a hole."""
    rules = {(rule.place.file, rule.name): rule for rule in ruleset.rules if rule.place is not None}
    for source in sources:
        for path, written in source.rules():
            rule = rules.get((source.file.name, written.alert))
            if rule is None:
                continue
            present = labels_of(rule, ruleset)
            for name, text in written.annotations.items():
                for field in dict.fromkeys(fields(text)):
                    label = own_label(field) or (field if field in _LABEL_FIELDS else None)
                    if label is not None and label not in present:
                        split = _split_by(rule, label)
                        say = f"alerts of {rule.name} have no {label}, so {{{{ {field} }}}} is empty{split}"
                        yield _warning("template", say, source.place((*path, "annotations", name)))


_LABEL_FIELDS = frozenset("task queue version tag schedule owner collector receiver rule".split())


def _split_by(rule: Rule, label: str) -> str:
    """What would give them the label."""
    if label == "owner":
        return "; only alerts of a task or its own queue have one, by owners"
    by = ", ".join((*rule.when.by, label))
    return f"; by: [{by}] gives them one" if label in CONDITIONS[rule.when.type].dimensions else ""


def labels_of(rule: Rule, ruleset: RuleSet) -> set[str]:
    """The labels that an alert of the rule has; the others are absent, which is like empty."""
    row = CONDITIONS[rule.when.type]
    # A task's own queue has its owner too.
    has_owner = bool({"task", "queue"} & {*rule.when.by}) and bool(ruleset.owners)
    return {
        "alertname",
        "severity",
        *([] if row.is_self else ["target"]),
        *rule.when.by,
        *(["owner"] if has_owner else []),
        *rule.labels,
    }


def _fixed(rule: Rule, ruleset: RuleSet, label: str) -> tuple[str, ...] | None:
    """The values that the label can have; ``None`` if any."""
    if label in ("alertname", "severity"):
        return (rule.name if label == "alertname" else rule.severity,)
    if label in rule.labels:
        return (rule.labels[label],)
    if label not in labels_of(rule, ruleset):
        return ("",)
    if label == "owner":
        return (*(owner for _, owner in ruleset.owners), "")
    return None


def _may_match(matcher: Matcher, rule: Rule, ruleset: RuleSet) -> bool:
    values = _fixed(rule, ruleset, matcher.label)
    if values is None:
        return True
    return any(any(fnmatchcase(v, glob) for glob in matcher.values) is not matcher.negative for v in values)


def _must_match(matcher: Matcher, rule: Rule, ruleset: RuleSet) -> bool:
    values = _fixed(rule, ruleset, matcher.label)
    if values is None:
        return "*" in matcher.values and not matcher.negative
    return all(any(fnmatchcase(v, glob) for glob in matcher.values) is not matcher.negative for v in values)


def _routes(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    source = next((source for source in sources if source.shape.routes is not None), None)
    if source is None or ruleset.routes is None:
        written = next((one for one in sources if one.section("receivers")), None)
        if written is not None and ruleset.rules:
            text = "there are receivers and no routes: alerts show on pages and metrics, and nobody is told"
            yield _warning("route", text, written.place(("receivers",), True))
        return
    yield from _below(source, ruleset, ruleset.routes, ("routes",), list(ruleset.rules))
    above: dict[Path, int] = {}
    for path, route in source.routes():
        parent = above.get(path[:-2], ruleset.routes.group_interval)
        above[path] = parent if route.group_interval is None else route.group_interval
    for path, route in source.routes():
        if route.repeat_interval is not None and route.repeat_interval < above[path]:
            every, rest = format_duration(route.repeat_interval), format_duration(above[path])
            text = f"repeats can still happen every {every}, more often than group_interval ({rest}); is that intended?"
            yield _warning("interval", text, source.place((*path, "repeat_interval")))


def _below(source: Source, ruleset: RuleSet, route: Route, path: Path, arriving: list[Rule]) -> Iterable[Mistake]:
    """Warn of children that none of the rules `arriving` here can come to."""
    left = arriving
    for n, child in enumerate(route.children):
        here: Path = (*path, "children", n)
        reaching = [rule for rule in left if all(_may_match(one, rule, ruleset) for one in child.match)]
        if not reaching and ruleset.rules:
            yield _unreached(source, ruleset, child, here)
        else:
            yield from _below(source, ruleset, child, here, reaching)
        if not child.continue_:
            left = [rule for rule in left if not all(_must_match(one, rule, ruleset) for one in child.match)]


def _unreached(source: Source, ruleset: RuleSet, route: Route, path: Path) -> Mistake:
    place = source.place((*path, "match"))
    names = {name for rule in ruleset.rules for name in labels_of(rule, ruleset)}
    for matcher in route.match:
        if matcher.label not in names:
            near = nearest(matcher.label, names)
            hint = f"; did you mean {found(near)}?" if near else ""
            text = f"no alert has a label {found(matcher.label)}{hint}"
            return _warning("route", text, source.place((*path, "match", matcher.label), True))
        if matcher.label == "alertname" and not matcher.negative:
            alerts = [rule.name for rule in ruleset.rules]
            unknown = [one for one in matcher.values if not any(fnmatchcase(name, one) for name in alerts)]
            if unknown:
                near = nearest(unknown[0], alerts)
                hint = f"; did you mean {found(near)}?" if near else ""
                return _warning("route", f"no alert is called {found(unknown[0])}{hint}", place)
    text = "no alert comes here: none matches, or an earlier route without continue takes it"
    return _warning("route", text, place)


def _unused_receivers(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    used = {ruleset.fallback} | {route.receiver for source in sources for _, route in source.routes()}
    if ruleset.routes is None:
        return
    for source in sources:
        for name in source.shape.receivers:
            if name not in used:
                text = f"no route names the receiver {found(name)}: it is told of nothing"
                yield _warning("route", text, source.place(("receivers", name), True))


def _unused_intervals(sources: Sequence[Source]) -> Iterable[Mistake]:
    used = {name for source in sources for _, route in source.routes() for name in (*route.mute, *route.active)}
    for source in sources:
        for name in source.shape.time_intervals:
            if name not in used:
                text = f"no route names the time interval {found(name)}: it mutes nothing"
                yield _warning("route", text, source.place(("time_intervals", name), True))


def _inhibitions(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    # A shipped inhibition may be left without a rule when a person replaces one: nothing that they could mend.
    for source in (one for one in sources if not one.file.shipped):
        for n, written in enumerate(source.shape.inhibit):
            if written is None:
                continue
            path: Path = ("inhibit", n)
            causes, effects = _matched(written.source, ruleset), _matched(written.target, ruleset)
            for key, rules in (("source", causes), ("target", effects)):
                if not rules and ruleset.rules:
                    text = f"no alert can match this {key}: it inhibits nothing"
                    yield _warning("inhibit", text, source.place((*path, key)))
            for cause in causes:
                both = next((one for one in effects if _all_absent(cause, one, written.equal, ruleset)), None)
                if both is not None and written.equal:
                    labels = ", ".join(written.equal)
                    text = (
                        f"{cause.name} and {both.name} both have no {labels}; absent labels are equal, so it inhibits"
                    )
                    yield _warning("inhibit", text, source.place((*path, "equal")))
                    break


def _expected_labels(sources: Sequence[Source], ruleset: RuleSet) -> Iterable[Mistake]:
    """A test that expects a label which the alert never has: ``inactive`` would be true whatever happens."""
    rules = {rule.name: rule for rule in ruleset.rules}
    for source in sources:
        for path, test in source.tests():
            for n, one in enumerate(test.expect):
                rule = rules.get(one.alert or "")
                present = set() if rule is None else labels_of(rule, ruleset)
                for label in one.labels if rule is not None else ():
                    if label not in present:
                        near = nearest(label, present)
                        hint = f"; did you mean {found(near)}?" if near else ""
                        text = f"alerts of {one.alert} have no label {found(label)}{hint}"
                        yield _warning("test", text, source.place((*path, "expect", n, "labels", label), True))


def _matched(match: Match, ruleset: RuleSet) -> list[Rule]:
    read = matchers(match)
    return [rule for rule in ruleset.rules if all(_may_match(one, rule, ruleset) for one in read)]


def _all_absent(cause: Rule, effect: Rule, equal: Sequence[str], ruleset: RuleSet) -> bool:
    if cause is effect:
        return False
    present = labels_of(cause, ruleset) | labels_of(effect, ruleset)
    return not any(ALIASES.get(label, label) in present for label in equal)
