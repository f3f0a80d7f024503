"""When is a picture like nothing that a hasher was made of? The limit of novelty that few known pictures pass, and what it costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taxohash.errors import TaxohashError
from taxohash.runtime.atomic import replacing
from taxohash.taxonomy import Taxonomy

if TYPE_CHECKING:
    from taxohash.networks.novelty import Novelty

NOVELTY = "novelty.safetensors"
# Of known pictures may be taken for new ones at most, by their features and by their contrasts: 5 % together. What has the contrasts of
# nothing known is far beyond a limit that hardly any known picture passes.
SHARES = (0.045, 0.005)
CONFIDENCE = 0.95  # with which it is no more
MOST_CENTRES = 512  # classes that a new picture is held against
FITTED = 20_000  # pictures of which the measure is made; more change nothing

Scores = npt.NDArray[np.floating[Any]]


def limits(novelty: Scores) -> tuple[float, ...]:
    """Those of each kind of novelty, of known pictures' float[N, 2]."""
    return tuple(limit(kind, share) for kind, share in zip(novelty.T, SHARES, strict=True))


def limit(scores: Scores, share: float) -> float:
    """The least of float[N], of known pictures, N >= 1, beyond which at most a share of all such lie, with CONFIDENCE.

    A tolerance limit that knows no distribution: the share of all beyond the r-th least of N is distributed as
    Beta(N - r + 1, r). Of few pictures, fewer than 66 for 4.5 in 100, none will do, and it is the greatest.
    """
    from scipy.special import betainc

    count = len(scores)
    beyond = np.arange(count)
    enough = betainc(beyond + 1, count - beyond, share) >= CONFIDENCE
    passed = int(beyond[enough].max(initial=0))
    return float(np.sort(scores)[count - 1 - passed])


def flagged(halves: Sequence[Scores]) -> dict[str, Any]:
    """The share of known pictures that are flagged, each half by the limit of the other."""
    first, second = halves
    passed = np.concatenate([(first > limits(second)).any(axis=1), (second > limits(first)).any(axis=1)])
    return {"flagged": round(float(passed.mean()), 6), "known": len(passed)}


def some_of(count: int) -> npt.NDArray[np.int64]:
    """Of so many pictures the rows of those that the measure is made of, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, FITTED)).astype(np.int64))


def classes_of(taxonomy: Taxonomy, labels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int32]:
    """int32[N]: the classes of labels int[N] at the finest level that has no more than MOST_CENTRES."""
    fitting = [level for level in range(taxonomy.depth) if taxonomy.class_count(level) <= MOST_CENTRES]
    classes: npt.NDArray[np.int32] = taxonomy.ancestors[labels, max(fitting, default=0)]
    return classes


def save(folder: Path, novelty: "Novelty | None") -> None:
    """Write novelty.safetensors, or see to it that there is none."""
    from safetensors.torch import save_file

    file = folder / NOVELTY
    if novelty is None:
        file.unlink(missing_ok=True)
        return
    with replacing(file) as draft:
        save_file({name: tensor.contiguous() for name, tensor in novelty.state_dict().items()}, draft)


def load(folder: Path) -> "Novelty | None":
    """What `save` wrote; None where nothing was written.

    Raises:
        TaxohashError: a damaged file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from taxohash.networks.novelty import Novelty

    file = folder / NOVELTY
    if not file.exists():
        return None
    try:
        return Novelty(load_file(file)).eval()
    except (SafetensorError, OSError, KeyError) as error:
        raise TaxohashError(f"{file} is damaged ({error}): run `taxohash evaluate` again") from None
