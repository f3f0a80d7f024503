from typing import Any, cast

import pytest

from services.codestore import CodeStore, StoreUnavailableError
from services.retrieval.late_store import LateStore
from taxohash.errors import TaxohashError
from tests.support.application import NoStore


def test_a_late_store_is_connected_once_and_tried_again_until_it_answers() -> None:
    tries: list[int] = []
    made = cast(Any, NoStore())

    def connect() -> CodeStore:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailableError("nobody there")
        return cast(CodeStore, made)

    late = LateStore(connect)
    for _ in range(2):
        with pytest.raises(StoreUnavailableError):
            late()
    assert late() is made
    assert late() is made
    assert len(tries) == 3
    late.close()
    never = LateStore(connect)
    never.close()
    with pytest.raises(TaxohashError, match="ending"):
        never()
