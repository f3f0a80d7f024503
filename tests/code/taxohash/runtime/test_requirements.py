"""What a distribution requires, at the versions that are here."""

import re

from taxohash.runtime.requirements import installed


def test_what_serves_is_pinned_and_leaves_training_out() -> None:
    required = installed("taxohash-platform", ["serve"])
    assert all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.!]+", requirement) for requirement in required)
    names = {requirement.split("==")[0] for requirement in required}
    assert {"bentoml", "onnxruntime", "pillow", "redis"} <= names
    assert not names & {"torch", "kfp", "dvc", "onnx"}


def test_an_extra_of_another_distribution_of_ours_is_followed() -> None:
    names = {requirement.split("==")[0] for requirement in installed("taxohash-platform", ["pipelines"])}
    assert {"kfp", "torch", "dvc", "numpy"} <= names
    assert "bentoml" not in names
    assert "taxohash" not in names
