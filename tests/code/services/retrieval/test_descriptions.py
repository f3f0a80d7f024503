import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.retrieval import descriptions
from services.retrieval.descriptions import Descriptions, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4)
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.integers(0, 2500))
def test_pieces_are_what_json_would_write(described: dict[str, Any], count: int) -> None:
    described["nodes"] = [{"path": ["a", str(i)], "items": i} for i in range(count)]
    assert json.loads(b"".join(written(described)).decode("utf-8", "surrogatepass")) == described
    assert max(piece.count(b'"path"') for piece in written(described)) <= 1000


@pytest.mark.parametrize("described", [{}, {"a": []}, {"a": [1]}])
def test_the_smallest_are_json_as_well(described: dict[str, Any]) -> None:
    assert json.loads(b"".join(written(described))) == described


def test_many_who_ask_together_are_told_what_is_made_once_for_each_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    first, second = cast(Any, object()), cast(Any, object())

    def of(name: str) -> dict[str, Any]:
        made.append(name)
        return {"name": name}

    async def scenario() -> None:
        kept = Descriptions()
        told = await asyncio.gather(
            *(kept.told("taxonomy", first, lambda: of("first")) for _ in range(50)),
        )
        assert set(told) == {b'{"name":"first"}'}
        assert await kept.told("taxonomy", second, lambda: of("second")) == b'{"name":"second"}'
        assert await kept.told("examples", second, lambda: of("examples")) == b'{"name":"examples"}'
        assert made == ["first", "second", "examples"]
        monkeypatch.setattr(descriptions, "_SECONDS", 0.0)
        await kept.told("examples", second, lambda: of("again"))
        assert made[-1] == "again"
        kept.close()

    asyncio.run(scenario())
