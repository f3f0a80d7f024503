"""How far answers can be trusted: probabilities by level, and pictures that are like nothing a hasher was made of.

    python -m benchmarks.methods.unlike --data FOLDER [--data FOLDER]... [--foreign FOLDER]... [--work FOLDER]

For each data set a hasher is trained as `taxohash train` does it without an option, but that of many pictures the input is smaller, and its
answers are measured as `taxohash evaluate` measures them, on the features that training kept where the backbone is frozen. Then it is
shown the test pictures of the other sets, noise, plain colours, its own test pictures in other forms and, where its backbone is frozen,
classes that were kept from it: which share of each does it take for unlike anything it was made of? Runs lie below `--work`;
interrupted, the command goes on where it was.
"""

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image, ImageEnhance

from benchmarks.common.command import start
from benchmarks.common.places import RESULTS, data_set
from benchmarks.common.rows import Row, commits, read_rows, run
from benchmarks.common.tables import publish, table
from taxohash.codes import Queries
from taxohash.datasets import Dataset
from taxohash.images import Pixels, decode, load_pixels

METHOD, BITS, SEED = "treecode", 48, 0
MANY, SMALLER = 10_000, 96  # training pictures from which the input has so many pixels
SHOWN = 150  # pictures of a set
MADE = 100  # pictures of noise, and of plain colours
Features = npt.NDArray[np.float32]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image as it comes back from a JPEG file."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data).convert(image.mode)


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """The image with sides of this many times the length, 8 pixels at least."""
    width, height = (max(round(side * factor), 8) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


FORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 60": partial(jpeg, quality=60),
    "sides x 3": partial(scaled, factor=3),
    "sides / 2": partial(scaled, factor=0.5),
    "a quarter brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "grey": lambda image: image.convert("L").convert(image.mode),
}


def measure(folders: dict[str, Path], work: Path, task: Row) -> Row:
    """Train a hasher, measure its answers, and show it what it does not know."""
    from taxohash.evaluation.calibration import calibrate, calibration  # torch, and seconds
    from taxohash.evaluation.unlike import classes_of, some_of
    from taxohash.networks.hashing import encode_query_pixels
    from taxohash.networks.novelty import Novelty
    from taxohash.training.config import HasherConfig, NetworkConfig, TrainingConfig
    from taxohash.training.run import train

    folder = folders[task["data"]]
    hasher = HasherConfig(
        bits=task["bits"],
        network=NetworkConfig(size=task["size"]),
        training=TrainingConfig(seed=task["seed"]),
    )
    made, dataset = train(folder, work / task["data"], hasher), Dataset.open(folder)
    network, tree = made.network(), dataset.taxonomy
    labels, asked_labels = dataset.labels("train"), dataset.labels("test")
    learned, features = encoded(made, dataset, "train")
    asked, asked_features = encoded(made, dataset, "test")
    some = some_of(len(features))
    learned_pixels = dataset.pixels("train", network.preprocessing, rows=some.tolist())
    novelty = Novelty.fitted(features[some], learned_pixels, classes_of(tree, labels[some]))
    asked_pixels = dataset.pixels("test", network.preprocessing)
    scores = novelty_of(novelty, asked_features, asked_pixels)
    found = calibrate(asked, asked_labels, (learned.codes, labels), tree, task["bits"])
    kept = calibration(found, tree, scores, asked_labels, "train")

    def share(pixels: Pixels) -> float:
        """Of some pictures the share that is flagged."""
        strangeness = kept.strangeness(encode_query_pixels(network, pixels, novelty=novelty).novelty)
        assert strangeness is not None
        return round(float((strangeness > 1).mean()), 4)

    def read(images: Iterator[Image.Image]) -> Pixels:
        return np.stack([load_pixels(image, network.preprocessing) for image in images])

    flagged = {"known": kept.measured["unlike"]["flagged"]}
    flagged |= {name: share(pixels) for name, pixels in made_up(network.preprocessing.shape)}
    for name, other in folders.items():
        if name.split("-")[0] != task["data"].split("-")[0]:
            flagged[name] = share(read(pictures(Dataset.open(other))))
    if made.config.network.freeze:
        flagged["unseen classes"] = unseen(
            dataset, features[some], learned_pixels, labels[some], asked_features, asked_pixels
        )
    return {
        "data_md5": dataset.md5(),
        "network": made.config.network.name,
        "input": network.preprocessing.size,
        "queries": kept.measured["queries"],
        "measured": {name: kept.measured[name] for name in ("seen", "new")},
        "flagged": flagged,
        "forms": {name: share(read(map(form, pictures(dataset)))) for name, form in FORMS.items()},
    }


