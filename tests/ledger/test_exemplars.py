"""Which run stands beside a bucket: a recent one, and rather one whose trace is exported."""

from __future__ import annotations

from typing import Any

from ledger_book import BIRTH, Book, a_run
from triggerdev_exporter.clock import MINUTE
from triggerdev_exporter.ledger.exemplars import Exemplar, is_better
from triggerdev_exporter.ledger.limits import limits
from triggerdev_exporter.ledger.run_news import enrich, sight
from triggerdev_exporter.ledger.tally import BOUNDS_MS
from triggerdev_exporter.records import Enrichment, Run
from triggerdev_exporter.spans.ids import span_id, trace_id
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.spans.sampling import Sampler

NOW = BIRTH + 10_000
WAIT, DURATION = "run_wait_seconds", "run_duration_seconds"


def a_book(policy: Policy | None = None, *, enriched: bool = False) -> Book:
    book = Book()
    book.ledger.spans, book.ledger.enriched = policy, enriched
    return book


def see(book: Book, *runs: Run, now: int = NOW, count_tests: bool = False) -> None:
    book.write(lambda draft: sight(draft, runs, now=now, count_tests=count_tests))


def an_end(run_id: str = "run_1", **fields: Any) -> Run:
    return a_run(run_id, **{"task": "mail", "started_at": 2_000, "finished_at": 3_000, "depth": 0, **fields})


def shown(book: Book, family: str, *labels: str) -> list[Exemplar]:
    """Those of one series; each must have been observed in the cell that it stands beside."""
    found = book.ledger.exemplars.of((family, labels))
    assert len(found) in (0, len(BOUNDS_MS[family]) + 1)
    for cell, exemplar in enumerate(found):
        if exemplar is not None:
            bounds = (-1, *BOUNDS_MS[family], 2**60)
            assert bounds[cell] < exemplar.value <= bounds[cell + 1]
            assert book.ledger.histogram(family)[labels].cells[cell] > 0
    return [exemplar for exemplar in found if exemplar is not None]


def test_without_traces_it_is_the_latest_run_of_each_bucket() -> None:
    book = a_book()
    see(book, an_end("run_1"), an_end("run_2"), an_end("run_3", finished_at=90_000), now=NOW)
    assert shown(book, DURATION, "mail", "success") == [
        Exemplar("run_2", 1_000, NOW),
        Exemplar("run_3", 88_000, NOW),
    ]
    assert [each.run_id for each in shown(book, WAIT, "mail")] == ["run_3"]
    see(book, an_end("run_4"), now=NOW + 1)
    assert shown(book, DURATION, "mail", "success")[0] == Exemplar("run_4", 1_000, NOW + 1)


def test_a_sampled_run_carries_its_trace() -> None:
    book = a_book(Policy())
    see(book, an_end(depth=1, parent_id="run_0", root_id="run_0"))
    expected = Exemplar("run_1", 1_000, NOW, trace_id("run_0"), span_id("run_1"))
    assert shown(book, DURATION, "mail", "success") == [expected]
    assert shown(book, WAIT, "mail") == [expected]


def test_a_run_whose_trace_is_known_later_gets_it_then() -> None:
    book = a_book(Policy(), enriched=True)
    see(book, an_end("run_1"))
    see(book, an_end("run_2"), now=NOW + 1)
    assert [each.trace_id for each in shown(book, WAIT, "mail")] == [""]
    told = [Enrichment(run_id="run_1", queue="q", is_finished=True)]
    book.write(lambda draft: enrich(draft, told, now=NOW + 5))
    assert shown(book, WAIT, "mail") == [Exemplar("run_1", 1_000, NOW + 5, trace_id("run_1"), span_id("run_1"))]


def test_a_run_that_is_not_sampled_only_has_its_id() -> None:
    book = a_book(Policy(sampler=Sampler("always_off")))
    see(book, an_end())
    assert shown(book, WAIT, "mail") == [Exemplar("run_1", 1_000, NOW)]


def test_a_traced_run_keeps_its_place_for_a_while() -> None:
    traced = Exemplar("a", 1, NOW, "t", "s")
    assert is_better(traced, None)
    assert not is_better(Exemplar("b", 1, NOW + 5 * MINUTE), traced)
    assert is_better(Exemplar("b", 1, NOW + 5 * MINUTE + 1), traced)
    assert is_better(Exemplar("b", 1, NOW, "t2", "s2"), traced)
    # Prometheus takes them in order only.
    assert not is_better(Exemplar("b", 1, NOW - 1, "t2", "s2"), traced)


def test_test_runs_stand_beside_nothing() -> None:
    book = a_book(Policy())
    see(book, an_end("run_1"), an_end("run_2", is_test=True))
    assert [each.run_id for each in shown(book, WAIT, "mail")] == ["run_1"]
    see(book, an_end("run_3", is_test=True), count_tests=True)
    assert [each.run_id for each in shown(book, WAIT, "mail")] == ["run_3"]


def test_a_run_that_never_started_stands_beside_nothing() -> None:
    book = a_book(Policy())
    see(book, a_run("run_1", task="mail", finished_at=3_000, status="EXPIRED"))
    assert shown(book, WAIT, "mail") == []


def test_folded_tasks_share_their_exemplars() -> None:
    book = a_book(Policy())
    book.ledger.limits = limits(1, ())
    see(book, an_end("run_1", task="a"), an_end("run_2", task="b"))
    assert [each.run_id for each in shown(book, WAIT, "__other__")] == ["run_2"]
    assert shown(book, WAIT, "a") == []
