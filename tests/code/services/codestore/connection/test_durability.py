from typing import Any

import pytest

from services.codestore.connection import APPLIED, FSYNCED, Durability, replicated
from taxohash.errors import TaxohashError


@pytest.mark.parametrize("durability", [APPLIED, FSYNCED, replicated(1), replicated(100)])
def test_a_durability_is_written_and_read(durability: Durability) -> None:
    assert Durability.parse(str(durability)) == durability


@pytest.mark.parametrize(
    "text", ["", "safe", "replicated", "replicated()", "replicated(x)", "Applied", None, 3]
)
def test_what_is_no_durability_is_refused(text: Any) -> None:
    with pytest.raises(TaxohashError, match="give applied, fsynced or replicated"):
        Durability.parse(text)


@pytest.mark.parametrize("replicas", [0, -1, 101, True, 1.0, "1"])
def test_what_is_no_number_of_replicas_is_refused(replicas: Any) -> None:
    with pytest.raises(TaxohashError, match="give 1 to 100"):
        replicated(replicas)
