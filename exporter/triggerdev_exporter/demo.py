"""The demo: simulator and daemon in one process, on one clock, with a state that is thrown away afterwards."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from pydantic import SecretStr

from triggerdev_exporter import logs
from triggerdev_exporter.app import running, told_to_stop
from triggerdev_exporter.clock import HOUR, SECOND, ScaledClock
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.model import Config, Intervals, Quota, Target, Web
from triggerdev_exporter.simulator.command import start_simulator

HISTORY_S = 7200
#: Shorter than the daemon's own, so that something happens while one looks.
INTERVALS = Intervals(
    runs=5 * SECOND,
    queues=5 * SECOND,
    batches=5 * SECOND,
    schedules=10 * SECOND,
    deployments=10 * SECOND,
    waitpoints=10 * SECOND,
)


def demo_config(*, api_url: str, listen: Listen, state: Path) -> Config:
    """What the demo's daemon is told: one target, short intervals, a quota that nobody else needs."""
    return Config(
        targets=(
            Target(
                name="demo",
                api_url=api_url,
                secret_key=SecretStr("tr_prod_demo"),
                intervals=INTERVALS,
                quota=Quota(requests_per_minute=1500, share=1.0),
                lookback=HOUR,
            ),
        ),
        state=state,
        web=Web(listen=listen),
    )


def _greeting(url: str, api_url: str, profile: str) -> str:
    return f"""
  triggerdev-exporter, watching a simulated shop on Trigger.dev ({profile}): no account, nothing leaves this machine.

    Look       {url}/             how the exporter is doing
    Metrics    {url}/metrics      what Prometheus scrapes
    Try        curl -s {url}/metrics | grep runs_open
    The API    {api_url}          any key that begins with tr_ is right
    The truth  {api_url}/_sim/truth

  Two hours have happened already, and it goes on. Counters begin now; gauges show the past hour too. Ctrl-C ends it.
"""


async def run_demo(*, listen: Listen, profile: str, speed: float, seed: int) -> None:
    """Run until told to stop, and leave nothing behind."""
    logs.set_up("info", "text")
    clock = ScaledClock(speed=speed)
    # From the first moment on, or SIGTERM would leave the folder behind.
    stop = told_to_stop()
    sys.stdout.write("Two hours in the life of a shop are being made up …\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory(prefix="triggerdev-exporter-demo-") as folder:
        async with start_simulator("shop", profile=profile, seed=seed, clock=clock, history_s=HISTORY_S) as simulator:
            config = demo_config(api_url=simulator.url, listen=listen, state=Path(folder) / "state.db")
            async with running(config, clock) as exporter:
                sys.stdout.write(_greeting(exporter.url, simulator.url, profile) + "\n")
                sys.stdout.flush()
                await stop.wait()
                logging.getLogger(__name__).info("the demo ends")
