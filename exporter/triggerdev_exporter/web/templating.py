"""The templates of the pages.

They and Jinja are taken up with the first page that somebody opens: most exporters are only scraped, and need neither.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from triggerdev_exporter.web.filters import FILTERS

if TYPE_CHECKING:
    import jinja2


@cache
def templates() -> jinja2.Environment:
    """All templates, compiled. That takes a while the first time."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("triggerdev_exporter.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


async def open_templates() -> None:
    """The same, on a thread: whoever else waits for the loop need not wait for it."""
    if not templates.cache_info().currsize:
        await asyncio.to_thread(templates)
