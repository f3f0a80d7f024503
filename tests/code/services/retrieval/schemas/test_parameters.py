"""Query strings as models."""

import pytest

from services.retrieval.schemas.items import Described, Seen
from services.retrieval.schemas.parameters import pairs_of, read_pairs
from services.web.refused import RefusedError


def test_lists_may_be_given_several_times_and_others_once() -> None:
    found = read_pairs(Described, [("labels", "a/b"), ("tags", "x"), ("labels", "c")])
    assert (found.labels, found.tags) == (["a/b", "c"], ["x"])
    assert read_pairs(Seen, [("token", "t")]).token == "t"
    with pytest.raises(RefusedError, match="'token' is given twice"):
        read_pairs(Seen, [("token", "t"), ("token", "t")])
    with pytest.raises(RefusedError, match="field 'q' is not known: use one of token"):
        read_pairs(Seen, [("q", "")])


def test_a_query_string_is_utf8_and_keeps_blanks() -> None:
    assert pairs_of(b"a=&b=%C3%A9+%2B&a=\xc3\xa9") == [("a", ""), ("b", "é +"), ("a", "é")]
    for query in (b"a=%ff", b"a=\xff", b"%ED%A0%80=1"):
        with pytest.raises(RefusedError, match="not UTF-8"):
            pairs_of(query)
