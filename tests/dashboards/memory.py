"""A real Prometheus that remembers a day nobody waited for, and how Grafana would ask it. No expectations here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from dashboards.days import END, SCRAPE_S
from end_to_end.processes import Program, Stage, ask, wait_until
from triggerdev_exporter.clock import Instant

Sample = tuple[Mapping[str, str], list[float]]
"""The labels of a series, and its values."""

STEP_S = 60
_SPANS = {"now-3h": 3 * 3600, "now-6h": 6 * 3600, "now-24h": 24 * 3600}


@dataclass(frozen=True)
class Choice:
    """What somebody chose at the top: the values by variable, as they stand in a query."""

    name: str
    values: Mapping[str, str]


ALL = Choice("all", {"job": ".+", "instance": ".+", "target": ".*", "task": ".+", "queue": ".+"})
OURS = Choice("ours", {**ALL.values, "instance": "exporter:9925"})
"""What one exporter shows, should there be another."""
ONE = Choice(
    "one",
    {"job": "triggerdev", "instance": "exporter:9925", "target": "prod", "task": "charge-card", "queue": "video"},
)


def span_s(dashboard: Mapping[str, Any]) -> int:
    """How much a dashboard shows at first."""
    return _SPANS[dashboard["time"]["from"]]


def expand(expr: str, choice: Choice, shown_s: int) -> str:
    """A query with its macros and variables filled in, as Grafana does it."""
    macros = {
        "__rate_interval": f"{4 * SCRAPE_S}s",
        "__interval": f"{STEP_S}s",
        "__range_s": str(shown_s),
        "__range": f"{shown_s}s",
    }
    # "$1" belongs to label_replace.
    return re.sub(r"\$([a-zA-Z_]\w*)", lambda match: {**macros, **choice.values}[match[1]], expr)


def legend(labels: Mapping[str, str], template: str) -> str:
    """What a legend says of a series."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), template)


class Memory:
    """One day in a Prometheus, asked at its end."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _api(self, path: str, **parameters: str) -> Any:
        answer = ask(f"{self._url}/api/v1/{path}?{urlencode(parameters, quote_via=quote)}")
        assert answer.status == 200, f"{answer.text}\n{parameters}"
        assert "warnings" not in answer.json, answer.text
        return answer.json["data"]

    def now(self, query: str, at: Instant = END) -> list[Sample]:
        found = self._api("query", query=query, time=str(at // 1000))["result"]
        return [(one["metric"], [float(one["value"][1])]) for one in found]

    def range(self, query: str, shown_s: int) -> list[Sample]:
        """Over what a dashboard shows."""
        end = END // 1000
        found = self._api("query_range", query=query, start=str(end - shown_s), end=str(end), step=str(STEP_S))
        return [(one["metric"], [float(value) for _, value in one["values"]]) for one in found["result"]]

    def points(self, query: str, shown_s: int) -> list[dict[str, Any]]:
        """The same as Prometheus answers it, with instants."""
        end = END // 1000
        found = self._api("query_range", query=query, start=str(end - shown_s), end=str(end), step=str(STEP_S))
        return list(found["result"])

    def values(self, label: str, selector: str) -> list[str]:
        """What ``label_values()`` offers."""
        end = END // 1000
        window = {"start": str(end - 3 * 3600), "end": str(end)}
        return list(self._api(f"label/{label}/values", **{"match[]": selector}, **window))


def remember(stage: Stage, require: Callable[[str], str], port: int, text: Path) -> Memory:
    """Back-fill a day from its scrapes, and start a Prometheus on it."""
    folder = stage.folder / f"tsdb-{text.stem}"
    made = subprocess.run(
        [require("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    config = stage.folder / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1m}\n", "utf-8")
    program = stage.start(
        Program,
        f"prometheus-{text.stem}",
        [
            require("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}",
            f"--web.listen-address=127.0.0.1:{port}",
            # What is back-filled has no marks for series that ended: without this they live on for five minutes.
            f"--query.lookback-delta={SCRAPE_S - 1}s",
            "--log.level=warn",
        ],
    )
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: ask(f"{url}/-/ready").status == 200, "Prometheus is ready", program)
    return Memory(url)
