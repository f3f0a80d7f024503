"""What is compiled ahead is what serving asks: every arrangement of codes is searched, plainly and by weights."""

from typing import Any

import pytest

from services.codestore.follower.replica import Replica
from services.retrieval.bento import exercise
from taxohash.hamming import HammingIndex, moment


def test_every_arrangement_is_searched_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set[tuple[str, bool]]()
    search = moment.Moment.search

    def seeing(self: moment.Moment, *given: Any, **named: Any) -> Any:
        seen.add((self._version.base.layout, named.get("weights") is not None))
        return search(self, *given, **named)

    monkeypatch.setattr(moment.Moment, "search", seeing)
    monkeypatch.setattr(
        HammingIndex, "search", lambda index, *given, **named: index.moment().search(*given, **named)
    )
    exercise.exercise_codes(48)
    assert seen == {
        (layout, weighted) for layout in ("flat", "sliced", "rings") for weighted in (True, False)
    }


@pytest.mark.parametrize("asked", ["load", "apply", "write", "rows_of", "ids_of", "labels_of", "view"])
def test_all_that_is_asked_of_items_is_asked(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    method = getattr(Replica, asked)

    def seeing(self: Replica, *given: Any, **named: Any) -> Any:
        seen.append(asked)
        return method(self, *given, **named)

    monkeypatch.setattr(Replica, asked, seeing)
    exercise.exercise_items()
    assert seen
