"""How a body is read, and what may stand in it."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.retrieval.bodies import Form, form_of, json_of, picture_in, picture_of
from services.web.refused import RefusedError

PICTURE, JSON = Form(), Form(is_json=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["multipart/form-data; boundary=b"], Form(b"b")),
        (["image/jpeg"], PICTURE),
        (["IMAGE/PNG; q=1"], PICTURE),
        (["image/svg+xml"], PICTURE),  # decoding says that it is no picture
        (["application/json"], JSON),
        (["Application/JSON; charset=utf-8"], JSON),
        ([], 415),
        ([""], 415),
        (["multipart/form-data; boundary=b", "multipart/form-data; boundary=b"], 415),
        (["multipart/mixed; boundary=b"], 415),
        (["multipart"], 415),
        (["application/x-www-form-urlencoded"], 415),
        (["application/json; charset=utf-8; charset=utf-8"], 415),
        (["image"], 415),
        (["multipart/form-data; boundary=b; boundary=c"], 415),
        (["multipart/form-data"], 400),
        (["\xe9" * 3000], 415),
        (["multipart/form-data; boundary=" + "b" * 3000], 400),
    ],
)
def test_how_a_body_is_read_is_known_before_it_is_there(headers: list[str], expected: Form | int) -> None:
    if isinstance(expected, Form):
        assert form_of(headers) == expected
        return
    with pytest.raises(RefusedError) as refused:
        form_of(headers)
    assert refused.value.status == expected
    assert len(str(refused.value)) < 400


def test_where_no_picture_can_be_the_body_the_sentence_does_not_name_it() -> None:
    assert form_of(["application/json"], is_picture=False) == JSON
    with pytest.raises(RefusedError, match=r"send multipart/form-data or application/json$") as refused:
        form_of(["image/png"], is_picture=False)
    assert refused.value.status == 415
    with pytest.raises(RefusedError, match=r"the picture itself as image/\*"):
        form_of(["text/plain"])


@given(st.binary(min_size=1, max_size=100))
@example(bytes(200_000))  # digits of several pieces
@example(bytes(196_608 * 2))  # that end with one
def test_a_picture_comes_out_of_its_base64(picture: bytes) -> None:
    assert picture_in(base64.b64encode(picture).decode()) == picture


@pytest.mark.parametrize("digits", ["%", "eA", "eA==eA==", "eA==\n", "ä", "A" * (1 << 18) + "="])
def test_what_is_no_base64_is_refused(digits: str) -> None:
    with pytest.raises(RefusedError, match="is not base64"):
        picture_in(digits)


def test_a_picture_without_bytes_is_refused() -> None:
    with pytest.raises(RefusedError, match="no bytes"):
        picture_of(b"")
    with pytest.raises(RefusedError, match="no bytes"):
        picture_in("")


@pytest.mark.parametrize("headers", [["application/json"], ["Application/JSON; charset=utf-8"]])
def test_a_body_that_has_to_be_json_is_read_as_such(headers: list[str]) -> None:
    assert json_of(headers) == JSON


@pytest.mark.parametrize(
    "headers", [[], ["image/png"], ["multipart/form-data; boundary=b"], ["application/json"] * 2, ["x"]]
)
def test_what_is_no_json_by_its_content_type_is_refused(headers: list[str]) -> None:
    with pytest.raises(RefusedError, match="send application/json") as error:
        json_of(headers)
    assert (error.value.status, error.value.reason) == (415, "content-type")
