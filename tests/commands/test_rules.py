"""`rules check`, `show` and `schema` as they are typed: formats, exit codes, which rules are meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_exporter.cli import cli
from triggerdev_exporter.errors import ConfigError

GOOD = """\
receivers: {ops: {webhook: {url_env: HOOK}}}
routes: {receiver: ops}
groups:
  - name: g
    rules:
      - {alert: Paused, when: {queue_paused: }}
      - {alert: Stalled, when: {queue_stalled: }, enabled: false}
"""
ODD = GOOD.replace("{queue_paused: }", "{queue_paused: }, for: 90s")
BAD = GOOD.replace("queue_paused", "queue_pause")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIGGERDEV_EXPORTER_CONFIG", raising=False)
    for name, text in (("good.yml", GOOD), ("odd.yml", ODD), ("bad.yml", BAD)):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "config.yml").write_text("alerts: {files: [good.yml], shipped: false, disable: [Paused]}", "utf-8")
    return tmp_path


def do(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli, ["rules", *arguments], env=environ)


def test_good_files_are_one_line() -> None:
    done = do("check", "good.yml")
    assert (done.exit_code, done.stdout) == (
        0,
        "The rules are fine: 2 rules (1 off) in 1 group, 1 receiver, 0 tests.\n",
    )
    assert done.stderr == ""


def test_warnings_do_not_change_the_exit_code() -> None:
    done = do("check", "odd.yml")
    assert done.exit_code == 0
    assert done.stderr.startswith("odd.yml:6:54: warning[window]: for is not a multiple of the interval (1m)")
    assert done.stdout.endswith("0 tests, 1 warning.\n")


def test_mistakes_are_told_on_stderr_and_end_with_2() -> None:
    done = do("check", "bad.yml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        'bad.yml:6:32: error[unknown-key]: unknown condition "queue_pause"; did you mean "queue_paused"?\n'
        "          - {alert: Paused, when: {queue_pause: }}\n"
        "                                   ^\n"
    )


def test_mistakes_for_machines() -> None:
    done = do("check", "bad.yml", "--format", "json")
    assert done.exit_code == 2
    (mistake,) = json.loads(done.stdout)
    assert (mistake["file"], mistake["line"], mistake["column"], mistake["code"]) == ("bad.yml", 6, 32, "unknown-key")
    assert json.loads(do("check", "good.yml", "--format", "json").stdout) == []


def test_mistakes_for_github() -> None:
    done = do("check", "bad.yml", "--format", "github")
    assert done.exit_code == 2
    assert done.stdout == (
        "::error file=bad.yml,line=6,col=32,title=error[unknown-key]::"
        'unknown condition "queue_pause"; did you mean "queue_paused"?\n'
    )
    assert do("check", "good.yml", "--format", "github").stdout == ""


def test_mistakes_for_code_scanning() -> None:
    done = do("check", "bad.yml", "--format", "sarif")
    assert done.exit_code == 2
    (run,) = json.loads(done.stdout)["runs"]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "unknown-key"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 6, "startColumn": 32}


@pytest.mark.parametrize("how", [["--config", "config.yml"], []])
def test_the_rules_of_a_config_need_no_key(how: list[str]) -> None:
    done = do("check", *how, environ={} if how else {"TRIGGERDEV_EXPORTER_CONFIG": "config.yml"})
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("The rules are fine: 2 rules (2 off)")


def test_what_is_shipped_is_counted_apart(folder: Path) -> None:
    tests = "tests: [{name: t, given: {}, expect: [{at: 1m, alert: Paused, state: inactive}]}]\n"
    (folder / "good.yml").write_text(GOOD + tests, "utf-8")
    (folder / "config.yml").write_text("alerts: {files: [good.yml]}", "utf-8")
    done = do("check", "--config", "config.yml")
    shipped = read_rules(shipped_rules())
    rules, groups, cases = len(shipped.ruleset.rules), len(shipped.ruleset.groups), len(shipped.cases)
    off = sum(not rule.enabled for rule in shipped.ruleset.rules)
    assert cases > 1
    assert done.stdout == (
        f"The rules are fine: {rules + 2} rules ({rules} shipped, {off + 1} off) in {groups + 1} groups, 1 receiver, "
        f"1 test and {cases} of the shipped rules.\n"
    )


def test_a_config_whose_files_are_not_there(folder: Path) -> None:
    (folder / "config.yml").write_text("alerts: {files: ['no/*.yml'], shipped: false}", "utf-8")
    done = do("check", "--config", "config.yml")
    assert done.exit_code == 2
    assert done.stderr == "config.yml: error[file]: no file matches no/*.yml\n"


def test_a_config_with_a_mistake_in_its_section(folder: Path) -> None:
    (folder / "config.yml").write_text("alerts: {fils: []}\nweb: nothing", "utf-8")
    error = do("check", "--config", "config.yml").exception
    assert isinstance(error, ConfigError)
    (mistake,) = error.mistakes
    assert mistake.startswith(
        'config.yml:1:10: error[unknown-key]: unknown key "fils" in alerts; did you mean "files"?'
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "which rules?"), (("good.yml", "--config", "config.yml"), "not both")],
)
def test_which_rules_must_be_clear(arguments: tuple[str, ...], said: str) -> None:
    done = do("check", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_show_lists_them() -> None:
    assert do("show", "good.yml").stdout == (
        "alert    severity  when           for  where\n"
        "Paused   warning   queue_paused   0s   good.yml:6\n"
        "Stalled  off       queue_stalled  0s   good.yml:7\n"
    )


def test_what_show_calls_effective_can_be_checked(folder: Path) -> None:
    (folder / "all.yml").write_text(do("show", "--effective", "good.yml").stdout, "utf-8")
    assert do("check", "all.yml").exit_code == 0
    assert "keep_firing_for: 0s" in (folder / "all.yml").read_text("utf-8")


def test_show_tells_mistakes_as_every_command_does() -> None:
    error = do("show", "bad.yml").exception
    assert isinstance(error, RulesError)
    assert error.exit_code == 2


def test_schema_is_json() -> None:
    assert json.loads(do("schema").stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
