"""The files and the command line that a rendered pod would have, put into a folder of this machine."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme

from chart.helm import Object, Rendered

WEB = """\
tls_server_config: {cert_file: tls.crt, key_file: tls.key}
basic_auth_users: {prometheus: $2y$04$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG}
"""


@cache
def secrets_of_others() -> dict[tuple[str, str], str]:
    """What the Secrets hold that values in ci/ name, and that somebody else made."""
    certificate = trustme.CA().issue_cert("exporter.example.com")
    return {
        ("trigger", "secret-key"): "tr_prod_madeup1",
        ("trigger", "shop-prod"): "tr_prod_madeup2",
        ("own-server", "key"): "tr_stg_madeup3",
        ("alert-receivers", "slack-token"): "xoxb-1-made-up",
        ("collector", "headers"): "authorization=Bearer%20made-up",
        ("web", "web.yml"): WEB,
        ("web", "tls.crt"): certificate.cert_chain_pems[0].bytes().decode(),
        ("web", "tls.key"): certificate.private_key_pem.bytes().decode(),
    }


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
        held = {key: text.encode() for (secret, key), text in secrets_of_others().items() if secret == name}
    for item in data.get("items") or [{"key": key, "path": key} for key in held]:
        yield item["path"], held[item["key"]]


def value_of(variable: Object) -> str:
    if "valueFrom" not in variable:
        return str(variable["value"])
    source = variable["valueFrom"]["secretKeyRef"]
    return secrets_of_others()[source["name"], source["key"]]


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
        plain = [volume] if volume.keys() & {"configMap", "secret"} else []
        sources = volume.get("projected", {}).get("sources") or plain
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
    environ = {each["name"]: moved(value_of(each)) for each in container.get("env", [])}
    return Mounted([moved(argument) for argument in container["args"]], environ)
