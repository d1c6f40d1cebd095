"""The cursors of servers before v4.5.0: bare ids, that skip runs whose ids are not in the order of createdAt."""

from __future__ import annotations

import pytest

from triggerdev_exporter.api.dialects.old_cursors import by_time, params_of
from triggerdev_exporter.api.dialects.probe import DIALECTS
from triggerdev_exporter.records import Page, Run
from triggerdev_exporter.statuses import RunStatus


def page(*created: int, next: str | None) -> Page[Run]:
    runs = [Run(id=f"run_{at}", task="a", status=RunStatus.COMPLETED, created_at=at) for at in created]
    return Page(tuple(runs), next)


@pytest.mark.parametrize(
    ("created", "given", "expected"),
    [
        ((9, 7, 5), "5", "until:5"),
        ((5, 9, 7), "7", "until:5"),  # such servers sort the rows of a page by id
        ((9, 7, 5), "eyJjIjo1LCJyIjoiNSJ9", "eyJjIjo1LCJyIjoiNSJ9"),
        ((9, 7, 5), "run_5", "run_5"),  # the seed's
        ((9, 7, 5), None, None),
        ((), "5", "5"),
    ],
)
def test_what_the_next_page_is_asked_for_by(created: tuple[int, ...], given: str | None, expected: str | None) -> None:
    assert by_time(page(*created, next=given)).next == expected


def test_a_page_of_one_millisecond_goes_on_by_id() -> None:
    runs = tuple(Run(id=f"run_{n}", task="a", status=RunStatus.COMPLETED, created_at=9) for n in "cba")
    assert by_time(Page(runs, "a")).next == "a"


def test_how_it_is_sent() -> None:
    assert params_of("until:5") == ("filter[createdAt][to]", "5")
    assert params_of("abc") == ("page[after]", "abc")
    call = DIALECTS["trigger"].runs(created_from=3, cursor="until:5")
    assert dict(call.params) == {"filter[createdAt][from]": "3", "page[size]": "100", "filter[createdAt][to]": "5"}
