"""The resource of a target's spans: what they are about, and nothing of the process that sends them. Pure.

A back end recognises a span that was sent twice by all that it holds, its resource too: so there is no host, no
process, no version of ours in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from triggerdev_exporter.spans.due import Origin
from triggerdev_exporter.spans.span import Attributes

SYSTEM = "trigger.dev"


def resource(origin: Origin, *, service_name: str | None, attributes: Mapping[str, str]) -> Attributes:
    """`service_name` is ``OTEL_SERVICE_NAME``, which wins over ``service.name`` in `attributes`."""
    known = {
        "service.name": SYSTEM,
        "service.namespace": origin.project,
        "deployment.environment.name": origin.environment,
        "cloud.provider": SYSTEM,
        "trigger.project.ref": origin.project,
        "trigger.environment.type": origin.environment_type,
        **attributes,
    }
    if service_name:
        known["service.name"] = service_name
    return {name: value for name, value in known.items() if value}
