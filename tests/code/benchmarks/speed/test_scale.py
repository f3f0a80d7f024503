"""The table of docs/scale.md is that of the committed results, and grows in proportion."""

from dataclasses import asdict

import pytest

from benchmarks.speed.scale import PAGE, lines, page, rates


def test_the_page_holds_the_table_of_the_results() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, lines(rates())) == text, "renew it: python -m benchmarks.speed.scale"


def test_all_rates_are_measured_numbers() -> None:
    assert all(value > 0 for value in asdict(rates()).values())


@pytest.mark.parametrize(("items", "hours"), [(1_000_000, "1.0"), (10_000_000, "10.0")])
def test_costs_grow_with_the_items(items: int, hours: str) -> None:
    found = rates()
    told = lines(type(found)(**asdict(found) | {"encoded": 1_000_000 / 3600 / 4}), items, 4)
    assert f"on 4 cores, 1 pods of 4: {hours} h" in told[3]
