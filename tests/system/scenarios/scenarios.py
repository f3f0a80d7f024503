"""What is asked through every door: each scenario says what must be true, and returns what it was told, which is the same everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from taxohash.client import Code, ItemId
from tests.support.generations import SIDE, TAXONOMY, png
from tests.support.pictures import encoded, noise
from tests.support.serving import IDS, ITEMS, LABELS, PICTURES, TAGS
from tests.system.scenarios.doors import JSON, Door, Refused

CRIMSON = "warm/red/crimson"
Told = Any
Scenario = Callable[[Door, "World"], Told]
SCENARIOS: dict[str, Scenario] = {}


@dataclass(frozen=True)
class World:
    """What is served.

    Attributes:
        generation: its id.
        codes: of PICTURES, hexadecimal.
    """

    generation: str
    codes: tuple[str, ...]


def scenario(function: Scenario) -> Scenario:
    """One of the list."""
    SCENARIOS[function.__name__] = function
    return function


def told_of(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Why something is refused."""
    try:
        call()
    except Refused as refused:
        return refused.status, refused.reason, refused.sentence
    raise AssertionError("it was not refused")


def ids(answer: JSON) -> list[str]:
    return [result["id"] for result in answer["results"]]


def below(item: str, *nodes: str) -> bool:
    path = "/".join(TAXONOMY.paths[LABELS[IDS.index(item)]])
    return any(f"{path}/".startswith(f"{node}/") for node in nodes)


# -- searches ---------------------------------------------------------------------------------------------------------


@scenario
def by_picture_item_and_code(door: Door, world: World) -> Told:
    picture = door.search(PICTURES[3], k=7)
    assert (picture["ranking"], picture["query"], picture["code"]) == (
        "weighted", {"kind": "picture"}, world.codes[3],
    )  # fmt: skip
    item = door.search(ItemId(IDS[4]), k=7)
    assert (item["ranking"], item["query"]) == ("hamming", {"kind": "item", "id": IDS[4]})
    assert IDS[4] not in ids(item)
    assert item == door.similar(IDS[4], k=7)
    code = door.search(Code(world.codes[4]), k=8)
    assert (code["query"], code["results"][0]["distance"]) == ({"kind": "code"}, 0)
    assert [one for one in ids(code) if one != IDS[4]][:7] == ids(item)
    return [picture, item, code]


@scenario
def each_of_several(door: Door, world: World) -> Told:
    queries = [PICTURES[5], ItemId(IDS[6]), Code(world.codes[7]), ItemId("nobody"), Code("zz"), b"no picture"]
    told = door.several(queries, k=3, tags="summer", group_by="family")
    alone = [door.search(query, k=3, tags="summer", group_by="family") for query in queries[:3]]
    assert told[:3] == alone
    assert [one["problem"]["status"] for one in told[3:]] == [404, 400, 422]
    return told


@scenario
def as_many_as_are_wanted(door: Door, world: World) -> Told:
    for k in (1, 10, ITEMS, ITEMS + 5):
        assert len(door.search(Code(world.codes[0]), k=k)["results"]) == min(k, ITEMS)
    assert len(door.search(ItemId(IDS[0]), k=ITEMS)["results"]) == ITEMS - 1
    return ids(door.search(PICTURES[0]))


@scenario
def within_a_radius(door: Door, world: World) -> Told:
    whole = door.search(Code(world.codes[9]), radius=5)
    assert not whole["cut"]
    assert {one["distance"] for one in whole["results"]} <= set(range(6))
    cut = door.search(Code(world.codes[9]), radius=5, k=3)
    assert (cut["cut"], ids(cut)) == (True, ids(whole)[:3])
    none = door.search(Code(world.codes[9]), radius=0, within="grey <b>&amp;")
    assert (none["results"], none["majority"]) == ([], [])
    return [whole, cut, none]


@scenario
def below_nodes_and_with_tags(door: Door, world: World) -> Told:
    red = door.search(PICTURES[2], k=ITEMS, within="warm/red")
    assert set(ids(red)) == {item for item in IDS if below(item, "warm/red")}
    both = door.search(ItemId(IDS[4]), k=ITEMS, within=["warm/red", "cold"], tags=["summer"])
    assert set(ids(both)) == {
        item
        for row, item in enumerate(IDS)
        if TAGS[row % 2] and below(item, "warm/red", "cold") and item != IDS[4]
    }
    return [red, both]


