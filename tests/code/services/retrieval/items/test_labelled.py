"""Labels by their paths, and what was meant where there is none."""

import types
from typing import Any

import numpy as np
import pytest

from services.retrieval.items.labelled import nearest, numbers_of
from services.web.refused import RefusedError
from tests.support.generations import TAXONOMY

ENGINE: Any = types.SimpleNamespace(
    taxonomy=TAXONOMY, numbers=np.arange(len(TAXONOMY), dtype=np.int32)[::-1] + 10
)
NAMES = ["/".join(path) for path in TAXONOMY.paths]


def test_labels_are_told_by_the_numbers_of_the_collection() -> None:
    found = numbers_of(ENGINE, NAMES)
    assert found == tuple(ENGINE.numbers.tolist())
    assert all(type(number) is int for number in found)
    assert numbers_of(ENGINE, []) == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("warm/red/crimsom", "warm/red/crimson"),
        ("crimson", "warm/red/crimson"),
        ("CRIMSON", "warm/red/crimson"),
    ],
)
def test_an_unknown_label_is_told_with_the_one_that_was_meant(text: str, meant: str) -> None:
    with pytest.raises(RefusedError, match=f"did you mean '{meant}'") as refused:
        numbers_of(ENGINE, [NAMES[0], text])
    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["", "/", "zzzzqqqq", "x" * 100_000])
def test_one_that_is_like_none_is_told_alone(text: str) -> None:
    with pytest.raises(RefusedError, match="see /v1/taxonomy") as refused:
        numbers_of(ENGINE, [text])
    assert len(str(refused.value)) < 300


def test_a_label_is_given_once() -> None:
    with pytest.raises(RefusedError, match="given twice"):
        numbers_of(ENGINE, [NAMES[1], NAMES[1]])


def test_what_ends_alike_is_nearer_than_what_is_spelled_alike() -> None:
    assert nearest("tops/shirt", ["tops/shirts", "men/shirt"]) == "men/shirt"
    assert nearest("tops/shirt", ["tops/shirts", "men/skirt"]) == "tops/shirts"
    assert nearest("tops/shirt", []) is None
