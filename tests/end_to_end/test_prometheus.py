"""A real Prometheus scrapes the daemon, and its numbers are those of the simulator."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from end_to_end.processes import Program, Simulator, Stage, ask, wait_until

WINDOW_S = 15
#: How old what the daemon knows may be at a scrape: its poll of a second with jitter, the tick itself, a busy machine.
FRESH_S = 1.1 + 4.0

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: triggerdev
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    def __init__(self, program: Program, url: str) -> None:
        self.program = program
        self.url = url

    def api(self, path: str, **parameters: str) -> Any:
        answer = ask(f"{self.url}/api/v1/{path}?{urlencode(parameters, quote_via=quote)}")
        assert answer.json["status"] == "success", answer.text
        return answer.json["data"]

    def value(self, query: str, at: float | None = None) -> float | None:
        """The one number that a query gives; ``None`` without one."""
        when = {} if at is None else {"time": f"{at:.3f}"}
        found = self.api("query", query=query, **when)["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def samples(self, selector: str, until: float) -> dict[float, float]:
        """What the scrapes of the window brought, by the scrape's time; the sum over all series."""
        found: dict[float, float] = defaultdict(float)
        for series in self.api("query", query=f"{selector}[{WINDOW_S}s]", time=f"{until:.3f}")["result"]:
            for at, value in series["values"]:
                found[at] += float(value)
        return found

    def target(self) -> dict[str, Any]:
        return next(iter(self.api("targets")["activeTargets"]), {})


def start_prometheus(stage: Stage, binary: str, port: int, target: str, folder: Path) -> Prometheus:
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(target=target), "utf-8")
    program = stage.start(
        Program,
        "prometheus",
        [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ],
    )
    started = Prometheus(program, f"http://127.0.0.1:{port}")
    wait_until(lambda: ask(f"{started.url}/-/ready").status == 200, "Prometheus is ready", program)
    return started


class Book:
    """How many runs had ended, as the simulator tells it, at many instants."""

    def __init__(self, simulator: Simulator, birth: int) -> None:
        self._simulator = simulator
        self._birth = birth
        self.rows: list[tuple[float, float]] = []

    def note(self) -> float:
        """Write down what is true now; the simulator's time, which is the machine's, in seconds."""
        true, _ = self._simulator.truth(self._birth)
        now = self._simulator.clock() / 1000
        self.rows.append((now, sum(v for (name, _), v in true.items() if name == "triggerdev_runs_finished_total")))
        return now

    def at_least(self, instant: float) -> float:
        return max((count for at, count in self.rows if at <= instant), default=0.0)

    def at_most(self, instant: float) -> float:
        # A row is noted a moment before its time is asked: the first one behind the instant is an upper bound.
        return min(count for at, count in self.rows if at > instant)


def test_a_rate_in_prometheus_is_the_rate_of_the_shop(
    stage: Stage, require: Callable[[str], str], free_port: int, tmp_path: Path
) -> None:
    simulator = stage.simulate("--scenario", "busy", "--history", "1m")
    daemon = stage.run("--config", str(stage.config(simulator)))
    wait_until(daemon.birth, "counting begins", daemon)
    wait_until(daemon.is_ready, "the look-back is read", daemon)
    prometheus = start_prometheus(stage, require("prometheus"), free_port, daemon.url.removeprefix("http://"), tmp_path)
    wait_until(lambda: prometheus.target().get("health") == "up", "the target is up", prometheus.program, daemon)

    book = Book(simulator, daemon.birth())
    begin = book.note()
    wait_until(lambda: book.note() > begin + WINDOW_S + 2, "a window has passed", daemon, simulator, every=0.1)
    now = begin + WINDOW_S + 1

    # At each scrape the counters hold all runs that had ended when the last tick began, and none that ends later.
    told = prometheus.samples("triggerdev_runs_finished_total", now)
    done = prometheus.samples('triggerdev_collector_last_success_timestamp_seconds{collector="runs"}', now)
    took = prometheus.samples('triggerdev_collector_duration_seconds{collector="runs"}', now)
    scraped = prometheus.samples("scrape_duration_seconds", now)
    assert len(told) >= WINDOW_S - 2
    least = {at: book.at_least(done[at] - took[at]) for at in told}
    most = {at: book.at_most(at + scraped[at]) for at in told}
    for at, count in told.items():
        assert least[at] <= count <= most[at]
        assert at - done[at] < FRESH_S

    # A rate is the growth between the first and the last scrape in its window, put over the window.
    growth = prometheus.value(f"sum(rate(triggerdev_runs_finished_total[{WINDOW_S}s]))", now)
    assert growth is not None
    first, last = min(told), max(told)
    low = (least[last] - most[first]) / WINDOW_S
    high = (most[last] - least[first]) / (last - first)
    assert low <= growth <= high
    assert 0 < high < 3 * low, "bounds that are further apart say nothing"

    target = prometheus.target()
    assert (target["health"], target["lastError"]) == ("up", "")
    assert prometheus.value("min_over_time(up[10s])", now) == 1
    assert prometheus.value("triggerdev_up", now) == 1
    # OpenMetrics was agreed on: only there is the counter's family named without _total.
    family = prometheus.api("targets/metadata", metric="triggerdev_runs_finished")
    assert [(row["type"], row["help"].split(",")[0]) for row in family] == [
        ("counter", "Runs that reached a final status since counting began (finishedAt)")
    ]
    quantile = prometheus.value(
        "histogram_quantile(0.5, sum by (le) (rate(triggerdev_run_duration_seconds_bucket[15s])))", now
    )
    assert quantile is not None
    assert 0.5 < quantile < 5, "the median of a run is 1.5 s"
    assert prometheus.program.end() == 0
    assert "level=error" not in prometheus.program.stderr
