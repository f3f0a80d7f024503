"""Values as models, or one sentence of what is wrong with them."""

from typing import Any

import pytest

from services.retrieval.schemas.base import checked
from services.retrieval.schemas.items import BatchEntries, BatchItem, PutBody
from services.web.refused import RefusedError


def refused(model: Any, values: dict[str, Any]) -> str:
    with pytest.raises(RefusedError) as error:
        checked(model, values)
    assert error.value.status == 400
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400
    return str(error.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "give either 'image' or 'code'"),
        ({"image": "", "code": "ff", "generation": "g"}, "give either 'image' or 'code'"),
        ({"code": "ff"}, "give 'code' and 'generation'"),
        ({"image": "", "generation": "g"}, "give 'code' and 'generation'"),
        (
            {"image": "", "colour": "red"},
            "field 'colour' is not known: use one of labels, tags, image, code, generation",
        ),
        ({"image": "", "x" * 1000: 1}, "is not known: use one of"),
        ({"image": 5}, "image is 5: input should be a valid string"),
        ({"image": "", "labels": "warm"}, "labels is 'warm': input should be a valid list"),
        ({"image": "", "tags": ["a", None]}, "tags.1 is None: input should be a valid string"),
        ({"image": "", "tags": ["a"] * 65}, "at most 64 items"),
        ({"image": "", "tags": [["y" * 9000]]}, "tags.0 is a list of 1: input should be a valid string"),
    ],
)
def test_what_is_wrong_is_one_sentence(values: dict[str, Any], said: str) -> None:
    assert said in refused(PutBody, values)


def test_a_batch_is_a_list_of_some() -> None:
    assert "items is missing" in refused(BatchEntries, {})
    assert "items is 5" in refused(BatchEntries, {"items": 5})
    assert "at least 1 item" in refused(BatchEntries, {"items": []})
    assert "at most 64 items" in refused(
        BatchEntries, {"items": [{"id": str(i), "image": ""} for i in range(65)]}
    )


def test_an_item_of_a_batch_says_what_is_wrong_with_it() -> None:
    assert "id is missing" in refused(BatchItem, {"image": ""})
    assert "'x' is not known" in refused(BatchItem, {"id": "b", "x": 1})
    assert "one of 'image', 'file' and 'code'" in refused(BatchItem, {"id": "a", "image": "", "file": "b"})
