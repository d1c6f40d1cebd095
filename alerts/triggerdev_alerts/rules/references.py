"""What one place of the rules says about another: names that must exist, names that exist twice, templates.

Every finding here is an error. Works on sources with mistakes too, so that all are told in one run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from triggerdev_alerts.documents.mistakes import Mistake, Place, found, nearest
from triggerdev_alerts.documents.positions import Path, Plain
from triggerdev_alerts.documents.wording import listed
from triggerdev_alerts.message.template import problems
from triggerdev_alerts.rules.sources import Source

_ONCE = ("routes", "fallback", "ping", "flood_ceiling")


def reference_mistakes(sources: Sequence[Source], disable: Collection[str]) -> list[Mistake]:
    """Everything that is wrong between places."""
    return [
        *_twice(sources),
        *_missing_receivers(sources),
        *_missing_intervals(sources),
        *_expectations(sources),
        *_roots(sources),
        *_templates(sources),
        *_disabled(sources, disable),
    ]


def _twice(sources: Sequence[Source]) -> Iterable[Mistake]:
    for section in ("receivers", "time_intervals"):
        yield from _repeated(
            (name, source.place((section, name), True), False) for source in sources for name in source.section(section)
        )
    # An own rule of the name of a shipped one replaces it.
    yield from _repeated(
        (name, place, False) for source in sources if not source.file.shipped for name, place in _named_alerts(source)
    )
    yield from _repeated(
        (group.name, source.place((*path, "name")), source.file.shipped)
        for source in sources
        for path, group in source.groups()
    )
    for section in _ONCE:
        places = [source.place((section,), True) for source in sources if source.has(section)]
        for place in places[1:]:
            text = f"{section} can stand in one file only, and is already defined at {spot(places[0])}"
            yield Mistake("duplicate", text, place)


def _repeated(names: Iterable[tuple[str, Place, bool]]) -> Iterable[Mistake]:
    first: dict[str, tuple[Place, bool]] = {}
    for name, place, shipped in names:
        if name not in first:
            first[name] = place, shipped
            continue
        known, is_shipped = first[name]
        by_whom = "is the name of a shipped one" if is_shipped else f"already defined at {spot(known)}"
        yield Mistake("duplicate", f"{found(name)} {by_whom}", place)


def spot(place: Place) -> str:
    """``rules.yml:12:5``."""
    return f"{place.name}:{place.line}:{place.column}"


def _missing_receivers(sources: Sequence[Source]) -> Iterable[Mistake]:
    known = _defined(sources, "receivers")
    for source in sources:
        for path, route in source.routes():
            if route.receiver is not None and route.receiver not in known:
                yield _no(source, "receiver", route.receiver, known, (*path, "receiver"))
        if source.shape.fallback is not None and source.shape.fallback not in known:
            yield _no(source, "receiver", source.shape.fallback, known, ("fallback",))


def _missing_intervals(sources: Sequence[Source]) -> Iterable[Mistake]:
    known = _defined(sources, "time_intervals")
    for source in sources:
        for path, route in source.routes():
            for key, names in (("mute", route.mute), ("active", route.active)):
                for n, name in enumerate(names):
                    if name not in known:
                        yield _no(source, "time interval", name, known, (*path, key, n))


def _expectations(sources: Sequence[Source]) -> Iterable[Mistake]:
    """Tests expect of alerts and receivers that exist: of another one ``inactive`` would always be true."""
    receivers = _defined(sources, "receivers")
    alerts = {name: place for source in sources for name, place in _named_alerts(source)}
    for source in sources:
        for path, test in _entries(source.document.data, "tests"):
            for here, one in _entries(test, "expect", at=path):
                alert, receiver = one.get("alert"), one.get("receiver")
                if isinstance(alert, str) and alert not in alerts:
                    yield _no(source, "alert", alert, alerts, (*here, "alert"))
                if isinstance(receiver, str) and receiver not in receivers:
                    yield _no(source, "receiver", receiver, receivers, (*here, "receiver"))


def _entries(data: Plain, key: str, *, at: Path = ()) -> Iterable[tuple[Path, dict[str, Plain]]]:
    """The mappings of a list as it was written. What is wrong with one hides nothing else that is wrong with it."""
    written = data.get(key) if isinstance(data, dict) else None
    for n, entry in enumerate(written if isinstance(written, tuple) else ()):
        if isinstance(entry, dict):
            yield (*at, key, n), entry


def _written_rules(source: Source) -> Iterable[tuple[Path, dict[str, Plain]]]:
    for path, group in _entries(source.document.data, "groups"):
        yield from _entries(group, "rules", at=path)


def _named_alerts(source: Source) -> Iterable[tuple[str, Place]]:
    """Of all rules, also of those with mistakes: these are told there, and not again wherever they are named."""
    for path, rule in _written_rules(source):
        name = rule.get("alert")
        if isinstance(name, str):
            yield name, source.place((*path, "alert"))


def _defined(sources: Sequence[Source], section: str) -> dict[str, Place]:
    return {
        name: source.place((section, name), True) for source in reversed(sources) for name in source.section(section)
    }


def _no(source: Source, kind: str, name: str, known: Mapping[str, Place], path: Path) -> Mistake:
    near = nearest(name, known)
    if near is None:
        return Mistake("ref", f"no {kind} {found(name)}{listed(list(known))}", source.place(path))
    place = known[near]
    where = f"{place.line}:{place.column}" if place.name == source.file.name else spot(place)
    text = f"no {kind} {found(name)}; did you mean {found(near)}? (defined at {where})"
    return Mistake("ref", text, source.place(path))


def _roots(sources: Sequence[Source]) -> Iterable[Mistake]:
    """The first route takes what no other one takes, so it must say who is told, and match everything."""
    for source in sources:
        root = source.shape.routes
        if root is None:
            continue
        written = source.section("routes")
        if "receiver" not in written:
            text = '"receiver" is required in the first route: it is told of what no other route takes'
            yield Mistake("missing", text, source.place(("routes",), True))
        for key in ("match", "continue"):
            if written.get(key):
                text = f"the first route takes everything, so {key} has no place here; write it under children"
                yield Mistake("route", text, source.place(("routes", key), True))


def _templates(sources: Sequence[Source]) -> Iterable[Mistake]:
    for source in sources:
        for path, rule in _written_rules(source):
            annotations = rule.get("annotations")
            for name, text in annotations.items() if isinstance(annotations, dict) else ():
                if isinstance(text, str):
                    place = source.place((*path, "annotations", name))
                    yield from (Mistake("template", sentence, place) for _, sentence in problems(text))


def _disabled(sources: Sequence[Source], disable: Collection[str]) -> Iterable[Mistake]:
    known = [name for source in sources for name, _ in _named_alerts(source)]
    for name in disable:
        if name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {found(near)}?" if near else ""
            yield Mistake("ref", f"no rule {found(name)} to disable{hint}", Place("alerts.disable"))
