"""A trained network as ONNX, and the proof that it makes the same codes."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Model
from taxohash.images import Pixels

if TYPE_CHECKING:
    from taxohash.networks.hashing import HashingNetwork
    from taxohash.networks.novelty import Novelty

# An output this close to zero may round to either side in another engine; its bit carries no meaning.
UNDECIDED = 1e-5
SAME_NOVELTY = 0.01  # of its value, or of the limit where that is more: below it nothing depends on a digit


def write_onnx(network: "HashingNetwork", file: Path, novelty: "Novelty | None" = None) -> None:
    """`images` uint8[n, C, H, W] -> `outputs` float32[n, bits], and `novelty` float32[n, 2] where it is measured; normalisation inside,
    any n."""
    import onnx
    import torch

    from taxohash.networks.novelty import Watched

    example = torch.zeros((2, *network.preprocessing.shape), dtype=torch.uint8)
    told = ["outputs", *(["novelty"] if novelty else [])]
    exported: torch.nn.Module = Watched(network, novelty) if novelty else network
    exported = exported.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its successor takes fifteen seconds for the same graph
        torch.onnx.export(
            exported,
            (example,),
            file,
            input_names=["images"],
            output_names=told,
            dynamic_axes={name: {0: "n"} for name in ("images", *told)},
            dynamo=False,
        )
    model = onnx.load(file)
    onnx.checker.check_model(model)
    file.write_bytes(model.SerializeToString(deterministic=True))


def check_equal(
    network: "HashingNetwork",
    hasher: Model,
    pixels: Pixels,
    novelty: "Novelty | None" = None,
    limits: Sequence[float] = (),
) -> None:
    """Codes of the exported hasher equal those of the network bit for bit, and novelty is the same but for rounding.

    Args:
        limits: of each kind of novelty, beyond which a picture is like nothing known; none where they were not measured.

    Raises:
        TaxohashError: a bit differs whose output is not within rounding of zero, or a novelty.
    """
    from taxohash.networks.hashing import encode_query_pixels

    ours, theirs = encode_query_pixels(network, pixels, novelty=novelty), hasher.encode_query_pixels(pixels)
    differing = ((ours.outputs >= 0) != (theirs.outputs >= 0)) & (np.abs(ours.outputs) > UNDECIDED)
    if differing.any():
        raise TaxohashError(
            f"exported hasher differs in {int(differing.sum())} of {ours.outputs.size} bits on {len(pixels)} images: "
            "the export is wrong, report it"
        )
    if ours.novelty is None or theirs.novelty is None:
        return
    matters = np.maximum(ours.novelty, np.array(limits or [0.0], np.float32))
    if not (
        np.abs(ours.novelty - theirs.novelty) <= SAME_NOVELTY * matters
    ).all():  # NaN is not the same either
        raise TaxohashError(
            "exported hasher tells another novelty than the network: the export is wrong, report it"
        )
