"""``assets export``: what others than this program read, out of the wheel or the checkout, into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click

import triggerdev_alerts

_CHECKOUT = Path(__file__).parents[3]
#: Where a wheel holds them, by their first folder.
_PACKED = {
    "grafana": Path(__file__).parents[1] / "shipped" / "grafana",
    "alerts": Path(triggerdev_alerts.__file__).parent / "shipped",
}
FOLDERS = {
    "grafana/dashboards": "dashboards to provision: Grafana's sidecar, or the provider in grafana/provisioning",
    "grafana/import": "the same to import by hand: it asks for the data source",
    "grafana/provisioning": "the data sources and the provider of dashboards",
    "alerts/prometheus": "rules for Prometheus, with tests for promtool",
    "alerts/rules": "the rules that this program comes with, to copy from",
    "alerts/runbooks": "what to do when one fires",
}


def export_assets(folder: Path) -> None:
    """Write all of them; files of the same name are replaced, others stay."""
    counts = dict.fromkeys(FOLDERS, 0)
    try:
        for name, path in _files():
            target = folder / name / path.relative_to(_place(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            counts[name] += 1
    except OSError as error:
        raise click.FileError(str(folder), hint=(error.strerror or "it cannot be written").lower()) from None
    for name, says in FOLDERS.items():
        click.echo(f"{folder / name}: {counts[name]} files, {says}")


def _files() -> Iterator[tuple[str, Path]]:
    for name in FOLDERS:
        yield from ((name, path) for path in sorted(_place(name).rglob("*")) if path.is_file())


def _place(name: str) -> Path:
    first, _, rest = name.partition("/")
    packed = _PACKED[first] / rest
    return packed if packed.is_dir() else _CHECKOUT / name
