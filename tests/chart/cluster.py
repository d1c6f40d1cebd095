"""A Kubernetes API that is just enough for Helm: it lists kinds, keeps objects, and refuses what a real one would.

It judges no object; that is for `kubernetes-validate`. But what cannot be changed after creation is refused here as the
real server refuses it, since that is what breaks an upgrade.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import yaml

Object = dict[str, Any]

KINDS = {
    "v1": {"ConfigMap": "configmaps", "PersistentVolumeClaim": "persistentvolumeclaims", "Pod": "pods"}
    | {"Secret": "secrets", "Service": "services", "ServiceAccount": "serviceaccounts"},
    "apps/v1": {"Deployment": "deployments", "StatefulSet": "statefulsets"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
}
OPERATORS = {
    "monitoring.coreos.com/v1": {"PodMonitor": "podmonitors", "PrometheusRule": "prometheusrules"}
    | {"ServiceMonitor": "servicemonitors"},
    "grafana.integreatly.org/v1beta1": {"GrafanaDashboard": "grafanadashboards"},
}

#: What of a spec may change in an update; nothing else. The API server's own sentence lists them.
MAY_CHANGE = {
    "StatefulSet": frozenset(
        "replicas ordinals template updateStrategy revisionHistoryLimit persistentVolumeClaimRetentionPolicy "
        "minReadySeconds".split()
    ),
    "PersistentVolumeClaim": frozenset({"resources"}),
}
#: What may not, for kinds where most may.
MAY_NOT_CHANGE = {"Deployment": frozenset({"selector"}), "Service": frozenset({"clusterIP"})}


def immutable(before: Object, after: Object) -> list[str]:
    """Fields of the spec that differ and may not."""
    old, new, kind = before.get("spec", {}), after.get("spec", {}), after["kind"]
    changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    if kind in MAY_CHANGE:
        return sorted(changed - MAY_CHANGE[kind])
    return sorted(changed & MAY_NOT_CHANGE.get(kind, frozenset()))


class Cluster:
    """What is in it, by path."""

    def __init__(self, kinds: dict[str, dict[str, str]], url: str) -> None:
        self.kinds = kinds
        self.objects: dict[str, Object] = {}
        self.url = url

    @property
    def kubeconfig(self) -> str:
        cluster = {"name": "fake", "cluster": {"server": self.url}}
        context = {"name": "fake", "context": {"cluster": "fake", "user": "fake"}}
        whole = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        return str(yaml.safe_dump(whole | {"users": [{"name": "fake", "user": {}}], "current-context": "fake"}))

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Object]:
        if path == "/version":
            return 200, {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
        if path == "/api":
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [self._group(v) for v in self._groups()]}
        for version, kinds in self.kinds.items():
            root = _root(version)
            if path == root:
                return 200, {"kind": "APIResourceList", "groupVersion": version, "resources": _resources(kinds)}
            if path.startswith(f"{root}/namespaces/"):
                namespace, plural, *name = path.removeprefix(f"{root}/namespaces/").split("/")
                if plural in kinds.values():
                    return self._object(method, f"{root}/namespaces/{namespace}/{plural}", name, body)
        return 404, _status(404, "NotFound", f"no such path: {method} {path}")

    def _groups(self) -> list[str]:
        return [version for version in self.kinds if version != "v1"]

    @staticmethod
    def _group(version: str) -> Object:
        one = {"groupVersion": version, "version": version.split("/")[1]}
        return {"name": version.split("/")[0], "versions": [one], "preferredVersion": one}

    def _object(self, method: str, collection: str, name: list[str], body: bytes) -> tuple[int, Object]:
        sent: Object = yaml.safe_load(body) if body and method != "DELETE" else {}
        if not name and method == "GET":
            return 200, {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}
        key = f"{collection}/{name[0] if name else sent['metadata']['name']}"
        known = self.objects.get(key)
        if method == "POST" and known is not None:
            return 409, _status(409, "AlreadyExists", f"{key} already exists")
        if method in ("GET", "DELETE") and known is None:
            return 404, _status(404, "NotFound", f"{key} not found")
        if method == "DELETE":
            return 200, self.objects.pop(key)
        if method == "GET":
            return 200, known or {}
        if known is not None and (fields := immutable(known, sent)):
            text = f"{sent['kind']} {key} is invalid: updates to {', '.join(fields)} are forbidden"
            return 422, _status(422, "Invalid", text)
        self.objects[key] = sent
        return 201 if known is None else 200, sent


def _root(version: str) -> str:
    return "/api/v1" if version == "v1" else f"/apis/{version}"


def _resources(kinds: dict[str, str]) -> list[Object]:
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    return [
        {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        for kind, plural in kinds.items()
    ]


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


class Clusters:
    """Several of them behind one port, by the first part of the path."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, Cluster] = {}

    def open(self, name: str, kinds: dict[str, dict[str, str]]) -> Cluster:
        """A new one, with these kinds."""
        self._known[name] = Cluster(kinds, f"{self._url}/{name}")
        return self._known[name]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Object]:
        name, slash, rest = path.removeprefix("/").partition("/")
        return self._known[name].answer(method, slash + rest, body)


@contextmanager
def serve_clusters() -> Iterator[Clusters]:
    """On a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms an answer else

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = clusters.answer(self.command, urlsplit(self.path).path, body)
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # Helm keeps its connections open

    with Server(("127.0.0.1", 0), Handler) as server:
        clusters = Clusters(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield clusters
        finally:
            server.shutdown()
            thread.join()