@scenario
def by_nodes_of_a_level(door: Door, world: World) -> Told:
    told = door.search(PICTURES[8], k=30, group_by="family")
    assert sorted(item for group in told["groups"] for item in group["items"]) == sorted(ids(told))
    assert [group["items"][0] for group in told["groups"]] == sorted(
        (group["items"][0] for group in told["groups"]), key=ids(told).index
    )
    return told


@scenario
def by_weights_or_by_distance(door: Door, world: World) -> Told:
    weighted, hamming = door.search(PICTURES[1], k=20), door.search(PICTURES[1], k=20, ranking="hamming")
    shares = [one["weighted_distance"] for one in weighted["results"]]
    distances = [one["distance"] for one in hamming["results"]]
    assert (shares, distances) == (sorted(shares), sorted(distances))
    assert all("weighted_distance" not in one for one in hamming["results"])
    return [weighted, hamming, door.encode(PICTURES[1])]


@scenario
def explained(door: Door, world: World) -> Told:
    told = door.search(Code(world.codes[11]), k=9, explain=True)
    assert sum(told["explanation"]["histogram"]) == ITEMS
    assert [len(one["differing_bits"]) for one in told["results"]] == [
        one["distance"] for one in told["results"]
    ]
    told["explanation"] = {
        "histogram": told["explanation"]["histogram"]
    }  # how codes lie is each process's own
    return told


@scenario
def ties_fall_by_row(door: Door, world: World) -> Told:
    """However many are wanted, those are the first of one order."""
    order = ids(door.search(Code(world.codes[12]), k=ITEMS))
    for k in (1, 2, 5, 50, 300):
        assert ids(door.search(Code(world.codes[12]), k=k)) == order[:k]
    distances = [one["distance"] for one in door.search(Code(world.codes[12]), k=ITEMS)["results"]]
    assert len(set(distances)) < len(distances) / 10  # most are ties
    assert ids(door.search(Code(world.codes[12]), radius=20)) == order
    return order


@scenario
def what_an_answer_is_worth(door: Door, world: World) -> Told:
    told = door.search(PICTURES[3], k=5)
    assert all(len(one["probabilities"]) == len(one["label_path"]) for one in told["results"])
    assert (told["unlike"], len(told["predicted"]) <= TAXONOMY.depth) == (False, True)
    return told


@scenario
def what_is_unlike_anything_known(door: Door, world: World) -> Told:
    flat = [png(np.full((SIDE, SIDE), grey, np.uint8)) for grey in (0, 128, 255)]
    told = door.several(flat, k=2)
    assert [(one["unlike"], one["predicted"]) for one in told] == [(True, [])] * 3
    assert all(one["novelty"] > 1 for one in told)
    assert all("unlike" not in door.search(query, k=1) for query in (ItemId(IDS[0]), Code(world.codes[0])))
    return told


# -- what is refused --------------------------------------------------------------------------------------------------


_WRONG: tuple[dict[str, Any], ...] = (
    {"k": 0},
    {"k": 1001},
    {"radius": -1},
    {"radius": 5000},
    {"within": "warm/nowhere"},
    {"within": "/"},
    {"within": ["warm"] * 65},
    {"tags": "winter"},
    {"group_by": "genus"},
    {"ranking": "best"},
    {"token": "none"},
)


@scenario
def searches_that_cannot_be(door: Door, world: World) -> Told:
    code = Code(world.codes[0])
    asked: list[tuple[int, str, Callable[[], Any]]] = [
        (404, "item", lambda: door.search(ItemId("nobody"))),
        (404, "item", lambda: door.similar("nobody")),
        (400, "parameter", lambda: door.search(Code("ff"))),
        (400, "parameter", lambda: door.search(Code("no hex"))),
        (400, "parameter", lambda: door.search(code, k=0)),
        (400, "parameter", lambda: door.search(code, k=1001)),
        (400, "parameter", lambda: door.search(code, radius=-1)),
        (400, "parameter", lambda: door.search(code, within="warm/nowhere")),
        (400, "parameter", lambda: door.search(code, within=["warm"] * 65)),
        (400, "parameter", lambda: door.search(code, tags="winter")),
        (400, "parameter", lambda: door.search(code, group_by="genus")),
        (400, "parameter", lambda: door.search(code, ranking="weighted")),
        (400, "parameter", lambda: door.search(code, ranking="best")),
        (400, "parameter", lambda: door.search(code, token="none")),
        # By a form and by a query string, where everything is text.
        *((400, "parameter", lambda wish=wish: door.search(PICTURES[0], **wish)) for wish in _WRONG),
        *((400, "parameter", lambda wish=wish: door.similar(IDS[0], **wish)) for wish in _WRONG),
        (422, "image", lambda: door.search(b"no picture")),
        (422, "image", lambda: door.search(PICTURES[0][:40])),
    ]
    told = [told_of(ask) for _, _, ask in asked]
    assert [one[:2] for one in told] == [wanted[:2] for wanted in asked]
    assert told_of(lambda: door.search(code, generation="another"))[:2] == (409, "generation")
    return told


