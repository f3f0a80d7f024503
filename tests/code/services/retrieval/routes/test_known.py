"""services.retrieval.routes.known."""

import pytest
from starlette.requests import Request

from services.retrieval.routes.known import is_known


def asking(*given: str) -> Request:
    headers = [(b"if-none-match", one.encode()) for one in given]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})


@pytest.mark.parametrize(
    "given", [('"b"',), ('W/"b"',), ('"a", "b"',), ('"a"', ' W/"b" '), ("*",), ('"a",W/"b","c"',)]
)
def test_who_has_it_is_told_by_any_form(given: tuple[str, ...]) -> None:
    assert is_known(asking(*given), '"b"')


@pytest.mark.parametrize("given", [(), ("",), ('"a"',), ("b",), ('"bb"',), ('w/"b"',), ('"a", "c"',)])
def test_who_has_another_or_none_is_not(given: tuple[str, ...]) -> None:
    assert not is_known(asking(*given), '"b"')
