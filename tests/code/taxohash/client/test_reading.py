"""JSON as dataclasses: strict about what is known, easy about what is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from taxohash.client.answers import SearchAnswer
from taxohash.client.reading import NotAsDescribedError, read
from tests.support.false_service import ANSWER


@dataclass(frozen=True)
class Inner:
    name: str


@dataclass(frozen=True)
class Outer:
    one: int
    share: float
    inner: Inner
    names: tuple[tuple[str, ...], ...]
    maybe: str | None = None
    inners: tuple[Inner, ...] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


WHOLE: dict[str, Any] = {
    "one": 1, "share": 2, "inner": {"name": "n", "new": 1}, "names": [["a"], []], "maybe": None,
    "inners": [{"name": "m"}], "more": {"x": [1]}, "newer": {"field": True},
}  # fmt: skip


def test_what_is_not_known_is_passed_over_and_kept_in_raw() -> None:
    assert read(Outer, WHOLE) == Outer(
        1, 2.0, Inner("n"), (("a",), ()), None, (Inner("m"),), {"x": [1]}, raw=WHOLE
    )


@pytest.mark.parametrize(
    "change",
    [
        {"one": "1"}, {"one": True}, {"one": 1.0}, {"one": None}, {"share": "2"}, {"share": True}, {"inner": []},
        {"inner": {}}, {"names": "ab"}, {"names": [["a"], "b"]}, {"names": [[1]]}, {"maybe": 3}, {"inners": [None]},
        {"inners": {}}, {"more": []},
    ],
)  # fmt: skip
def test_what_is_known_is_of_its_kind(change: dict[str, Any]) -> None:
    with pytest.raises(NotAsDescribedError):
        read(Outer, WHOLE | change)


@pytest.mark.parametrize("name", ["one", "share", "inner", "names"])
def test_what_has_no_default_is_there(name: str) -> None:
    with pytest.raises(NotAsDescribedError):
        read(Outer, {key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize("told", [None, [], "x", 3])
def test_anything_else_is_no_answer(told: Any) -> None:
    with pytest.raises(NotAsDescribedError):
        read(SearchAnswer, told)


def test_a_search_answer_is_read_whole() -> None:
    answer = read(SearchAnswer, ANSWER)
    assert (answer.results[0].id, answer.results[0].label_paths, answer.raw) == ("one", (("warm",),), ANSWER)
