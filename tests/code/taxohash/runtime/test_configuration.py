"""Configurations: what they take, and the one line about what they do not."""

import dataclasses
import json
import pickle
from dataclasses import field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from taxohash.errors import TaxohashError
from taxohash.runtime.configuration import (
    Count,
    JsonObject,
    NonNegative,
    Positive,
    Seed,
    Series,
    Share,
    canonical,
    configuration,
    flat,
    parse,
    plain,
    read,
    replaced,
)
from tests.support.configurations import JSON, outcome


@configuration
class Oven:
    """An oven."""

    heat: Positive = 180.0
    kind: Literal["gas", "wood"] = "gas"
    trays: Count = 2
    door: Share = 0.0
    lit: bool = False
    shelves: Series[NonNegative] = ()


@configuration
class Bakery:
    """A bakery."""

    name: str
    oven: Oven = Oven()
    seed: Seed = 0
    bakers: Annotated[int, Field(gt=0, lt=9)] | None = None
    door: Annotated[str, Field(pattern=r"^[0-9]+cm$", examples=["60cm", "90cm"])] = "60cm"
    notes: JsonObject = field(default_factory=dict)


def message(make: Any) -> str:
    with pytest.raises(TaxohashError) as refused:
        make()
    (line,) = str(refused.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"trays": 2.5}, "trays = 2.5: give a whole number of at least 1"),
        ({"trays": 2.0}, "trays = 2.0: give a whole number of at least 1"),
        ({"trays": "3"}, 'trays = "3": give a whole number of at least 1'),
        ({"trays": True}, "trays = true: give a whole number of at least 1"),
        ({"trays": None}, "trays = null: give a whole number of at least 1"),
        ({"trays": 0}, "trays = 0: give a whole number of at least 1"),
        ({"trays": [{"a": 1}]}, 'trays = [{"a": 1}]: give a whole number of at least 1'),
        ({"heat": float("nan")}, "heat = NaN: give a number above 0"),
        ({"heat": float("inf")}, "heat = Infinity: give a number above 0"),
        ({"heat": "180"}, 'heat = "180": give a number above 0'),
        ({"heat": True}, "heat = true: give a number above 0"),
        ({"heat": 10**400}, f"heat = 1{'0' * 76}...: give a number above 0"),
        ({"heat": 10**5000}, "heat = int: give a number above 0"),
        ({"door": 1.5}, "door = 1.5: give a number from 0 to 1"),
        ({"kind": "coal"}, 'kind = "coal": give one of gas, wood'),
        ({"kind": 1}, "kind = 1: give one of gas, wood"),
        ({"lit": 1}, "lit = 1: give true or false"),
        ({"shelves": "12"}, 'shelves = "12": give a list, each item a number of at least 0'),
        ({"shelves": [1, -2]}, "shelves.1 = -2: give a number of at least 0"),
        (
            {"shelves": object},
            "shelves = \"<class 'object'>\": give a list, each item a number of at least 0",
        ),
        ({"gas": 1}, "gas is not known: use one of heat, kind, trays, door, lit, shelves"),
        ({"self": 1}, "self is not known: use one of heat, kind, trays, door, lit, shelves"),
        ({"a\nb\u2028": 1}, '"a\\nb\\u2028" is not known: use one of heat, kind, trays, door, lit, shelves'),
        (
            {"\ud800": 1},
            'configuration = "\\ud800": give an object with heat, kind, trays, door, lit, shelves',
        ),
    ],
)
def test_what_is_refused_is_named_with_its_remedy(value: dict[str, Any], said: str) -> None:
    assert message(lambda: Oven(**value)) == said
    assert message(lambda: read(Oven, value)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "b", "oven": {"trays": 2.5}}, "oven.trays = 2.5: give a whole number of at least 1"),
        ({"name": "b", "oven": {"gas": 1}}, "oven.gas is not known: use one of heat, kind, "),
        ({"name": "b", "oven": [1]}, "oven = [1]: give an object with heat, kind, trays, door, lit, shelves"),
        ({"name": "b", "oven": None}, "oven = null: give an object with heat"),
        ({"name": "b", "bakers": 0}, "bakers = 0: give a whole number above 0 and below 9 or null"),
        ({"name": "b", "door": "2in"}, 'door = "2in": give text such as 60cm or 90cm'),
        ({"name": "b", "seed": -1}, "seed = -1: give a whole number from 0 to 4294967295"),
        (
            {"name": "b", "notes": {"a": [float("nan")]}},
            'notes = {"a": [NaN]}: give an object of JSON values',
        ),
        ({"name": "b", "notes": 3}, "notes = 3: give an object of JSON values"),
        ({"name": 3}, "name = 3: give text"),
        ({}, "name is missing: give text"),
    ],
)
def test_fields_of_parts_are_named_by_their_paths(value: dict[str, Any], said: str) -> None:
    assert message(lambda: read(Bakery, value)).startswith(said)


