"""What Helm prints after an install: where it is, and what is not as one would want it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from chart.helm import CI, ONE_SECRET, Rendered

Render = Callable[[dict[str, Any]], Rendered]


def warnings(rendered: Rendered) -> list[str]:
    """The first words of each warning."""
    return [re.split("[.:,]| from ", part)[0] for part in rendered.notes.split("WARNING: ")[1:]]


def test_the_notes_as_they_are_read(render: Render) -> None:
    assert (
        render(CI["slack"]).notes.strip()
        == """\
triggerdev-exporter 0.1.0 watches 1 environment(s) of Trigger.dev.

Metrics:  http://watch-triggerdev-exporter.monitoring.svc:9925/metrics
See them: kubectl -n monitoring port-forward service/watch-triggerdev-exporter 9925:9925   then http://127.0.0.1:9925/
Its log:  kubectl -n monitoring logs statefulset/watch-triggerdev-exporter
Try it:   helm test watch -n monitoring"""
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (ONE_SECRET, ["nothing scrapes it", "nobody is told of alerts"]),
        (CI["slack"], []),
        (CI["operators"], []),
        (CI["slack"] | {"replicas": 0}, ["replicas is 0"]),
        (CI["slack"] | {"persistence": {"enabled": False}}, ["nothing is kept"]),
        (
            CI["slack"] | {"service": {"type": "NodePort"}},
            ["a Service of the type NodePort can be reached"],
        ),
        (CI["stateless"], ["nothing is kept", "secrets stand in the values"]),
        (
            CI["operators"] | {"alerts": {"existingConfigMaps": ["mine"]}},
            ["the chart cannot see whether rules in mine have receivers"],
        ),
    ],
)
def test_it_warns_of_what_is_wrong_and_of_no_more(render: Render, values: dict[str, Any], words: list[str]) -> None:
    assert warnings(render(values)) == words


def test_lines_fit_a_terminal(ci: Rendered) -> None:
    assert max(len(line) for line in ci.notes.splitlines()) <= 140
