"""When a process gets requests: contract 3 of the design, line by line."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.readiness import Standing, status, told

SERVING = Standing(serving="a", wanted="a", published="a", reachable=True, age_seconds=0.1)
AWAY = replace(SERVING, reachable=False, lag_seconds=900.0, age_seconds=900.0)


@pytest.mark.parametrize(
    ("standing", "stale", "expected"),
    [
        (Standing(), None, "loading"),
        (Standing(reachable=True, wanted="a", published="a"), None, "loading"),
        (SERVING, None, "ready"),
        (replace(SERVING, published="b", wanted="b"), None, "ready"),  # the old one goes on
        (replace(SERVING, published=None), None, "ready"),
        (replace(SERVING, pinned=True, published="b"), None, "ready"),
        (replace(SERVING, lag_seconds=30.0), None, "ready"),
        (replace(SERVING, lag_seconds=30.1), None, "lagging"),
        (AWAY, None, "ready"),  # a store that does not answer makes nobody unready
        (AWAY, 899.0, "stale"),  # unless an operator said so
        (AWAY, 901.0, "ready"),
        (replace(SERVING, draining=True), None, "draining"),
        (Standing(draining=True), None, "draining"),
    ],
)
def test_readiness(standing: Standing, stale: float | None, expected: str) -> None:
    assert status(standing, 30.0, stale) == expected


@given(
    st.builds(
        Standing,
        serving=st.none() | st.just("a"),
        published=st.none() | st.sampled_from("ab"),
        reachable=st.booleans(),
        lag_seconds=st.floats(0, 1e6),
        age_seconds=st.floats(0, allow_infinity=True, allow_nan=False),
    )
)
def test_what_is_told_is_json(standing: Standing) -> None:
    said = json.loads(json.dumps(told(standing, "ready"), allow_nan=False))
    assert said["published_is_served"] == (
        standing.serving is not None and standing.serving == standing.published
    )
