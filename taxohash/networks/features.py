"""Frozen features: a backbone's output for a data set, computed once and kept on disk.

A cache folder holds one folder for each (weights, preprocessing, data set), in it one NumPy file for
each block of rows. A block is written whole or not at all, so an interrupted run goes on where it was.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taxohash.datasets import Dataset
from taxohash.errors import TaxohashError
from taxohash.images import READER, Preprocessing, read_pixels
from taxohash.networks.backbones import find_backbone
from taxohash.networks.batch_size import at_once
from taxohash.runtime.atomic import replacing, write_json
from taxohash.runtime.progress import bars

Features = npt.NDArray[np.float16]
BLOCK = 2000


@dataclass(frozen=True)
class Extractor:
    """A frozen backbone.

    Attributes:
        name: of the backbone.
        weights_sha256: identity of its weights.
        preprocessing: of the images it takes.
        module: normalised float[n, C, H, W] -> float[n, width].
    """

    name: str
    weights_sha256: str
    preprocessing: Preprocessing
    module: nn.Module

    def key(self, data_md5: str) -> dict[str, object]:
        """What the features of a data set depend on."""
        return {
            "backbone": self.name,
            "weights_sha256": self.weights_sha256,
            "preprocessing": self.preprocessing.as_dict(),
            "data_md5": data_md5,
        }

    @torch.inference_mode()
    def __call__(self, images: npt.NDArray[np.uint8]) -> Features:
        """uint8[n, C, H, W] -> float16[n, width], computed where the module lies."""
        device = next((parameter.device for parameter in self.module.parameters()), torch.device("cpu"))
        shape = (1, -1, 1, 1)
        mean = torch.tensor(self.preprocessing.mean, device=device).reshape(shape)
        std = torch.tensor(self.preprocessing.std, device=device).reshape(shape)
        inputs: Tensor = (torch.from_numpy(images).to(device).float() - mean) / std
        outputs: Tensor = self.module(inputs.contiguous(memory_format=torch.channels_last))
        features: Features = outputs.cpu().numpy().astype(np.float16)
        return features


def frozen(name: str, size: int, channels: int = 3, reader: int = READER) -> Extractor:
    """The backbone of this name with its pretrained weights.

    Raises:
        TaxohashError: as `find_backbone`, or there are no such weights of it, or they cannot be had.
    """
    known = find_backbone(name, size, channels)
    if not known.pretrained:
        raise TaxohashError(f"network {name!r} has no pretrained weights: use another")
    preprocessing = replace(known.preprocessing(size, channels), reader=reader)
    module, _ = known.make(preprocessing, True)
    module = module.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Extractor(name, _digest(module), preprocessing, module)


def features(dataset: Dataset, split: str, extractor: Extractor, cache: Path, block: int = BLOCK) -> Features:
    """float16[N, width] of a split, in the order of its rows; computed where the cache lacks it.

    Raises:
        TaxohashError: an image that cannot be decoded, or a cache file that is damaged.
    """
    count = dataset.count(split)
    blocks = []
    folder = _folder(cache, extractor.key(dataset.md5()))
    with bars() as progress:
        task = progress.add_task(f"features of {split}", total=count, note="")
        for start in range(0, count, block):
            rows = range(start, min(start + block, count))
            file = folder / f"{split}-{start:07d}-of-{count:07d}-by-{block}.npy"
            if not file.exists():
                values = np.concatenate(list(_extract(dataset, split, rows, extractor)))
                with replacing(file) as draft, draft.open("wb") as stream:
                    np.save(stream, values, allow_pickle=False)
            blocks.append(_load(file))
            progress.update(task, advance=len(rows))
    return np.concatenate(blocks)


def _digest(module: nn.Module) -> str:
    """sha256 of a module's weights."""
    digest = hashlib.sha256()
    for name, values in module.state_dict().items():
        digest.update(name.encode() + values.cpu().numpy().tobytes())
    return digest.hexdigest()


def _folder(cache: Path, key: dict[str, object]) -> Path:
    text = json.dumps(key, sort_keys=True)
    folder = cache / hashlib.sha256(text.encode()).hexdigest()[:16]
    write_json(folder / "key.json", key)
    return folder


def _extract(dataset: Dataset, split: str, rows: range, extractor: Extractor) -> Iterator[Features]:
    preprocessing = extractor.preprocessing
    batch: list[npt.NDArray[np.uint8]] = []
    for row, data in zip(rows, dataset.images(split, rows), strict=True):
        try:
            batch.append(read_pixels(data, preprocessing))
        except TaxohashError as error:
            raise TaxohashError(f"row {row} of {split} in {dataset.folder}: {error}") from None
        if len(batch) == at_once(preprocessing.shape) or row == rows[-1]:
            yield extractor(np.stack(batch))
            batch = []


def _load(file: Path) -> Features:
    try:
        values: Features = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise TaxohashError(f"features {file} are damaged: delete the file, it is computed again") from None
    return values
