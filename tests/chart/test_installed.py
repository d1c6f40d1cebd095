"""The image's program as the chart's pod runs it: the installed wheel, a user by number, no HOME, one volume to write.

It watches a simulated Trigger.dev, answers every probe, and ends when it is told to.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import ONE_SECRET, Rendered
from chart.mounted import Mounted, mount
from end_to_end.processes import Daemon, Stage, ask, stage_in, wait_until
from image.compose import filled
from image.dockerfile import ROOT
from image.installed import REVISION, USER, Installed, install, installed
from triggerdev_exporter import __version__

Pod = tuple[Rendered, Mounted, Path]
Render = Callable[[dict[str, Any]], Rendered]

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that others may enter: pytest's own are for whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="triggerdev-image-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def program(folder: Path) -> Installed:
    found = installed(install(folder), Path(sysconfig.get_path("purelib")))
    if found is None:
        (pytest.fail if IN_CI else pytest.skip)("nobody here can run without rights")
    return found


@pytest.fixture
def nowhere(folder: Path) -> Iterator[Path]:
    """A working directory that cannot be written to."""
    place = folder / "nowhere"
    place.mkdir()
    place.chmod(0o555)
    yield place
    assert list(place.iterdir()) == []
    place.rmdir()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with stage_in(tmp_path) as stage:
        yield stage


def test_the_user_has_no_rights_here(program: Installed, nowhere: Path) -> None:
    """Else what follows would show nothing."""
    tries = [*program.command[:-1], "-c", f"open({str(nowhere / 'x')!r}, 'w')"]
    done = subprocess.run(tries, capture_output=True, text=True, check=False, env={}, cwd="/", **program.rights)
    assert "PermissionError" in done.stderr


def test_it_is_the_program_that_was_installed(program: Installed, nowhere: Path) -> None:
    done = program.call("--version", cwd=nowhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"triggerdev-exporter, version {__version__}\n", "")
    assert not any((program.app / name).exists() for name in ("exporter", "alerts", "tests"))


def test_without_a_home_and_a_place_for_the_state_it_says_what_to_do(program: Installed, nowhere: Path) -> None:
    done = program.call("check", cwd=nowhere, TRIGGER_SECRET_KEY="tr_dev_x")
    assert done.returncode == 2
    assert "there is no place for the state: HOME is not set" in done.stderr
    place = "/var/lib/triggerdev-exporter"  # which the image sets
    done = program.call("check", cwd=nowhere, TRIGGER_SECRET_KEY="tr_dev_x", STATE_DIRECTORY=place)
    assert done.returncode == 0
    assert "State: /var/lib/triggerdev-exporter/state.db." in done.stdout
    assert "rules" in done.stdout


@pytest.fixture
def pod(folder: Path, stage: Stage, render: Render, free_port: int, tmp_path: Path) -> Iterator[Pod]:
    """What the chart makes for a simulated Trigger.dev, its mounts below a folder of the pod's own, and that folder."""
    simulator = stage.simulate("--scenario", "idle")
    rendered = render(
        ONE_SECRET
        | {"targets": [{"name": "shop", "api_url": simulator.url}], "listenAddress": "127.0.0.1"}
        | {"containerPort": free_port, "config": {"log": {"format": "json"}}}
    )
    root = folder / tmp_path.name
    mounted = mount(rendered, root)
    own_to_the_pod(root)
    yield rendered, mounted, root
    shutil.rmtree(root)


