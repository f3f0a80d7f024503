"""Values as models, or one sentence of what is wrong with them."""

from typing import Any

import pytest

from services.retrieval.schemas.items import BatchBody, Described, PutBody, Seen
from services.retrieval.schemas.reading import pairs_of, read, read_pairs
from services.web.refused import RefusedError


def refused(model: Any, values: dict[str, Any]) -> str:
    with pytest.raises(RefusedError) as error:
        read(model, values)
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
            "'colour' is not known here: give labels, tags, image, code, generation",
        ),
        ({"image": "", "x" * 1000: 1}, "is not known here"),
        ({"image": 5}, "'image' is 5: input should be a valid string"),
        ({"image": "", "labels": "warm"}, "'labels' is 'warm': input should be a valid list"),
        ({"image": "", "tags": ["a", None]}, "'tags.1' is None: input should be a valid string"),
        ({"image": "", "tags": ["a"] * 65}, "at most 64 items"),
        ({"image": "", "tags": [["y" * 9000]]}, "'tags.0' is"),
    ],
)
def test_what_is_wrong_is_one_sentence(values: dict[str, Any], said: str) -> None:
    assert said in refused(PutBody, values)


def test_a_batch_names_what_is_wrong_with_which_item() -> None:
    assert "'items' is missing" in refused(BatchBody, {})
    assert "at least 1 item" in refused(BatchBody, {"items": []})
    assert "at most 64 items" in refused(
        BatchBody, {"items": [{"id": str(i), "image": ""} for i in range(65)]}
    )
    assert "'items.0.id' is missing" in refused(BatchBody, {"items": [{"image": ""}]})
    assert "'items.1.x' is not known" in refused(
        BatchBody, {"items": [{"id": "a", "image": ""}, {"id": "b", "x": 1}]}
    )
    assert "one of 'image', 'file' and 'code'" in refused(
        BatchBody, {"items": [{"id": "a", "image": "", "file": "b"}]}
    )


def test_lists_may_be_given_several_times_and_others_once() -> None:
    found = read_pairs(Described, [("labels", "a/b"), ("tags", "x"), ("labels", "c")])
    assert (found.labels, found.tags) == (["a/b", "c"], ["x"])
    assert read_pairs(Seen, [("token", "t")]).token == "t"
    with pytest.raises(RefusedError, match="'token' is given twice"):
        read_pairs(Seen, [("token", "t"), ("token", "t")])
    with pytest.raises(RefusedError, match="'q' is not known here: give token"):
        read_pairs(Seen, [("q", "")])


def test_a_query_string_is_utf8_and_keeps_blanks() -> None:
    assert pairs_of(b"a=&b=%C3%A9+%2B&a=\xc3\xa9") == [("a", ""), ("b", "é +"), ("a", "é")]
    for query in (b"a=%ff", b"a=\xff", b"%ED%A0%80=1"):
        with pytest.raises(RefusedError, match="not UTF-8"):
            pairs_of(query)
