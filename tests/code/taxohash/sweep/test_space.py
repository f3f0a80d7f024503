"""What a sweep is asked to try."""

import pytest

from taxohash.errors import TaxohashError
from taxohash.sweep.space import STANDARD, Choice, Interval, ends, space_of
from taxohash.training.config import HasherConfig


def test_intervals_and_choices_are_read() -> None:
    texts = [
        "training.lr=.01..0.5:log",
        "bits=16..64",
        "training.optimiser=adam,sgd",
        "objective.options.coarse=0..1",
    ]
    found = space_of(texts, HasherConfig())
    assert found == {
        "training.lr": Interval(low=0.01, high=0.5, log=True),
        "bits": Interval(low=16, high=64),
        "training.optimiser": Choice(values=("adam", "sgd")),
        "objective.options.coarse": Interval(low=0, high=1),
    }
    assert ends(found["bits"]) == (16, 64)
    assert list(space_of(STANDARD, HasherConfig())) == ["training.lr", "training.weight_decay"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["lr"], "search 'lr': write it as PATH=LOW..HIGH"),
        (["training.lr=0.1"], "one value is no choice"),
        (["training.lr=a..b"], "write it as"),
        (["training.lr=0.1.."], "write it as"),
        (["training.lr=0.1..0.2:linear"], "write it as"),
        (["training.lr=0.2..0.1"], "0.2..0.1 is no interval"),
        (
            ["training.lr=0..0.1:log"],
            "0..0.1 is no interval of logarithms: give a lower end below the upper one, above 0",
        ),
        (["training.lr=0..0.1"], "training.lr = 0"),
        (["bits=8..64"], "bits = 8"),
        (["training.rate=0.1..0.2"], "rate"),
        (["objective.options.rate=0.1..0.2"], "rate is not known"),
        (["training.optimiser=adam,lion"], 'optimiser = "lion"'),
        (["bits=16..32", "bits=16..64"], "bits is searched already"),
    ],
)
def test_what_cannot_be_tried_is_one_line(texts: list[str], told: str) -> None:
    with pytest.raises(TaxohashError) as caught:
        space_of(texts, HasherConfig())
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
