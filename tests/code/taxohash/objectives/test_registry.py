"""Hyper-parameters of every objective: what they take, and the one line about what they do not."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxohash.errors import TaxohashError
from taxohash.objectives import configured, objective, objectives
from taxohash.runtime.configuration import plain
from tests.support.configurations import JSON, outcome

OPTIONS = [(name, option.name) for name, kind in objectives().items() for option in fields(kind.config_type)]


@pytest.mark.parametrize("name", objectives())
def test_defaults_may_be_written_out(name: str) -> None:
    standard = configured(name, {})
    assert standard == objective(name).config_type()
    assert configured(name, plain(standard)) == standard


@given(option=st.sampled_from(OPTIONS), value=JSON)
def test_any_json_for_any_option_is_valid_or_one_line(option: tuple[str, str], value: object) -> None:
    name, field = option
    made, line = outcome(lambda: configured(name, {field: value}))
    if made is None:
        assert line.startswith(f"objective {name!r}: {field}")
    else:
        assert configured(name, plain(made)) == made


@pytest.mark.parametrize(
    ("name", "option", "value", "said"),
    [
        ("shpdh", "vertex", "much", 'vertex = "much": give a number of at least 0'),
        ("shpdh", "inverse_variances", [1, 0], r"inverse_variances\.1 = 0: give a number above 0"),
        ("treecode", "flip", 1.5, "flip = 1.5: give a number from 0 to 1 or null"),
        ("hashnet", "step", 0, "step = 0: give a whole number of at least 1"),
        ("csq", "seed", -1, "seed = -1: give a whole number from 0"),
        ("csq", "magic", 1, "magic is not known: use one of quantisation, seed"),
    ],
)
def test_what_is_refused_names_objective_option_and_remedy(
    name: str, option: str, value: object, said: str
) -> None:
    with pytest.raises(TaxohashError, match=f"objective '{name}': {said}"):
        configured(name, {option: value})


def test_null_where_a_default_depends_on_the_setting() -> None:
    assert configured("treecode", {"flip": None}).flip is None
    assert configured("dtsh", {"margin": 5}).margin == 5.0
