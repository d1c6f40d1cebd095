"""What the chart writes for the program, read by the program: its config, its command line, its environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from chart.helm import CI, ONE_SECRET, Refused, Rendered
from chart.mounted import mount
from triggerdev_alerts.documents.model import Model
from triggerdev_exporter.cli import cli
from triggerdev_exporter.config.access import load_access
from triggerdev_exporter.config.load import load_config
from triggerdev_exporter.config.model import Log, Metrics, Traces, WrittenConfig, WrittenTarget
from triggerdev_exporter.config.written import API_URL, BRANCH, CONFIG, KEY, KEY_FILE, OVERRIDES
from triggerdev_exporter.ledger.tally import BOUNDS_MS

Object = dict[str, Any]
Render = Callable[[Object], Rendered]

OURS = {CONFIG, "TRIGGERDEV_EXPORTER_URL", KEY, KEY_FILE, API_URL, BRANCH, *OVERRIDES}


def check(rendered: Rendered, root: Path) -> Result:
    """`triggerdev-exporter check`, of what `run` would read."""
    mounted = mount(rendered, root)
    assert parse(mounted.args).info_name == "run"
    return CliRunner().invoke(cli, ["check"], env=mounted.environ)


def parse(args: list[str]) -> click.Context:
    """The command that `args` name, with its options read. A flag that it does not have is an error."""
    command: click.Command = cli
    name = ""
    while isinstance(command, click.Group):
        name, *args = args
        command = command.commands[name]
    return command.make_context(name, list(args))


def test_the_program_finds_its_config_fine(ci: Rendered, tmp_path: Path) -> None:
    done = check(ci, tmp_path)
    assert (done.exit_code, done.stderr) == (0, ""), str(done.exception)
    assert "The configuration is fine" in done.stdout


def test_everything_that_was_asked_for_arrives(render: Render, tmp_path: Path) -> None:
    done = check(render(CI["everything"]), tmp_path)
    assert done.stdout.splitlines()[0] == "The configuration is fine: 3 targets: shop-prod, own, preview."
    config = render(CI["everything"]).config
    assert config["metrics"]["max_series"] == 1_000_000
    assert isinstance(config["metrics"]["max_series"], int), "Helm writes large numbers as 1e+06"
    assert config["targets"][0]["quota"] == {"requests_per_minute": 3000, "share": "20%"}


def test_the_command_lines_are_ones_that_it_has(ci: Rendered, tmp_path: Path) -> None:
    run = parse(mount(ci, tmp_path).args)
    assert run.info_name == "run"
    test = parse(ci.hooks[0]["spec"]["containers"][0]["args"])
    assert test.info_name == "list"
    port = ci.one("Service")["spec"]["ports"][0]["port"]
    scheme = ci.container["livenessProbe"]["httpGet"]["scheme"].lower()
    assert str(test.params["url"]) == f"{scheme}://watch-triggerdev-exporter.monitoring.svc:{port}"


def test_spans_go_where_the_values_say(render: Render, tmp_path: Path) -> None:
    mounted = mount(render(CI["everything"]), tmp_path)
    otlp = load_config(None, mounted.environ).config.otlp
    assert otlp is not None
    assert (otlp.endpoint, otlp.protocol) == ("collector.example.com:4317", "grpc")
    assert dict(otlp.headers) == {"authorization": "Bearer made-up"}
    assert load_config(None, mount(render(ONE_SECRET), tmp_path / "b").environ).config.otlp is None


def test_users_and_a_certificate_come_from_their_secret(render: Render, tmp_path: Path) -> None:
    mounted = mount(render(CI["everything"]), tmp_path)
    web = load_config(None, mounted.environ).config.web
    access = load_access(Path(str(web.config_file)))
    assert (set(access.users), access.context is not None) == ({"prometheus"}, True)
    assert set(web.open) == {"probes", "metrics"}


@pytest.mark.parametrize(
    ("web", "words"),
    [
        ({"existingSecret": "web", "open": ["metrics"]}, "Kubernetes has no password"),
        ({"scheme": "https"}, "there is no certificate"),
    ],
)
def test_a_port_that_nobody_could_reach_is_refused(render: Render, web: Object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        render(ONE_SECRET | {"web": web})


def test_variables_of_ours_are_ones_that_it_knows(ci: Rendered) -> None:
    names = [each["name"] for each in ci.container["env"]]
    assert len(names) == len(set(names))
    assert {name for name in names if name.startswith("TRIGGER")} <= OURS


def test_commands_in_the_pod_find_the_program(ci: Rendered) -> None:
    """`kubectl exec … -- triggerdev-exporter alerts list`, without --url."""
    url = {each["name"]: each.get("value") for each in ci.container["env"]}["TRIGGERDEV_EXPORTER_URL"]
    scheme, port = ci.container["livenessProbe"]["httpGet"]["scheme"].lower(), ci.container["ports"][0]["containerPort"]
    host = "[::1]" if ci.config["web"]["listen"].startswith("[::]") else "127.0.0.1"
    assert url == f"{scheme}://{host}:{port}"


def test_it_listens_where_service_and_probes_ask(ci: Rendered) -> None:
    (port,) = ci.container["ports"]
    host, _, number = ci.config["web"]["listen"].rpartition(":")
    assert host in {"0.0.0.0", "[::]"}  # noqa: S104 - of the pod
    assert int(number) == port["containerPort"]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert ci.container[name]["httpGet"]["port"] == port["name"]


def test_an_outage_of_the_api_restarts_nothing(ci: Rendered) -> None:
    """Only readiness asks whether there is data."""
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    paths = [ci.container[name]["httpGet"]["path"] for name in probes]
    assert paths == ["/-/healthy", "/-/healthy", "/-/ready"]


def test_there_are_never_two_that_count(ci: Rendered) -> None:
    spec = ci.workload["spec"]
    assert spec["replicas"] == 1
    if ci.workload["kind"] == "Deployment":
        assert spec["strategy"] == {"type": "Recreate"}
    else:
        # With OrderedReady the correction of a pod that never gets ready would not be rolled out.
        assert spec["podManagementPolicy"] == "Parallel"


def test_files_are_read_by_the_group_of_the_pod(ci: Rendered) -> None:
    """They belong to root, and fsGroup gives them to the group."""
    kinds = ("configMap", "secret", "projected")
    modes = [volume[kind]["defaultMode"] for volume in ci.pod["spec"]["volumes"] for kind in kinds if kind in volume]
    assert set(modes) == {0o440}


def test_what_it_writes_lies_on_what_is_mounted(ci: Rendered) -> None:
    mounts = {mount["mountPath"]: mount for mount in ci.container["volumeMounts"]}
    assert str(Path(ci.config["state"]).parent) in mounts
    written = [path for path, mount in mounts.items() if not mount.get("readOnly")]
    assert {"/var/lib/triggerdev-exporter", "/tmp"} <= set(written)
    names = [volume["name"] for volume in ci.pod["spec"]["volumes"]]
    names += [claim["metadata"]["name"] for claim in ci.workload["spec"].get("volumeClaimTemplates", [])]
    assert {mount["name"] for mount in mounts.values()} <= set(names)
    # A file that is mounted by subPath never changes again.
    assert not [mount for mount in mounts.values() if "subPath" in mount]


def annotations(render: Render, values: Object) -> Object:
    found: Object = render(ONE_SECRET | values).pod["metadata"]["annotations"]
    return found


CHANGES = [
    {"config": {"log": {"level": "debug"}}},
    {"config": {"metrics": {"max_series": 10000}}},
    {"alerts": {"files": {"a.yml": {"groups": []}}}},
    {"config": {"alerts": {"disable": ["QuotaLow"]}}},
    {"targets": [{"name": "a", "labels": {"x": "y"}}]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_program_takes_up_itself_makes_no_new_pod(render: Render, change: Object) -> None:
    assert annotations(render, change) == annotations(render, {})
    always = {"restartOnChange": True}
    assert annotations(render, change | always) != annotations(render, always)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"log": {"format": "text"}}},
        {"config": {"traces": {"enabled": True}}},
        {"listenAddress": "[::]"},
        {"containerPort": 9999},
    ],
)
def test_what_needs_a_restart_makes_a_new_pod(render: Render, change: Object) -> None:
    assert annotations(render, change) != annotations(render, {})


def test_a_mistake_in_a_rule_is_told_with_its_place(render: Render, tmp_path: Path) -> None:
    files = {"alerts.yml": "groups:\n  - name: g\n    rules:\n      - {alert: A, when: {queue_depht: {above: 5}}}\n"}
    done = check(render(ONE_SECRET | {"alerts": {"files": files}}), tmp_path)
    assert done.exit_code != 0
    assert "alerts.yml:4:" in str(done.exception)


def test_every_key_of_a_target_can_be_written(schema: Object) -> None:
    written = schema["properties"]["targets"]["items"]["properties"].keys()
    assert written - {"existingSecret", "existingSecretKey", "secretKey"} == WrittenTarget.model_fields.keys()


def test_every_section_of_the_config_can_be_written(schema: Object) -> None:
    chart_writes = {"targets", "state", "web"}
    assert schema["properties"]["config"]["properties"].keys() | chart_writes >= WrittenConfig.model_fields.keys()


@pytest.mark.parametrize(("name", "section"), [("metrics", Metrics), ("traces", Traces), ("log", Log)])
def test_every_key_of_a_section_can_be_written(schema: Object, name: str, section: type[Model]) -> None:
    written = schema["properties"]["config"]["properties"][name]["properties"]
    assert written.keys() == section.model_fields.keys()


def test_every_histogram_can_have_other_buckets(schema: Object) -> None:
    metrics = schema["properties"]["config"]["properties"]["metrics"]["properties"]
    assert metrics["buckets"]["properties"].keys() == BOUNDS_MS.keys()


@pytest.mark.parametrize(
    "config",
    [
        {"metrics": {"max_series": 10000000, "tasks": {"allow": ["a.*", "^b$"]}}},
        {"metrics": {"tags": {"team": {"max_values": 5}}, "buckets": {"run_wait_seconds": ["500ms", "1m30s"]}}},
        {
            "metrics": {
                "tags": {"team": {}, "org": {"max_values": 1000}},
                "buckets": {"run_wait_seconds": ["1s", "1h30m"]},
            }
        },
        {"traces": {"enabled": True, "children": "none", "sample": 0.5, "context": "link:x", "tags": True}},
        {"traces": {"max_spans_per_trace": 100}},
        {
            "traces": {
                "enabled": "auto",
                "sample": "0.5%",
                "context": "derived",
                "max_age": "2h",
                "max_pending": 100,
                "max_spans_per_trace": 100,
            }
        },
    ],
)
def test_what_the_schema_lets_through_the_program_takes(render: Render, tmp_path: Path, config: Object) -> None:
    done = check(render(ONE_SECRET | {"config": config}), tmp_path)
    assert (done.exit_code, done.stderr) == (0, ""), str(done.exception)


@pytest.mark.parametrize(
    "where",
    [
        {"files": {"a.yml": {}}, "secrets": {"a.yml": "x"}},
        {"secrets": {"a": "x"}, "existingSecrets": [{"name": "s", "keys": ["a"]}]},
    ],
)
def test_two_files_of_one_name_are_refused(render: Render, where: Object) -> None:
    with pytest.raises(Refused, match="one directory"):
        render(ONE_SECRET | {"alerts": where})


def test_rules_are_the_same_as_a_text_and_as_yaml(render: Render) -> None:
    text = "groups: []\nreceivers:\n  a:\n    webhook: {url_file: u}\n"
    as_text = render(ONE_SECRET | {"alerts": {"files": {"a.yml": text}}}).one_file("a.yml")
    as_yaml = render(ONE_SECRET | {"alerts": {"files": {"a.yml": yaml.safe_load(text)}}}).one_file("a.yml")
    assert yaml.safe_load(as_text) == yaml.safe_load(as_yaml) == yaml.safe_load(text)
