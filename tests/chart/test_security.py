"""Pod Security "restricted", one field at a time, and that no secret shows where it need not."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from chart.helm import CI, ONE_SECRET, Refused, Rendered

Render = Callable[[dict[str, Any]], Rendered]

OURS = ("exporter", "asks")
"""Our containers; others are the user's own."""


def containers(rendered: Rendered) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container of ours, with the pod that it is in."""
    for pod in rendered.pods:
        for container in pod["containers"]:
            if container["name"] in OURS:
                yield pod, container


def test_both_pods_are_looked_at(ci: Rendered) -> None:
    assert [container["name"] for _, container in containers(ci)] == list(OURS)


@pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"])
def test_the_host_is_not_shared(ci: Rendered, field: str) -> None:
    assert all(not pod.get(field, False) for pod in ci.pods)


def test_no_port_of_the_host_is_taken(ci: Rendered) -> None:
    assert all("hostPort" not in port for _, each in containers(ci) for port in each.get("ports", []))


def test_privileged(ci: Rendered) -> None:
    assert all(not each["securityContext"].get("privileged", False) for _, each in containers(ci))


def test_allow_privilege_escalation(ci: Rendered) -> None:
    assert all(each["securityContext"]["allowPrivilegeEscalation"] is False for _, each in containers(ci))


def test_capabilities(ci: Rendered) -> None:
    assert all(each["securityContext"]["capabilities"] == {"drop": ["ALL"]} for _, each in containers(ci))


def test_run_as_non_root(ci: Rendered) -> None:
    assert all(pod["securityContext"]["runAsNonRoot"] is True for pod in ci.pods)


def test_run_as_user(ci: Rendered) -> None:
    for pod in ci.pods:
        user = pod["securityContext"].get("runAsUser")
        assert user is None or user > 0


def test_seccomp_profile(ci: Rendered) -> None:
    assert all(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"} for pod in ci.pods)


@pytest.mark.parametrize("field", ["procMount", "seLinuxOptions", "windowsOptions", "appArmorProfile"])
def test_what_would_loosen_it_is_left_out(ci: Rendered, field: str) -> None:
    assert all(field not in context for pod, each in containers(ci) for context in (pod, each["securityContext"]))


def test_sysctls(ci: Rendered) -> None:
    assert all("sysctls" not in pod["securityContext"] for pod in ci.pods)


def test_volume_types(ci: Rendered) -> None:
    allowed = set("configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split())
    for pod in ci.pods:
        assert {kind for volume in pod.get("volumes", []) for kind in volume.keys() - {"name"}} <= allowed


def test_read_only_root_filesystem(ci: Rendered) -> None:
    """Beyond "restricted"."""
    assert all(each["securityContext"]["readOnlyRootFilesystem"] is True for _, each in containers(ci))


def test_no_token_of_the_cluster_is_mounted(ci: Rendered) -> None:
    assert all(pod["automountServiceAccountToken"] is False for pod in ci.pods)
    assert all(each["automountServiceAccountToken"] is False for each in ci.all("ServiceAccount"))
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & set(ci.kinds())


def test_a_user_by_number_owns_what_is_written(render: Render) -> None:
    context = render(ONE_SECRET).pod["spec"]["securityContext"]
    assert [context[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [65532, 65532, 65532]


def test_openshift_chooses_them_itself(render: Render) -> None:
    for pod in render(CI["openshift"]).pods:
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & pod["securityContext"].keys()
        assert pod["securityContext"]["runAsNonRoot"] is True


def secrets_of(rendered: Rendered) -> list[str]:
    data = [each["data"] for each in rendered.all("Secret")]
    return [base64.b64decode(text).decode() for one in data for text in one.values()]


@pytest.mark.parametrize("name", ["everything", "stateless"])
def test_a_secret_in_the_values_is_in_a_secret_and_nowhere_else(render: Render, name: str) -> None:
    rendered = render(CI[name])
    assert len(secrets_of(rendered)) == 2
    others = [each for each in rendered.everything if each["kind"] != "Secret"]
    for secret in secrets_of(rendered):
        for form in (secret, base64.b64encode(secret.encode()).decode()):
            assert form not in yaml.safe_dump(others)
            assert form not in rendered.notes


def test_a_changed_secret_of_the_chart_is_taken_up_or_makes_a_new_pod(render: Render) -> None:
    def annotations(key: str, restart: bool) -> object:
        return render({"auth": {"secretKey": key}, "restartOnChange": restart}).pod["metadata"]["annotations"]

    assert annotations("tr_prod_one", False) == annotations("tr_prod_two", False)
    assert annotations("tr_prod_one", True) != annotations("tr_prod_two", True)


def test_secrets_of_others_are_mounted_as_files(render: Render) -> None:
    rendered = render(CI["slack"])
    assert not rendered.all("Secret")
    assert not [each for each in rendered.container["env"] if "valueFrom" in each]
    sources = {volume["name"]: volume.get("projected", {}).get("sources") for volume in rendered.pod["spec"]["volumes"]}
    assert sources["keys"] == [{"secret": {"name": "trigger", "items": [{"key": "secret-key", "path": "target-0"}]}}]
    assert {"secret": {"name": "alert-receivers", "items": [{"key": "slack-token", "path": "slack-token"}]}} in (
        sources["alerts"]
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "there is no secret key to watch with: set auth.existingSecret"),
        ({"auth": {"existingSecret": "a", "secretKey": "tr_dev_x"}}, "given twice"),
        ({"auth": {"secretKey": "tr_dev_x"}, "targets": [{"name": "a"}]}, "write secretKey into them"),
        ({"targets": [{"name": "a", "secretKey": "tr_dev_x", "existingSecret": "a"}]}, "given twice"),
        ({"targets": [{"name": "a", "secret_key_file": "/k", "existingSecret": "a"}]}, "given twice"),
        ({"targets": [{"name": "a"}]}, "there is no secret key to watch with"),
    ],
)
def test_there_is_exactly_one_key_a_target(render: Render, values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        render(values)


def test_whoever_brings_the_key_names_where_it_is(render: Render) -> None:
    targets = [{"name": "csi", "secret_key_file": "/mnt/key"}, {"name": "vault", "secret_key_env": "KEY"}]
    rendered = render({"targets": targets})
    assert rendered.config["targets"] == targets
    assert "keys" not in [volume["name"] for volume in rendered.pod["spec"]["volumes"]]
    assert "keys" not in [mount["name"] for mount in rendered.container["volumeMounts"]]
