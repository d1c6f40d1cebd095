"""What the daemon will not start with: each time a sentence that says what to do, an exit code, and no traceback."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.processes import KEY, Daemon, Done, Stage, ask, wait_until

#: Nobody answers there; nobody is asked either.
NOWHERE = {"TRIGGER_SECRET_KEY": KEY, "TRIGGER_API_URL": "http://127.0.0.1:9"}

#: Mistakes of form are told before keys are looked for, so there are two kinds of bad files.
FORM = """\
targets:
  - name: shop
    secret_key_env: SHOP_KEY
    intervals: {runs: 100ms}
  - name: bakery
    secret_key_env: SHOP_KEY
    api_urll: https://api.trigger.dev
web: {listen: 99999}
"""
KEYS = """\
targets:
  - name: shop
    secret_key_env: NO_SUCH_VARIABLE
  - name: bakery
    secret_key_file: nope.key
"""


def refused(done: Done, code: int) -> str:
    assert done.code == code, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    assert KEY not in done.stderr
    return done.stderr


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(("text", "lines"), [(FORM, [4, 7, 8]), (KEYS, [3, 5])], ids=["form", "keys"])
def test_a_bad_config_is_told_whole(stage: Stage, command: str, text: str, lines: list[int]) -> None:
    (stage.folder / "bad.yml").write_text(text, "utf-8")
    said = refused(stage.do(command, "--config", "bad.yml", SHOP_KEY=KEY), 2)
    found = re.findall(r"^bad\.yml:(\d+):\d+: error\[[a-z-]+\]: .", said, flags=re.MULTILINE)
    assert [int(line) for line in found] == lines


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_config_that_is_not_there_and_one_that_is_a_folder(stage: Stage, command: str) -> None:
    assert "there is no such file" in refused(stage.do(command, "--config", "nope.yml"), 2)
    (stage.folder / "folder.yml").mkdir()
    assert "directory" in refused(stage.do(command, "--config", "folder.yml"), 2)
    assert "there is no such file" in refused(stage.do(command, TRIGGERDEV_EXPORTER_CONFIG="nope.yml"), 2)


@pytest.mark.parametrize("arguments", [(), ("run",), ("check",), ("--listen", "127.0.0.1:0")])
def test_without_a_key_one_sentence_says_what_is_missing(stage: Stage, arguments: tuple[str, ...]) -> None:
    said = refused(stage.do(*arguments), 2)
    assert said.count("\n") == 1
    assert "TRIGGER_SECRET_KEY" in said


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"TRIGGER_SECRET_KEY": "tr_pat_mine"}, "personal"),
        ({"TRIGGER_SECRET_KEY": "pk_prod_mine"}, "public"),
        ({"TRIGGER_SECRET_KEY": ""}, "TRIGGER_SECRET_KEY"),
        ({"TRIGGER_SECRET_KEY_FILE": "nope.key"}, "nope.key"),
        ({"TRIGGER_SECRET_KEY": KEY, "TRIGGER_API_URL": "api.trigger.dev"}, "https://api.trigger.dev"),
        ({"TRIGGER_SECRET_KEY": KEY, "TRIGGER_API_URL": "https://api.trigger.dev/api/v1"}, "ends after the host"),
        ({"TRIGGER_SECRET_KEY": KEY, "TRIGGERDEV_EXPORTER_LISTEN": "9925"}, ":9925"),
        ({"TRIGGER_SECRET_KEY": KEY, "TRIGGERDEV_EXPORTER_LOG_LEVEL": "loud"}, "warning"),
    ],
)
def test_what_people_get_wrong_first(stage: Stage, environ: dict[str, str], word: str) -> None:
    said = refused(stage.do("run", **environ), 2)
    assert word in said
    assert "mine" not in said


# ── the state ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_garbage(path: Path) -> None:
    path.write_bytes(b"this was a state once" * 500)


def is_torn(path: Path) -> None:
    """A database whose middle was lost."""
    with sqlite3.connect(path) as connection:
        connection.executescript("PRAGMA user_version = 1000; CREATE TABLE target (id INTEGER PRIMARY KEY, name TEXT);")
        connection.executemany("INSERT INTO target (name) VALUES (?)", [("x" * 3000,)] * 50)
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(os.urandom(4096 * 5))


def is_of_the_future(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript("PRAGMA user_version = 2000; CREATE TABLE news (id INTEGER);")
    connection.close()


def is_someone_elses(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (is_garbage, ("damaged", "Move it away")),
        (is_torn, ("damaged", "Move it away")),
        (is_of_the_future, ("newer triggerdev-exporter", "point `state:` at another file")),
        (is_someone_elses, ("not a state file", "another `state:`")),
        (Path.mkdir, ("cannot write", "another `state:`")),
    ],
)
def test_a_state_that_cannot_be_used_is_left_as_it_is(stage: Stage, make, words: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    path = stage.folder / "state.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    done = stage.do("run", "--listen", "127.0.0.1:0", TRIGGERDEV_EXPORTER_STATE=str(path), **NOWHERE)
    said = refused(done, 1)
    assert said.count("\n") == 1
    for word in (str(path), *words):
        assert word in said
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_place_that_is_no_folder(stage: Stage) -> None:
    (stage.folder / "file").write_text("", "utf-8")
    done = stage.do("run", "--listen", "127.0.0.1:0", TRIGGERDEV_EXPORTER_STATE="file/state.db", **NOWHERE)
    assert "Give a writable place" in refused(done, 1)


def test_two_daemons_do_not_share_a_state(stage: Stage) -> None:
    simulator = stage.simulate("--scenario", "idle")
    config = str(stage.config(simulator))
    first = stage.run("--config", config)
    said = refused(stage.do("run", "--config", config, "--listen", "127.0.0.1:0"), 1)
    assert f"in use by process {first.process.pid} " in said
    assert "a `state:` of its own" in said
    wait_until(lambda: first.value("up") == 1, "the first goes on", first)
    assert first.end() == 0
    # The lock ends with its owner, however that ended.
    second = stage.run("--config", config)
    second.process.kill()
    second.process.wait(60)
    assert stage.run("--config", config).end() == 0


# ── the port ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"127.0.0.1:{other.getsockname()[1]}"


@pytest.mark.parametrize("command", ["run", "demo", "simulate"])
def test_a_port_in_use(stage: Stage, taken: str, command: str) -> None:
    done = stage.do(command, "--listen", taken, **NOWHERE)
    assert done.code == 1
    assert done.stderr.splitlines()[-1] == (
        f"triggerdev-exporter: cannot listen on {taken}: Address already in use. "
        "Choose another address with --listen HOST:PORT, or end the program that uses it."
    )
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    assert list(stage.folder.glob("triggerdev-exporter-demo-*")) == []


@pytest.mark.parametrize("command", ["run", "simulate"])
def test_a_host_that_is_not_ours(stage: Stage, command: str) -> None:
    said = refused(stage.do(command, "--listen", "no-such-host.invalid:9925", **NOWHERE), 1)
    assert "cannot listen on no-such-host.invalid:9925" in said


def test_after_a_refusal_the_same_state_serves(stage: Stage, taken: str) -> None:
    """A start that failed at the port leaves neither a lock nor half a state."""
    place = {"TRIGGERDEV_EXPORTER_STATE": str(stage.folder / "state.db")}
    assert stage.do("run", "--listen", taken, **NOWHERE, **place).code == 1
    daemon: Daemon = stage.run(**NOWHERE, **place)
    assert ask(f"{daemon.url}/-/healthy").status == 200
