"""Ids in paths and query strings: what is in doubt in a path is refused there, and nothing is anywhere else."""

from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval.item_ids import PARTS, id_in_path, id_in_query, link
from services.web.refused import RefusedError
from taxohash.identifiers import check_id
from tests.support.hostile_ids import HOSTILE_IDS

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(
    lambda text: text not in (".", "..")
)


def in_path(text: str, what: str = "item") -> str:
    path = f"/v1/items/{quote(text, errors='surrogatepass')}" + ("" if what == "item" else f"/{what}")
    return id_in_path({"raw_path": path.encode()}, what, text)  # type: ignore[arg-type]


@pytest.mark.parametrize("item_id", HOSTILE_IDS)
def test_a_link_leads_to_its_item_whatever_the_id_is(item_id: str) -> None:
    path, _, query = link("image", item_id).partition("?")
    assert path == "/v1/image"
    assert link("image", item_id).isascii()
    assert id_in_query(parse_qsl(query)) == (item_id, [])


@given(ids)
def test_any_id_stands_in_a_query_string(item_id: str) -> None:
    query = link("item", item_id).partition("?")[2]
    assert id_in_query([*parse_qsl(query, keep_blank_values=True), ("k", "5")]) == (item_id, [("k", "5")])


@pytest.mark.parametrize(
    "item_id",
    ["a", "train/Sock/0001.png", "é 日", "a.b", "...", "a..b", "thumbnail", " ", "image/x", "?#&=+;:@"],
)
def test_plain_ids_stand_in_a_path(item_id: str) -> None:
    assert in_path(item_id) == item_id
    assert all(in_path(item_id, part) == item_id for part in PARTS)


@pytest.mark.parametrize(
    ("item_id", "reason"),
    [
        ("", "empty"),
        (".", r"\. or \.\."),
        ("..", r"\. or \.\."),
        ("a/../b", r"\. or \.\."),
        ("./a", r"\. or \.\."),
        ("/a", "slash"),
        ("a/", "slash"),
        ("a//b", "slash"),
        ("a\nb", "control"),
        ("a\0", "control"),
        ("\u2028", "control"),
        ("\ufffd", "no text"),
        ("100%", "%"),
        ("a%2Fb", "%"),
        ("a\\b", "backslash"),
        ("a/thumbnail", "thumbnail of another"),
        ("a/image", "image of another"),
        ("a/b/similar", "similar of another"),
    ],
)
def test_what_may_be_read_in_another_way_is_refused_with_the_address_that_is_not(
    item_id: str, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        in_path(item_id)
    assert refused.value.status == 404
    assert "item id" in str(refused.value)
    assert "/v1/item?id=" in str(refused.value)
    assert str(refused.value).isprintable()


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(RefusedError, match="no text"):
        in_path("a\ud800")


@given(ids)
def test_an_id_that_is_let_through_is_what_a_tidied_path_says(item_id: str) -> None:
    """Decoded once more, resolved as the URL Standard does, with slashes joined: it stays the same."""
    try:
        assert in_path(item_id) == item_id
    except RefusedError:
        return
    assert unquote(item_id) == item_id
    segments = item_id.replace("\\", "/").split("/")
    assert [segment for segment in segments if segment not in ("", ".", "..")] == item_id.split("/")
    assert check_id(item_id) == item_id


def test_an_encoded_address_of_a_part_is_in_doubt() -> None:
    for sent in (b"/v1/items/a%2Fthumbnail", b"/v1/items/a/%74humbnail"):
        with pytest.raises(RefusedError, match=r"/v1/thumbnail\?id="):
            id_in_path({"raw_path": sent}, "thumbnail", "a")
    assert id_in_path({}, "thumbnail", "a") == "a"  # a server need not say


@pytest.mark.parametrize("pairs", [[], [("ID", "a")], [("id", "a"), ("id", "a")]])
def test_one_id_is_needed(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(RefusedError, match="'id' is given") as refused:
        id_in_query(pairs)
    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["", "x" * 1025, "日" * 342, ".", ".."])
def test_what_the_store_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="item id"):
        id_in_query([("id", text)])
    with pytest.raises(RefusedError, match="item id"):
        in_path(text)
