"""Wrong values fail before anything is installed, in words; right ones make what Kubernetes takes."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from chart.helm import CHART, CI, ONE_SECRET, Helm, Refused, Rendered
from chart.test_kubernetes import NATIVE, NEWEST

Object = dict[str, Any]
Render = Callable[[Object], Rendered]

VALUES: Object = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))


def placed(path: tuple[str, ...], value: object, base: Object | None = None) -> Object:
    """`base` with `value` at `path`."""
    whole = copy.deepcopy(ONE_SECRET if base is None else base)
    here = whole
    for name in path[:-1]:
        here = here.setdefault(name, {})
    here[path[-1]] = value
    return whole


def booleans(values: Object, below: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    for name, value in values.items():
        if isinstance(value, bool):
            yield (*below, name), value
        elif isinstance(value, dict) and name not in {"securityContext", "podSecurityContext"}:
            yield from booleans(value, (*below, name))


SWITCHES = list(booleans(VALUES))


@pytest.mark.parametrize(("path", "value"), SWITCHES, ids=[".".join(path) for path, _ in SWITCHES])
def test_every_switch_can_be_turned(render: Render, path: tuple[str, ...], value: bool) -> None:
    before = render(ONE_SECRET)
    after = render(placed(path, not value))
    for each in after.everything:
        if each["kind"] in NATIVE:
            kubernetes_validate.validate(each, NEWEST, strict=True)
    if len(path) == 2 and path[1] == "enabled":
        assert after.manifest != before.manifest or len(after.hooks) != len(before.hooks)


@pytest.mark.parametrize("name", CI)
def test_every_switch_can_be_turned_whatever_else_is_on(render: Render, name: str) -> None:
    whole = placed(("alerts", "allowBoth"), True, CI[name])
    for path, value in booleans(VALUES):
        now = whole
        for part in path:
            now = now.get(part, {}) if isinstance(now, dict) else {}
        if path[-1] == "enabled" or path == ("serviceAccount", "create"):
            render(placed(path, not (now if isinstance(now, bool) else value), whole))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"persistance": {"enabled": False}}, "additional properties 'persistance' not allowed"),
        ({"persistence": {"enable": False}}, "'/persistence'.*additional properties 'enable' not allowed"),
        ({"auth": {"existingSecrets": "a"}}, "'/auth'.*additional properties 'existingSecrets' not allowed"),
        ({"image": {"tag": 1.2}}, "'/image/tag'.*got number, want string"),
        ({"image": {"digest": "sha256:abc"}}, "'/image/digest'.*does not match pattern"),
        ({"image": {"repository": "a/b:1"}}, "'/image/repository'.*'not' failed"),
        ({"replicas": "1"}, "'/replicas'.*got string, want integer"),
        ({"replicas": 2}, "replicas is 0 or 1: two would count every run twice"),
        ({"monitor": {"kind": "PodMonitors"}}, "'/monitor/kind'.*value must be one of 'PodMonitor', 'ServiceMonitor'"),
        ({"monitor": {"interval": "30"}}, "'/monitor/interval'.*does not match pattern"),
        ({"dashboards": {"kind": "Dashboard"}}, "'/dashboards/kind'.*value must be one of"),
        ({"prometheusRule": {"mode": "both"}}, "'/prometheusRule/mode'.*value must be one of 'held', 'promql'"),
        ({"prometheusRule": {"overrides": {"QueueStalled": {"fro": "1m"}}}}, "additional properties 'fro' not allowed"),
        ({"targets": [{"nam": "a"}]}, "'/targets/0'.*additional properties 'nam' not allowed"),
        ({"targets": [{"quota": {"share": 0.1}}]}, "'/targets/0/quota/share'.*got number, want string"),
        ({"targets": [{"secretKey": "tr-prod"}]}, "'/targets/0/secretKey'.*does not match pattern"),
        ({"config": {"state": "/elsewhere"}}, "'/config'.*additional properties 'state' not allowed"),
        ({"config": {"metrics": {"maxseries": 1}}}, "'/config/metrics'.*additional properties 'maxseries' not allowed"),
        ({"config": {"metrics": {"max_series": 10}}}, "'/config/metrics/max_series'.*minimum: got 10, want 1,000"),
        ({"config": {"traces": {"sample": "half"}}}, "'/config/traces/sample'.*does not match pattern"),
        ({"config": {"web": {"listen": "0.0.0.0:1"}}}, "'/config'.*additional properties 'web' not allowed"),
        ({"config": {"alerts": {"files": ["a.yml"]}}}, "'/config/alerts'.*additional properties 'files' not allowed"),
        ({"alerts": {"files": {"a.json": {}}}}, "invalid propertyName 'a.json'"),
        ({"service": {"type": "ExternalName"}}, "'/service/type'.*value must be one of"),
        ({"listenAddress": "0.0.0.0:9925"}, "'/listenAddress'.*'not' failed"),
        ({"web": {"scheme": "HTTPS"}}, "'/web/scheme'.*value must be one of 'http', 'https'"),
        ({"otlp": {"endpoint": "collector:4317"}}, "'/otlp/endpoint'.*does not match pattern"),
        ({"resources": {"limit": {"memory": "1Gi"}}}, "'/resources'.*additional properties 'limit' not allowed"),
        (
            {"livenessProbe": {"httpGet": {"path": "/"}}},
            "'/livenessProbe'.*properties 'httpGet' not allowed",
        ),
        ({"podLabels": {"a": True}}, "'/podLabels/a'.*got boolean, want string"),
        (
            {"networkPolicy": {"egress": {"ports": ["4318"]}}},
            "'/networkPolicy/egress/ports/0'.*want integer",
        ),
    ],
)
def test_a_typo_is_refused_in_helms_words(engine: Helm, values: Object, words: str) -> None:
    """By the engine, whose words are pinned: those of a `helm` on PATH depend on its version."""
    with pytest.raises(Refused, match=words):
        engine.render(ONE_SECRET | values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels sets app.kubernetes.io/name, by which our objects"),
        ({"commonLabels": {"app.kubernetes.io/instance": "x"}}, "commonLabels sets app.kubernetes.io/instance"),
        ({"service": {"labels": {"app.kubernetes.io/component": "x"}}}, "service.labels sets app.kubernetes.io/comp"),
        ({"targets": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, 'two targets are called "a"'),
        ({"alerts": {"files": {"a.yml": "receivers: ["}}}, "alerts.files: a.yml is no YAML: .*line 1"),
        ({"auth": {"secretKey": "tr_pat_madeup"}}, "tr_pat_: that is the access token of a person"),
        ({"targets": [{"name": "a", "secretKey": "tr_pat_madeup"}]}, "tr_pat_: that is the access token of a person"),
    ],
)
def test_what_could_not_run_is_refused_before_it_is_installed(render: Render, values: Object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        render(ONE_SECRET | values)


def covered(values: Any, schema: Object, root: Object, where: str = "") -> Iterator[str]:
    """Paths of values that the schema does not know."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    if not isinstance(values, dict) or "properties" not in schema:
        return
    for name, value in values.items():
        if name not in schema["properties"]:
            yield f"{where}.{name}"
        else:
            yield from covered(value, schema["properties"][name], root, f"{where}.{name}")


