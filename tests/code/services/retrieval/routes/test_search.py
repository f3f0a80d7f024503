"""Searches in every form, against loops over the items; every answer is what its model says."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.codestore import Snapshot
from services.retrieval.routes import ENDPOINTS
from services.retrieval.schemas.search import Answer, Answers, EncodeTold, SearchTold
from services.retrieval.settings import Limits
from taxohash.codes import pack, unpack
from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from tests.support.application import Client
from tests.support.generations import BITS, TAXONOMY, pictures

PICTURE = pictures(1, seed=7)[0]
NODES = ("warm", "warm/yellow", "cold/blue", "/cold//blue/sky/", "grey <b>&amp;")
TAGS = ("red", "summer", "größe 9")
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Tags = list[tuple[str, ...]]


def text_of(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def answer_of(got: httpx.Response) -> dict[str, Any]:
    """The answer to one query, checked."""
    assert got.status_code == 200, got.text
    told: dict[str, Any] = got.json()
    Answer.model_validate(told)
    SearchTold.model_validate(told)
    assert got.headers["x-generation"] == told["generation"]
    return told


def refused(got: httpx.Response, status: int = 400) -> str:
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    return str(got.json()["detail"])


def given_of(told: dict[str, Any]) -> list[tuple[str, int]]:
    return [(result["id"], result["distance"]) for result in told["results"]]


class Naive:
    """The items, and loops over them."""

    def __init__(self, snapshot: Snapshot, tags: Tags) -> None:
        self.ids: list[str] = snapshot.ids.tolist()
        self.codes = snapshot.codes
        self.paths = [
            [TAXONOMY.paths[label] for label in snapshot.labels[row].tolist()] for row in range(len(self.ids))
        ]
        self.tags = tags

    def allowed(self, row: int, nodes: Sequence[str], tags: Sequence[str]) -> bool:
        wanted = [tuple(part for part in node.split("/") if part) for node in nodes]
        below = not wanted or any(path[: len(node)] == node for node in wanted for path in self.paths[row])
        return below and set(tags) <= set(self.tags[row])

    def search(
        self,
        code: bytes,
        k: int,
        radius: int | None,
        nodes: Sequence[str],
        tags: Sequence[str],
        without: str = "",
    ) -> tuple[list[tuple[str, int]], bool]:
        """Ids and distances, nearest first, ties by row; and whether there are more within the radius."""
        query = np.frombuffer(code, np.uint8)[None]
        found = []
        for row, item in enumerate(self.ids):
            distance = int((unpack(self.codes[row : row + 1], BITS) != unpack(query, BITS)).sum())
            near = radius is None or distance <= radius
            if near and item != without and self.allowed(row, nodes, tags):
                found.append((distance, row))
        told = [(self.ids[row], distance) for distance, row in sorted(found)]
        return told[:k], radius is not None and len(told) > k

    def groups(self, items: Sequence[str], level: int) -> list[dict[str, Any]]:
        nodes: list[list[str]] = []
        for item in items:
            for path in self.paths[self.ids.index(item)] or [()]:
                if list(path[: level + 1]) not in nodes:
                    nodes.append(list(path[: level + 1]))
        return [
            {
                "path": node,
                "items": [
                    item
                    for item in items
                    if any(
                        list(path[: level + 1]) == node for path in self.paths[self.ids.index(item)] or [()]
                    )
                ],
            }
            for node in nodes
        ]


@pytest.fixture(scope="session")
def naive(sets: Snapshot, tags: Tags) -> Naive:
    return Naive(sets, tags)


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "k": st.sampled_from([1, 3, 10, 300, 1000]),
        "radius": st.integers(0, BITS + 3),
        "within": st.sampled_from(NODES) | st.lists(st.sampled_from(NODES), max_size=3),
        "tags": st.sampled_from(TAGS) | st.lists(st.sampled_from(TAGS), max_size=3),
        "group_by": st.sampled_from(TAXONOMY.levels),
        "explain": st.booleans(),
        "ranking": st.just("hamming"),
    },
)


def check(told: dict[str, Any], naive: Naive, wishes: dict[str, Any], without: str = "") -> None:
    """An answer by Hamming distance is what loops over all items say."""
    nodes, tags = (
        [one] if isinstance(one, str) else one for one in (wishes.get("within", []), wishes.get("tags", []))
    )
    radius = wishes.get("radius")
    k = wishes.get("k", 10 if radius is None else 1000)
    code = bytes.fromhex(told["code"])
    wanted, cut = naive.search(code, k, radius, nodes, tags, without)
    assert given_of(told) == wanted
    assert told["ranking"] == "hamming"
    assert told["within"] == wishes.get("within")
    assert (told.get("radius"), told.get("cut")) == ((None, None) if radius is None else (radius, cut))
    for result in told["results"]:
        row = naive.ids.index(result["id"])
        assert result["tags"] == list(naive.tags[row])
        assert result["label_paths"] == [list(path) for path in naive.paths[row]]
        assert "weighted_distance" not in result
    if "group_by" in wishes:
        level = TAXONOMY.levels.index(wishes["group_by"])
        assert told["groups"] == naive.groups([item for item, _ in wanted], level)
    else:
        assert "groups" not in told
    if not wishes.get("explain"):
        assert "explanation" not in told
        return
    bits = unpack(np.frombuffer(code, np.uint8)[None], BITS)[0]
    for result in told["results"]:
        own = unpack(naive.codes[[naive.ids.index(result["id"])]], BITS)[0]
        assert result["differing_bits"] == np.flatnonzero(own != bits).tolist()
    everything, _ = naive.search(code, 1000, None, nodes, tags)
    histogram = np.bincount([distance for _, distance in everything], minlength=BITS + 1)
    assert told["explanation"]["histogram"] == histogram.tolist()
    assert told["explanation"]["touched"] <= len(naive.ids)


@SLOW
@given(wishes=WISHES, row=st.integers(0, 299))
def test_what_is_like_an_item_is_what_loops_over_all_items_say(
    sets_client: Client, naive: Naive, wishes: dict[str, Any], row: int
) -> None:
    item = naive.ids[row]
    told = answer_of(sets_client.ask(id=item, **wishes))
    assert told["query"] == {"kind": "item", "id": item}
    assert bytes.fromhex(told["code"]) == naive.codes[row].tobytes()
    check(told, naive, wishes, without=item)


@SLOW
@given(wishes=WISHES, bits=st.lists(st.booleans(), min_size=BITS, max_size=BITS))
def test_what_is_like_a_code_is_what_loops_over_all_items_say(
    sets_client: Client, naive: Naive, wishes: dict[str, Any], bits: list[bool]
) -> None:
    code = np.packbits(bits).tobytes().hex()
    told = answer_of(sets_client.ask(code=code, **wishes))
    assert (told["query"], told["code"]) == ({"kind": "code"}, code)
    check(told, naive, wishes)


@SLOW
@given(wishes=WISHES, number=st.integers(0, 5))
def test_what_is_like_a_picture_is_what_loops_over_all_items_say(
    sets_client: Client, naive: Naive, hasher: Hasher, wishes: dict[str, Any], number: int
) -> None:
    picture = pictures(6, seed=11)[number]
    wishes = wishes | {"ranking": "hamming"}
    told = answer_of(sets_client.ask(image=text_of(picture), **wishes))
    assert told["query"] == {"kind": "picture"}
    assert bytes.fromhex(told["code"]) == hasher.encode([decode(picture)]).tobytes()
    check(told, naive, wishes)


@SLOW
@given(
    k=st.sampled_from([1, 5, 40, 1000]),
    radius=st.integers(0, BITS),
    within=st.lists(st.sampled_from(NODES), max_size=2),
    tags=st.lists(st.sampled_from(TAGS), max_size=1),
)
def test_within_a_radius_weights_order_the_nearest_by_hamming_distance(
    sets_client: Client, naive: Naive, k: int, radius: int, within: list[str], tags: list[str]
) -> None:
    wishes = {"k": k, "radius": radius, "within": within, "tags": tags}
    plain = answer_of(sets_client.ask(image=text_of(PICTURE), ranking="hamming", **wishes))
    told = answer_of(sets_client.ask(image=text_of(PICTURE), **wishes))
    everything = answer_of(sets_client.ask(image=text_of(PICTURE), k=1000))["results"]
    shares = {result["id"]: result["weighted_distance"] for result in everything}
    assert told["ranking"] == "weighted"
    assert (told["cut"], sorted(given_of(told))) == (plain["cut"], sorted(given_of(plain)))
    found = [result["weighted_distance"] for result in told["results"]]
    assert found == sorted(found) == [shares[result["id"]] for result in told["results"]]


def test_a_form_and_json_have_the_same_answer(sets_client: Client) -> None:
    fields = {"k": 7, "radius": 9, "within": ["warm", "cold/blue"], "tags": ["red"], "group_by": "kind"}
    by_json = answer_of(sets_client.ask(image=text_of(PICTURE), **fields))
    form = {name: value if isinstance(value, list) else str(value) for name, value in fields.items()}
    by_form = answer_of(sets_client("POST", "/v1/search", files={"image": ("picture", PICTURE)}, data=form))
    by_picture = answer_of(
        sets_client("POST", "/v1/search", params=form, content=PICTURE, headers={"Content-Type": "image/png"})
    )
    for told in (by_json, by_form, by_picture):
        del told["took_ms"], told["age_seconds"]
    assert by_form == by_json == by_picture


def test_explained_are_the_arrangement_what_was_looked_at_and_the_stages(client: Client) -> None:
    told = answer_of(client.ask(image=text_of(PICTURE), explain=True))["explanation"]
    assert (told["layout"], told["touched"], sum(told["histogram"])) == ("flat", 300, 300)
    assert set(told["timings_ms"]) == {"decode", "encode", "search", "describe"}
    told = answer_of(client.ask(id="item 5", explain=True))["explanation"]
    assert set(told["timings_ms"]) == {"search", "describe"}


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"id": "item 3000"}, 404, "there is no item 'item 3000': use an id from a search"),
        ({"id": "."}, 404, "item id '.'"),
        (
            {"code": "00"},
            400,
            "code '00' is none of 20 bits: give 6 hexadecimal digits, the bits beyond 20 zero",
        ),
        ({"code": "0000000"}, 400, "none of 20 bits"),
        ({"code": "00000f"}, 400, "none of 20 bits"),
        ({"code": "00 00 00"}, 400, "none of 20 bits"),
        ({"code": "00  00"}, 400, "none of 20 bits"),
        ({"code": ""}, 400, "none of 20 bits"),
        ({"code": "ßß0000"}, 400, "none of 20 bits"),
        ({"code": "000000", "ranking": "weighted"}, 400, "only a picture has weights, and this is a code"),
        ({"id": "item 5", "ranking": "weighted"}, 400, "only a picture has weights, and this is an item"),
        ({"id": "item 5", "within": "hot"}, 400, "has no node 'hot'"),
        ({"id": "item 5", "within": ["warm", "//"]}, 400, "has no node '//'"),
        ({"id": "item 5", "tags": ["red", "winter"]}, 400, "no item has the tag 'winter'"),
        ({"id": "item 5", "group_by": "genus"}, 400, "no level 'genus': give one of kind, family, sign"),
        ({"id": "item 5", "k": 1001}, 400, "from 1 to 1000 (TAXOHASH_MAX_K)"),
        ({"id": "item 5", "colour": "red"}, 400, "field 'colour' is not known"),
        ({"id": "item 5", "token": "x"}, 400, "'x' is no token"),
        ({"id": "item 5", "tags": ["\ud800\n"]}, 400, "tags is a list of 1: give a tag"),
        ({"id": "item 5", "tags": ["a\nb"]}, 400, "no item has the tag 'a"),
        ({"image": text_of(b"no picture")}, 422, "image"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_sentence(
    sets_client: Client, fields: dict[str, Any], status: int, told: str
) -> None:
    sentence = refused(sets_client.ask(**fields), status)
    assert told in sentence
    assert "\n" not in sentence


def test_a_code_of_another_generation_is_refused_with_both_names(client: Client, hasher: Hasher) -> None:
    own = hasher.generation.id
    answer_of(client.ask(code="00f0f0", generation=own))
    sentence = refused(client.ask(code="00f0f0", generation="0123456789ab"), 409)
    assert "'0123456789ab'" in sentence
    assert own in sentence
    refused(client("POST", "/v1/encode?generation=other", files={"image": ("x", PICTURE)}), 409)


def test_a_batch_has_an_answer_or_a_problem_of_each_in_their_order(client: Client, hasher: Hasher) -> None:
    one = {name: client.ask(**fields).json() for name, fields in {
        "picture": {"image": text_of(PICTURE), "k": 3}, "item": {"id": "item 5", "k": 3}, "code": {"code": "00f0f0", "k": 3},
    }.items()}  # fmt: skip
    queries: list[dict[str, Any]] = [
        {"image": text_of(PICTURE)}, {"id": "nobody"}, {"id": "item 5"}, {"image": text_of(b"none")}, {"code": "0"}, {"code": "00f0f0"},
        {"image": "?"}, {},
    ]  # fmt: skip
    got = client.ask(queries=queries, k=3)
    assert got.status_code == 200
    told = got.json()
    Answers.model_validate(told)
    assert told["generation"] == hasher.generation.id
    problems = [answer.get("problem", {}).get("status") for answer in told["answers"]]
    assert problems == [None, 404, None, 422, 400, None, 400, 400]
    for at, kind in ((0, "picture"), (2, "item"), (5, "code")):
        assert told["answers"][at]["results"] == one[kind]["results"]
        assert told["answers"][at]["ranking"] == ("weighted" if kind == "picture" else "hamming")
    told = client.ask(queries=[{"id": "item 5"}] * 64, k=1).json()
    assert len(told["answers"]) == 64
    weighted = client.ask(queries=[{"image": text_of(PICTURE)}, {"id": "item 5"}], ranking="weighted").json()
    assert [answer.get("ranking") for answer in weighted["answers"]] == ["weighted", None]


def test_several_files_of_a_form_are_a_batch(client: Client) -> None:
    files = [("image", (f"{number}", picture)) for number, picture in enumerate([PICTURE, b"none", PICTURE])]
    told = client("POST", "/v1/search", files=files, data={"k": "2"}).json()
    Answers.model_validate(told)
    assert ["problem" in answer for answer in told["answers"]] == [False, True, False]
    assert told["answers"][0]["results"] == client.search(PICTURE, k="2").json()["results"]


def test_what_all_queries_have_in_common_is_refused_of_each(client: Client) -> None:
    told = client.ask(queries=[{"id": "item 5"}] * 2, within="hot").json()
    assert [answer["problem"]["status"] for answer in told["answers"]] == [400, 400]
    assert "from 1 to 1000" in refused(client.ask(queries=[{"id": "item 5"}], k=0))


def test_codes_are_those_of_the_hasher_and_so_are_weights(client: Client, hasher: Hasher) -> None:
    outputs = hasher.encode_queries([decode(PICTURE)]).outputs
    files = [("image", ("x", PICTURE))]
    plain = client("POST", "/v1/encode", files=files).json()
    told = client("POST", "/v1/encode", json={"image": text_of(PICTURE), "weights": True}).json()
    several = client("POST", "/v1/encode", json={"images": [text_of(PICTURE), "?"], "weights": True}).json()
    many = client("POST", "/v1/encode?weights=true", files=files * 2).json()
    for one in (plain, told, several, many):
        EncodeTold.model_validate(one)
    assert plain == {
        "generation": hasher.generation.id,
        "bits": BITS,
        "code": pack(outputs)[0].tobytes().hex(),
    }
    assert told["weights"] == pytest.approx(np.abs(outputs[0]).tolist(), abs=1e-6)
    assert several["answers"][0] == told == many["answers"][1]
    assert several["answers"][1]["problem"]["status"] == 400
    assert given_of(client.ask(code=plain["code"]).json()) == given_of(
        client.search(PICTURE, ranking="hamming").json()
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 100_000,
        b'{"id":' * 5000,
        b'{"k": ' + b"9" * 20_000 + b"}",
        b'{"id": "x", "id": "y"}',
        b'{"id": "x", "radius": NaN}',
        b'{"id": "x", "radius": 1e400}',
        b"\xff\xfe",
        b"null",
        b"",
        b'{"queries": [' + b"{}," * 100_000,
        b'{"id": "' + b"x" * 2_000_000,
    ],
)
@pytest.mark.parametrize("path", ["/v1/search", "/v1/encode"])
def test_hostile_json_is_400(client: Client, body: bytes, path: str) -> None:
    got = client("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert "\n" not in refused(got)


def test_a_body_as_json_has_the_bounds_of_any_other(make_client: Callable[..., Client]) -> None:
    small = make_client(limits=Limits(body_bytes=1000))
    answer_of(small.ask(id="item 5"))
    assert refused(small.ask(image=text_of(bytes(2000))), 413)
    assert refused(small("POST", "/v1/encode", json={"image": text_of(bytes(2000))}), 413)


def test_a_large_body_is_read_in_a_thread(client: Client) -> None:
    filled = PICTURE + bytes(200_000)  # which a decoder passes over
    told = answer_of(client.ask(image=text_of(filled), k=3))
    assert given_of(told) == given_of(client.search(PICTURE, k="3").json())
    several = client.ask(queries=[{"image": text_of(filled)}, {"image": "?" * 100_000}], k=3).json()[
        "answers"
    ]
    assert given_of(several[0]) == given_of(told)
    assert several[1]["problem"]["status"] == 400
    assert "give exactly one" in refused(client.ask(image=text_of(filled), id="item 5"))


def test_what_is_past_its_time_is_not_begun(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = make_client(limits=Limits(answer_seconds=1e-9))
    begun: list[object] = []
    monkeypatch.setattr(late.service.taken().engine, "search", lambda *asked: begun.append(asked))
    monkeypatch.setattr(late.service.decoders, "read", lambda *asked: begun.append(asked))
    for fields in ({"id": "item 5"}, {"image": text_of(PICTURE)}, {"queries": [{"id": "item 5"}]}):
        got = late.ask(**fields)
        assert "TAXOHASH_ANSWER_SECONDS" in refused(got, 503)
        assert "retry-after" in got.headers
    assert not begun


def test_only_pictures_tell_of_drift(client: Client) -> None:
    def counted() -> int:
        return client.service.taken().engine.health.tally.counted().queries

    before = counted()
    client.ask(id="item 5")
    client.ask(code="00f0f0")
    client.ask(image=text_of(PICTURE), radius=3)
    client.ask(image=text_of(PICTURE), within="warm")
    assert counted() == before
    client.ask(queries=[{"image": text_of(PICTURE)}] * 2)
    assert counted() == before + 2


def test_the_endpoints_name_what_they_take_and_tell() -> None:
    by_name = {endpoint.name: endpoint for endpoint in ENDPOINTS}
    for name in ("search", "encode"):
        assert all((by_name[name].parameters, by_name[name].body, by_name[name].told))
