"""The Prometheus operator's own validators, from npm, and what its objects have to mean."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chart.cluster import OPERATORS
from chart.helm import CI, ONE_SECRET, Refused, Rendered
from chart.operator_types import unknown
from npm_project import install
from triggerdev_exporter.metrics import catalogue

HERE = Path(__file__).parent
KINDS = OPERATORS["monitoring.coreos.com/v1"]

Object = dict[str, Any]
Render = Callable[[Object], Rendered]
Judge = Callable[[list[Object]], list[str | None]]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def judge(require: Callable[[str], str]) -> Judge:
    """What the validators say of each object: nothing, or a sentence."""
    node, npm = require("node"), require("npm")
    install(HERE, npm)

    def judged(objects: list[Object]) -> list[str | None]:
        done = subprocess.run(
            [node, "judge.mjs"], cwd=HERE, input=json.dumps(objects), capture_output=True, text=True, check=True
        )
        verdicts: list[str | None] = json.loads(done.stdout)
        return verdicts

    return judged


def test_the_operator_takes_every_object(judge: Judge, render: Render) -> None:
    objects = [each for values in CI.values() for each in render(values).objects if each["kind"] in KINDS]
    objects += render(ONE_SECRET | {"prometheusRule": {"enabled": True, "mode": "promql"}}).all("PrometheusRule")
    assert {each["kind"] for each in objects} == set(KINDS)
    assert judge(objects) == [None] * len(objects)
    assert [path for each in objects for path in unknown(each, each["kind"])] == []


def test_this_layer_refuses_what_is_misspelt(judge: Judge, render: Render) -> None:
    monitor = json.loads(json.dumps(render(CI["operators"]).one("PodMonitor")))
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"
    assert list(unknown(monitor, "PodMonitor")) == [".spec.podMetricsEndpoints.intervall"]
    monitor["spec"]["podMetricsEndpoints"][0]["interval"] = "half a minute"
    rule = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": {"groups": [{"rules": []}]}}
    first, second = judge([monitor, rule])
    assert "/spec/podMetricsEndpoints/0/interval" in str(first)
    assert "name" in str(second)


def monitors(rendered: Rendered) -> list[Object]:
    return rendered.all("PodMonitor") + rendered.all("ServiceMonitor")


def endpoint(monitor: Object) -> Object:
    (found,) = monitor["spec"].get("podMetricsEndpoints") or monitor["spec"]["endpoints"]
    return dict(found)


def with_monitor(**more: object) -> Object:
    return ONE_SECRET | {"monitor": {"enabled": True, **more}}


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_it_selects_what_is_there(render: Render, kind: str) -> None:
    rendered = render(with_monitor(kind=kind) | {"service": {"port": 80}})
    (monitor,) = monitors(rendered)
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert monitor["kind"] == kind
    service, ports = rendered.one("Service"), [port["name"] for port in rendered.container["ports"]]
    if kind == "ServiceMonitor":
        assert wanted <= service["metadata"]["labels"].items()
        ports = [port["name"] for port in service["spec"]["ports"]]
    else:
        assert wanted <= rendered.pod["metadata"]["labels"].items()
    assert endpoint(monitor)["port"] in ports
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["monitoring"]}
    assert monitor["spec"]["jobLabel"] in rendered.pod["metadata"]["labels"]


def test_the_service_reaches_the_pod_ready_or_not(ci: Rendered) -> None:
    spec = ci.one("Service")["spec"]
    assert spec["selector"].items() <= ci.pod["metadata"]["labels"].items()
    assert spec["publishNotReadyAddresses"] is True
    (port,) = spec["ports"]
    assert port["targetPort"] in [each["name"] for each in ci.container["ports"]]
    test = ci.hooks[0]["metadata"]["labels"]
    assert not spec["selector"].items() <= test.items(), "the pod of helm test would be scraped"


def relabelled(labels: dict[str, str], rules: list[Object]) -> dict[str, str]:
    """What Prometheus makes of a target's labels, as far as our rules go."""
    found = dict(labels)
    for rule in rules:
        match rule["action"]:
            case "replace":
                found[rule["targetLabel"]] = rule["replacement"]
            case "labeldrop":
                found = {name: value for name, value in found.items() if not re.fullmatch(rule["regex"], name)}
    return found


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_the_series_of_a_new_pod_are_those_of_the_old_one(render: Render, kind: str) -> None:
    rules = endpoint(monitors(render(with_monitor(kind=kind)))[0])["relabelings"]
    # What the operator gives a target, besides what is the same for every pod.
    first = {"instance": "10.0.0.1:9925", "pod": "a-0", "container": "exporter", "endpoint": "metrics", "node": "n1"}
    second = first | {"instance": "10.0.9.9:9925", "pod": "a-5f7d", "node": "n2"}
    assert relabelled(first, rules) == relabelled(second, rules) == {"instance": "watch-triggerdev-exporter"}


def test_labels_of_ours_are_not_pushed_aside(render: Render) -> None:
    """`endpoint` stands on families of ours: a target's label of that name would make it `exported_endpoint`."""
    rules = endpoint(monitors(render(with_monitor()))[0])["relabelings"]
    dropped = [rule["regex"] for rule in rules if "regex" in rule]
    ours = {label for family in json.loads(catalogue.as_json()) for label in family["labels"]}
    operators = {"namespace", "service", "pod", "container", "endpoint", "node", "job", "instance"}
    assert ours & operators == {"endpoint"}
    assert re.fullmatch(dropped[0], "endpoint")


def test_a_name_of_ones_own_for_the_instance(render: Render) -> None:
    (monitor,) = monitors(render(with_monitor(instance="trigger")))
    assert endpoint(monitor)["relabelings"][0]["replacement"] == "trigger"


@pytest.mark.parametrize(("interval", "timeout"), [("30s", "31s"), ("1m", "61s"), ("1m30s", "1m31s"), ("500ms", "1s")])
def test_a_scrape_may_not_take_longer_than_the_interval(render: Render, interval: str, timeout: str) -> None:
    with pytest.raises(Refused, match=rf"monitor\.scrapeTimeout \({timeout}\) is longer than"):
        render(with_monitor(interval=interval, scrapeTimeout=timeout))
    render(with_monitor(interval=timeout, scrapeTimeout=interval))
    render(with_monitor(interval="", scrapeTimeout=timeout))


def test_what_serves_https_is_asked_so_everywhere(render: Render) -> None:
    more = {"web": {"existingSecret": "web", "scheme": "https"}}
    rendered = render(with_monitor(basicAuth={"username": {"name": "s", "key": "u"}}) | more)
    assert endpoint(monitors(rendered)[0])["scheme"] == "https"
    assert endpoint(monitors(rendered)[0])["basicAuth"] == {"username": {"name": "s", "key": "u"}}
    probes = [rendered.container[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "liveness", "readiness")]
    assert probes == ["HTTPS"] * 3
    assert rendered.hooks[0]["spec"]["containers"][0]["args"][-1].startswith("https://")
    assert "https://watch-triggerdev-exporter.monitoring.svc:9925/metrics" in rendered.notes
