"""The image's steps without an engine: what it would install, and a user without rights to run it as."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.dockerfile import ROOT, ignored, patterns, read

USER = 65532
REVISION = "0123abc"
UNSHARE = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}"]
DROP = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
PROBE = """
import ssl, sqlite3, aiohttp, pydantic
(rights,) = [line for line in open("/proc/self/status") if line.startswith("CapEff")]
assert int(rights.split()[1], 16) == 0
"""


@dataclass(frozen=True)
class Installed:
    """The program below `app`, and how to start it."""

    app: Path
    command: list[str]
    """Goes before its arguments."""
    environ: dict[str, str]
    """What the image sets, and what stands in for the environment of the image. No HOME."""
    rights: dict[str, Any]
    """For `subprocess`: who it runs as."""

    def call(self, *arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            cwd=cwd,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **self.rights,
        )


def install(folder: Path) -> Path:
    """What the Dockerfile's builder makes of what it gets, without what is fetched; where it lies below `folder`."""
    context, app = folder / "build", folder / "app"
    _, (build, _) = read((ROOT / "Dockerfile").read_text("utf-8"))
    for each in build.all("COPY"):
        *sources, to = each.words
        for source in sources:
            name = source.strip("/")
            target = context / to / (Path(name).name if (ROOT / name).is_file() else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, target)
            else:
                shutil.copytree(ROOT / name, target, ignore=_ignore, dirs_exist_ok=True)
    last = build.all("RUN")[-1].rest
    script = last.replace("/tools/bin/python", sys.executable).replace("/tools/bin/pip", f"{sys.executable} -m pip")
    # The environment of the image is another folder here.
    script = re.sub(r"--python \S+ install", f"install --quiet --target {app}", script)
    environ = {"PATH": os.environ["PATH"], "REVISION": REVISION, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        ["/bin/sh", "-euc", script], cwd=context, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return app


def _ignore(folder: str, names: list[str]) -> set[str]:
    below = Path(folder).relative_to(ROOT)
    return {name for name in names if ignored(str(below / name), patterns())}


def installed(app: Path, libraries: Path) -> Installed | None:
    """The program, ready to be started by a user without rights. None where there is no such user.

    Who is root becomes another, with an interpreter that this other may read; else another in a namespace; else one who
    gave all rights away.
    """
    image = dict(word.split("=", 1) for word in read((ROOT / "Dockerfile").read_text("utf-8"))[1][1].one("ENV").words)
    environ = {name: value for name, value in image.items() if name not in {"PATH", "STATE_DIRECTORY"}}
    environ |= {"PATH": "/nonexistent", "PYTHONPATH": f"{app}:{libraries}", "PYTHONWARNINGS": "default"}
    run = [str(app / "bin" / "triggerdev-exporter")]
    if os.geteuid() != 0:
        return Installed(app, [sys.executable, *run], environ, {})
    other: dict[str, Any] = {"user": USER, "group": USER, "extra_groups": []}
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ways: list[tuple[list[str], dict[str, Any]]] = [
        ([sys.executable], other),
        ([f"/usr/bin/{minor}"], other),
        ([*UNSHARE, sys.executable], {}),
        ([*DROP, sys.executable], {}),
    ]
    for command, rights in ways:
        try:
            # The way is found by its whole path: PATH is none of the image's.
            command[0] = shutil.which(command[0]) or command[0]
            subprocess.run([*command, "-c", PROBE], cwd="/", env=environ, check=True, capture_output=True, **rights)
        except (OSError, subprocess.SubprocessError):
            continue
        return Installed(app, [*command, *run], environ, rights)
    return None
