"""Entropy of the items' codes, looked at seldom."""

import numpy as np
import pytest

from services.retrieval.health import entropy
from services.retrieval.health.entropy import SECONDS, Entropy
from taxohash.codes import Codes, bit_health

BITS = 12
CODES = np.packbits(np.random.default_rng(0).random((50, BITS)) < np.linspace(0, 1, BITS), axis=1)


class Items:
    def __init__(self, codes: Codes) -> None:
        self.codes, self.looked = codes, 0

    def some(self, most: int) -> Codes:
        self.looked += 1
        return self.codes[:most]


def test_it_is_that_of_the_manifest() -> None:
    own = Entropy(BITS)
    own.look(0, Items(CODES).some)
    assert own.value == pytest.approx(bit_health(CODES, BITS).entropy, abs=1e-9)


def test_items_are_looked_at_after_changes_and_not_often() -> None:
    now = 0.0
    items, own = Items(CODES), Entropy(BITS, lambda: now)
    own.look(1, items.some)
    own.look(2, items.some)
    assert items.looked == 1
    now = SECONDS
    own.look(2, items.some)
    own.look(3, items.some)
    assert items.looked == 2
    now = 5 * SECONDS
    own.look(2, items.some)
    assert items.looked == 2


def test_no_more_than_so_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "ITEMS", 7)
    own = Entropy(BITS)
    own.look(0, Items(CODES).some)
    assert own.value == pytest.approx(bit_health(CODES[:7], BITS).entropy, abs=1e-9)


def test_without_items_there_is_none() -> None:
    own = Entropy(BITS)
    own.look(0, Items(CODES[:0]).some)
    assert own.value is None
