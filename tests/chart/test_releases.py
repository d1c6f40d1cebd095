"""Releases over time: install, upgrade, roll back, in a cluster that refuses what a real one would."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from chart.helm import CHART, CI, ONE_SECRET, HelmEngine, Refused

Object = dict[str, Any]


class Release:
    """One release in a cluster of its own."""

    def __init__(self, helm: HelmEngine) -> None:
        self._helm, self._session = helm, helm.session()

    def do(self, do: str, values: Object | None = None, chart: Path = CHART, **more: object) -> Any:
        return self._helm.engine.ask(do, session=self._session, chart=str(chart), values=values or {}, **more)

    def roll_back(self, values: Object) -> None:
        """To the chart as it is here, with these values.

        That is what `helm rollback` comes to. Its own call needs a way to wait that the engine from PyPI cannot name.
        """
        self.do("upgrade", values)

    def objects(self) -> dict[tuple[str, str], Object]:
        found = self.do("objects")
        return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.fixture
def release(engine: HelmEngine) -> Release:
    return Release(engine)


@pytest.fixture
def next_chart(tmp_path: Path) -> Path:
    """The chart of a later version of both."""
    later = tmp_path / "chart"
    shutil.copytree(CHART, later)
    about = (later / "Chart.yaml").read_text("utf-8")
    about = re.sub(r"^(version|appVersion): .*$", r'\1: "9.9.9"', about, flags=re.MULTILINE)
    (later / "Chart.yaml").write_text(about, "utf-8")
    return later


def workload(objects: dict[tuple[str, str], Object]) -> Object:
    (found,) = (each for (kind, _), each in objects.items() if kind in {"StatefulSet", "Deployment"})
    return found


def image(objects: dict[tuple[str, str], Object]) -> str:
    return str(workload(objects)["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.parametrize("name", CI)
def test_install_upgrade_rollback(release: Release, next_chart: Path, name: str) -> None:
    release.do("install", CI[name])
    first = release.objects()
    release.do("upgrade", CI[name], chart=next_chart)
    second = release.objects()
    assert second.keys() == first.keys()
    assert image(second) != image(first) or CI[name].get("image", {}).get("digest")
    release.roll_back(CI[name])
    assert release.objects() == first


def test_from_the_least_to_everything_and_back(release: Release, next_chart: Path) -> None:
    """What may not change in a StatefulSet (its selector, its claim) is not among what values change here."""
    everything = CI["everything"] | {"persistence": {}}
    release.do("install", ONE_SECRET)
    first = release.objects()
    release.do("upgrade", everything, chart=next_chart)
    assert len(release.objects()) > len(first)
    release.roll_back(ONE_SECRET)
    assert release.objects() == first


def test_a_claim_cannot_be_changed_and_the_cluster_says_so(release: Release) -> None:
    release.do("install", ONE_SECRET)
    with pytest.raises(Refused, match="volumeClaimTemplates"):
        release.do("upgrade", ONE_SECRET | {"persistence": {"size": "2Gi"}})


def test_a_new_version_changes_no_selector_and_no_claim(release: Release, next_chart: Path) -> None:
    release.do("install", ONE_SECRET)
    before = workload(release.objects())["spec"]
    release.do("upgrade", ONE_SECRET, chart=next_chart)
    after = workload(release.objects())["spec"]
    assert (before["selector"], before["volumeClaimTemplates"]) == (after["selector"], after["volumeClaimTemplates"])
    assert "9.9.9" not in str(after["selector"]) + str(after["volumeClaimTemplates"])


def test_without_a_volume_it_is_another_kind_and_the_claim_stays(release: Release) -> None:
    release.do("install", ONE_SECRET)
    release.do("upgrade", ONE_SECRET | {"persistence": {"enabled": False}})
    assert workload(release.objects())["kind"] == "Deployment"
    release.do("upgrade", ONE_SECRET)
    assert workload(release.objects())["kind"] == "StatefulSet"


def test_uninstalling_leaves_nothing_of_the_release(release: Release) -> None:
    release.do("install", CI["everything"])
    release.do("uninstall")
    # The claim is made by the StatefulSet, so it was never ours to delete.
    assert release.objects() == {}


def test_what_helm_keeps_of_a_release_fits_a_secret(release: Release) -> None:
    """The chart and what it made, compressed, in base64: with dashboards in both that is no small thing."""
    made = json.dumps(release.do("install", CI["everything"])).encode()
    chart = b"".join(path.read_bytes() for path in sorted(CHART.rglob("*")) if path.is_file())
    assert len(gzip.compress(made + base64.b64encode(chart))) * 4 // 3 < 1 << 19, "half of what a Secret may hold"
