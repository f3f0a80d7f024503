"""Turning images into codes with an exported hasher: ONNX Runtime, no torch."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from taxohash.codes import Codes, Queries, check, code_bytes, pack
from taxohash.errors import TaxohashError
from taxohash.generation.calibration import KINDS
from taxohash.generation.canaries import CANARIES, Canaries
from taxohash.generation.file import ItemsFile
from taxohash.generation.manifest import Generation
from taxohash.images import Picture, Pixels, Preprocessing, load_pixels
from taxohash.runtime.atomic import read_json
from taxohash.runtime.configuration import read
from taxohash.taxonomy import Taxonomy

# Files of a generation beside its manifest.
MODEL = "hasher.onnx"
CODES = "codes.npy"
CENTRES = "centres.npy"
ITEMS = "items.json"
MOST_THREADS = 1024
BLOCK = 1024  # images that are decoded before they are encoded

Outputs = npt.NDArray[np.float32]


class Model:
    """An exported network. Safe to call from several threads.

    Attributes:
        shape: of one input, (C, H, W).
        bits: outputs of the network.
        tells_novelty: whether it says how unlike what it was made of an image is.

    Raises:
        TaxohashError: the file is no such network.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
            puts = [*self._session.get_inputs(), *self._session.get_outputs()]
            described = [(put.name, put.type, *put.shape) for put in puts]
        except Exception:  # ONNX Runtime raises whatever its parser meets
            raise TaxohashError(f"{file} cannot be read as ONNX: export it again") from None
        self.shape: tuple[int, ...]
        self.bits: int
        self.tells_novelty = [put[:2] + put[3:] for put in described[2:]] == [
            ("novelty", "tensor(float)", KINDS)
        ]
        match described:
            case [("images", "tensor(uint8)", _, *shape), ("outputs", "tensor(float)", _, bits), *more] if (
                len(more) == self.tells_novelty
            ):
                self.shape, self.bits = tuple(shape), bits
            case _:
                raise TaxohashError(f"{file} is no network that maps images to outputs: export it again")

    def outputs(self, pixels: Pixels) -> Outputs:
        """Real-valued outputs float32[N, bits] of uint8[N, C, H, W]."""
        (result,) = self._session.run(["outputs"], {"images": pixels})
        return result  # type: ignore[no-any-return]

    def queries(self, pixels: Pixels) -> Queries:
        """What uint8[N, C, H, W] ask with."""
        if not self.tells_novelty:
            return Queries(self.outputs(pixels))
        return Queries(*self._session.run(["outputs", "novelty"], {"images": pixels}))

    def encode_pixels(self, pixels: Pixels, batch: int = 256) -> Codes:
        """Packed codes uint8[N, ceil(bits/8)] of uint8[N, C, H, W]."""
        codes = np.empty((len(pixels), code_bytes(self.bits)), np.uint8)
        for start in range(0, len(pixels), batch):
            codes[start : start + batch] = pack(self.outputs(pixels[start : start + batch]))
        return codes

    def encode_query_pixels(self, pixels: Pixels, batch: int = 256) -> Queries:
        """What uint8[N, C, H, W] ask with."""
        outputs = np.empty((len(pixels), self.bits), np.float32)
        novelty = np.empty((len(pixels), KINDS), np.float32) if self.tells_novelty else None
        for start in range(0, len(pixels), batch):
            part = self.queries(pixels[start : start + batch])
            outputs[start : start + batch] = part.outputs
            if novelty is not None:
                novelty[start : start + batch] = part.novelty
        return Queries(outputs, novelty)


