"""Mistakes for machines: no secret, nothing that ends a line or a property early."""

from __future__ import annotations

import json

from triggerdev_alerts.documents.mistakes import Mistake, Place, flow, nearest
from triggerdev_alerts.documents.reports import REPORTS

ODD = Mistake("x", "100% of\nlines: tr_prod_SeCrEtSeCrEtSeCrEt12", Place("a,b:c.yml", 3, 4, "x"))
BARE = Mistake("y", "no place", severity="warning")


def test_no_secret_and_no_line_end_is_in_any() -> None:
    for report in REPORTS.values():
        assert "SeCrEt" not in report([ODD, BARE])
    assert REPORTS["github"]([ODD, BARE]).split("\n") == [
        "::error file=a%2Cb%3Ac.yml,line=3,col=4,title=error[x]::100%25 of lines: ****************************",
        "::warning title=warning[y]::no place",
    ]


def test_what_has_no_place_has_none() -> None:
    assert json.loads(REPORTS["json"]([BARE]))[0]["file"] is None
    assert "locations" not in json.loads(REPORTS["sarif"]([BARE]))["runs"][0]["results"][0]


def test_values_in_a_sentence_are_yaml() -> None:
    assert flow({"a": [1, True, "x"], "*": "b: c"}) == '{a: [1, true, x], "*": "b: c"}'


def test_a_word_is_near_whatever_its_case_and_when_it_is_a_beginning() -> None:
    words = ["critical", "EXECUTING", "queue_age", "queue_depth"]
    assert nearest("crit", words) == "critical"
    assert nearest("executing", words) == "EXECUTING"
    assert nearest("queue", words) is None or nearest("queue", words) in words
    assert nearest("xyz", words) is None
