"""Checks of what is evaluated: every error names the array, its value and the remedy."""

from typing import Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import check
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

Array = npt.NDArray[Any]


def check_items(name: str, items: Array, bits: int | None) -> None:
    """Packed codes uint8[N, ceil(bits/8)], or finite real vectors [N, D] where bits is None."""
    if items.ndim != 2 or not items.size:
        raise TaxohashError(
            f"{name} have shape {items.shape}: give at least one row of [N, bytes] codes or [N, D] vectors"
        )
    if bits is None:
        if not np.issubdtype(items.dtype, np.floating):
            raise TaxohashError(
                f"{name} are {items.dtype}: give real vectors, or packed uint8 codes together with bits="
            )
        if not np.isfinite(items).all():
            raise TaxohashError(
                f"{name} contain NaN or infinity: evaluate a network whose outputs are finite"
            )
        return
    check(items, bits, name)


def check_outputs(name: str, outputs: Array, bits: int | None) -> None:
    """Finite outputs float32[N, bits], of which signs and magnitudes rank codes."""
    if bits is None:
        raise TaxohashError(
            "real vectors have no bits to weigh: rank packed codes by weights, with bits=, or leave ranking out"
        )
    if outputs.dtype != np.float32 or outputs.ndim != 2 or outputs.shape[1] != bits or not len(outputs):
        raise TaxohashError(
            f"{name} are {outputs.dtype}{[*outputs.shape]}: to rank by weights give the network's outputs, float32[Q, {bits}]"
        )
    if not np.isfinite(outputs).all():
        raise TaxohashError(f"{name} contain NaN or infinity: evaluate a network whose outputs are finite")


def check_labels(name: str, labels: Array, rows: int, taxonomy: Taxonomy, many: bool) -> None:
    """Labels int[rows] into the taxonomy, or multi-hot [rows, labels] where `many`."""
    if len(labels) != rows:
        raise TaxohashError(f"{name} are {len(labels)} for {rows} items: give one row of labels an item")
    if many:
        if labels.ndim != 2 or labels.shape[1] != len(taxonomy):
            raise TaxohashError(
                f"{name} have shape {labels.shape}: give multi-hot labels [{rows}, {len(taxonomy)}]"
            )
        if not np.isin(labels, (0, 1)).all():
            raise TaxohashError(f"{name} hold values other than 0 and 1: give multi-hot labels")
        return
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise TaxohashError(
            f"{name} have shape {labels.shape} and are {labels.dtype}: give one integer label an item"
        )
    wrong = (labels < 0) | (labels >= len(taxonomy))
    if wrong.any():
        raise TaxohashError(
            f"{name} contain {labels[wrong][0]}: the taxonomy {taxonomy.name!r} has labels 0 to {len(taxonomy) - 1}"
        )
