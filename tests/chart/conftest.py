"""Helm for the tests of the chart, started once a worker; what it rendered is kept."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from chart.helm import CHART, CI, Helm, HelmCommand, HelmEngine, Rendered, Values, open_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[HelmEngine]:
    """Helm's engine from PyPI, for what needs a cluster."""
    if importlib.util.find_spec("helm_sdkpy") is None:
        in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
        (pytest.fail if in_ci else pytest.skip)("helm-sdkpy is missing, and make setup installs it")
    with open_engine() as engine:
        yield HelmEngine(engine)


@pytest.fixture(scope="session")
def helm(request: pytest.FixtureRequest) -> Helm:
    """Whatever Helm there is; one on PATH comes first."""
    found = shutil.which("helm")
    if found is not None:
        return HelmCommand(found)
    engine: Helm = request.getfixturevalue("engine")
    return engine


@pytest.fixture(scope="session")
def render(helm: Helm) -> Callable[[Values], Rendered]:
    """What an install of these values makes in a cluster that has every operator. The same values are rendered once."""
    known: dict[str, Rendered] = {}

    def rendered(values: Values) -> Rendered:
        text = json.dumps(values, sort_keys=True)
        if text not in known:
            known[text] = helm.render(values)
        return known[text]

    return rendered


@pytest.fixture(params=CI)
def ci(request: pytest.FixtureRequest, render: Callable[[Values], Rendered]) -> Rendered:
    """What each of the values in ci/ makes."""
    return render(CI[request.param])


@pytest.fixture(scope="session")
def schema() -> dict[str, object]:
    """The schema of the values."""
    read: dict[str, object] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    return read
