"""What is loaded when nothing is wrong: defaults, the environment, names, labels, places, warnings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.config import Config, Listen, Loaded, load_config
from triggerdev_exporter.config.keys import why
from triggerdev_exporter.errors import ConfigError

PROD = "tr_prod_SeCrEtSeCrEtSeCrEt12"
DEV = "tr_dev_SeCrEtSeCrEtSeCrEt12"
HOME = {"HOME": "/home/me"}


def loaded(text: str | None, tmp_path: Path, listen: str | None = None, **environ: str) -> Loaded:
    path = None
    if text is not None:
        path = tmp_path / "config.yml"
        path.write_text(text, "utf-8")
    return load_config(path, HOME | environ, listen=listen)


def mistakes(text: str | None, tmp_path: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        loaded(text, tmp_path, **environ)
    return raised.value.mistakes


def test_a_key_is_enough(tmp_path: Path) -> None:
    result = loaded(None, tmp_path, TRIGGER_SECRET_KEY=f" {PROD}\n")
    assert result.warnings == ()
    config = result.config
    (target,) = config.targets
    assert target.name == "prod"
    assert target.secret_key.get_secret_value() == PROD
    assert target.api_url == "https://api.trigger.dev"
    assert (target.labels, target.branch, target.dialect, target.batches, target.test_runs) == (
        {},
        None,
        "auto",
        (),
        False,
    )
    assert (target.quota.requests_per_minute, target.quota.share, target.lookback) == (1500, 0.1, HOUR)
    fast, slow = 30 * SECOND, 5 * MINUTE
    assert target.intervals.model_dump() == {
        "runs": fast, "queues": fast, "batches": fast, "schedules": slow, "deployments": slow, "waitpoints": slow,
    }  # fmt: skip
    assert config.state == Path("/home/me/.local/state/triggerdev-exporter/state.db")
    assert config.web.listen == Listen("0.0.0.0", 9925)  # noqa: S104 - the documented default
    assert (config.log.level, config.log.format) == ("info", "auto")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (PROD, "prod"),
        (DEV, "dev"),
        ("tr_stg_abcdefgh", "stg"),
        ("tr_prod_sk_abcdefghijklmnopqrstuvwx", "prod"),
        ("tr_somewhere_abcdefgh", "default"),
    ],
)
def test_the_key_names_the_target(key: str, name: str, tmp_path: Path) -> None:
    assert loaded(None, tmp_path, TRIGGER_SECRET_KEY=key).config.targets[0].name == name


def test_every_key_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(DEV + "\n", "utf-8")
    (tmp_path / "web.yml").write_text("basic_auth_users: {}\n", "utf-8")
    text = """
targets:
  - name: shop-dev
    labels: {project: shop}
    api_url: HTTPS://trigger.example.com:8443/
    secret_key_file: key
    branch: feat/x
    dialect: seed
    quota: {requests_per_minute: 600, share: 12.5%}
    lookback: 1h30m
    intervals: {runs: 10s, queues: 1m, batches: 2m, schedules: 1h, deployments: 1d, waitpoints: 90s}
    batches: [batch_abc, batch_def]
    test_runs: true
state: sqlite:///var/lib/x/state.db
web: {listen: "[::1]:9000", config_file: web.yml, open: [metrics, probes]}
metrics: {max_series: 9000, tasks: {allow: ["send-.*", digest]}, tags: {team: {max_values: 7}, urgent: {}},
  buckets: {run_duration_seconds: [500ms, 1m, 1h30m]}}
traces: {enabled: false, children: none, sample: 25%, context: "metadata:otel", tags: true, max_age: 2h,
  max_pending: 500, max_spans_per_trace: 600}