def encoded(made: Any, dataset: Dataset, split: str) -> tuple[Queries, Features]:
    """What a split's pictures ask with, and their features, which are kept in the run's folder where the backbone is frozen."""
    import torch

    from taxohash.networks.features import features, frozen
    from taxohash.networks.hashing import encode_with_features
    from taxohash.training.run import FEATURES

    network, chosen = made.network().eval(), made.config.network
    if not chosen.freeze:
        pixels = dataset.pixels(split, network.preprocessing)
        return encode_with_features(network, pixels, np.arange(len(pixels)), f"encoding {split}")
    extractor = frozen(chosen.name, chosen.size, chosen.channels, made.config.reader)
    values = features(dataset, split, extractor, made.folder / FEATURES).astype(np.float32)
    with torch.inference_mode():
        parts = [network.outputs(part).numpy() for part in torch.from_numpy(values).split(5000)]
    return Queries(np.concatenate(parts)), values


def novelty_of(novelty: Any, features: Features, pixels: Pixels) -> npt.NDArray[np.float32]:
    """float32[N, 2], of features float32[N, D] and the pictures that they are of."""
    import torch

    with torch.inference_mode():
        parts: list[npt.NDArray[np.float32]] = [
            novelty(
                *map(torch.from_numpy, (features[start : start + 500], pixels[start : start + 500]))
            ).numpy()
            for start in range(0, len(features), 500)
        ]
    return np.concatenate(parts)


def pictures(dataset: Dataset) -> Iterator[Image.Image]:
    """Some test pictures, evenly spread."""
    count = dataset.count("test")
    rows = np.unique(np.linspace(0, count - 1, min(count, SHOWN)).astype(np.int64))
    for data in dataset.images("test", rows):
        yield decode(data).convert("RGB")


