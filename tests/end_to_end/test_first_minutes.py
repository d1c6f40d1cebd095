"""What somebody types in the first five minutes: help, versions, typing errors, pipes, curl."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys

import pytest

from end_to_end.processes import KEY, Daemon, Stage, ask, wait_until
from story import read_page
from triggerdev_exporter import __version__

COMMANDS = (
    *("run", "demo", "simulate", "check", "doctor", "rules", "alerts", "silence", "outbox", "receivers", "why"),
    *("trace", "metrics", "assets"),
)


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), *((command, "--help") for command in COMMANDS)])
def test_help(stage: Stage, arguments: tuple[str, ...]) -> None:
    done = stage.do(*arguments)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: triggerdev-exporter ")
    if len(arguments) == 1:
        listed = re.findall(r"^  ([a-z]+)  +\S", done.stdout, flags=re.MULTILINE)
        assert sorted(listed) == sorted(COMMANDS)


def test_version(stage: Stage) -> None:
    done = stage.do("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"triggerdev-exporter, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("rnu",), "Did you mean 'run'"),
        (("run", "extra"), "extra"),
        (("run", "--lsten", ":1"), "--listen"),
        (("demo", "--speed", "0"), "--speed"),
        (("demo", "--profile", "v3"), "v4.5"),
        (("demo", "--listen", "9925"), ":9925"),
        (("simulate", "--history", "2"), "30s"),
        (("simulate", "--scenario", "bank"), "shop"),
        (("metrics", "--format", "xml"), "json"),
    ],
)
def test_a_typing_error_is_told_with_the_way_out(stage: Stage, arguments: tuple[str, ...], word: str) -> None:
    done = stage.do(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_good_config_is_told_to_be_fine(stage: Stage) -> None:
    done = stage.do("check", "--config", str(stage.config("http://127.0.0.1:9")))
    assert (done.code, done.stderr) == (0, "")
    assert "shop" in done.stdout
    assert str(stage.folder / "state" / "state.db") in done.stdout
    by_environment = stage.do("check", TRIGGER_SECRET_KEY=KEY)
    assert by_environment.code == 0
    assert "prod" in by_environment.stdout
    assert KEY not in done.stdout + by_environment.stdout
    assert not (stage.folder / "state").exists(), "a check touches nothing"


def test_the_catalogue_of_metrics(stage: Stage) -> None:
    table = stage.do("metrics")
    assert (table.code, table.stderr) == (0, "")
    heads = table.stdout.splitlines()[:2]
    assert heads == ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
    rows = json.loads(stage.do("metrics", "--format", "json").stdout)
    names = [row["name"] for row in rows]
    assert len(set(names)) == len(names) > 50
    for row in rows:
        assert re.fullmatch(r"triggerdev_[a-z0-9_]+", row["name"])
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in row["labels"])
        assert row["type"] in {"counter", "gauge", "histogram"}
        assert row["name"].endswith("_total") == (row["type"] == "counter")
        assert f"| `{row['name']}` |" in table.stdout


def test_a_pipe_that_closes_early_is_no_accident(stage: Stage) -> None:
    command = f"{sys.executable} -m triggerdev_exporter metrics | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=stage.environ(), capture_output=True, text=True, check=False
    )
    assert done.stdout == "| metric |"
    assert done.stderr == ""


def test_a_key_and_a_url_are_enough(stage: Stage) -> None:
    """The state goes to its default place, the label `target` comes from the key, the page is there at once."""
    simulator = stage.simulate("--scenario", "idle")
    (stage.folder / "my.key").write_text("tr_stg_abc123\r\n", "utf-8")
    daemon = stage.run(TRIGGER_SECRET_KEY_FILE="my.key", TRIGGER_API_URL=f"{simulator.url}/")
    assert "triggerdev_target_info{" in daemon.text()
    wait_until(lambda: daemon.value("up") == 1, "the key is accepted", daemon)
    assert 'target="stg"' in daemon.text()
    wait_until(daemon.is_ready, "it is ready", daemon)
    assert (stage.folder / ".local" / "state" / "triggerdev-exporter" / "state.db").is_file()
    assert daemon.end() == 0
    assert daemon.stdout == ""


def test_what_curl_sees(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "idle")
    daemon = stage.watch(simulator)
    wait_until(daemon.is_ready, "it is ready", daemon)
    url = daemon.url
    plain = ask(f"{url}/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    packed = ask(f"{url}/metrics", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert {name for name, _ in read_page(gzip.decompress(packed.body).decode())} >= {"triggerdev_up"}
    head = ask(f"{url}/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert ask(f"{url}/metrics", method="POST").status == 405
    for path in ("/metrics/", "/favicon.ico", "/.env", "/%2e%2e/etc/passwd", "/api/v1/nothing"):
        missing = ask(f"{url}{path}")
        assert missing.status == 404, path
        assert "Traceback" not in missing.text
    assert ask(f"{url}/metrics?name[]=triggerdev_up").status == 200
    assert ask(f"{url}/-/ready").text == "The exporter is ready.\n"
    assert "Traceback" not in daemon.stderr


def test_the_command_line_wins_over_the_environment_and_both_over_the_file(stage: Stage, free_port: int) -> None:
    config = stage.config("http://127.0.0.1:9")
    config.write_text(config.read_text("utf-8") + 'web: {listen: "127.0.0.1:1"}\nlog: {format: text}\n', "utf-8")
    daemon = stage.ours(
        Daemon,
        "run",
        "--config",
        str(config),
        "--listen",
        f"127.0.0.1:{free_port}",
        TRIGGERDEV_EXPORTER_LISTEN="127.0.0.1:2",
        TRIGGERDEV_EXPORTER_STATE=str(stage.folder / "elsewhere.db"),
    )
    wait_until(lambda: ask(f"http://127.0.0.1:{free_port}/-/healthy").status == 200, "it listens there", daemon)
    wait_until(lambda: "watching" in daemon.stderr, "it says so", daemon)
    assert f"INFO watching version={__version__} targets=1 url=http://127.0.0.1:{free_port} " in daemon.stderr
    assert (stage.folder / "elsewhere.db").is_file()
    assert not (stage.folder / "state").exists()


def test_ipv6_loopback(stage: Stage) -> None:
    daemon = stage.ours(
        Daemon, "run", "run", "--listen", "[::1]:0", TRIGGER_SECRET_KEY=KEY, TRIGGER_API_URL="http://127.0.0.1:9"
    )
    watching = wait_until(lambda: daemon.events("watching") or daemon.process.poll() is not None, "it listens")
    if watching is True:
        assert "cannot listen on [::1]:0" in daemon.stderr
        pytest.skip("this machine has no IPv6 loopback")
    assert ask(f"{watching[0]['url']}/-/healthy").status == 200


def test_the_simulator_alone_says_how_to_use_it_even_into_a_file(stage: Stage) -> None:
    simulator = stage.simulate("--profile", "seed", "--history", "1m")
    key, url = re.search(r"TRIGGER_API_URL=(\S+) TRIGGER_SECRET_KEY=(\S+)", simulator.stdout).groups()[::-1]  # type: ignore[union-attr]
    daemon = stage.run(TRIGGER_API_URL=url, TRIGGER_SECRET_KEY=key)
    wait_until(lambda: daemon.value("up") == 1, "what it says works", daemon)
    assert simulator.end(signal.SIGINT) == 0
    assert simulator.stderr == ""
