"""metrics.k8s.io of a node, from what its kubelet measures: for `kubectl top` and HorizontalPodAutoscalers.

python -m tests.cluster.node.metrics, within the node.
"""

import http.server
import json
import ssl
import urllib.parse
from datetime import UTC, datetime
from typing import Any

from tests.cluster.node import network
from tests.cluster.node.api import Api, Manifest
from tests.cluster.node.settings import PKI

_VERSION = "metrics.k8s.io/v1beta1"
_PREFIX = f"/apis/{_VERSION}"
_RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": _VERSION,
    "resources": [
        {"name": name, "singularName": "", "namespaced": own, "kind": kind, "verbs": ["get", "list"]}
        for name, own, kind in (("nodes", False, "NodeMetrics"), ("pods", True, "PodMetrics"))
    ],
}


def usage(measured: Manifest) -> dict[str, str]:
    """CPU and memory in use, of a node or a container."""
    return {
        "cpu": f"{measured.get('cpu', {}).get('usageNanoCores', 0)}n",
        "memory": f"{measured.get('memory', {}).get('workingSetBytes', 0) // 1024}Ki",
    }


def of_node(summary: Manifest, now: str) -> Manifest:
    """Metrics of the node."""
    return _metrics("NodeMetrics", {"name": summary["node"]["nodeName"]}, now, usage=usage(summary["node"]))


def of_pods(summary: Manifest, pods: list[Manifest], now: str) -> list[Manifest]:
    """Metrics of those pods that were measured."""
    measured = {(one["podRef"]["namespace"], one["podRef"]["name"]): one for one in summary["pods"]}
    found = []
    for pod in pods:
        metadata = {name: pod["metadata"].get(name) for name in ("name", "namespace", "labels")}
        if own := measured.get((metadata["namespace"], metadata["name"])):
            containers = [{"name": one["name"], "usage": usage(one)} for one in own.get("containers") or []]
            found.append(_metrics("PodMetrics", metadata, now, containers=containers))
    return found


def _metrics(kind: str, metadata: Manifest, now: str, **measured: Any) -> Manifest:
    head = {"kind": kind, "apiVersion": _VERSION, "metadata": metadata}
    return {**head, "timestamp": now, "window": "10s", **measured}


def _list(kind: str, items: list[Manifest]) -> Manifest:
    return {"kind": kind, "apiVersion": _VERSION, "metadata": {}, "items": items}


def document(api: Api, path: str, selector: str) -> Any:
    """What lies at a path below /apis; None for nothing.

    Args:
        selector: of labels, of pods.
    """
    if not path.startswith(_PREFIX):
        return None
    parts = path.removeprefix(_PREFIX).strip("/").split("/")
    if parts == [""]:
        return _RESOURCES
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    summary = api.ask(f"https://{network.NODE}:10250/stats/summary")
    if parts[0] == "nodes":
        node = of_node(summary, now)
        return node if parts[1:] == [network.NAME] else _list("NodeMetricsList", [node])
    within = f"/namespaces/{parts[1]}" if parts[0] == "namespaces" else ""
    query = urllib.parse.urlencode({"labelSelector": selector})
    found = of_pods(summary, api.items(f"/api/v1{within}/pods?{query}"), now)
    if len(parts) > 3:
        return next((one for one in found if one["metadata"]["name"] == parts[3]), None)
    return _list("PodMetricsList", found)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def do_GET(self) -> None:
        asked = urllib.parse.urlsplit(self.path)
        selector = urllib.parse.parse_qs(asked.query).get("labelSelector", [""])[0]
        try:
            found = document(self.api, asked.path, selector)
            status = 200 if found is not None else 404
        except OSError as error:
            found, status = {"kind": "Status", "status": "Failure", "message": str(error)}, 503
        body = json.dumps(found or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    _Handler.api = Api()
    server = http.server.ThreadingHTTPServer((network.NODE, network.METRICS_PORT), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PKI / "apiserver.crt", PKI / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
