"""What is served: hashers as they come out of training, but not trained, and items with codes as they are learned, or uniform."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from taxohash.codes import Codes
from taxohash.generation.calibration import Calibration, Curve, Map, Rankings
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.images import read_pixels
from taxohash.taxonomy import Taxonomy

BITS, K = 64, 10
TREE = Taxonomy(
    "drawn", tuple((f"kind {label // 5}", f"class {label}") for label in range(20)), ("kind", "class")
)
DEMO, LARGE = "small-resnet", "efficientnet_lite0"
SIZES = {DEMO: (28, 1), LARGE: (224, 3)}  # pixels and channels of their input
_GROUPS, _NOISE, _CHUNK = 500, 0.03, 1 << 20


def generation(folder: Path, network: str) -> Path:
    """A generation in `folder`: a backbone, with its ImageNet weights where there are such, a random hash layer, and maps that are
    straight lines. Answers cost what those of a trained one cost.

    Raises:
        TaxohashError: the weights are not installed.
    """
    import torch

    from taxohash.networks.backbones import find_backbone
    from taxohash.networks.hashing import HashingNetwork
    from taxohash.release.onnx import write_onnx

    torch.manual_seed(0)
    size, channels = SIZES[network]
    known = find_backbone(network, size, channels)
    preprocessing = known.preprocessing(size, channels)
    backbone, width = known.make(preprocessing, known.pretrained)
    folder.mkdir(parents=True)
    hashing = HashingNetwork(backbone, width, BITS, preprocessing)
    with torch.no_grad():  # no bit is the same for all
        hashing.hash.bias.zero_()
    write_onnx(hashing, folder / "hasher.onnx")
    TREE.save(folder / "taxonomy.json")
    Generation(
        bits=BITS, objective={"name": "none"}, network=network, preprocessing=preprocessing,
        taxonomy_sha256=TREE.sha256, dataset_md5="0" * 32 + ".dir", code_revision={},
        evaluation={"protocol": "none"}, bit_health={}, reference={}, calibration=_calibration(),
    ).write(folder)  # fmt: skip
    return folder


def codes(kind: str, count: int) -> Codes:
    """uint8[count, 8]: `uniform`, or `clustered`, with 3 % of the bits of 500 centres flipped."""
    random = np.random.default_rng(0)
    if kind == "uniform":
        return random.integers(0, 256, (count, BITS // 8), np.uint8)
    return around(random.integers(0, 256, (_GROUPS, BITS // 8), np.uint8), count)


def around(centres: Codes, count: int) -> Codes:
    """uint8[count, 8]: codes of some of the centres uint8[n, 8], with 3 % of their bits flipped."""
    random = np.random.default_rng(0)
    found: Codes = centres[random.integers(0, len(centres), count)]
    for start in range(0, count, _CHUNK):
        part = found[start : start + _CHUNK]
        part ^= np.packbits(random.random((len(part), BITS), np.float32) < _NOISE, axis=1)
    return found


def encoded(generation: Path, pictures: list[bytes]) -> Codes:
    """uint8[n, 8]: the codes of pictures."""
    hasher = Hasher(generation)
    return hasher.encode_pixels(
        np.stack([read_pixels(one, hasher.generation.preprocessing) for one in pictures])
    )


def queries(known: Codes, count: int) -> Codes:
    """Codes of some items with up to two bits turned: uint8[count, 8]."""
    random = np.random.default_rng(1)
    some: Codes = known[random.integers(0, len(known), count)].copy()
    for _ in range(2):
        turned = np.uint8(1) << random.integers(0, 8, count, np.uint8)
        some[np.arange(count), random.integers(0, some.shape[1], count)] ^= turned
    return some


def pictures(network: str, count: int) -> list[bytes]:
    """Small grey PNGs for the demo's network; for the large one JPEGs of 640 x 480, of about 60 kB."""
    random = np.random.default_rng(2)
    if network == DEMO:
        size, _ = SIZES[DEMO]
        return [
            _saved(Image.fromarray(random.integers(0, 256, (size, size), np.uint8)), "PNG")
            for _ in range(count)
        ]
    coarse = random.integers(0, 256, (count, 30, 40, 3), np.uint8)
    return [
        _saved(Image.fromarray(one).resize((640, 480), Image.Resampling.BICUBIC), "JPEG") for one in coarse
    ]


def _saved(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **({"quality": 90} if form == "JPEG" else {}))
    return out.getvalue()


def _calibration() -> dict[str, object]:
    from taxohash.runtime.configuration import plain

    def by(greatest: float) -> Map:
        falling = Curve(scores=(0.0, greatest / 2, greatest), probabilities=(1.0, 0.4, 0.0))
        rising = Curve(scores=(0.0, 0.5, 1.0), probabilities=(0.0, 0.6, 1.0))
        return Map(shared=(falling,) * TREE.depth, predicted=(rising,) * TREE.depth)

    both = Rankings(hamming=by(BITS), weighted=by(1.0))
    found: dict[str, object] = plain(Calibration(nearest=K, learned_from="train", seen=both, new=both))
    return found
