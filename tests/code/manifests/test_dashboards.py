"""Dashboards as ConfigMaps that Grafana's sidecar finds."""

import json

import kubernetes_validate
import pytest

from services.dashboards.parts import FOLDER, UIDS
from tests.support.manifests import Manifest, render_folder


@pytest.fixture(scope="module")
def maps() -> list[Manifest]:
    return render_folder("monitoring/dashboards")


def test_each_dashboard_is_in_one(maps: list[Manifest]) -> None:
    held = [json.loads(text) for one in maps for text in one["data"].values()]
    assert {board["uid"]: board["title"] for board in held} == {
        uid: str(title) for title, uid in UIDS.items()
    }


def test_the_sidecar_finds_them(maps: list[Manifest]) -> None:
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"]["grafana_folder"] == FOLDER
        kubernetes_validate.validate(one, "1.37", strict=True)
        assert len(json.dumps(one)) < 200_000, "kubectl apply keeps a copy in an annotation of 256 KiB"
