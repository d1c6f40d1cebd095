"""Kubernetes' own schemas, strict: of the oldest minor that the chart allows, and of the newest that there are."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chart.cluster import KINDS
from chart.helm import CHART, CI, NAMESPACE, ONE_SECRET, Helm, Rendered

OLDEST, NEWEST = "1.27", "1.37"
NATIVE = {kind for kinds in KINDS.values() for kind in kinds}

Render = Callable[[dict[str, Any]], Rendered]


def test_the_oldest_minor_is_the_one_that_the_chart_allows() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("minor", [OLDEST, NEWEST])
def test_every_object_is_one_that_kubernetes_takes(ci: Rendered, minor: str) -> None:
    for each in ci.everything:
        if each["kind"] in NATIVE:
            kubernetes_validate.validate(each, minor, strict=True)


def test_this_layer_refuses_what_is_misspelt(render: Render) -> None:
    workload = copy.deepcopy(render(ONE_SECRET).workload)
    workload["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(workload, NEWEST, strict=True)


def test_nothing_stands_twice_and_all_in_one_namespace_with_the_usual_labels(ci: Rendered) -> None:
    names = [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in ci.everything]
    assert len(names) == len(set(names))
    for each in ci.everything:
        if each["metadata"]["name"] == "more-rules":
            continue  # an object of the user's own
        assert each["metadata"]["namespace"] in {NAMESPACE, "rules", "grafana"}  # the last two as some values ask
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "triggerdev-exporter"
        assert labels["app.kubernetes.io/instance"] == "watch"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("triggerdev-exporter-")


def test_names_stay_legal_in_a_release_with_the_longest_name(helm: Helm) -> None:
    # A StatefulSet's pods carry its name, a hyphen and a hash of ten in a label that holds 63 characters.
    longest = {"StatefulSet": 52, "Service": 63, "Pod": 63}
    found = helm.render(CI["everything"] | {"targets": [{"secretKey": "tr_dev_x"}]}, name="r" * 53)
    for each in found.everything:
        name = each["metadata"]["name"]
        assert len(name) <= longest.get(each["kind"], 253), name
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name), name


def test_a_name_that_was_chosen_is_taken(render: Render) -> None:
    found = render(ONE_SECRET | {"fullnameOverride": "watcher", "namespaceOverride": "elsewhere"})
    assert found.workload["metadata"]["name"] == "watcher"
    assert {each["metadata"]["namespace"] for each in found.everything} == {"elsewhere"}


def test_a_release_that_is_called_like_the_chart_does_not_say_it_twice(helm: Helm) -> None:
    found = helm.render(ONE_SECRET, name="triggerdev-exporter")
    assert found.workload["metadata"]["name"] == "triggerdev-exporter"


def test_two_renderings_are_the_same_text(helm: Helm) -> None:
    one, other = helm.render(CI["everything"]), helm.render(CI["everything"])
    assert (one.manifest, one.notes) == (other.manifest, other.notes)


def test_a_default_install_needs_nothing_that_a_cluster_may_lack(helm: Helm) -> None:
    found = helm.render(ONE_SECRET, operators=False)
    assert found.kinds() == ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]
    assert {each["apiVersion"] for each in found.everything} <= set(KINDS)


@pytest.mark.parametrize("values", [{"monitor": {"enabled": True}}, {"prometheusRule": {"enabled": True}}])
def test_what_was_asked_for_and_is_lacking_is_said(engine: Helm, values: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"monitoring\.coreos\.com/v1"):
        engine.render(ONE_SECRET | values, operators=False)


def test_helm_finds_nothing_to_complain_about(helm: Helm) -> None:
    assert helm.lint() <= 1  # an icon is recommended


def test_every_example_is_rendered_by_every_layer() -> None:
    assert {"default", "everything", "openshift", "operators", "slack", "stateless"} <= set(CI)