def test_the_schema_knows_every_value_and_no_other(schema: Object) -> None:
    assert list(covered(VALUES, schema, schema)) == []
    # And the other way round: no key that values.yaml does not have, so that each is explained there.
    for name, part in schema["properties"].items():
        assert name in VALUES
        if isinstance(VALUES[name], dict) and "properties" in part and name not in {"config", "resources"}:
            assert part["properties"].keys() == VALUES[name].keys(), name


def objects(schema: Any) -> Iterator[Object]:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_every_object_of_ours_is_closed(schema: Object) -> None:
    """But `global`, which other charts read too."""
    open_ones = [each for each in objects(schema) if each.get("additionalProperties") is not False]
    assert open_ones == [schema["properties"]["global"]]


def test_the_schema_is_one(schema: Object) -> None:
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ({}, "triggerdev-exporter:0.1.0"),
        ({"registry": "r.example.com", "tag": "x"}, "r.example.com/triggerdev-exporter:x"),
        ({"repository": "me/it", "digest": f"sha256:{'0' * 64}", "tag": "x"}, f"me/it@sha256:{'0' * 64}"),
    ],
)
def test_the_image(render: Render, image: Object, shown: str) -> None:
    rendered = render(ONE_SECRET | {"image": image})
    assert rendered.container["image"] == rendered.hooks[0]["spec"]["containers"][0]["image"] == shown


def test_a_registry_for_all_charts_wins(render: Render) -> None:
    rendered = render(ONE_SECRET | {"global": {"imageRegistry": "all.example.com"}, "image": {"registry": "r"}})
    assert rendered.container["image"] == "all.example.com/triggerdev-exporter:0.1.0"


def test_objects_of_ones_own_may_be_templates(render: Render) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-mine', namespace: monitoring}\n"
    rendered = render(ONE_SECRET | {"extraObjects": [text, yaml.safe_load(text)]})
    assert [each["metadata"]["name"] for each in rendered.all("ConfigMap")].count("watch-mine") == 2


def test_what_stands_in_braces_in_the_config_stays(render: Render) -> None:
    files = {"a.yml": {"groups": [], "templates": {"x": "{{ alert.name }} {{ .Release.Name }}"}}}
    rendered = render(ONE_SECRET | {"alerts": {"files": files}})
    assert "{{ .Release.Name }}" in rendered.one_file("a.yml")


def test_no_value_is_read_from_the_clock_or_the_dice() -> None:
    text = "".join(path.read_text("utf-8") for path in (CHART / "templates").rglob("*") if path.is_file())
    assert not re.search(r"\b(now|date|rand\w+|uuidv4|genCA|genSelfSignedCert|genPrivateKey|lookup)\b", text)
