"""Other benchmarks take the options that were chosen on held-out rows."""

from typing import Any

import pytest

from benchmarks.methods.trials import chosen_options
from taxohash.errors import TaxohashError


def searched(**changes: Any) -> dict[str, Any]:
    return {"stage": "table", "data": "set", "method": "csq", "bits": 48, "options": {}} | changes


def test_options_are_those_of_the_table() -> None:
    rows = [
        searched(stage="search", options={"quantisation": 9.0}),
        searched(bits=32, options={"quantisation": 1.0}),
        searched(options={"quantisation": 0.5, "lr": 3e-3}),
    ]
    assert chosen_options(rows, "set", "csq", 48) == {"quantisation": 0.5, "lr": 3e-3}
    with pytest.raises(TaxohashError, match="no options for csq, 64 bits, on set"):
        chosen_options(rows, "set", "csq", 64)
