"""The files and the command line that a rendered pod would have, put into a folder of this machine."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chart.helm import Object, Rendered

SECRETS_OF_OTHERS = {
    ("trigger", "secret-key"): "tr_prod_madeup1",
    ("trigger", "shop-prod"): "tr_prod_madeup2",
    ("own-server", "key"): "tr_stg_madeup3",
    ("alert-receivers", "slack-token"): "xoxb-1-made-up",
}
"""What the Secrets hold that values in ci/ name, and that somebody else made."""


@dataclass(frozen=True)
class Mounted:
    """A container as the program sees it."""

    args: list[str]
    environ: dict[str, str]


def files_of(source: Object, rendered: Rendered) -> Iterator[tuple[str, bytes]]:
    """The name and bytes of each file that a ConfigMap or Secret of a volume makes."""
    kind, data = ("Secret", source["secret"]) if "secret" in source else ("ConfigMap", source["configMap"])
    name = data.get("name", data.get("secretName"))
    made = [each["data"] for each in rendered.all(kind) if each["metadata"]["name"] == name]
    if made and kind == "Secret":
        held = {key: base64.b64decode(text) for key, text in made[0].items()}
    elif made:
        held = {key: text.encode() for key, text in made[0].items()}
    else:
        held = {key: text.encode() for (secret, key), text in SECRETS_OF_OTHERS.items() if secret == name}
    for item in data.get("items") or [{"key": key, "path": key} for key in held]:
        yield item["path"], held[item["key"]]


def mount(rendered: Rendered, root: Path, container: Object | None = None) -> Mounted:
    """Put what the pod mounts below `root`, and say how the program is started there."""
    container = container or rendered.container
    places: dict[str, Path] = {}
    volumes = {volume["name"]: volume for volume in rendered.pod["spec"]["volumes"]}
    for each in container.get("volumeMounts", []):
        place = root / each["mountPath"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        places[each["mountPath"]] = place
        volume = volumes.get(each["name"], {})
        sources = volume.get("projected", {}).get("sources") or ([volume] if "configMap" in volume else [])
        for source in sources:
            for name, raw in files_of(source, rendered):
                assert not (place / name).exists(), f"two sources of {each['name']} hold {name}"
                (place / name).write_bytes(raw)

    # In one pass: where tests write may lie below /tmp, which is a place itself.
    longest_first = "|".join(re.escape(path) for path in sorted(places, key=len, reverse=True))

    def moved(text: str) -> str:
        return re.sub(longest_first, lambda match: str(places[match[0]]), text)

    for config in root.rglob("config.yml"):
        config.write_text(moved(config.read_text("utf-8")), "utf-8")
    environ = {each["name"]: each.get("value", "") for each in container.get("env", [])}
    return Mounted([moved(argument) for argument in container["args"]], environ)