@scenario
def items_that_cannot_be(door: Door, world: World) -> Told:
    asked: list[tuple[int, str, Callable[[], Any]]] = [
        (404, "item", lambda: door.get("nobody", door.put("somebody", PICTURES[0])[1])),
        (400, "parameter", lambda: door.put("x", PICTURES[0], labels=["warm/red/crimsen"])),
        (400, "parameter", lambda: door.put("x", PICTURES[0], labels=[CRIMSON, CRIMSON])),
        (409, "generation", lambda: door.put("x", code=world.codes[0], generation="another")),
        (400, "parameter", lambda: door.put("x", code="ff", generation=world.generation)),
        (422, "image", lambda: door.put("x", b"no picture")),
    ]
    told = [told_of(ask) for _, _, ask in asked]
    assert [one[:2] for one in told] == [wanted[:2] for wanted in asked]
    door.delete("somebody")
    return told


# -- items ------------------------------------------------------------------------------------------------------------


@scenario
def an_item_is_put_changed_and_deleted(door: Door, world: World) -> Told:
    large, other = encoded(noise(90, 60), "JPEG"), encoded(noise(60, 90, seed=1), "JPEG")
    put, token = door.put("shop/17 ü", large, labels=[CRIMSON], tags=["new"])
    assert put["new"]
    item = door.get("shop/17 ü", token)
    assert (item["state"], item["label_paths"], item["tags"]) == ("searchable", [CRIMSON.split("/")], ["new"])
    found = door.search(large, k=ITEMS + 1, token=token)
    assert found["results"][0] | {"id": "shop/17 ü", "identical": True} == found["results"][0]
    assert ids(door.search(large, tags="new", token=token)) == ["shop/17 ü"]
    changed, token = door.put("shop/17 ü", other, labels=["cold/blue/sky"])
    assert (changed["new"], changed["code"] == put["code"]) == (False, False)
    moved = door.get("shop/17 ü", token)
    assert (moved["label_path"], moved["tags"]) == (["cold", "blue", "sky"], [])
    again = door.search(large, k=ITEMS + 1, token=token)
    assert not any(one.get("identical") for one in again["results"])
    assert "shop/17 ü" not in ids(door.search(large, k=ITEMS + 1, within="warm", token=token))
    similar = door.similar("shop/17 ü", k=5, token=token)
    gone = door.delete("shop/17 ü")
    assert told_of(lambda: door.get("shop/17 ü", gone))[:2] == (404, "item")
    assert "shop/17 ü" not in ids(door.search(other, k=ITEMS + 1, token=gone))
    return [put, item, found, changed, moved, similar]


@scenario
def the_very_picture_comes_first(door: Door, world: World) -> Told:
    """However many have its code, and by every ranking."""
    twins = [f"twin {number}" for number in range(3)]
    for item in twins:
        _, token = door.put(item, code=world.codes[20], generation=world.generation)
        door.search(Code(world.codes[20]), token=token)  # a token is of one write
    told = [door.search(PICTURES[20], k=4, **more) for more in ({}, {"ranking": "hamming"}, {"radius": 0})]
    for answer in told:
        assert [one.get("identical", False) for one in answer["results"]] == [True, False, False, False]
        assert ids(answer)[0] == IDS[20]
        assert {one["distance"] for one in answer["results"]} == {0}
    for item in twins:
        door.delete(item)
    return told


@scenario
def an_item_by_its_code_is_found_by_it(door: Door, world: World) -> Told:
    put, token = door.put("by code", code=world.codes[30], generation=world.generation, labels=[CRIMSON])
    found = door.search(Code(world.codes[30]), radius=0, token=token)
    assert "by code" in ids(found)
    door.delete("by code")
    return [put, found]
