"""`check` as it is typed: the configuration and its rules together, all mistakes of both at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triggerdev_exporter.cli import cli
from triggerdev_exporter.errors import ConfigError

RULES = """\
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops}
groups: [{name: g, rules: [{alert: Paused, when: {queue_paused: }, for: 2m}]}]
"""
CONFIG = """\
targets: [{name: prod, secret_key_env: KEY}]
alerts: {files: [rules.yml], shipped: false}
state: state.db
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yml").write_text(RULES, "utf-8")
    (tmp_path / "config.yml").write_text(CONFIG, "utf-8")
    return tmp_path


def check(**environ: str) -> Result:
    given = {"KEY": "tr_prod_x", "HOOK": "https://hooks.example.com/x", **environ}
    return CliRunner().invoke(cli, ["check", "--config", "config.yml"], env=given)


def test_config_and_rules_are_both_told() -> None:
    done = check()
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "The configuration is fine: 1 target: prod.",
        "State: state.db. Metrics: http://0.0.0.0:9925/metrics",
        "The rules are fine: 1 rule in 1 group, 1 receiver, 0 tests.",
    ]


def test_a_secret_of_a_receiver_that_is_not_there_yet_is_a_warning() -> None:
    done = check(HOOK="")
    assert done.exit_code == 0
    assert done.stderr == "warning[secret]: receiver ops can be told nothing yet: the variable HOOK is not set\n"


def test_mistakes_of_both_are_told_at_once(folder: Path) -> None:
    (folder / "config.yml").write_text(CONFIG + "webb: {}\n", "utf-8")
    (folder / "rules.yml").write_text(RULES.replace("queue_paused", "queue_pause"), "utf-8")
    error = check().exception
    assert isinstance(error, ConfigError)
    assert [mistake.splitlines()[0] for mistake in error.mistakes] == [
        'config.yml:4:1: error[unknown-key]: unknown key "webb"; did you mean "web"?',
        'rules.yml:3:51: error[unknown-key]: unknown condition "queue_pause"; did you mean "queue_paused"?',
    ]


def test_a_file_of_rules_that_is_not_there_is_a_mistake(folder: Path) -> None:
    (folder / "rules.yml").unlink()
    error = check().exception
    assert isinstance(error, ConfigError)
    assert [mistake.splitlines()[0] for mistake in error.mistakes] == [
        "rules.yml: error[file]: the file of rules cannot be read: no such file or directory"
    ]


def test_odd_rules_are_warnings(folder: Path) -> None:
    (folder / "rules.yml").write_text(RULES.replace("for: 2m", "for: 90s"), "utf-8")
    done = check()
    assert done.exit_code == 0
    assert done.stderr.startswith("rules.yml:3:")
    assert done.stdout.endswith("0 tests, 1 warning.\n")
