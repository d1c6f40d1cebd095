"""What a review of the Dockerfile would ask, one thing at a time."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable

import pytest
import yaml

from image.dockerfile import ROOT, ignored, patterns, read
from triggerdev_exporter.cli import cli
from triggerdev_exporter.config.model import Web

TEXT = (ROOT / "Dockerfile").read_text("utf-8")
ARGUMENTS, STAGES = read(TEXT)
BUILD, LAST = STAGES
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
VALUES = yaml.safe_load((ROOT / "helm/triggerdev-exporter/values.yaml").read_text("utf-8"))


def test_every_stage_stands_on_the_same_base_by_digest() -> None:
    assert {stage.base for stage in STAGES} == {"${BASE}${BASE_DIGEST}"}
    assert ARGUMENTS == {"BASE": "python:3.13-slim", "BASE_DIGEST": ""}


def test_the_python_of_the_base_is_one_that_we_test() -> None:
    minor = ARGUMENTS["BASE"].split(":")[1].removesuffix("-slim")
    assert f"Programming Language :: Python :: {minor}" in PYPROJECT["project"]["classifiers"]


def test_a_user_by_number_who_is_not_root_and_is_the_charts() -> None:
    user, group = LAST.one("USER").rest.split(":")
    assert (int(user), int(group)) == (65532, 65532)
    context = VALUES["podSecurityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (65532, 65532)
    after = LAST.instructions[LAST.instructions.index(LAST.one("USER")) :]
    assert {each.name for each in after} <= {"USER", "ENTRYPOINT", "CMD"}


def test_no_shell_is_needed() -> None:
    """Neither to start it, nor to make the last stage."""
    assert json.loads(LAST.one("ENTRYPOINT").rest) == ["/app/bin/triggerdev-exporter"]
    assert json.loads(LAST.one("CMD").rest) == ["run"]
    assert not LAST.all("RUN")
    assert not LAST.all("SHELL")


def test_what_is_started_is_there() -> None:
    assert "triggerdev-exporter" in PYPROJECT["project"]["scripts"]
    assert set(json.loads(LAST.one("CMD").rest)) <= cli.commands.keys()
    assert [each.words for each in LAST.all("COPY")] == [
        ["--from=build", "/app", "/app"],
        ["--from=build", "--chown=65532:65532", "/state", "/var/lib/triggerdev-exporter"],
    ]


def test_the_port_is_the_one_it_listens_on() -> None:
    assert int(LAST.one("EXPOSE").rest) == Web().listen.port == VALUES["containerPort"]


def test_the_state_has_a_place_that_the_user_may_write() -> None:
    assert json.loads(LAST.one("VOLUME").rest) == ["/var/lib/triggerdev-exporter"]
    assert "STATE_DIRECTORY=/var/lib/triggerdev-exporter" in LAST.one("ENV").words


def test_python_writes_no_bytecode_and_holds_nothing_back() -> None:
    assert {"PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"} <= set(LAST.one("ENV").words)


@pytest.mark.parametrize("label", "title description licenses version revision created source".split())
def test_it_says_what_it_is(label: str) -> None:
    labels = dict(word.split("=", 1) for word in LAST.one("LABEL").words)
    value = labels[f"org.opencontainers.image.{label}"]
    if value.startswith("$"):
        assert value == f"${{{label.upper()}}}"
        assert f'{label.upper()}=""' in [each.rest for each in LAST.all("ARG")]
    assert labels["org.opencontainers.image.licenses"] == PYPROJECT["project"]["license"]


def test_nothing_is_installed_without_a_hash() -> None:
    installs = [
        part for each in BUILD.all("RUN") for part in each.rest.split("&&") if "pip" in part and "install" in part
    ]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-deps --no-index" in part for part in installs)
    assert not re.search(r"apt-get|apk |curl|wget", TEXT)


def test_no_secret_is_built_in() -> None:
    words = [each.rest for stage in STAGES for each in stage.instructions if each.name in {"ARG", "ENV", "LABEL"}]
    assert not re.search(r"secret|token|passw|tr_\w+", " ".join(words), re.IGNORECASE)


def test_nothing_is_fetched_from_elsewhere() -> None:
    assert not [each for stage in STAGES for each in stage.all("ADD")]


def test_the_builder_gets_what_is_copied_and_nothing_else(require: Callable[[str], str]) -> None:
    ls = [require("git"), "ls-files", "-z"]
    listed = subprocess.run(ls, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    sent = {name for name in listed.split("\0") if name and not ignored(name, patterns())}
    copied = {source.strip("/") for each in BUILD.all("COPY") for source in each.words[:-1]}
    for source in copied:
        assert [name for name in sent if name == source or name.startswith(f"{source}/")], f"{source} is ignored"
    assert {name.split("/")[0] for name in sent} == {source.split("/")[0] for source in copied}


def test_the_builder_gets_what_the_wheel_holds() -> None:
    copied = [source.strip("/") for each in BUILD.all("COPY") for source in each.words[:-1]]
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source in [*wheel["packages"], *wheel["force-include"]]:
        assert any(source == each or source.startswith(f"{each}/") for each in copied), f"COPY {source}"


@pytest.mark.parametrize(
    "path", [".git/config", ".venv/bin/python", "tests/conftest.py", "exporter/a/__pycache__/b.pyc", "state.db", ".env"]
)
def test_what_is_nobodys_business_stays_outside(path: str) -> None:
    assert ignored(path, patterns())


def test_there_is_no_health_check_for_kubernetes_to_ignore() -> None:
    assert not LAST.all("HEALTHCHECK")