@pytest.mark.parametrize("data", [None, 3, "x", [1], [["name", "b"]]])
def test_only_an_object_is_read(data: object) -> None:
    said = message(lambda: read(Bakery, data))
    assert (
        said
        == f"{json.dumps(data)} is no configuration: give an object with name, oven, seed, bakers, door, notes"
    )


@pytest.mark.parametrize("text", ["", "{'name': 1}", "{", "[" * 100_000, '{"seed": 1' + "0" * 5000 + "}"])
def test_only_json_is_parsed(text: str) -> None:
    assert " is not JSON (" in message(lambda: parse(Bakery, text))


def test_what_json_cannot_tell_apart_is_taken() -> None:
    oven = read(Oven, {"heat": 200, "shelves": [1, 2.5]})
    assert oven == Oven(heat=200.0, shelves=(1.0, 2.5))
    assert (type(oven.heat), type(oven.shelves), type(oven.shelves[0])) == (float, tuple, float)
    assert read(Bakery, {"name": "b", "oven": {"heat": 200}}).oven == Oven(heat=200.0)
    assert Bakery(name="b", notes={"a": (1, 2)}).notes == {"a": [1, 2]}


def test_what_a_configuration_refuses_itself_is_said_in_its_own_words() -> None:
    @configuration
    class Clock:
        """Opening hours."""

        opens: Count = 8
        closes: Count = 18

        def __post_init__(self) -> None:
            if self.opens > self.closes:
                raise TaxohashError(f"opens = {self.opens} is after closes = {self.closes}: exchange them")

    with pytest.raises(TaxohashError, match=r"^opens = 9 is after closes = 1: exchange them$"):
        read(Clock, {"opens": 9, "closes": 1})
    assert Clock(opens=9).closes == 18


def test_it_is_a_frozen_dataclass() -> None:
    oven = Oven(heat=200.0)
    assert dataclasses.replace(oven, trays=3) == Oven(heat=200.0, trays=3)
    assert message(lambda: dataclasses.replace(oven, trays=0)).startswith("trays = 0: ")
    assert dataclasses.asdict(Bakery(name="b", oven=oven))["oven"]["heat"] == 200.0
    assert pickle.loads(pickle.dumps(oven)) == oven  # noqa: S301 (as multiprocessing sends it)
    assert len({oven, Oven(heat=200.0), Oven()}) == 2
    assert Oven.trays == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        oven.heat = 1.0  # type: ignore[misc]


def test_equal_configurations_have_one_text() -> None:
    said = canonical(Bakery(name="b"))
    assert said == canonical(parse(Bakery, '{"oven": {"trays": 2, "heat": 180}, "seed": 0, "name": "b"}'))
    assert canonical(Bakery(name="b", notes={"x": 1, "y": 2})) == canonical(
        Bakery(name="b", notes={"y": 2, "x": 1})
    )
    assert said != canonical(Bakery(name="b", oven=Oven(lit=True)))
    assert json.loads(said) == plain(Bakery(name="b"))


def test_leaves_are_found_and_replaced_by_their_paths() -> None:
    bakery = Bakery(name="b", notes={"owner": {"age": 3}})
    leaves = flat(plain(bakery))
    assert leaves["oven.trays"] == 2
    assert leaves["notes.owner.age"] == 3
    assert flat(plain(Bakery(name="b")))["notes"] == {}
    assert replaced(bakery, leaves) == bakery
    changed = replaced(bakery, {"oven.trays": 5, "notes.owner.age": 4, "notes.new.x": 1})
    assert (changed.oven.trays, changed.notes) == (5, {"owner": {"age": 4}, "new": {"x": 1}})
    assert bakery.notes == {"owner": {"age": 3}}
    assert (
        message(lambda: replaced(bakery, {"oven.heat.x": 1})) == 'oven.heat = {"x": 1}: give a number above 0'
    )


@given(field=st.sampled_from([*flat(plain(Bakery(name="b"))), "oven", "other", ""]), value=JSON)
def test_any_json_makes_a_configuration_or_one_line(field: str, value: object) -> None:
    made, line = outcome(lambda: replaced(Bakery(name="b"), {field: value}))
    assert (made is None) == bool(line)
    if made is not None:
        assert parse(Bakery, canonical(made)) == made


@given(JSON)
def test_any_json_is_read_or_refused_in_one_line(data: object) -> None:
    made, line = outcome(lambda: read(Oven, data))
    assert line if made is None else isinstance(made, Oven)
