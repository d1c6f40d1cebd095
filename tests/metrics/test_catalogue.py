"""The catalogue holds to the rules for names, and docs/metrics.md to the catalogue."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from triggerdev_exporter.metrics import catalogue
from triggerdev_exporter.metrics.family import Family, Kind
from triggerdev_exporter.metrics.process_families import ProcessFamily

ROOT = Path(__file__).resolve().parents[2]
#: Labels that Prometheus or its users attach to targets themselves (docs/design.md keeps `type` and `environment*` on
#: info series and small gauges only, where nothing is aggregated over them).
TAKEN = {"job", "instance", "env", "region", "service", "cluster", "le", "quantile"}


def test_the_page_shows_the_catalogue_of_today() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from metrics_table import filled
    finally:
        sys.path.pop(0)
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert filled(text) == text, "docs/metrics.md is not today's: run `make docs`"


def test_the_json_says_the_same() -> None:
    rows = json.loads(catalogue.as_json())
    assert [row["name"] for row in rows] == [family.full_name for family in catalogue.ALL]


def test_each_name_stands_once() -> None:
    names = [family.full_name for family in catalogue.ALL]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", catalogue.ALL, ids=lambda family: family.name)
def test_names_follow_the_rules(family: Family | ProcessFamily) -> None:
    assert re.fullmatch(r"triggerdev_[a-z][a-z0-9_]*", family.full_name)
    assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
    assert not family.name.endswith(("_count", "_sum", "_bucket", "_created"))
    assert not {"milliseconds", "minutes", "hours", "percent", "ms"} & set(family.name.split("_"))
    if "timestamp" in family.name:
        assert family.name.endswith("_timestamp_seconds")
    if family.kind is Kind.HISTOGRAM:
        assert family.name.endswith("_seconds")
    assert not TAKEN & set(family.labels)
    assert len(set(catalogue.own_labels(family))) == len(catalogue.own_labels(family))
    assert family.help.endswith(".")
    assert "|" not in family.help, "it stands in a Markdown table"


@pytest.mark.parametrize("family", [one for one in catalogue.FAMILIES if one.source], ids=lambda family: family.name)
def test_only_gauges_go_stale(family: Family) -> None:
    assert family.kind is Kind.GAUGE
