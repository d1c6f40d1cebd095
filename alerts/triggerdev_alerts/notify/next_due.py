"""When a flush would do something again. The engine sleeps until then."""

from __future__ import annotations

from triggerdev_alerts.book import Book
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notify.cadence import due_at
from triggerdev_alerts.notify.flood import digest_at
from triggerdev_alerts.notify.routing import route_of, routes_by_path
from triggerdev_alerts.rules.model import RuleSet


def next_due(book: Book, ruleset: RuleSet, now: Instant) -> Instant | None:
    """The earliest instant at which a flush has something to look at, `now` if that is past; ``None`` for never.

    The ends of mutes, silences and flapping are not in it: they are told at the group's next instant on its grid.
    """
    routes = routes_by_path(ruleset.routes)
    dues = [due_at(entry, route_of(entry.receiver, entry.route, routes), now) for entry in book.groups.values()]
    for receiver in book.receivers.values():
        digest = digest_at(receiver, ruleset.flood_ceiling)
        if digest is not None:
            dues.append(digest)
    return max(now, min(dues)) if dues else None
