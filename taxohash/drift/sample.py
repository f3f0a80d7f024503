"""Pictures that were asked or stored lately, each with what is known of it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes
from taxohash.generation.reference import NOTHING, Reference

Source = Literal["queries", "items"]


@dataclass(frozen=True, eq=False)
class Sample:
    """N pictures that a generation's hasher encoded. What is not known is None.

    Attributes:
        source: whether they were asked or stored.
        codes: uint8[N, ceil(bits/8)].
        weights: float64[N], how many pictures each stands for.
        top: int32[N], their top node as `Reference` numbers it: of queries the one that was told, of items that of their own label.
        nearest: int32[N], Hamming distance of the nearest item.
        unlike: bool[N], whether a picture is like nothing known.
    """

    source: Source
    codes: Codes
    weights: npt.NDArray[np.float64]
    top: npt.NDArray[np.int32] | None = None
    nearest: npt.NDArray[np.int32] | None = None
    unlike: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of_reference(cls, reference: Reference, source: Source) -> "Sample":
        """The pictures of a reference, as they would be looked at had they been asked or stored."""
        asked = source == "queries"
        codes = reference.codes
        return cls(
            source,
            np.empty((len(reference), 0), np.uint8) if codes is None else codes,
            np.ones(len(reference)),
            reference.told if asked else reference.labelled,
            reference.nearest if asked else None,
            reference.unlike if asked else None,
        )

    def columns(self, bits: int, tops: int) -> dict[str, npt.NDArray[np.float32]]:
        """What is counted of them: of each part float32[N, C], 1 for what is so.

        Args:
            bits: of a code.
            tops: top nodes of the taxonomy.
        """
        found: dict[str, npt.NDArray[Any]] = {}
        if self.codes.shape[1]:
            found["bits"] = np.unpackbits(self.codes, axis=1, count=bits)
        if self.nearest is not None:
            found["nearest"] = self.nearest[:, None] > np.arange(bits)  # farther than each distance
        if self.top is not None:
            found["classes"] = self.top[:, None] == np.arange(
                NOTHING if self.source == "queries" else 0, tops
            )
        if self.unlike is not None:
            found["unlike"] = self.unlike[:, None]
        return {name: one.astype(np.float32) for name, one in found.items()}
