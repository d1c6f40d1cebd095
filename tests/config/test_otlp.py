"""What the `OTEL_*` variables lead to: on or off, where to, and what is told of values that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggerdev_alerts.documents.mistakes import render
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.otlp import read_otlp
from triggerdev_exporter.errors import ConfigError
from triggerdev_exporter.spans.attributes import Limits
from triggerdev_exporter.spans.otlp import Otlp
from triggerdev_exporter.spans.sampling import Sampler

ANY = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def otlp(**environ: str) -> Otlp:
    read = read_otlp(ANY | environ, "auto")
    assert (read.mistakes, read.warnings) == ((), ())
    assert read.otlp is not None
    return read.otlp


def told(**environ: str) -> list[str]:
    read = read_otlp(ANY | environ, "auto")
    return [render(each) for each in (*read.mistakes, *read.warnings)]


@pytest.mark.parametrize(
    ("enabled", "environ", "is_on"),
    [
        ("auto", {}, False),
        ("auto", ANY, True),
        ("auto", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, True),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, False),
        ("auto", ANY | {"OTEL_SDK_DISABLED": "TRUE"}, False),
        ("auto", ANY | {"OTEL_SDK_DISABLED": "no"}, True),
        ("auto", ANY | {"OTEL_TRACES_EXPORTER": "none"}, False),
        ("auto", ANY | {"OTEL_TRACES_EXPORTER": "console,otlp"}, True),
        (True, {}, True),
        (True, {"OTEL_SDK_DISABLED": "true"}, False),
        (False, ANY, False),
    ],
)
def test_an_endpoint_switches_spans_on_and_one_word_off(
    enabled: bool | str, environ: dict[str, str], is_on: bool
) -> None:
    assert (read_otlp(environ, enabled).otlp is not None) is is_on


def test_switched_off_against_the_configuration_is_told() -> None:
    (warning,) = read_otlp({"OTEL_SDK_DISABLED": "true"}, True).warnings
    expected = "OTEL_SDK_DISABLED: warning[traces]: no spans are exported, though traces.enabled is true"
    assert render(warning) == expected


@pytest.mark.parametrize(
    ("environ", "endpoint", "is_secure"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces", False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/"}, "https://c/otlp/v1/traces", True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/mine"}, "https://c/mine", True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:1"}, "http://c:1/", False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, "c:4317", False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:1/x"}, "c:1", True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "c:5"}, "c:5", True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:5"}, "[::1]:5", False),
        (
            {
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "c:5",
                "OTEL_EXPORTER_OTLP_INSECURE": "true",
            },
            "c:5",
            False,
        ),
    ],
)
def test_the_endpoint(environ: dict[str, str], endpoint: str, is_secure: bool) -> None:
    found = read_otlp(environ, "auto").otlp
    assert found is not None
    assert (found.endpoint, found.is_secure) == (endpoint, is_secure)


def test_without_an_endpoint_the_collector_is_near() -> None:
    assert read_otlp({}, True).otlp == Otlp(endpoint="http://localhost:4318/v1/traces")
    found = read_otlp({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True).otlp
    assert found is not None
    assert found.endpoint == "localhost:4317"


def test_everything_else_is_read(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    found = otlp(
        OTEL_EXPORTER_OTLP_HEADERS="Api-Key=a%20b%2C,x-other = 2 ,",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "ca"),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=str(tmp_path / "cert"),
        OTEL_EXPORTER_OTLP_CLIENT_KEY=str(tmp_path / "key"),
        OTEL_SERVICE_NAME="jobs",
        OTEL_RESOURCE_ATTRIBUTES="team=pay%C3%A9,service.name=other",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.25",
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="99",
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="1",
        OTEL_ATTRIBUTE_COUNT_LIMIT="64",
        OTEL_SPAN_LINK_COUNT_LIMIT="3",
        OTEL_SPAN_EVENT_COUNT_LIMIT="2",
        OTEL_LINK_ATTRIBUTE_COUNT_LIMIT="5",
    )
    assert found == Otlp(
        endpoint="http://collector:4318/v1/traces",
        headers=(("api-key", "a b,"), ("x-other", "2")),
        gzip=True,
        timeout_ms=2_500,
        certificate=str(tmp_path / "ca"),
        client_certificate=str(tmp_path / "cert"),
        client_key=str(tmp_path / "key"),
        service_name="jobs",
        resource={"team": "payé", "service.name": "other"},
        sampler=Sampler("traceidratio", 0.25),
        limits=Limits(value_length=99, attributes=64, events=2, links=3, link_attributes=5),
    )


@pytest.mark.parametrize(("written", "wait"), [("10s", 10_000), ("1m", 60_000), ("10000", 10_000), ("", 10_000)])
def test_a_timeout_is_in_milliseconds_or_has_a_unit(written: str, wait: int) -> None:
    assert otlp(OTEL_EXPORTER_OTLP_TIMEOUT=written).timeout_ms == wait


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", 'error[enum]: "http/json" is not possible; one of http/'),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "error[url]: "),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:99999", "error[url]: "),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret", 'error[pairs]: is not a list of pairs like "name=value,other=value"'),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0a", "error[header]: "),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such", 'error[file]: "/no/such" cannot be read: there is no such file'),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10", "warning[timeout]: 10 is 10 ms, as the specification has it; write 10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "warning["),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 'warning[enum]: "zstd" is not possible; one of gzip, none; it is'),
        ("OTEL_TRACES_SAMPLER", "xray", 'warning[enum]: "xray" is no sampler that is known here; one of always_on, '),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1", 'warning[range]: "-1" is not a whole number; it is left aside'),
        ("OTEL_TRACES_EXPORTER", "zipkin", "warning[enum]: spans are exported by OTLP and in no other way"),
    ],
)
def test_what_cannot_be_used_is_told(name: str, value: str, line: str) -> None:
    (said,) = told(**{name: value})
    assert said.startswith(f"{name}: {line}")
    assert "s3cret" not in said


def test_a_ratio_out_of_range_takes_all() -> None:
    environ = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5"}
    (said,) = told(**environ)
    assert said == ('OTEL_TRACES_SAMPLER_ARG: warning[range]: "1.5" is not a number between 0 and 1; it is left aside')
    assert read_otlp(ANY | environ, "auto").otlp.sampler == Sampler()  # type: ignore[union-attr]


def test_a_password_in_the_endpoint_is_not_shown() -> None:
    assert otlp(OTEL_EXPORTER_OTLP_ENDPOINT="https://me:s3cret@c/x?key=s3cret").shown == "https://c/x/v1/traces"


def test_mistakes_of_the_variables_stop_the_start(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "TRIGGER_SECRET_KEY": "tr_prod_abcdefgh", **ANY}
    loaded = load_config(None, environ | {"OTEL_TRACES_SAMPLER": "xray"})
    assert loaded.config.otlp == Otlp(endpoint="http://collector:4318/v1/traces")
    assert [line.split(":")[0] for line in loaded.warnings] == ["OTEL_TRACES_SAMPLER"]
    with pytest.raises(ConfigError) as raised:
        load_config(None, environ | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
    assert raised.value.mistakes[0].startswith("OTEL_EXPORTER_OTLP_PROTOCOL: error[enum]")


@pytest.mark.parametrize(
    ("context", "mode", "key"),
    [
        ("derived", "derived", None),
        ("metadata", "metadata", "traceparent"),
        ("metadata:otel.context", "metadata", "otel.context"),
        ("link:x", "link", "x"),
    ],
)
def test_the_context(context: str, mode: str, key: str | None, tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(f'traces: {{context: "{context}"}}\n', "utf-8")
    config = load_config(path, {"HOME": "/", "TRIGGER_SECRET_KEY": "tr_prod_abcdefgh"}).config
    assert (config.traces.mode, config.traces.metadata_key) == (mode, key)
