"""Servers before v4.5.0: their list of runs is ordered by createdAt, and goes on with smaller ids. Pure.

A schedule's run is made up to 30 s before its createdAt. With one at the end of a page, such a server skips all runs
that were made between. So the next page is asked for by time: it repeats the runs of one millisecond, and skips none.
"""

from __future__ import annotations

import msgspec

from triggerdev_exporter.records import Page, Run

_UNTIL = "until:"
"""How a cursor of ours begins; none of a server's can."""


def by_time(page: Page[Run]) -> Page[Run]:
    """The same page. If its cursor is the bare id of one of its runs, the next page is asked for by time."""
    created = [run.created_at for run in page.items]
    if not any(run.id == f"run_{page.next}" for run in page.items):
        return page
    if min(created) == max(created):
        # By time it would come again; of one millisecond, ids are in order.
        return page
    return msgspec.structs.replace(page, next=f"{_UNTIL}{min(created)}")


def params_of(cursor: str) -> tuple[str, str]:
    """The parameter that a cursor is sent as."""
    if cursor.startswith(_UNTIL):
        return "filter[createdAt][to]", cursor.removeprefix(_UNTIL)
    return "page[after]", cursor
