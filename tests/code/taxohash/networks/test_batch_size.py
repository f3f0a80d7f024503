"""How many items are encoded at once."""

import pytest

from taxohash.networks.batch_size import at_once


@pytest.mark.parametrize(
    ("shape", "device", "items"),
    [
        ((1, 28, 28), "cpu", 382),
        ((3, 96, 96), "cpu", 32),
        ((3, 224, 224), "cpu", 8),  # 5 would fit, but starting a layer costs time too
        ((3, 16, 16), "cpu", 500),
        ((256,), "cpu", 500),
        ((3, 224, 224), "cuda:0", 500),
    ],
)
def test_a_batch_fits_the_caches_of_a_cpu(shape: tuple[int, ...], device: str, items: int) -> None:
    assert at_once(shape, device) == items
