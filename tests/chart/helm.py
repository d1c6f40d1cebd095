"""Helm as tests use it: values in, what a cluster would get out. A `helm` on PATH is taken, else its engine from PyPI.

Both are Helm's own code; which one it was shows in no test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "triggerdev-exporter"
RELEASE = "watch"
NAMESPACE = "monitoring"

Object = dict[str, Any]
Values = dict[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

ONE_SECRET: Values = {"auth": {"existingSecret": "trigger"}}
"""The least that an install needs."""
CI: dict[str, Values] = {
    path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((CHART / "ci").glob("*-values.yaml"))
}
"""The values in ci/, by name: every layer of tests renders each of them."""


class Refused(Exception):
    """Helm said no; its words."""


@dataclass(frozen=True)
class Rendered:
    """A release as Helm made it."""

    objects: tuple[Object, ...]
    hooks: tuple[Object, ...]
    notes: str
    manifest: str

    def all(self, kind: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str) -> Object:
        (found,) = self.all(kind)
        return found

    def kinds(self) -> list[str]:
        return sorted(each["kind"] for each in self.objects)

    @property
    def everything(self) -> tuple[Object, ...]:
        """The pod of `helm test` too."""
        return self.objects + self.hooks

    @property
    def workload(self) -> Object:
        (found,) = self.all("StatefulSet") + self.all("Deployment")
        return found

    @property
    def pod(self) -> Object:
        """The template of the exporter's pod."""
        template: Object = self.workload["spec"]["template"]
        return template

    @property
    def pods(self) -> list[Object]:
        """The specs of all pods: the exporter's, and that of `helm test`."""
        return [self.pod["spec"], *(hook["spec"] for hook in self.hooks if hook["kind"] == "Pod")]

    @property
    def container(self) -> Object:
        found: Object = self.pod["spec"]["containers"][0]
        return found

    @property
    def config(self) -> Object:
        """The program's config file."""
        read: Object = yaml.safe_load(self.one_file("config.yml"))
        return read

    def one_file(self, name: str) -> str:
        """A file of the exporter's ConfigMap."""
        (found,) = [one["data"][name] for one in self.all("ConfigMap") if name in one.get("data", {})]
        return str(found)


def read_release(release: Object) -> Rendered:
    """From what Helm tells of a release, as JSON."""
    manifest = release["manifest"]
    documents = tuple(each for each in yaml.load_all(manifest, _LOADER) if each)
    hooks = tuple(yaml.safe_load(hook["manifest"]) for hook in release.get("hooks") or ())
    return Rendered(documents, hooks, release.get("info", {}).get("notes", ""), manifest)


class Helm(ABC):
    """All that tests ask of Helm."""

    @abstractmethod
    def render(self, values: Values, *, chart: Path = CHART, operators: bool = True, name: str = RELEASE) -> Rendered:
        """What an install of `values` creates; without `operators` a cluster lacks their kinds. Raises `Refused`."""

    @abstractmethod
    def lint(self, chart: Path = CHART) -> int:
        """The worst severity: 1 is information, 2 a warning, 3 an error."""

    @abstractmethod
    def package(self, folder: Path, chart: Path = CHART) -> Path:
        """The archive that users install."""


class HelmCommand(Helm):
    """A `helm` that somebody has."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _call(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run([self._path, *arguments], input=stdin, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def render(self, values: Values, *, chart: Path = CHART, operators: bool = True, name: str = RELEASE) -> Rendered:
        where = ["--namespace", NAMESPACE, "--values", "-", "--dry-run=client", "--output", "json"]
        said = self._call("install", name, str(chart), *where, stdin=json.dumps(values))
        return read_release(json.loads(said))

    def lint(self, chart: Path = CHART) -> int:
        try:
            said = self._call("lint", str(chart))
        except Refused:
            return 3
        return 2 if "[WARNING]" in said else 1

    def package(self, folder: Path, chart: Path = CHART) -> Path:
        self._call("package", str(chart), "--destination", str(folder))
        (found,) = folder.glob("*.tgz")
        return found


class Engine:
    """The process that holds Helm's engine, and how to talk with it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, *, session: str, operators: bool = True, **more: object) -> Any:
        wish = {"release": RELEASE, "namespace": NAMESPACE, "chart": str(CHART), "values": {}, **more}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(wish | {"do": do, "session": session, "operators": operators}), file=self._process.stdin)
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"Helm's engine ended with {self._process.wait()}")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["done"]


class HelmEngine(Helm):
    """Helm's engine from PyPI, against a cluster that is not one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._numbers = count()

    def session(self) -> str:
        """The name of a new release in a new cluster."""
        return f"session-{next(self._numbers)}"

    def render(self, values: Values, *, chart: Path = CHART, operators: bool = True, name: str = RELEASE) -> Rendered:
        how = {"chart": str(chart), "values": values, "release": name, "operators": operators}
        return read_release(self.engine.ask("install", session=self.session(), **how))

    def lint(self, chart: Path = CHART) -> int:
        said = self.engine.ask("lint", session="here", chart=str(chart))
        return max((message["Severity"] for message in said["Messages"] or ()), default=0)

    def package(self, folder: Path, chart: Path = CHART) -> Path:
        return Path(self.engine.ask("package", session="here", chart=str(chart), folder=str(folder)))


@contextmanager
def open_engine() -> Iterator[Engine]:
    """The engine, ended with the block. Raises `RuntimeError` with what it said if it does not start."""
    script = Path(__file__).with_name("engine.py")
    # No release is written anywhere. Go reads the environment when its library is loaded, so it stands there before.
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HELM_DRIVER": "memory"}
    with subprocess.Popen(
        [sys.executable, str(script)],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Engine(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
