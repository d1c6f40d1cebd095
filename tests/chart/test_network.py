"""The NetworkPolicy: who comes in, and what the program has to reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chart.helm import CI, ONE_SECRET, Rendered

Object = dict[str, Any]
Render = Callable[[Object], Rendered]

DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def policy(rendered: Rendered) -> Object:
    found: Object = rendered.one("NetworkPolicy")["spec"]
    return found


def on(**more: object) -> Object:
    return ONE_SECRET | {"networkPolicy": {"enabled": True, **more}}


def test_there_is_none_unless_asked_for(render: Render) -> None:
    assert not render(ONE_SECRET).all("NetworkPolicy")


def test_it_is_about_our_pod_and_our_port(render: Render) -> None:
    rendered = render(on())
    found = policy(rendered)
    assert found["podSelector"]["matchLabels"].items() <= rendered.pod["metadata"]["labels"].items()
    assert found["policyTypes"] == ["Ingress", "Egress"]
    assert found["ingress"] == [{"ports": [{"protocol": "TCP", "port": "metrics"}]}]
    assert found["egress"] == [{"ports": DNS}, {"ports": [{"protocol": "TCP", "port": 443}]}]


def test_whoever_may_come_is_named_and_helm_test_is_among_them(render: Render) -> None:
    rendered = render(on(ingress={"from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]}))
    (rule,) = policy(rendered)["ingress"]
    prometheus, test = rule["from"]
    assert prometheus == {"podSelector": {"matchLabels": {"app": "prometheus"}}}
    assert test["podSelector"]["matchLabels"].items() <= rendered.hooks[0]["metadata"]["labels"].items()
    assert not test["podSelector"]["matchLabels"].items() <= rendered.pod["metadata"]["labels"].items()


def test_the_ports_of_apis_of_ones_own_are_open(render: Render) -> None:
    urls = ["https://a.example.com:8443", "http://b.example.com", "https://c.example.com/", "http://[::1]:3030"]
    targets = [{"name": str(n), "existingSecret": "s", "api_url": url} for n, url in enumerate(urls)]
    otlp = {"endpoint": "http://collector.monitoring:4318"}
    ports = policy(render(on(egress={"ports": [9093, 443]}) | {"targets": targets, "otlp": otlp}))["egress"][1]["ports"]
    assert sorted(each["port"] for each in ports) == [80, 443, 3030, 4318, 8443, 9093]


def test_what_goes_out_may_be_left_alone(render: Render) -> None:
    found = policy(render(on(egress={"enabled": False})))
    assert found["policyTypes"] == ["Ingress"]
    assert "egress" not in found


def test_rules_of_ones_own_are_added(render: Render) -> None:
    assert {"protocol": "UDP", "port": 5353} in policy(render(CI["openshift"]))["egress"][-1]["ports"]


def test_a_budget_that_blocks_no_drain(render: Render) -> None:
    assert not render(ONE_SECRET).all("PodDisruptionBudget")
    budget = render(ONE_SECRET | {"podDisruptionBudget": {"enabled": True}}).one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
