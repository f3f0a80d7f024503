"""Binary class centres keep the distances they promise."""

import pytest
import torch

from taxohash.objectives.parts.hash_centres import hamming, hash_centres

OTHERS = ~torch.eye(200, dtype=torch.bool)


@pytest.mark.parametrize(("classes", "bits"), [(20, 16), (32, 16), (100, 64), (128, 64)])
def test_hadamard_rows_differ_in_half_of_the_bits_or_all(classes: int, bits: int) -> None:
    distances = hamming(hash_centres(classes, bits, torch.Generator().manual_seed(0)))
    assert set(distances[OTHERS[:classes, :classes]].tolist()) <= {bits / 2, float(bits)}


@pytest.mark.parametrize(
    ("classes", "bits", "least"), [(33, 16, 4), (100, 16, 4), (100, 48, 13), (100, 32, 9)]
)
def test_drawn_centres_are_kept_apart(classes: int, bits: int, least: int) -> None:
    centres = hash_centres(classes, bits, torch.Generator().manual_seed(0))
    assert set(centres.unique().tolist()) == {-1.0, 1.0}
    distances = hamming(centres)[OTHERS[:classes, :classes]]
    assert distances.min() >= least
    assert distances.mean() == pytest.approx(bits / 2, rel=0.05)


def test_more_classes_than_far_codes_lower_the_bound_instead_of_waiting() -> None:
    centres = hash_centres(200, 8, torch.Generator().manual_seed(0), tries=50)
    assert len(centres.unique(dim=0)) == 200
    assert torch.equal(centres, hash_centres(200, 8, torch.Generator().manual_seed(0), tries=50))
