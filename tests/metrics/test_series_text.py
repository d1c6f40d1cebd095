"""Our text against prometheus-client's: the same rows, written by both and read by its parsers, say the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from library_page import Library, metric
from triggerdev_exporter.ledger.exemplars import Exemplar
from triggerdev_exporter.metrics.family import Buckets, Kind, Value
from triggerdev_exporter.metrics.series_text import SeriesText, Unwritten, header, number, write

HELP = 'What "it" is:\\ one\nand another.'
LABELS = ("task", "status")

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
awkward = st.sampled_from(['"', "\\", "\n", "\\n", '\\"', "}", '"} 1', ",", "", " ", "é", "\U0001f600", "\x00", "\r"])
label_values = st.one_of(texts, awkward)
numbers = st.one_of(st.integers(-(2**53), 2**53), st.floats(), st.sampled_from([0.1, 1e16, 1e-7, -0.0]))
amounts = st.one_of(st.integers(0, 10**15), st.floats(0, 1e15))
buckets = st.lists(st.integers(0, 10**9), min_size=4, max_size=4).flatmap(
    lambda cells: st.floats(0, 1e12).map(lambda total: Buckets((0.1, 1.0, 86_400.0), tuple(cells), total))
)
row_values = {Kind.GAUGE: numbers, Kind.COUNTER: amounts, Kind.HISTOGRAM: buckets}
statics = st.fixed_dictionaries({"target": label_values}, optional={"project": label_values, "status": label_values})


@st.composite
def families(draw: st.DrawFn) -> tuple[Kind, dict[tuple[str, str], Value], dict[str, str], float | None]:
    kind = draw(st.sampled_from(list(Kind)))
    static = draw(statics)
    # One that overrides a family's own label leaves only the other to tell the series apart.
    keys = st.tuples(label_values, st.just("") if "status" in static else label_values)
    rows = draw(st.dictionaries(keys, row_values[kind], min_size=1, max_size=6))
    return kind, rows, static, draw(st.none() | st.floats(1, 2e9))


def samples(found: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], object]:
    """Every sample, with NaN as a word so that it equals itself; also what the family is called, is and means."""
    told: dict[tuple[str, frozenset[tuple[str, str]]], object] = {}
    for family in found:
        told[family.name, frozenset()] = (family.type, family.documentation)
        for sample in family.samples:
            value = "NaN" if math.isnan(sample.value) else sample.value
            told[f"sample {sample.name}", frozenset(sample.labels.items())] = value
    return told


def ours(kind: Kind, rows: dict[tuple[str, str], Value], text: SeriesText, *, as_openmetrics: bool) -> str:
    lines = [header(name_of(kind), HELP, kind, openmetrics=as_openmetrics)]
    unwritten: list[Unwritten] = []
    told = text.gather(rows.items(), unwritten)
    assert len(told) == len(rows)
    write(unwritten)
    lines += told
    return b"".join(lines).decode() + ("# EOF\n" if as_openmetrics else "")


def name_of(kind: Kind) -> str:
    return "triggerdev_thing" + {Kind.COUNTER: "_total", Kind.HISTOGRAM: "_seconds", Kind.GAUGE: ""}[kind]


@given(families())
@pytest.mark.parametrize("as_openmetrics", [False, True])
def test_it_means_what_the_library_means(
    as_openmetrics: bool, family: tuple[Kind, dict[tuple[str, str], Value], dict[str, str], float | None]
) -> None:
    kind, rows, static, created = family
    name = name_of(kind)
    created = created if as_openmetrics else None
    library = Library(lambda: [metric(name, HELP, kind, LABELS, rows.items(), static, created)])
    read: Callable[[str], Iterable[Metric]] = read_openmetrics if as_openmetrics else read_text
    text = SeriesText(name, LABELS, static, kind, created)
    mine = ours(kind, rows, text, as_openmetrics=as_openmetrics)
    assert samples(read(mine)) == samples(read(library.write(as_openmetrics=as_openmetrics).decode()))
    # What was kept from the first page changes nothing on the second.
    assert ours(kind, rows, text, as_openmetrics=as_openmetrics) == mine


@given(st.sampled_from(list(Kind)), st.data())
def test_what_is_kept_from_other_rows_never_shows(kind: Kind, data: st.DataObject) -> None:
    kept = SeriesText(name_of(kind), LABELS, {"target": "prod"}, kind)
    few = st.dictionaries(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), row_values[kind], max_size=4)
    for rows in data.draw(st.lists(few, max_size=4)):
        fresh = SeriesText(name_of(kind), LABELS, {"target": "prod"}, kind)
        pages = [ours(kind, rows, text, as_openmetrics=False) for text in (kept, fresh)]
        # Samples, not text: 0 may stand for 0.0.
        assert samples(read_text(pages[0])) == samples(read_text(pages[1]))


@pytest.mark.parametrize(
    ("value", "written"),
    [(1, "1"), (1.0, "1.0"), (0.1, "0.1"), (-0.0, "-0.0"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN")],
)
def test_numbers(value: float, written: str) -> None:
    assert number(value) == written


def test_labels_that_are_gone_are_forgotten() -> None:
    text = SeriesText("triggerdev_thing", ("task",), {}, Kind.GAUGE)

    def kept_after(names: Sequence[str]) -> int:
        unwritten: list[Unwritten] = []
        text.gather([((name,), 1) for name in names], unwritten)
        write(unwritten)
        return len(text._rows)

    for generation in range(20):
        assert kept_after([f"{generation}-{number}" for number in range(100)]) == 100
    assert kept_after(["one"]) == 1


def test_exemplars_are_what_the_library_reads_back_and_only_in_openmetrics() -> None:
    runs = (
        Exemplar("run_1", 50, 1_795_458_600_123),
        None,
        Exemplar("run_2", 90_000, 1_795_458_600_000, "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"),
        Exemplar("run_" + "x" * 200, 10**9, 1_795_458_600_000),
    )
    rows: dict[tuple[str, str], Value] = {("a", "b"): Buckets((0.1, 1.0, 86_400.0), (1, 0, 1, 1), 1e6, runs)}
    name = name_of(Kind.HISTOGRAM)
    text = SeriesText(name, LABELS, {"target": "prod"}, Kind.HISTOGRAM, 1.5, exemplars=True)
    (family,) = read_openmetrics(ours(Kind.HISTOGRAM, rows, text, as_openmetrics=True))
    found = [sample.exemplar for sample in family.samples if sample.name.endswith("_bucket")]
    assert [None if each is None else (each.labels, each.value, str(each.timestamp)) for each in found] == [
        ({"run_id": "run_1"}, 0.05, "1795458600.123000000"),
        None,
        (
            {"run_id": "run_2", "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"},
            90.0,
            "1795458600.000000000",
        ),
        # Too long for the format: rather no exemplar than no page.
        None,
    ]
    plain = SeriesText(name, LABELS, {"target": "prod"}, Kind.HISTOGRAM)
    assert "run_1" not in ours(Kind.HISTOGRAM, rows, plain, as_openmetrics=False)
