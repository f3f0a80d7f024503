"""Items as clients send them, from the bytes of a body."""

import base64
import json
from typing import Any

import pytest

from services.retrieval.bodies import Form
from services.retrieval.items.sent import Change, Draft, change_of, draft_of, drafts_of
from services.retrieval.schemas.items import Described
from services.web.refused import RefusedError

NOTHING = Described()
JSON = Form(is_json=True)
FORM = Form(b"b")


def form(*parts: tuple[str, str | None, bytes]) -> bytearray:
    """Parts: name, filename, content."""
    body = b""
    for name, filename, content in parts:
        named = "" if filename is None else f'; filename="{filename}"'
        body += (
            f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
            + content
            + b"\r\n"
        )
    return bytearray(body + b"--b--\r\n")


def body_of(told: Any) -> bytearray:
    return bytearray(json.dumps(told).encode())


def refused(body: bytearray, form: Form, asked: Described = NOTHING, item_id: str = "a") -> str:
    with pytest.raises(RefusedError) as error:
        draft_of(item_id, body, form, asked)
    assert error.value.status == 400
    return str(error.value)


def test_an_item_is_the_same_however_it_is_sent() -> None:
    expected = Draft("a", ("x/y", "z"), ("t",), b"picture")
    said = Described(labels=["x/y", "z"], tags=["t"])
    texts = [("labels", None, b"x/y"), ("labels", None, b"z"), ("tags", None, b"t")]
    encoded = base64.b64encode(b"picture").decode()
    told = {"image": encoded, "labels": ["x/y", "z"], "tags": ["t"]}
    found = [
        draft_of("a", bytearray(b"picture"), Form(), said),
        draft_of("a", form(("image", "p", b"picture"), *texts), FORM, NOTHING),
        draft_of("a", form(*texts, ("image", "p", b"picture")), FORM, NOTHING),
        draft_of("a", form(("image", "p", b"picture")), FORM, said),
        draft_of("a", body_of(told), JSON, NOTHING),
    ]
    assert found == [expected] * 5
    assert len({draft.digest for draft in found}) == 1


def test_each_part_of_an_item_tells_it_from_another() -> None:
    drafts = [
        Draft("a", ("x",), ("t",), b"p"),
        Draft("a", ("x", "t"), (), b"p"),
        Draft("a", ("x",), ("t",), b"q"),
        Draft("a", ("x",), ("t",), None, "ff", "g"),
        Draft("a", ("x",), ("t",), None, "ff", "h"),
    ]
    assert len({draft.digest for draft in drafts}) == len(drafts)


def test_a_code_comes_with_its_generation() -> None:
    told = {"code": "ff", "generation": "g", "tags": ["t"]}
    assert draft_of("a", body_of(told), JSON, NOTHING) == Draft("a", (), ("t",), None, "ff", "g")
    assert "'code' and 'generation'" in refused(body_of({"code": "ff"}), JSON)
    assert "either 'image' or 'code'" in refused(body_of({}), JSON)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (form(), "0 files in the field 'image'"),
        (form(("image", "p", b"p"), ("image", "q", b"q")), "2 files in the field 'image'"),
        (form(("image", None, b"p")), "text in the field 'image'"),
        (form(("picture", "p", b"p")), "file in the field 'picture'"),
        (form(("labels", "p", b"p")), "file in the field 'labels'"),
        (form(("image", "p", b"p"), ("colour", None, b"red")), "text in the field 'colour'"),
        (form(("image", "p", b"")), "no bytes"),
        (form(("image", "p", b"p"), ("tags", None, b"\xff")), "'tags' is not UTF-8"),
        (form(("image", "p", b"p"), *[("tags", None, b"%d" % i) for i in range(65)]), "at most 64"),
        (form(("image", "p", b"p"), ("tags", None, b"")), "0 characters"),
        (form(("image", "p", b"p"), ("tags", None, b"a"), ("tags", None, b"a")), "each once"),
        (form(("image", "p", b"p"), ("tags", None, b"a\nb")), "control character"),
    ],
)
def test_a_form_that_is_wrong_is_told_so(body: bytearray, said: str) -> None:
    assert said in refused(body, FORM)


def test_what_is_said_twice_is_refused() -> None:
    asked = Described(tags=["t"])
    assert "'tags' stand in the query string and in the body" in refused(
        form(("image", "p", b"p"), ("tags", None, b"t")), FORM, asked
    )
    assert "'tags' stand in" in refused(body_of({"image": "cA==", "tags": ["t"]}), JSON, asked)


@pytest.mark.parametrize("text", ["%%%", "cA=", "cA== ", "c A==", "é"])
def test_a_picture_in_json_is_strict_base64(text: str) -> None:
    assert "base64" in refused(body_of({"image": text}), JSON)


