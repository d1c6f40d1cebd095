"""Helm's engine in a process of its own: a wish a line on stdin, an answer a line on stdout, both JSON.

A Go runtime lives in that library, with signal handlers and threads of its own; a process keeps it away from pytest's.
Each `session` is a release in a cluster of its own, which ends with the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import helm_sdkpy as helm

from chart.cluster import KINDS, OPERATORS, Cluster, Clusters, serve_clusters


class Sessions:
    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters
        self._known: dict[str, tuple[Cluster, helm.Configuration]] = {}

    def _session(self, name: str, namespace: str, operators: bool) -> tuple[Cluster, helm.Configuration]:
        if name not in self._known:
            cluster = self._clusters.open(name, KINDS | (OPERATORS if operators else {}))
            self._known[name] = cluster, helm.Configuration(namespace=namespace, kubeconfig=cluster.kubeconfig)
        return self._known[name]

    def do(self, wish: dict[str, Any]) -> Any:
        cluster, config = self._session(wish["session"], wish["namespace"], wish["operators"])
        release, chart, values = wish["release"], wish["chart"], wish["values"]
        how = {"wait": False, "server_side_apply": True}
        match wish["do"]:
            case "install":
                return asyncio.run(helm.Install(config).run(release, chart, values, **how))
            case "upgrade":
                return asyncio.run(helm.Upgrade(config).run(release, chart, values, reset_values=True, **how))
            case "uninstall":
                return asyncio.run(helm.Uninstall(config).run(release, wait=False))
            case "objects":
                return list(cluster.objects.values())
            case "lint":
                return asyncio.run(helm.Lint(config).run(chart))
            case "package":
                return asyncio.run(helm.Package(config).run(chart, wish["folder"]))
        raise ValueError(wish["do"])


def main() -> None:
    # Whatever the library prints goes to stderr; answers have a pipe to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with serve_clusters() as clusters:
        sessions = Sessions(clusters)
        for line in sys.stdin:
            try:
                answer = {"done": sessions.do(json.loads(line))}
            except helm.HelmError as error:
                answer = {"refused": str(error)}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
