"""`make bench`: everything that is measured, as one table. Each line is compared with something in the same run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.metadata import version

from bench import loop, memory, rules, runs, scrapes, spans, start
from bench.table import Row, markdown
from triggerdev_exporter.stalls import calm_the_collector

PARTS: dict[str, Callable[[], list[Row]]] = {
    "scrapes": scrapes.rows,
    "runs": runs.rows,
    "rules": rules.rows,
    "spans": spans.rows,
    "memory": memory.rows,
    "loop": loop.rows,
    "start": start.rows,
}
LIBRARIES = ("aiohttp", "prometheus-client", "msgspec", "opentelemetry-sdk")


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    # As in the daemon, for all that is measured here.
    calm_the_collector()
    found = []
    for name in wanted:
        sys.stderr.write(f"{name} …\n")
        found += PARTS[name]()
    print(markdown(found))
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}; {libraries}.")


if __name__ == "__main__":
    main()
