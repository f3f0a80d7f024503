"""What is compiled ahead is what serving asks: every arrangement of codes is searched, plainly and by weights."""

from typing import Any

import pytest

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


def test_items_are_exercised_as_they_are_kept() -> None:
    exercise.exercise_items()