alerts: {files: [alerts/*.yml, /etc/rules.yml], shipped: false, disable: [QueueBacklog]}
log: {level: debug, format: json}
"""
    result = loaded(text, tmp_path)
    assert result.warnings == ()
    dump: dict[str, Any] = result.config.model_dump()
    (target,) = dump.pop("targets")
    assert target.pop("secret_key").get_secret_value() == DEV
    assert target == {
        "name": "shop-dev",
        "labels": {"project": "shop"},
        "api_url": "https://trigger.example.com:8443",
        "branch": "feat/x",
        "dialect": "seed",
        "quota": {"requests_per_minute": 600, "share": 0.125},
        "lookback": 90 * MINUTE,
        "intervals": {
            "runs": 10 * SECOND,
            "queues": MINUTE,
            "batches": 2 * MINUTE,
            "schedules": HOUR,
            "deployments": 24 * HOUR,
            "waitpoints": 90 * SECOND,
        },
        "batches": ("batch_abc", "batch_def"),
        "test_runs": True,
    }
    assert dump == {
        "otlp": None,
        "traces": {
            "enabled": False,
            "children": "none",
            "sample": 0.25,
            "context": "metadata:otel",
            "tags": True,
            "max_age": 2 * HOUR,
            "max_pending": 500,
            "max_spans_per_trace": 600,
        },
        "state": Path("/var/lib/x/state.db"),
        "web": {
            "listen": {"host": "::1", "port": 9000},
            "config_file": str(tmp_path / "web.yml"),
            "open": ("metrics", "probes"),
        },
        "metrics": {
            "max_series": 9000,
            "tasks": {"allow": ("send-.*", "digest")},
            "tags": {"team": {"max_values": 7}, "urgent": {"max_values": 20}},
            "buckets": {"run_duration_seconds": (500, MINUTE, 90 * MINUTE)},
        },
        "alerts": {
            "files": (str(tmp_path / "alerts/*.yml"), "/etc/rules.yml"),
            "shipped": False,
            "disable": ("QueueBacklog",),
        },
        "log": {"level": "debug", "format": "json"},
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "targets:\n", "targets: []\n", "{}", "web:\nlog: ~\n"])
def test_an_empty_file_is_fine_when_the_environment_has_a_key(text: str, tmp_path: Path) -> None:
    config = loaded(text, tmp_path, TRIGGER_SECRET_KEY=PROD).config
    assert config == loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD).config


def test_the_environment_describes_a_whole_target(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("tr_preview_SeCrEtSeCrEt", "utf-8")
    config = loaded(
        None,
        tmp_path,
        TRIGGER_SECRET_KEY_FILE=str(tmp_path / "key"),
        TRIGGER_API_URL="https://trigger.example.com/",
        TRIGGER_PREVIEW_BRANCH="feat/x",
    ).config
    (target,) = config.targets
    assert (target.name, target.api_url, target.branch) == ("preview", "https://trigger.example.com", "feat/x")


def test_the_environment_wins_over_the_file_and_the_option_over_both(tmp_path: Path) -> None:
    text = "web: {listen: ':1'}\nlog: {level: error, format: text}\nstate: here.db\n"
    environ = {
        "TRIGGER_SECRET_KEY": PROD,
        "TRIGGERDEV_EXPORTER_LISTEN": ":2",
        "TRIGGERDEV_EXPORTER_STATE": "sqlite:there.db",
        "TRIGGERDEV_EXPORTER_LOG_LEVEL": "debug",
        "TRIGGERDEV_EXPORTER_LOG_FORMAT": "json",
    }
    config = loaded(text, tmp_path, **environ).config
    assert (config.web.listen.port, config.log.level, config.log.format) == (2, "debug", "json")
    assert config.state == Path("there.db")
    assert loaded(text, tmp_path, listen=":3", **environ).config.web.listen.port == 3
    assert loaded(text, tmp_path, TRIGGER_SECRET_KEY=PROD).config.state == tmp_path / "here.db"


def test_the_config_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text("log: {level: error}\n", "utf-8")
    environ = HOME | {"TRIGGERDEV_EXPORTER_CONFIG": str(path), "TRIGGER_SECRET_KEY": PROD}
    assert load_config(None, environ).config.log.level == "error"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    environ = {
        "TRIGGER_SECRET_KEY": PROD,
        "TRIGGER_API_URL": "",
        "TRIGGERDEV_EXPORTER_LISTEN": "",
        "TRIGGER_SECRET_KEY_FILE": "",
    }
    assert loaded(None, tmp_path, **environ).config == loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD).config


def test_all_targets_have_the_same_label_names(tmp_path: Path) -> None:
    text = """
targets:
  - {secret_key_env: A, labels: {team: x}}
  - {secret_key_env: B, labels: {shard: "1"}}
  - {secret_key_env: B, name: c}
"""
    labels = [target.labels for target in loaded(text, tmp_path, A=PROD, B=DEV).config.targets]
    assert labels == [{"shard": "", "team": "x"}, {"shard": "1", "team": ""}, {"shard": "", "team": ""}]


WARNINGS = [
    (
        "targets:\n  - {secret_key_env: A, api_url: 'http://trigger.example.com'}\n",
        {},
        "config.yml:2:34: warning[http]: the key is sent over http, readable by everyone on the way; use https\n"
        "      - {secret_key_env: A, api_url: 'http://trigger.example.com'}\n"
        "                                     ^",
    ),
    (
        None,
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGER_API_URL": "http://10.0.0.1:3030"},
        "TRIGGER_API_URL: warning[http]: the key is sent over http, readable by everyone on the way; use https",
    ),
    (
        None,
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGER_PREVIEW_BRANCH": "x"},
        "TRIGGER_PREVIEW_BRANCH: warning[branch]: has no effect: a prod environment has no branches",
    ),
    (
        "targets:\n  - {secret_key_env: A}\n",
        {"TRIGGER_SECRET_KEY": DEV},
        "TRIGGER_SECRET_KEY: warning[unused]: has no effect, because the config file has targets",
    ),
    (
        "targets:\n  - {secret_key_env: A}\n  - {secret_key_env: A, name: again}\n",
        {},
        'config.yml:3:31: warning[duplicate]: "again" and "prod" watch the same environment, '
        "each with its share of the quota\n"
        "      - {secret_key_env: A, name: again}\n"
        "                                  ^",
    ),
]


@pytest.mark.parametrize(("text", "environ", "warning"), WARNINGS)
def test_warnings(text: str | None, environ: dict[str, str], warning: str, tmp_path: Path) -> None:
    (shown,) = loaded(text, tmp_path, A=PROD, **environ).warnings
    assert shown.removeprefix(f"{tmp_path}/") == warning


@pytest.mark.parametrize("host", ["127.0.0.1:3030", "localhost:3030", "[::1]:3030", "trigger.localhost"])
def test_http_on_this_machine_is_fine(host: str, tmp_path: Path) -> None:
    assert loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD, TRIGGER_API_URL=f"http://{host}").warnings == ()


def test_a_key_variable_that_a_target_names_is_used(tmp_path: Path) -> None:
    text = "targets:\n  - {secret_key_env: TRIGGER_SECRET_KEY}\n"
    assert loaded(text, tmp_path, TRIGGER_SECRET_KEY=PROD).warnings == ()


NO_KEY = (
    "error[secret]: there is no secret key to watch with: set TRIGGER_SECRET_KEY, or TRIGGER_SECRET_KEY_FILE to a file "
    "that holds it, or list targets in a config file (--config FILE)"
)
WANTED = 'the secret key of an environment is needed (it starts with "tr_prod_", "tr_stg_", "tr_preview_" or "tr_dev_")'
ENVIRONMENTS: list[tuple[dict[str, str], list[str]]] = [
    ({}, [NO_KEY]),
    ({"TRIGGER_SECRET_KEY": " "}, [NO_KEY]),
    ({"TRIGGER_API_URL": "https://trigger.example.com"}, [NO_KEY]),
    (
        {"TRIGGER_SECRET_KEY": "tr_pat_SeCrEtSeCrEt"},
        [
            "TRIGGER_SECRET_KEY: error[secret]: the environment variable TRIGGER_SECRET_KEY holds a personal access "
            f"token (tr_pat_…); {WANTED}"
        ],
    ),
    (
        {"TRIGGER_SECRET_KEY_FILE": "nowhere"},
        ["TRIGGER_SECRET_KEY_FILE: error[secret]: the key file nowhere cannot be read: there is no such file"],
    ),
    (
        {"TRIGGER_SECRET_KEY_FILE": "tr_prod_SeCrEtSeCrEt"},
        [
            "TRIGGER_SECRET_KEY_FILE: error[secret]: this is a key itself; secret_key_file wants the path of a file "
            "that holds it"
        ],
    ),
    (
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGER_SECRET_KEY_FILE": "key"},
        ["TRIGGER_SECRET_KEY_FILE: error[conflict]: TRIGGER_SECRET_KEY is set too; keep one of them"],
    ),
    (
        {"TRIGGER_SECRET_KEY": "tr_preview_SeCrEtSeCrEt"},
        [
            "TRIGGER_SECRET_KEY: error[branch]: a key of preview environments needs a branch: write branch, or set "
            "TRIGGER_PREVIEW_BRANCH"
        ],
    ),
    (
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGER_API_URL": "trigger.example.com", "TRIGGERDEV_EXPORTER_LISTEN": "9925"},
        [
            'TRIGGERDEV_EXPORTER_LISTEN: error[address]: "9925" is not an address to listen on; write it like '
            '"127.0.0.1:9925" or ":9925"',
            'TRIGGER_API_URL: error[url]: "trigger.example.com" is not an address of an API; write it like '
            '"https://api.trigger.dev"',
        ],
    ),
    (
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGERDEV_EXPORTER_STATE": "postgresql://db/x"},
        ["TRIGGERDEV_EXPORTER_STATE: error[not-yet]: PostgreSQL cannot hold the state yet; use a file: sqlite:PATH"],
    ),
    (
        {"TRIGGER_SECRET_KEY": PROD, "TRIGGERDEV_EXPORTER_LOG_LEVEL": "warn"},
        [
            'TRIGGERDEV_EXPORTER_LOG_LEVEL: error[enum]: "warn" is not possible here; one of debug, info, warning, '
            'error; did you mean "warning"?'
        ],
    ),
    (
        {"TRIGGERDEV_EXPORTER_CONFIG": "nowhere.yml", "TRIGGER_SECRET_KEY": PROD},
        ["nowhere.yml: error[file]: the config file cannot be read: there is no such file"],
    ),
    (
        {"TRIGGERDEV_EXPORTER_CONFIG": ".", "TRIGGER_SECRET_KEY": PROD},
        [".: error[file]: the config file cannot be read: it is a directory"],
    ),
    (
        {"TRIGGER_SECRET_KEY": PROD, "HOME": ""},
        [
            "error[state]: there is no place for the state: HOME is not set; say where with TRIGGERDEV_EXPORTER_STATE "
            "or the key state"
        ],
    ),
]


@pytest.mark.parametrize(("environ", "expected"), ENVIRONMENTS)
def test_mistakes_of_the_environment_name_the_variable(
    environ: dict[str, str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mistakes(None, tmp_path, **environ) == expected


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/x:/var/lib/y", "XDG_STATE_HOME": "/s"}, "/var/lib/x/state.db"),
        ({"XDG_STATE_HOME": "/s"}, "/s/triggerdev-exporter/state.db"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/triggerdev-exporter/state.db"),
    ],
)
def test_where_the_state_lives(environ: dict[str, str], path: str, tmp_path: Path) -> None:
    assert loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD, **environ).config.state == Path(path)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/a/b.db", "/a/b.db"),
        ("sqlite:/a/b.db", "/a/b.db"),
        ("sqlite:///a/b.db", "/a/b.db"),
        ("sqlite:////a/b.db", "/a/b.db"),
        ("sqlite:b.db", "b.db"),
        ("b.db", "b.db"),
    ],
)
def test_how_the_state_is_written(written: str, path: str, tmp_path: Path) -> None:
    config = loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD, TRIGGERDEV_EXPORTER_STATE=written).config
    assert config.state == Path(path)


def test_a_file_that_may_not_be_read_says_so() -> None:
    assert why(PermissionError()) == "permission denied; let the user of this process read it"


def test_no_repr_and_no_dump_shows_a_key(tmp_path: Path) -> None:
    result = loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD)
    shown = [repr(result), str(result.config), repr(result.config.targets[0]), str(result.config.model_dump())]
    shown.append(result.config.model_dump_json())
    assert all("SeCrEt" not in text for text in shown)


def test_a_config_is_frozen_and_every_key_is_described(tmp_path: Path) -> None:
    config = loaded(None, tmp_path, TRIGGER_SECRET_KEY=PROD).config
    with pytest.raises(ValueError, match="frozen"):
        config.state = Path("x")
    models = [Config, type(config.targets[0]), type(config.web), type(config.log)]
    models += [type(config.targets[0].quota), type(config.targets[0].intervals)]
    assert [f"{m.__name__}.{n}" for m in models for n, f in m.model_fields.items() if not f.description] == []
