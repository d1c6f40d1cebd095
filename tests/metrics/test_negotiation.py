"""Which format a scraper gets: what Prometheus, browsers and people send, and the rules of q."""

from __future__ import annotations

import pytest

from triggerdev_exporter.metrics.negotiation import Format, accepts_gzip, choose_format

OM1, OM0, T1, T0 = Format.OPENMETRICS_1, Format.OPENMETRICS_0, Format.TEXT_1, Format.TEXT_0
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (PROMETHEUS_2, OM1),
        (PROMETHEUS_3, OM1),
        # curl, wget, a browser
        ("", T0),
        ("*/*", T0),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", T0),
        ("text/*", T0),
        ("text/plain", T0),
        # protobuf first, then what we have
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
            "text/plain;version=0.0.4;q=0.3",
            T0,
        ),
        # q decides, whatever the order
        ("text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.1", T0),
        ("application/openmetrics-text;q=0.1, text/plain;version=0.0.4;q=0.9", T0),
        ("text/plain;version=1.0.0;q=0.1, application/openmetrics-text;q=0.9", OM1),
        # q=0 refuses
        ("application/openmetrics-text;q=0, text/plain;q=0.1", T0),
        ("application/openmetrics-text;version=1.0.0;q=0, application/openmetrics-text;version=0.0.1", OM0),
        ("application/openmetrics-text;version=1.0.0;q=0, application/openmetrics-text", OM0),
        # a version that we cannot write is not ours
        ("application/openmetrics-text;version=2.0.0, text/plain;version=0.0.4;q=0.2", T0),
        ("application/openmetrics-text;version=2.0.0, application/openmetrics-text;version=1.0.0;q=0.5", OM1),
        ("text/plain;version=1.0.0", T1),
        ("application/openmetrics-text", OM1),
        # nothing that we have: the old text, rather than an error that loses the scrape
        ("application/json", T0),
        ("text/plain;q=0, */*;q=0", T0),
        # broken headers
        ("garbage;;;q=x,,", T0),
        ("application/openmetrics-text;q=high, text/plain;q=0.1", T0),
        ("APPLICATION/OPENMETRICS-TEXT; VERSION=1.0.0", OM1),
        ('application/openmetrics-text; version="1.0.0"', OM1),
    ],
)
def test_the_format_follows_the_header(accept: str, chosen: Format) -> None:
    assert choose_format(accept)[0] is chosen


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        (PROMETHEUS_2, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        (
            "text/plain;version=1.0.0;escaping=values",
            "text/plain; version=1.0.0; charset=utf-8; escaping=values",
        ),
        ("text/plain;version=1.0.0;escaping=odd", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
    ],
)
def test_the_content_type_says_what_is_written(accept: str, content_type: str) -> None:
    assert choose_format(accept)[1] == content_type


@pytest.mark.parametrize(
    ("header", "gzip"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("br, GZIP", True),
    ],
)
def test_gzip_only_for_those_who_take_it(header: str, gzip: bool) -> None:
    assert accepts_gzip(header) is gzip
