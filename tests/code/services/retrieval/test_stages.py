"""A stage is timed where it comes to its end."""

import pytest

from services import metrics
from services.retrieval.stages import Stages


def counted() -> float:
    (told,) = metrics.STAGE_SECONDS.labels("search").collect()
    return float(next(sample.value for sample in told.samples if sample.name.endswith("_count")))


def test_what_fails_is_not_timed() -> None:
    stages, before = Stages(), counted()
    with stages.timed("search"):
        pass
    with pytest.raises(ValueError, match="no"), stages.timed("describe"):
        raise ValueError("no")
    assert list(stages.in_ms()) == ["search"]
    assert stages.in_ms()["search"] >= 0
    assert counted() == before + 1