def test_a_picture_without_bytes_is_none() -> None:
    assert "no bytes" in refused(bytearray(), Form())
    assert "no bytes" in refused(body_of({"image": ""}), JSON)


# -- batches ---------------------------------------------------------------------------------------


def batch_refused(body: bytearray, form: Form) -> str:
    with pytest.raises(RefusedError) as error:
        drafts_of(body, form)
    assert error.value.status == 400
    return str(error.value)


def test_a_batch_is_the_same_however_it_is_sent() -> None:
    encoded = base64.b64encode(b"picture").decode()
    items = [{"id": "a", "image": encoded, "tags": ["t"]}, {"id": "b", "code": "ff", "generation": "g"}]
    expected = [Draft("a", (), ("t",), b"picture"), Draft("b", (), (), None, "ff", "g")]
    assert [make() for _, make in drafts_of(body_of({"items": items}), JSON)] == expected
    named = [{"id": "a", "file": "first", "tags": ["t"]}, items[1]]
    for filename in (None, "items.json"):
        sent = form(("items", filename, json.dumps(named).encode()), ("first", "p", b"picture"))
        found = drafts_of(sent, FORM)
        assert [item_id for item_id, _ in found] == ["a", "b"]
        assert [make() for _, make in found] == expected


def test_what_is_wrong_with_one_item_is_its_own() -> None:
    items: list[tuple[Any, str]] = [
        ({"id": "a", "image": "%"}, "base64"),
        ({"id": "", "image": "cA=="}, "item id"),
        ({"id": "c"}, "'file'"),
        ({"id": "d", "file": "f"}, "no file 'f'"),
        ({"image": "cA=="}, "id is missing"),
        ([], "item is"),
    ]
    sent = [{"id": "b", "image": "cA=="}, *(item for item, _ in items)]
    (_, sound), *wrong = drafts_of(body_of({"items": sent}), JSON)
    assert sound() == Draft("b", (), (), b"p")
    assert [item_id for item_id, _ in wrong] == ["a", "", "c", "d", None, None]
    for (_, make), (_, said) in zip(wrong, items, strict=True):
        with pytest.raises(RefusedError, match=said):
            make()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (form(("first", "p", b"p")), "0 fields 'items'"),
        (form(("items", None, b"[]"), ("items", None, b"[]")), "2 fields 'items'"),
        (
            form(("items", None, b'[{"id":"a","image":"cA=="}]'), ("f", "p", b"p")),
            "no item names the file 'f'",
        ),
        (
            form(("items", None, b'[{"id":"a","file":"f"}]'), ("f", "p", b"p"), ("f", "p", b"q")),
            "two files 'f'",
        ),
        (form(("items", None, b"[]]")), "JSON cannot be read"),
        (form(("items", None, b'[{"id":"a","file":"f"}],"x":1'), ("f", "p", b"p")), "'x' is not known"),
        (form(("items", None, b"{}")), "valid list"),
    ],
)
def test_a_batch_whose_parts_do_not_fit_is_refused_whole(body: bytearray, said: str) -> None:
    assert said in batch_refused(body, FORM)


def test_ids_of_a_batch_are_different() -> None:
    items = [{"id": "a", "image": "cA=="}, {"id": "a", "image": "cA=="}]
    assert "'a' is given twice" in batch_refused(body_of({"items": items}), JSON)


def test_a_change_has_what_was_sent_and_no_more() -> None:
    assert change_of("a", body_of({"labels": ["x/y"]})) == Change("a", ("x/y",), None)
    assert change_of("a", body_of({"labels": None, "tags": []})) == Change("a", None, ())
    several: list[dict[str, list[str]]] = [
        {"labels": []}, {"tags": []}, {"labels": [], "tags": []}, {"labels": ["t"]}, {"tags": ["t"]},
    ]  # fmt: skip
    assert len({change_of("a", body_of(told)).digest for told in several}) == len(several)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "give 'labels', 'tags' or both"),
        ({"labels": None}, "give 'labels', 'tags' or both"),
        ({"labels": "x"}, "labels is"),
        ({"tags": [1]}, "tags"),
        ({"tags": ["x", "x"]}, "give each once"),
        ({"tags": ["a\nb"]}, "control character"),
        ({"labels": ["x"] * 257}, "256"),
        ({"image": "x", "tags": []}, "field 'image' is not known: use one of labels, tags"),
        ([], "it is no object"),
    ],
)
def test_what_is_no_change_is_refused_in_one_line(told: Any, said: str) -> None:
    with pytest.raises(RefusedError) as error:
        change_of("a", body_of(told))
    assert error.value.status == 400
    assert said in str(error.value)
    assert str(error.value).isprintable()
