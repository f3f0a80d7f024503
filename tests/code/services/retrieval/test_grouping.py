"""Answers by their nodes at a level, against the definition."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.grouping import grouped, level_of
from services.web.refused import RefusedError
from tests.support.generations import TAXONOMY

PATHS = st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=3), max_size=3)


@given(st.lists(PATHS, max_size=8), st.integers(0, 3))
def test_groups_are_those_of_the_definition(paths: list[list[list[str]]], level: int) -> None:
    results: list[dict[str, Any]] = [
        {"id": str(number), "label_paths": own} for number, own in enumerate(paths)
    ]
    groups = grouped(results, level)
    nodes = [group["path"] for group in groups]
    assert len({tuple(node) for node in nodes}) == len(nodes)
    for group in groups:
        wanted = [
            result["id"]
            for result in results
            if any(path[: level + 1] == group["path"] for path in result["label_paths"] or [[]])
        ]
        assert group["items"] == wanted
        assert wanted
    assert {item for group in groups for item in group["items"]} == {result["id"] for result in results}
    firsts = [int(group["items"][0]) for group in groups]
    assert firsts == sorted(firsts)  # in the order of their nearest


def test_a_level_goes_by_its_name() -> None:
    assert [level_of(TAXONOMY, name) for name in ("kind", "family", "sign")] == [0, 1, 2]
    with pytest.raises(RefusedError, match="no level 'genus': give one of kind, family, sign"):
        level_of(TAXONOMY, "genus")
