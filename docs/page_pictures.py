"""Takes the pictures of the pages in README: the demo, sped up, while its first alert fires, in light and in dark.

`make pictures` writes docs/images/*.png with the chromium on PATH. Look at every one before it is committed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
IMAGES = HERE / "images"
SHOTS = {"overview": ("/", 1180), "alerts": ("/alerts", 760), "task": ("/tasks/charge-card", 900)}
"""Name → path and height."""
WIDTH = 1180
LARGEST = 250_000
PATIENCE = 240
SPEED = "4"


@contextmanager
def demo() -> Iterator[str]:
    """A demo of its own; its address."""
    command = [sys.executable, "-m", "triggerdev_exporter", "demo", "--listen", "127.0.0.1:0", "--speed", SPEED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            yield next(found[1] for line in process.stdout or () if (found := re.search(r"Look +(http\S+?)/ ", line)))
        finally:
            process.terminate()


def wait_for_the_alert(page: Page, url: str) -> None:
    """Until the alert fires that shows most, with its errors."""
    for _ in range(PATIENCE):
        told = page.request.get(f"{url}/api/v1/alerts?state=firing&evidence=yes").json()["alerts"]
        if any(alert["labels"].get("task") == "charge-card" and alert["evidence"]["errors"] for alert in told):
            return
        page.wait_for_timeout(500)
    raise SystemExit("the demo's alert did not fire")


def take(browser: Browser, url: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": 900})  # type: ignore[arg-type]
    for name, (path, height) in SHOTS.items():
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.goto(url + path)
        picture = IMAGES / f"{name}-{scheme}.png"
        page.screenshot(path=picture)
        size = picture.stat().st_size
        sys.stdout.write(f"{picture.relative_to(HERE.parent)}: {size:,} bytes\n")
        if size > LARGEST:
            raise SystemExit(f"{picture.name} is larger than {LARGEST:,} bytes")


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("no chromium on PATH (on Debian: apt-get install chromium)")
    IMAGES.mkdir(exist_ok=True)
    with demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        wait_for_the_alert(page, url)
        for scheme in ("light", "dark"):
            take(browser, url, scheme)
        browser.close()


if __name__ == "__main__":
    main()