def test_it_runs_as_the_chart_says(program: Installed, nowhere: Path, stage: Stage, pod: Pod) -> None:
    rendered, mounted, root = pod
    daemon = start(program, mounted, nowhere, stage)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        url = daemon.url + rendered.container[probe]["httpGet"]["path"]
        wait_until(partial(succeeds, url), f"{probe} succeeds", daemon)
    assert daemon.value("up") == 1
    assert daemon.value("exporter_build_info", version=__version__, revision=REVISION) == 1

    # helm test asks it under the name of its Service; a command in the pod finds it by the environment.
    test = rendered.hooks[0]["spec"]["containers"][0]["args"]
    done = program.call(*test[:-1], daemon.url, cwd=nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    done = program.call("alerts", "list", cwd=nowhere, **mounted.environ)
    assert (done.returncode, done.stderr) == (0, "")

    assert daemon.end(within=rendered.pod["spec"]["terminationGracePeriodSeconds"]) == 0
    assert [line for line in daemon.log if line["level"] not in {"info", "debug"}] == []
    kept = list((root / "var/lib/triggerdev-exporter").iterdir())
    assert {"state.db", "state-alerts.db"} <= {path.name for path in kept}
    assert {path.stat().st_uid for path in kept} <= {USER, os.geteuid()}


def test_it_goes_on_with_the_volume_of_a_newer_minor(program: Installed, nowhere: Path, stage: Stage, pod: Pod) -> None:
    """`helm rollback`: the volume was written by the version after this one."""
    _, mounted, root = pod
    daemon = start(program, mounted, nowhere, stage)
    wait_until(lambda: daemon.is_ready() and daemon.birth(), "it counts", daemon)
    birth = daemon.birth()
    assert daemon.end() == 0
    for path in (root / "var/lib/triggerdev-exporter").glob("*.db"):
        with closing(sqlite3.connect(path)) as written, written:
            (version,) = written.execute("PRAGMA user_version").fetchone()
            written.execute(f"PRAGMA user_version = {version + 1}")
            written.execute("CREATE TABLE of_the_future (what TEXT)")
    rolled_back = start(program, mounted, nowhere, stage)
    wait_until(rolled_back.is_ready, "it is ready", rolled_back)
    assert rolled_back.birth() == birth
    assert rolled_back.end() == 0


def test_the_demo_runs_as_compose_says(
    program: Installed, nowhere: Path, stage: Stage, folder: Path, free_port: int
) -> None:
    """With a root that cannot be written to, and /tmp."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]["exporter"]
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    environ = {name: filled(value, {}) for name, value in service["environment"].items()}
    port = service["ports"][0].rsplit(":", 1)[1]
    args = [
        word.replace(f"0.0.0.0:{port}", f"127.0.0.1:{free_port}") for word in filled(service["command"], {}).split()
    ]
    place = folder / "tmp"
    place.mkdir()
    place.chmod(0o1777)
    own = {"TMPDIR": str(place), "TRIGGERDEV_EXPORTER_URL": f"http://127.0.0.1:{free_port}"}
    daemon = start(program, Mounted(args, environ | own), nowhere, stage)
    wait_until(daemon.is_ready, "the demo is ready", daemon)
    assert daemon.end() == 0
    assert list(place.iterdir()) == []
    place.rmdir()


def succeeds(url: str) -> bool:
    return ask(url).status == 200


def start(program: Installed, mounted: Mounted, cwd: Path, stage: Stage) -> Daemon:
    """The container; it ends with the stage."""
    number = len(stage.programs)
    out, err = stage.folder / f"{number}.out", stage.folder / f"{number}.err"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen(
            [*program.command, *mounted.args],
            cwd=cwd,
            env=program.environ | mounted.environ,
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
            **program.rights,
        )
    daemon = Daemon("exporter", process, out, err, mounted.environ["TRIGGERDEV_EXPORTER_URL"])
    stage.programs.append(daemon)
    return daemon


def own_to_the_pod(root: Path) -> None:
    """Rights as fsGroup gives them: files for reading, the volumes for writing."""
    for path in [root, *root.rglob("*")]:
        if os.geteuid() == 0:
            os.chown(path, 0, USER)
        path.chmod(0o440 if path.is_file() else 0o755)
    for name in ("var/lib/triggerdev-exporter", "tmp"):
        (root / name).chmod(0o2775)
