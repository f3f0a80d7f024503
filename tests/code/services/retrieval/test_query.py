"""A search as its client asked for it, in every form."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.bodies import Form
from services.retrieval.query import (
    PARAMETERS,
    ByHex,
    ById,
    ByImage,
    Encoding,
    Search,
    encoding_of,
    search_of,
)
from services.retrieval.schemas.base import MOST_QUERIES
from services.retrieval.schemas.search import Wishes
from services.web.refused import RefusedError

FORM, JSON, PICTURE = Form(b"b"), Form(is_json=True), Form()


def part(disposition: str, content: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (disposition.encode(), content)


def read(*parts: bytes, query: dict[str, str] | None = None) -> Search:
    return search_of(b"".join(parts) + b"--b--\r\n", FORM, (query or {}).items(), 50)


def read_json(query: dict[str, str] | None = None, /, **fields: Any) -> Search:
    return search_of(json.dumps(fields).encode(), JSON, (query or {}).items(), 50)


def base64_of(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


IMAGE = part('name="image"; filename="x"', b"picture")
ONE = (ByImage(b"picture"),)


def test_parameters_stand_in_the_form_or_in_the_query_string() -> None:
    assert read(IMAGE) == Search(ONE, Wishes(k=10))
    assert read(part('name="k"', b"7"), IMAGE, part('name="within"', "größe".encode())) == Search(
        ONE, Wishes(k=7, within="größe")
    )
    assert read(IMAGE, query={"k": "50", "within": "a/b"}) == Search(ONE, Wishes(k=50, within="a/b"))
    assert search_of(b"picture", PICTURE, [("k", "3")], 50) == Search(ONE, Wishes(k=3))
    assert read_json({"k": "3"}, id="x") == Search((ById("x"),), wishes_of("id", "x", k=3))


def wishes_of(kind: str, what: Any, **wishes: Any) -> Wishes:
    """As the model of this kind of search has them."""
    fields: dict[str, Any] = {"k": 10, kind: what, **wishes}
    return read_json(**fields).wishes


def test_forms_and_json_say_the_same() -> None:
    fields = {
        "k": "7", "radius": "3", "group_by": "family", "token": "0a", "ranking": "hamming", "explain": "true", "generation": "g",
    }  # fmt: skip
    several = [("within", "a"), ("within", "b/c"), ("tags", "red")]
    by_query = search_of(b"picture", PICTURE, [*fields.items(), *several], 50).wishes
    texts = [part(f'name="{name}"', text.encode()) for name, text in [*fields.items(), *several]]
    assert read(IMAGE, *texts).wishes == by_query
    given = {
        **fields, "k": 7, "radius": 3, "explain": True, "within": ["a", "b/c"], "tags": "red", "image": base64_of(b"picture")
    }  # fmt: skip
    found = read_json(**given)
    assert found.queries == ONE
    assert {name: getattr(found.wishes, name) for name in PARAMETERS} == by_query.model_dump()
    assert (by_query.nodes, by_query.names) == (("a", "b/c"), ("red",))


def test_with_a_radius_there_are_as_many_answers_as_may_be() -> None:
    assert read_json(code="00", radius=3).wishes.k == 50
    assert read_json(code="00", radius=3, k=2).wishes.k == 2
    assert read(IMAGE, part('name="radius"', b"0")).wishes.k == 50


def test_every_kind_is_read() -> None:
    assert read_json(image=base64_of(b"picture")).queries == ONE
    assert read_json(id="größe\n").queries == (ById("größe\n"),)
    assert read_json(code="00ff").queries == (ByHex("00ff"),)
    several = read_json(queries=[{"id": "x"}, {"code": "00"}, {"image": base64_of(b"picture")}])
    assert several.queries == (ById("x"), ByHex("00"), *ONE)
    assert several.is_batch
    assert not read_json(id="x", within=None, k=None, tags=[]).is_batch
    assert read_json(queries=[{"id": "x"}]).is_batch


def test_several_pictures_of_a_form_are_several_queries() -> None:
    empty = part('name="image"; filename="y"', b"")
    found = read(IMAGE, empty, part('name="k"', b"3"), IMAGE)
    assert (found.is_batch, found.wishes) == (True, Wishes(k=3))
    assert (found.queries[0], found.queries[2]) == (*ONE, *ONE)
    assert "has no bytes" in str(found.queries[1])
    assert len(read(*[IMAGE] * MOST_QUERIES).queries) == MOST_QUERIES
    assert not read(IMAGE).is_batch


def test_of_several_each_has_what_is_wrong_with_it() -> None:
    given = [
        {"id": "x"}, {"id": ""}, {"id": "\ud800"}, {"id": 5}, {"image": "a b"}, {"image": ""}, {"code": 7}, {}, {"id": "x", "code": "0"},
        {"id": "x", "k": 3}, "x", None,
    ]  # fmt: skip
    found = read_json(queries=given).queries
    assert found[0] == ById("x")
    told = [(one.status, str(one)) for one in found[1:] if isinstance(one, RefusedError)]
    for (status, sentence), (wanted, said) in zip(
        told,
        [
            (404, "has 0 bytes of UTF-8"),
            (404, "lone surrogate"),
            (400, "id is 5: give the id of an item"),
            (400, "is not base64"),
            (400, "has no bytes"),
            (400, "code is 7: give hexadecimal digits"),
            (400, "query has nothing to search for: give exactly one of image, id, code"),
            (400, "query has id and code: give exactly one of"),
            (400, "field 'k' is not known: use one of id"),
            (400, "query is 'x': give an object with image, id or code"),
            (400, "query is None: give an object"),
        ],
        strict=True,
    ):
        assert status == wanted
        assert said in sentence


def test_a_picture_of_any_length_comes_back_from_base64() -> None:
    for length in (1, 2, 3, 196_607, 196_608, 196_609, 1_000_000):
        picture = bytes(length)
        assert read_json(image=base64_of(picture)).queries == (ByImage(picture),)
    for wrong in (
        "A" * 262_142 + "==" + "AAAA",
        "A" * 262_143 + "=" + "AAAA",
        "A" * 262_145,
        "A" * 300_000 + "?AAA",
    ):
        with pytest.raises(RefusedError, match="is not base64"):
            read_json(image=wrong)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "search has nothing to search for: give exactly one of image, id, code, queries"),
        ({"id": "x", "code": "00"}, "search has id and code: give exactly one of"),
        ({"id": None}, "nothing to search for"),
        ({"id": ["x"]}, "id is a list of 1: give the id of an item"),
        ({"image": "....", "k": 3}, "image '....' is not base64"),
        ({"image": base64_of(b"picture") + "\n"}, "is not base64"),
        ({"image": "ä"}, "is not base64"),
        ({"image": ""}, "picture has no bytes"),
        ({"queries": []}, "queries is a list of 0: give a list of 1 to 64"),
        ({"queries": [{"id": "x"}] * 65}, "queries is a list of 65: give a list of 1 to 64"),
        ({"queries": {"id": "x"}}, "queries is {'id': 'x'}"),
        ({"code": "00", "kk": 3}, "field 'kk' is not known: use one of code, k, radius, within"),
        ({"code": "00", "k": "7"}, "k is '7': give a whole number from 1 to 50"),
        ({"code": "00", "k": True}, "k is True"),
        ({"code": "00", "k": 7.0}, "k is 7.0"),
        ({"code": "00", "k": 10**4000}, "k is 1000"),
        ({"code": "00", "radius": -1}, "radius is -1: give a whole number from 0 to 4096"),
        ({"code": "00", "radius": "3"}, "radius is '3'"),
        ({"code": "00", "radius": 10**4000}, "radius is 1000"),
        ({"code": "00", "within": 5}, "within is 5: give a node of the taxonomy, or a list of up to 64"),
        ({"code": "00", "within": ["a"] * 65}, "within is a list of 65"),
        ({"code": "00", "tags": [5]}, "tags is"),
        ({"code": "00", "explain": 1}, "explain is 1: give true or false"),
        ({"code": "00", "ranking": "cosine"}, "ranking is 'cosine': give weighted or hamming"),
        ({"code": "00", "generation": {}}, "generation is {}: give the id of one"),
        ({"code": "00", "x" * 3000: 1}, "is not known"),
        ({"code": "00", "tags": "x" * 5000}, "tags is 'xxx"),
        ({"code": "00", "within": ["x" * 5000]}, "within is a list of 1: give a node"),
        ({"code": "00", "generation": "x" * 5000}, "generation is 'xxx"),
        ({"code": "00", "token": "x" * 200_000}, "token is 'xxx"),
    ],
)
def test_json_that_is_no_search_is_said_in_one_sentence(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_json(**fields)
    sentence = str(refused.value)
    assert told in sentence
    assert "\n" not in sentence
    assert (refused.value.status, len(sentence) < 400) == (400, True)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*PARAMETERS, "image", "id", "code", "queries", "images", "weights", "x"])


@given(st.dictionaries(NAMES, ANYTHING, max_size=5), st.sampled_from([search_of, encoding_of]))
def test_any_object_is_read_or_refused_in_one_sentence(fields: dict[str, Any], read_by: Any) -> None:
    body = json.dumps(fields).encode()
    most = (50,) if read_by is search_of else ()
    try:
        found = read_by(body, JSON, [], *most)
    except RefusedError as refused:
        assert refused.status in (400, 404)  # noqa: PT017  # whichever comes
        assert "\n" not in str(refused)  # noqa: PT017
        assert len(str(refused)) < 400  # noqa: PT017
    else:
        assert isinstance(found, Search | Encoding)


@pytest.mark.parametrize(
    ("given", "ranking"), [(b"hamming", "hamming"), (b"weighted", "weighted"), (b"", None), (None, None)]
)
def test_a_ranking_is_chosen_by_its_name(given: bytes | None, ranking: str | None) -> None:
    more = [] if given is None else [part('name="ranking"', given)]
    assert read(IMAGE, *more).wishes.ranking == ranking
    assert read(IMAGE, query={} if given is None else {"ranking": given.decode()}).wishes.ranking == ranking


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ([], "has 0 files"),
        ([IMAGE] * (MOST_QUERIES + 1), "has 65 files in the field 'image': send one, or up to 64"),
        ([part('name="image"', b"picture")], "holds text: send it as a file, with a filename"),
        ([part('name="image"; filename=""', b"")], "has no bytes"),
        ([part('name="photo"; filename="x"', b"picture")], "file in the field 'photo'"),
        ([part('name="k"; filename="x"', b"7"), IMAGE], "file in the field 'k'"),
        ([part('name="colour"', b"red"), IMAGE], "field 'colour' is not known"),
        ([part('name="id"', b"x"), IMAGE], "field 'id' is not known"),
        ([part('name="k"', b"7"), part('name="k"', b"7"), IMAGE], "'k' is given twice"),
        ([part('name="within"', b"\xff"), IMAGE], "is not UTF-8"),
        ([part('name="k"', b"51"), IMAGE], "whole number from 1 to 50"),
        ([part('name="k"', b"0"), IMAGE], "whole number from 1 to 50"),
        ([part('name="radius"', b"-1"), IMAGE], "radius is -1: give a whole number from 0 to 4096"),
        ([part('name="radius"', b"1" * 12), IMAGE], "radius is 111111111111: give a whole number"),
        ([part('name="radius"', b"-0"), IMAGE], "radius is '-0': give a whole number"),
        ([part('name="explain"', b"yes"), IMAGE], "explain is 'yes': give true or false"),
        ([part('name="ranking"', b"cosine"), IMAGE], "ranking is 'cosine': give weighted or hamming"),
        ([part('name="ranking"', b"Weighted"), IMAGE], "ranking is 'Weighted': give weighted or hamming"),
        ([part('name="ranking"', b"weighted")], "has 0 files"),
        ([part('name="ranking"; filename="x"', b"weighted"), IMAGE], "file in the field 'ranking'"),
        ([part('name="ranking"', b"hamming"), IMAGE, part('name="ranking"', b"hamming")], "is given twice"),
        ([part('name="k"', "\u0663".encode()), IMAGE], "whole number from 1 to 50"),
        ([part('name="%s"' % ("x" * 3000), b"7"), IMAGE], "is not known"),
    ],
)
def test_what_is_no_search_is_said_in_one_sentence(parts: list[bytes], told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read(*parts)
    assert told in str(refused.value)
    assert (refused.value.status, len(str(refused.value)) < 400) == (400, True)


def test_a_parameter_in_both_places_is_given_twice() -> None:
    with pytest.raises(RefusedError, match="given twice"):
        read(IMAGE, part('name="k"', b"7"), query={"k": "7"})
    with pytest.raises(RefusedError, match="'within' is given twice"):
        read_json({"within": "a"}, id="x", within="b")


@pytest.mark.parametrize(
    ("body", "form", "query", "wanted"),
    [
        (b"picture", PICTURE, {}, Encoding(ONE, False, None)),
        (b"picture", PICTURE, {"weights": "true", "generation": "g"}, Encoding(ONE, True, "g")),
        ({"image": base64_of(b"picture")}, JSON, {"weights": "true"}, Encoding(ONE, True, None)),
        ({"images": [base64_of(b"picture")], "weights": False}, JSON, {}, Encoding(ONE, False, None, True)),
        (IMAGE + IMAGE + b"--b--\r\n", FORM, {}, Encoding(ONE * 2, False, None, True)),
    ],
)
def test_what_is_encoded_is_read(body: Any, form: Form, query: dict[str, str], wanted: Encoding) -> None:
    sent = json.dumps(body).encode() if isinstance(body, dict) else body
    assert encoding_of(sent, form, query.items()) == wanted


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "give exactly one of image and images"),
        ({"image": "eA==", "images": ["eA=="]}, "give exactly one of image and images"),
        ({"images": []}, "images is a list of 0: give a list of 1 to 64 pictures"),
        ({"images": ["eA=="] * 65}, "images is a list of 65"),
        ({"image": "eA==", "k": 3}, "field 'k' is not known: use one of weights, generation, image, images"),
        ({"image": "eA==", "weights": 1}, "weights is 1: give true or false"),
    ],
)
def test_what_is_not_encoded_is_said_in_one_sentence(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(RefusedError) as refused:
        encoding_of(json.dumps(fields).encode(), JSON, [])
    assert told in str(refused.value)
    assert refused.value.status == 400


def test_of_several_pictures_each_has_what_is_wrong_with_it() -> None:
    found = encoding_of(b'{"images": ["eA==", "?", "", 5, null, ["eA=="]]}', JSON, []).images
    assert found[0] == ByImage(b"x")
    assert [str(one)[:10] for one in found[1:]] == [
        "image '?' ",
        "picture ha",
        "image is 5",
        "image is N",
        "image is a",
    ]