def made_up(shape: tuple[int, ...]) -> Iterator[tuple[str, Pixels]]:
    """Noise, in single pixels and in blocks, and plain colours, black and white among them."""
    random = np.random.default_rng(0)
    channels, side, _ = shape
    yield "noise", random.integers(0, 256, (MADE, *shape), np.uint8)
    blocks = random.integers(0, 256, (MADE, channels, 16, 16), np.uint8)
    yield (
        "noise in 16 x 16 blocks",
        blocks.repeat(-(-side // 16), 2).repeat(-(-side // 16), 3)[:, :, :side, :side].copy(),
    )
    colours = random.integers(0, 256, (MADE, channels), np.uint8)
    colours[0], colours[1] = 0, 255
    yield "plain colours", np.broadcast_to(colours[..., None, None], (MADE, *shape)).copy()


def unseen(
    dataset: Dataset,
    features: Features,
    pixels: Pixels,
    labels: npt.NDArray[np.int32],
    asked_features: Features,
    asked_pixels: Pixels,
) -> float:
    """Of the test pictures of half of the classes the share that is flagged where only training pictures of the others were known."""
    from taxohash.evaluation.unlike import classes_of, limits
    from taxohash.networks.novelty import Novelty

    tree = dataset.taxonomy
    known = np.random.default_rng(0).permutation(len(tree))[: len(tree) // 2]
    rows = np.flatnonzero(np.isin(labels, known))
    novelty = Novelty.fitted(features[rows], pixels[rows], classes_of(tree, labels[rows]))
    scores = novelty_of(novelty, asked_features, asked_pixels)
    is_known = np.isin(dataset.labels("test"), known)
    return round(float((scores[~is_known] > limits(scores[is_known])).any(axis=1).mean()), 4)


def main(
    data: Annotated[list[Path], typer.Option(help="data set folders, each of which is learned from")],
    foreign: Annotated[list[Path] | None, typer.Option(help="further ones, which are only shown")] = None,
    work: Annotated[Path, typer.Option(help="where runs lie")] = Path(".cache/unlike"),
) -> None:
    folders = {folder.resolve().name: data_set(folder) for folder in (*data, *(foreign or []))}
    tasks: list[Row] = [
        {"data": folder.resolve().name, "method": METHOD, "bits": BITS, "seed": SEED}
        | {"size": SMALLER if Dataset.open(folder).count("train") > MANY and is_coloured(folder) else None}
        for folder in data
    ]
    rows = read_rows(RESULTS / "unlike.json")
    run(tasks, rows, RESULTS / "unlike.json", partial(measure, folders, work))
    publish(RESULTS / "unlike.md", as_markdown(rows))


def is_coloured(folder: Path) -> bool:
    """Whether training pictures of a set have colours: those of none are learned from at their own size."""
    from taxohash.datasets.shape import picture_shape

    return not picture_shape(Dataset.open(folder), "train").all_grey


def as_markdown(rows: list[Row]) -> list[str]:
    """What probabilities are worth, and which share of what is flagged."""
    head = (
        f"`python -m benchmarks.methods.unlike`, {METHOD}, {BITS} bits, seed {SEED}, commit {commits(rows)}. "
        + "; ".join(
            f"{row['data']} ({row['data_md5']}), {row['network']} at {row['input']} px" for row in rows
        )
        + "."
    )
    return [
        "# How far answers can be trusted",
        "",
        head,
        "",
        "## Probabilities",
        "",
        "Expected calibration error (15 bins of equal mass) / Brier skill over the base rate, on the ten nearest of held-out queries, each half of "
        "which is measured by maps fitted to the other. *Seen* is the training split, *new* the other queries of the same half.",
        "",
        *table(["set, queries", "level", "base rate", *(name for name, *_ in MAPS)], _probabilities(rows)),
        "",
        "## The query's own path",
        "",
        "The same of the probability that the node told for the query at a level is right; and in brackets the share of queries whose path is told "
        "so far, where it is cut as soon as it is no more likely right than wrong.",
        "",
        *table(["set", "level", *(name for name, *_ in MAPS)], _paths(rows)),
        "",
        "## Unlike anything it was made of",
        "",
        "Share of pictures that are flagged, in per cent.",
        "",
        *table(["pictures", *(row["data"] for row in rows)], _shares(rows, "flagged")),
        "",
        "Its own test pictures in other forms, which are to be flagged as seldom as the known ones:",
        "",
        *table(["form", *(row["data"] for row in rows)], _shares(rows, "forms")),
    ]


MAPS = (
    ("seen, by weights", "seen", "weighted"),
    ("seen, Hamming", "seen", "hamming"),
    ("new, by weights", "new", "weighted"),
    ("new, Hamming", "new", "hamming"),
)


def _worth(told: dict[str, Any] | None) -> str:
    if told is None:
        return ""
    skill = "-" if told["brier_skill"] is None else f"{told['brier_skill']:.3f}"
    return f"{told['ece']:.3f} / {skill}"


def _probabilities(rows: list[Row]) -> Iterator[list[str]]:
    for row in rows:
        for level, told in row["measured"]["seen"]["weighted"]["shared"].items():
            new = row["measured"]["new"]["weighted"]["shared"][level]
            base = " / ".join(f"{one['base_rate']:.2f}" for one in (told, new) if one)
            cells = [_worth(row["measured"][of][by]["shared"][level]) for _, of, by in MAPS]
            yield [f"{row['data']}, {row['queries']:,}", level, base, *cells]


def _paths(rows: list[Row]) -> Iterator[list[str]]:
    for row in rows:
        for level in row["measured"]["seen"]["weighted"]["predicted"]:
            found = [row["measured"][of][by] for _, of, by in MAPS]
            cells = [f"{_worth(one['predicted'][level])} ({100 * one['told'][level]:.0f} %)" for one in found]
            yield [row["data"], level, *cells]


def _shares(rows: list[Row], of: str) -> Iterator[list[str]]:
    for name in dict.fromkeys(name for row in rows for name in row[of]):
        yield [name, *(f"{100 * row[of][name]:.1f}" if name in row[of] else "" for row in rows)]


if __name__ == "__main__":
    start(main)
