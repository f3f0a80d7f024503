"""metrics.k8s.io, from what a kubelet measures."""

from typing import Any

import pytest

from tests.cluster.node import metrics, network

SUMMARY = {
    "node": {
        "nodeName": network.NAME,
        "cpu": {"usageNanoCores": 5},
        "memory": {"workingSetBytes": 4096},
    },
    "pods": [
        {
            "podRef": {"namespace": "shop", "name": "a"},
            "containers": [{"name": "c", "cpu": {"usageNanoCores": 7}, "memory": {"workingSetBytes": 2048}}],
        },
        {"podRef": {"namespace": "shop", "name": "gone"}},
    ],
}
PODS = [
    {"metadata": {"namespace": "shop", "name": name, "labels": {"app": name}, "uid": name}}
    for name in ("a", "not-measured")
]


class FakeApi:
    """An API server with two pods."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def items(self, path: str) -> list[dict[str, Any]]:
        self.paths.append(path)
        return PODS

    def ask(self, url: str) -> Any:
        assert url == f"https://{network.NODE}:10250/stats/summary"
        return SUMMARY


def asked(path: str, selector: str = "") -> tuple[Any, list[str]]:
    api = FakeApi()
    return metrics.document(api, f"/apis/metrics.k8s.io/v1beta1{path}", selector), api.paths  # type: ignore[arg-type]


def test_nodes() -> None:
    (one,) = asked("/nodes")[0]["items"]
    assert one["usage"] == {"cpu": "5n", "memory": "4Ki"}
    assert asked(f"/nodes/{network.NAME}")[0]["kind"] == "NodeMetrics"


def test_pods_that_were_measured() -> None:
    found, paths = asked("/namespaces/shop/pods", "app in (a,b)")
    assert paths == ["/api/v1/namespaces/shop/pods?labelSelector=app+in+%28a%2Cb%29"]
    (pod,) = found["items"]
    assert pod["metadata"] == {"name": "a", "namespace": "shop", "labels": {"app": "a"}}
    assert pod["containers"] == [{"name": "c", "usage": {"cpu": "7n", "memory": "2Ki"}}]
    assert asked("/namespaces/shop/pods/a")[0]["metadata"]["name"] == "a"
    assert asked("/pods")[1] == ["/api/v1/pods?labelSelector="]


@pytest.mark.parametrize("path", ["/namespaces/shop/pods/gone", "/namespaces/shop/pods/not-measured"])
def test_what_is_not_there(path: str) -> None:
    found, _ = asked(path)
    assert found is None


def test_what_there_is() -> None:
    assert [one["name"] for one in asked("")[0]["resources"]] == ["nodes", "pods"]
    assert metrics.document(FakeApi(), "/apis/apps/v1", "") is None  # type: ignore[arg-type]
