"""How held-out queries of a generation are answered by what it was made with: what drift is measured against. NumPy alone.

Queries are kept one by one, with all that is known of each: whoever draws some of them again draws what depends on each other together.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taxohash.codes import Codes, check
from taxohash.errors import TaxohashError

if TYPE_CHECKING:
    from taxohash.generation.manifest import Generation

REFERENCE = "reference.npz"
NOTHING = -1  # the top node of what has none

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Reference:
    """M queries that the hasher was not trained on. What was not measured is None.

    A top node is its number among the first nodes of the taxonomy's paths, as `Taxonomy.class_paths(0)` has them, or NOTHING.

    Attributes:
        bits: of a code.
        nearest: int32[M], Hamming distance of the nearest item that is not the query itself.
        codes: uint8[M, ceil(bits/8)].
        told: int32[M], top node of the path that an answer tells, by weights.
        unlike: bool[M], whether it tells that the picture is like nothing known.
        labelled: int32[M], top node of the query's own first label.
        canaries: float32[Q, levels], recall@10 of each canary, see `taxohash.release.recall`.
        confidence: float32[M, levels], how sure an answer is of the node of each level, by weights; 0 where it tells none there.
    """

    bits: int
    nearest: Integers
    codes: Codes | None = None
    told: Integers | None = None
    unlike: npt.NDArray[np.bool_] | None = None
    labelled: Integers | None = None
    canaries: npt.NDArray[np.float32] | None = None
    confidence: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.nearest)

    def save(self, folder: Path) -> None:
        """Write reference.npz; the same bytes for the same queries."""
        held: dict[str, Any] = {
            own.name: value for own in fields(self) if (value := getattr(self, own.name)) is not None
        }
        np.savez(folder / REFERENCE, allow_pickle=False, **held)

    @classmethod
    def load(cls, folder: str | Path) -> "Reference | None":
        """What `save` wrote; None where nothing was written.

        Raises:
            TaxohashError: a damaged file.
        """
        file = Path(folder) / REFERENCE
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
                found = {name: held[name] for name in held.files}
            return _checked(found)
        except FileNotFoundError:
            return None
        except TaxohashError as error:
            raise TaxohashError(f"{file} keeps no queries ({error}): build the generation again") from None
        except Exception:  # NumPy and zipfile raise whatever their parsers meet
            raise TaxohashError(f"{file} is damaged: build the generation again") from None

    @classmethod
    def known(cls, folder: str | Path, generation: "Generation") -> "Reference | None":
        """What a generation in a folder knows of its queries; of an older one the distances alone, None where it knows nothing.

        Raises:
            TaxohashError: a damaged file, or one of other codes.
        """
        if (found := cls.load(folder)) is None:
            counts = generation.reference.get("nearest_distance") or []
            return cls.of_histogram(counts, generation.bits)
        if found.bits != generation.bits:
            raise TaxohashError(
                f"generation {generation.id} keeps queries of {found.bits} bits, its codes have {generation.bits}: build it again"
            )
        return found

    @classmethod
    def of_histogram(cls, counts: "npt.ArrayLike", bits: int) -> "Reference | None":
        """What a generation without reference.npz knows: how many queries lie at each distance, 0 to `bits`; None where it knows nothing."""
        held = np.asarray(counts, np.int64)
        if held.shape != (bits + 1,) or (held < 0).any() or not held.sum():
            return None
        return cls(bits, np.repeat(np.arange(bits + 1, dtype=np.int32), held))


def _checked(found: dict[str, npt.NDArray[Any]]) -> Reference:
    bits, count = int(found.pop("bits")), len(found["nearest"])
    if (codes := found.get("codes")) is not None:
        check(codes, bits, "codes", count)
    for name, kind in (
        ("nearest", np.int32),
        ("told", np.int32),
        ("labelled", np.int32),
        ("unlike", np.bool_),
    ):
        if name in found and (found[name].dtype != kind or found[name].shape != (count,)):
            raise TaxohashError(f"{name} is {found[name].dtype}{[*found[name].shape]}")
    if count and not 0 <= found["nearest"].min() <= found["nearest"].max() <= bits:
        raise TaxohashError(
            f"distances reach from {found['nearest'].min()} to {found['nearest'].max()} of {bits} bits"
        )
    for name, rows in (("canaries", None), ("confidence", count)):
        table = found.get(name)
        if table is not None and (
            table.ndim != 2 or table.dtype != np.float32 or rows not in (None, len(table))
        ):
            raise TaxohashError(f"{name} is {table.dtype}{[*table.shape]}")
    return Reference(bits, **found)
