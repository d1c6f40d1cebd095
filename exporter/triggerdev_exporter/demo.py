"""The demo: simulator, daemon and a sink for notifications in one process, on one clock.

The state is thrown away afterwards.
"""

from __future__ import annotations

import base64
import logging
import sys
import tempfile
from importlib import resources
from pathlib import Path

from pydantic import SecretStr

from triggerdev_exporter import logs
from triggerdev_exporter.app import running
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, ScaledClock
from triggerdev_exporter.config.addresses import Listen
from triggerdev_exporter.config.model import Alerts, Config, Intervals, Quota, Target, Web
from triggerdev_exporter.process import told_to_stop
from triggerdev_exporter.simulator.command import start_simulator
from triggerdev_exporter.simulator.scenario import shop
from triggerdev_exporter.sink import open_sink

DAEMON = "http://127.0.0.1:9925"
"""Where commands look for a daemon by themselves."""
STORM_EVERY, STORM = 10 * MINUTE, 2 * MINUTE
LOOKBACK = 2 * HOUR
HISTORY_S = (LOOKBACK + STORM_EVERY - STORM) // SECOND - 15
"""Two hours and a bit, so that the next storm begins fifteen seconds after the start: one sees an alert soon."""
#: Shorter than the daemon's own, so that something happens while one looks.
INTERVALS = Intervals(
    runs=5 * SECOND,
    queues=5 * SECOND,
    batches=5 * SECOND,
    schedules=10 * SECOND,
    deployments=10 * SECOND,
    waitpoints=10 * SECOND,
)


def demo_config(*, api_url: str, listen: Listen, state: Path, rules: Path) -> Config:
    """What the demo's daemon is told: one target, short intervals, a quota that nobody else needs, rules of its own."""
    return Config(
        targets=(
            Target(
                name="demo",
                api_url=api_url,
                secret_key=SecretStr("tr_prod_demo"),
                intervals=INTERVALS,
                quota=Quota(requests_per_minute=1500, share=1.0),
                lookback=LOOKBACK,
            ),
        ),
        state=state,
        web=Web(listen=listen),
        alerts=Alerts(files=(str(rules),)),
    )


def write_rules(folder: Path, sink_url: str) -> Path:
    """The demo's rules in `folder`, with the sink's addresses in files beside them, as a deployment has them."""
    secrets = {
        "slack-hook": f"{sink_url}/slack",
        "webhook": f"{sink_url}/webhook",
        "webhook-secret": f"whsec_{base64.b64encode(b'only for the demo, and no secret').decode()}",
    }
    for name, text in secrets.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(text + "\n", "utf-8")
    rules = folder / "alerts.yml"
    rules.write_text((resources.files("triggerdev_exporter") / "demo_rules.yml").read_text("utf-8"), "utf-8")
    return rules


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _greeting(url: str, api_url: str, profile: str) -> str:
    wide = len(f"{api_url}/_sim/truth")
    # Where it stands after `make demo`, or else by its name.
    here = Path(".venv/bin/triggerdev-exporter")
    command = str(here) if here.exists() else here.name
    where = "" if url == DAEMON else f" --url {url}"
    return f"""
  triggerdev-exporter, watching a simulated shop on Trigger.dev ({profile}): no account, nothing leaves this machine.

    Look       {url + "/":<{wide}}  what fails, since when, what was sent; each task says why
    Metrics    {url + "/metrics":<{wide}}  what Prometheus scrapes
    The API    {api_url:<{wide}}  any key that begins with tr_ is right
    The truth  {api_url + "/_sim/truth":<{wide}}  what a page should say

    Try        curl -s {url}/metrics | grep -e runs_open -e triggerdev_alerts
               {command} why sync-crm{where}

  Two hours have happened already, and it goes on. Counters begin now; gauges show the past hour too.
  Every ten minutes charge-card fails for two, for the first time in 15 s. About a minute later an alert fires, and what
  Slack and a webhook would get is printed here; two minutes after that it is resolved. Ctrl-C ends it.
"""


async def run_demo(*, listen: Listen, profile: str, speed: float, seed: int) -> None:
    """Run until told to stop, and leave nothing behind."""
    logs.set_up("info", "text")
    clock = ScaledClock(speed=speed)
    # From the first moment on, or SIGTERM would leave the folder behind.
    stop = told_to_stop()
    _say("Two hours in the life of a shop are being made up …")
    with tempfile.TemporaryDirectory(prefix="triggerdev-exporter-demo-") as folder:
        scenario = shop(storm_every_ms=STORM_EVERY, storm_ms=STORM)
        async with (
            start_simulator(scenario, profile=profile, seed=seed, clock=clock, history_s=HISTORY_S) as simulator,
            open_sink(_say) as sink_url,
        ):
            config = demo_config(
                api_url=simulator.url,
                listen=listen,
                state=Path(folder) / "state.db",
                rules=write_rules(Path(folder), sink_url),
            )
            async with running(config, clock) as exporter:
                _say(_greeting(exporter.url, simulator.url, profile))
                await stop.wait()
                logging.getLogger(__name__).info("the demo ends")