class Hasher:
    """The hasher of one generation. Safe to call from several threads.

    Attributes:
        folder: where it lies.
        generation: the manifest, checked against every byte of the folder.
        taxonomy: the label tree.
        centres: uint8[C, B], codes of the finest classes' centres, or None.
        calibration: how far its answers can be trusted; None where it does not know.
        projection: a map of its codes; None where none was made.
        model: the network.
    """

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        """Open a generation's folder after checking every byte of it.

        Raises:
            TaxohashError: see Generation.load; or the model is not the one the manifest describes, or no number of
            threads.
        """
        if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
            raise TaxohashError(f"threads = {threads!r}: give a whole number from 1 to {MOST_THREADS}")
        self.folder, self._threads = Path(folder).absolute(), threads
        folder = Path(folder)
        self.generation = Generation.load(folder)
        self.taxonomy = Taxonomy.load(folder)
        self.centres: Codes | None = None
        if CENTRES in self.generation.files:
            self.centres = self._packed(CENTRES, len(self.taxonomy))
        self.calibration = self.generation.calibrated
        if self.calibration and not self.calibration.levels <= {self.taxonomy.depth}:
            raise TaxohashError(
                f"generation {self.generation.id} is calibrated for {max(self.calibration.levels)} levels, its taxonomy has "
                f"{self.taxonomy.depth}: export it again"
            )
        self.projection = self.generation.mapped
        if self.projection and self.projection.bits != self.generation.bits:
            raise TaxohashError(
                f"generation {self.generation.id} has a map of codes of {self.projection.bits} bits, and codes of "
                f"{self.generation.bits}: export it again"
            )
        self.model = Model(folder / MODEL, threads)
        preprocessing = self.generation.preprocessing
        if self.model.shape != preprocessing.shape or self.model.bits != self.generation.bits:
            raise TaxohashError(
                f"{folder / MODEL} maps {self.model.shape} to {self.model.bits} bits, generation "
                f"{self.generation.id} says {preprocessing.shape} to {self.generation.bits}: export it again"
            )

    def __reduce__(self) -> tuple[type["Hasher"], tuple[Path, int]]:
        """Pickled, it is its folder, which is opened again in the other process."""
        return type(self), (self.folder, self._threads)

    @property
    def bits(self) -> int:
        """Length of a code."""
        return self.generation.bits

    @cached_property
    def codes(self) -> Codes:
        """uint8[N, ceil(bits/8)]: the codes that the generation was made with.

        Raises:
            TaxohashError: there are none, or not as many as the manifest says.
        """
        database = self.generation.database
        return self._packed(CODES, sum(part["rows"] for part in database) if database else None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of the item of each code."""
        return self._items.ids

    @property
    def labels(self) -> tuple[tuple[int, ...], ...]:
        """The labels of the item of each code, as numbers in the taxonomy; none where they are not known."""
        return self._items.labels

    @property
    def learned(self) -> frozenset[str]:
        """The ids of the items that the hasher was trained on, as far as it holds codes of them and says so."""
        found: list[str] = []
        first = 0
        for part in self.generation.database:
            if self.calibration is not None and part["split"] == self.calibration.learned_from:
                found += self.ids[first : first + part["rows"]]
            first += part["rows"]
        return frozenset(found)

    @property
    def canaries(self) -> Canaries | None:
        """Pictures to watch it with, read anew; None where it has none.

        Raises:
            TaxohashError: their file is damaged, or has labels that the taxonomy has not.
        """
        canaries = Canaries.load(self.folder)
        if canaries and max((label for own in canaries.labels for label in own), default=0) >= len(
            self.taxonomy
        ):
            raise TaxohashError(
                f"{self.folder / CANARIES} has labels that are not in its taxonomy: export the generation again"
            )
        return canaries

    def below(self, node: str) -> npt.NDArray[np.bool_]:
        """bool[N]: which of the codes are of items below a node of the taxonomy, such as 'apparel/tops'.

        Raises:
            TaxohashError: no such node.
        """
        below = set(self.taxonomy.subtree(node).tolist())
        return np.array([not below.isdisjoint(own) for own in self.labels], np.bool_)

    @cached_property
    def _items(self) -> ItemsFile:
        file, remedy = self.folder / ITEMS, "export the generation again"
        data = read_json(file, remedy)
        try:
            items = read(ItemsFile, data)
        except TaxohashError as error:
            raise TaxohashError(f"{file} does not name the items of its codes ({error}): {remedy}") from None
        highest = max((label for own in items.labels for label in own), default=-1)
        if not len(items.ids) == len(items.labels) == len(self.codes) or highest >= len(self.taxonomy):
            raise TaxohashError(
                f"{file} has {len(items.ids)} ids and {len(items.labels)} lists of labels up to {highest} for "
                f"{len(self.codes)} codes and {len(self.taxonomy)} labels: {remedy}"
            )
        return items

    def encode(self, images: Iterable[Picture]) -> Codes:
        """Packed codes uint8[N, ceil(bits/8)] of images: files, their bytes, Pillow images, arrays uint8[H, W, 3].

        What is decoded already is taken as it is; only files and bytes are turned upright. Of a generator no more
        than BLOCK images are held at once.

        Raises:
            TaxohashError: no images, or one that cannot be read or decoded; names the file, or counts from 0.
        """
        codes: list[Codes] = [np.empty((0, code_bytes(self.bits)), np.uint8)]
        codes += map(self.encode_pixels, self._blocks(images))
        return np.concatenate(codes)

    def encode_queries(self, images: Iterable[Picture]) -> Queries:
        """What images ask with, as `encode` takes them: their codes, and the weights of the codes' bits.

        Raises:
            TaxohashError: see `encode` and `encode_query_pixels`.
        """
        found = [self.encode_query_pixels(pixels) for pixels in self._blocks(images)]
        outputs = [np.empty((0, self.bits), np.float32), *(part.outputs for part in found)]
        novelty = [
            np.empty((0, KINDS), np.float32),
            *(part.novelty for part in found if part.novelty is not None),
        ]
        return Queries(np.concatenate(outputs), np.concatenate(novelty) if self.model.tells_novelty else None)

    def encode_pixels(self, pixels: Pixels) -> Codes:
        """Packed codes uint8[N, ceil(bits/8)] of preprocessed images uint8[N, C, H, W].

        Raises:
            TaxohashError: an array of another shape or type.
        """
        return self.model.encode_pixels(self._checked(pixels))

    def encode_query_pixels(self, pixels: Pixels) -> Queries:
        """What preprocessed images uint8[N, C, H, W] ask with, see `encode_queries`.

        Raises:
            TaxohashError: an array of another shape or type, or a network whose outputs are not finite.
        """
        found = self.model.encode_query_pixels(self._checked(pixels))
        if not np.isfinite(found.outputs).all():
            raise TaxohashError(
                f"hasher of generation {self.generation.id} gives a picture NaN or infinity: train another"
            )
        return found

    def _blocks(self, images: Iterable[Picture]) -> Iterator[Pixels]:
        """Images as the network takes them, some at a time."""
        preprocessing = self.generation.preprocessing
        pixels = (_pixels(number, image, preprocessing) for number, image in enumerate(_several(images)))
        while block := list(islice(pixels, BLOCK)):
            yield np.stack(block)

    def _checked(self, pixels: Pixels) -> Pixels:
        """Pixels of the shape and type that the network takes."""
        shape, pixels = self.generation.preprocessing.shape, np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.shape != (len(pixels) if pixels.ndim else 0, *shape):
            raise TaxohashError(
                f"pixels are {pixels.dtype}{[*pixels.shape]}: give uint8[N, {', '.join(map(str, shape))}], "
                "or images to encode()"
            )
        return pixels

    def _packed(self, name: str, rows: int | None) -> Codes:
        """The codes in a file of the generation."""
        file = self.folder / name
        try:
            found = np.lib.format.open_memmap(file, mode="r")  # takes no more memory than the file has bytes
        except OSError as error:
            raise TaxohashError(
                f"{file} cannot be read ({error.strerror}): export the generation again"
            ) from None
        except Exception:  # NumPy raises whatever its parser meets
            raise TaxohashError(f"{file} holds no array: export the generation again") from None
        return np.array(check(found, self.bits, f"codes of {file}", rows))


def _several(images: Any) -> Iterable[Picture]:
    """The images, of which a single one is not taken for a list of its parts."""
    array = isinstance(images, np.ndarray)
    if isinstance(images, str | Path | bytes | Image.Image) or (array and images.ndim < 4):
        raise TaxohashError(
            f"{f'array {[*images.shape]}' if array else type(images).__name__} is one image, or none: give a list of images"
        )
    if not isinstance(images, Iterable):
        raise TaxohashError(f"{type(images).__name__} is no list of images: give files, bytes or images")
    return images


def _pixels(number: int, image: Picture, preprocessing: Preprocessing) -> Pixels:
    try:
        return load_pixels(image, preprocessing)
    except TaxohashError as error:
        if isinstance(image, str | Path):  # its name is in the sentence
            raise
        raise TaxohashError(f"image {number}: {error}") from None
