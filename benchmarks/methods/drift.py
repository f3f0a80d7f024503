"""Drift: how often is a false alarm raised, and what is noticed?

    python -m benchmarks.methods.drift --data FOLDER [--foreign FOLDER]... [--work FOLDER]

Of a data set with labels, such as CIFAR-100, some training pictures train a hasher, and its test pictures are dealt out to the queries of the
evaluation, of which the reference is made, to the canaries, and to those who ask: the hasher has seen none of them. Then checks are made:
of pictures that are asked as they are, whose alarms are all false, and of such that are changed, are of other sets, or find half of the
items gone. Each check draws its pictures anew. What lies below `--work` is used again.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.common.command import start
from benchmarks.common.places import CIFAR100, RESULTS, data_set
from benchmarks.common.rows import Row, commits, run
from benchmarks.common.tables import publish, table
from taxohash.codes import unpack
from taxohash.datasets import Dataset, writer
from taxohash.drift.judge import Seen, common, judge, means
from taxohash.drift.noise import bounds, simulated_samples
from taxohash.drift.policy import Policy
from taxohash.drift.sample import Sample
from taxohash.drift.statistics import statistics
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import CODES, Hasher
from taxohash.generation.reference import Reference
from taxohash.images import Pixels, decode, load_pixels
from taxohash.release.recall import Catalogue, canary_codes, recall
from taxohash.release.reference import Found, answers

METHOD, BITS = "treecode", 48
LEARNED, QUERIES, CANARIES = 5000, 3000, 1000
REFERENCES, REFERENCE = 20, 2000
EPOCHS = 20
CHECKS, CHANGED_CHECKS = 10_000, 20
SIZES, RATES = (200, 1000), (365, 20)
CHANGED_SIZE = 300
SHOWN = 600  # pictures of a foreign set
Rows = npt.NDArray[np.int64]

FORMS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "blurred (Gaussian, radius 1)": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "darkened to 40 %": lambda image: ImageEnhance.Brightness(image).enhance(0.4),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "a tenth brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


def dealt(data: Path, work: Path) -> tuple[Path, Path]:
    """The data set to learn from, with canaries, and the one of those who ask."""
    own, fresh = work / "data", work / "fresh"
    if own.is_dir() and fresh.is_dir():
        return own, fresh
    source = Dataset.open(data)
    random = np.random.default_rng(0)
    order = random.permutation(source.count("test"))
    if len(order) < QUERIES + CANARIES + 2 * max(SIZES):
        raise TaxohashError(f"{data} has {len(order):,} test pictures: take a larger set, such as CIFAR-100")
    learned = np.sort(random.permutation(source.count("train"))[:LEARNED])
    parts = np.split(order, [QUERIES, QUERIES + CANARIES])
    splits = [("train", "train", learned), ("test", "test", parts[0]), ("canary", "test", parts[1])]
    writer.write_dataset(own, source.taxonomy, [(to, _rows(source, of, rows)) for to, of, rows in splits])
    writer.write_dataset(fresh, source.taxonomy, [("test", _rows(source, "test", parts[2]))])
    return own, fresh


def _rows(source: Dataset, split: str, rows: Rows) -> Iterator[writer.Row]:
    paths, labels = source.paths(split), source.labels(split)
    for row, picture in zip(np.sort(rows), source.images(split, np.sort(rows)), strict=True):
        yield writer.Row(picture, f"{split}/{paths[row]}", int(labels[row]))


def generation(data: Path, work: Path) -> Path:
    """A generation of a hasher that learned from it."""
    from taxohash.evaluation.run import evaluate_run
    from taxohash.release.export import export
    from taxohash.training.config import HasherConfig, NetworkConfig, TrainingConfig
    from taxohash.training.run import train

    config = HasherConfig(
        bits=BITS, network=NetworkConfig(name="small-resnet"), training=TrainingConfig(epochs=EPOCHS)
    )
    made = train(data, work / "run", config)
    if not (made.folder / "report.json").exists():
        evaluate_run(made.folder)
    return export(made.folder, work / "generations")


class Asking:
    """What a generation answers to any pictures.

    Attributes:
        kept: bool[N], which of its items are there.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self.hasher = Hasher(folder, threads=2)
        splits = [part["split"] for part in self.hasher.generation.database]
        self._found = Found.of_splits(Dataset.open(data), splits, np.load(folder / CODES), "train")
        self.kept = np.ones(len(self._found.codes), np.bool_)
        reference = Reference.load(folder)
        assert reference is not None
        self.reference = reference
        self.tops = [path[0] for path in self.hasher.taxonomy.class_paths(0)]

    @property
    def item_tops(self) -> npt.NDArray[np.int32]:
        """int32[N]: the top node of each item."""
        found: npt.NDArray[np.int32] = self.hasher.taxonomy.ancestors[self._found.labels, 0]
        return found

    def asked(self, pixels: Pixels) -> Sample:
        """Pictures uint8[N, C, H, W] as they would be looked at, had each been asked."""
        there = Found(
            self._found.codes[self.kept], self._found.labels[self.kept], self._found.seen[self.kept]
        )
        queries = self.hasher.model.encode_query_pixels(pixels)
        found = answers(queries, there, self.hasher.calibration, self.hasher.taxonomy)
        return Sample.of_reference(found, "queries")

    def read(self, images: Iterator[Image.Image]) -> Pixels:
        """What the network gets of images."""
        return np.stack([load_pixels(image, self.hasher.generation.preprocessing) for image in images])

    def recall(self) -> npt.NDArray[np.float64]:
        """float64[Q, levels]: that of each canary."""
        hasher, canaries = self.hasher, canary_codes(self.hasher)
        assert canaries is not None
        rows = np.flatnonzero(self.kept)
        held = Catalogue(
            [hasher.ids[row] for row in rows],
            [hasher.labels[row] for row in rows],
            hasher.taxonomy.paths,
            hasher.codes[rows],
        )
        return recall(held, canaries, hasher.bits, hasher.taxonomy.depth)


def of_rows(sample: Sample, rows: Rows) -> Sample:
    """Some pictures of a sample."""
    return Sample(
        sample.source,
        sample.codes[rows],
        sample.weights[rows],
        None if sample.top is None else sample.top[rows],
        None if sample.nearest is None else sample.nearest[rows],
        None if sample.unlike is None else sample.unlike[rows],
    )


def false_alarms(reference: Reference, fresh: Sample, tops: int, size: int, checks: int) -> dict[str, int]:
    """Of some checks of `size` pictures that are asked as they are, how many raise an alarm, by the rate that is stated."""
    before, columns = common(reference, fresh, tops)
    was = means(before, np.ones(len(reference)))
    policy = Policy()
    one = of_rows(fresh, np.arange(size))
    noise = simulated_samples(before, one, policy.simulations, np.random.default_rng(policy.seed))
    drawn = {rate: bounds(np.stack([*noise.values()], axis=1), 1 / rate).values for rate in RATES}
    random = np.random.default_rng(1)
    alarms = {str(rate): 0 for rate in RATES}
    for _ in range(checks):
        rows = random.permutation(len(fresh))[:size]
        now = means({name: part[rows] for name, part in columns.items()}, np.ones(size))
        values = np.array([*statistics(was, now, len(reference), size).values()])
        for rate, limits in drawn.items():
            alarms[str(rate)] += bool((values > limits).any())
    return alarms


def over_references(asked: Sample, bits: int, tops: int, size: int) -> dict[str, list[int]]:
    """The same of REFERENCES references, each of as many of the pictures, and checks of the others."""
    found: dict[str, list[int]] = {}
    for seed in range(REFERENCES):
        order = np.random.default_rng(seed).permutation(len(asked))
        own, others = of_rows(asked, order[:REFERENCE]), of_rows(asked, order[REFERENCE:])
        assert own.nearest is not None
        reference = Reference(bits, own.nearest, own.codes, own.top, own.unlike)
        for rate, count in false_alarms(reference, others, tops, size, CHECKS // 5).items():
            found.setdefault(rate, []).append(count)
    return found


def noticed(asking: Asking, sample: Sample, recalls: npt.NDArray[np.float64] | None = None) -> Row:
    """Of some checks of CHANGED_SIZE pictures, how many raise an alarm, and by which statistics."""
    nothing = Sample("items", np.empty((0, sample.codes.shape[1]), np.uint8), np.empty(0))
    random = np.random.default_rng(2)
    found: dict[str, int] = {}
    alarms = 0
    for _ in range(CHANGED_CHECKS):
        rows = random.choice(len(sample), CHANGED_SIZE, replace=len(sample) < CHANGED_SIZE)
        seen = Seen(of_rows(sample, rows), nothing, recalls, asking.hasher.taxonomy.levels, asking.tops)
        judged = judge(asking.reference, seen, Policy(false_alarms_every=365, simulations=7300))
        alarms += judged.verdict == "drifted"
        for one in judged.alarms:
            found[one.name] = found.get(one.name, 0) + 1
    return {"checks": CHANGED_CHECKS, "alarms": alarms, "by": found}


def changed(asking: Asking, fresh: Dataset, asked: Sample, foreign: list[Path]) -> Iterator[tuple[str, Row]]:
    """Everything that is to be noticed."""
    same = asking.recall()
    yield "nothing", noticed(asking, asked, same)
    for name, form in FORMS.items():
        pixels = asking.read(form(decode(data).convert("RGB")) for data in fresh.images("test", range(2000)))
        yield name, noticed(asking, asking.asked(pixels), same)
    random = np.random.default_rng(3)
    shape = asking.hasher.generation.preprocessing.shape
    yield "noise", noticed(asking, asking.asked(random.integers(0, 256, (400, *shape), np.uint8)), same)
    tops = asking.hasher.taxonomy.ancestors[fresh.labels("test"), 0]
    for times in (2, 4):
        often = np.concatenate([np.arange(len(tops)), np.tile(np.flatnonzero(tops == 0), times - 1)])
        yield f"{asking.tops[0]} asked {times} times as often", noticed(asking, of_rows(asked, often), same)
    stuck = unpack(asked.codes, BITS)
    stuck[:, 7] = 1
    codes = np.packbits(stuck, axis=1)
    yield (
        "bit 7 stuck",
        noticed(
            asking, Sample("queries", codes, asked.weights, asked.top, asked.nearest, asked.unlike), same
        ),
    )
    for folder in foreign:
        other = Dataset.open(folder)
        rows = range(min(other.count("test"), SHOWN))
        pixels = asking.read(decode(data).convert("RGB") for data in other.images("test", rows))
        yield f"pictures of {folder.resolve().name}", noticed(asking, asking.asked(pixels), same)
    pixels = fresh.pixels("test", asking.hasher.generation.preprocessing)
    for name, kept in (
        ("half of the items deleted", random.random(len(asking.kept)) < 0.5),
        ("the items of half of the superclasses deleted", asking.item_tops % 2 == 0),
    ):
        asking.kept = kept
        yield name, noticed(asking, asking.asked(pixels), asking.recall())


def measure(data: Path, foreign: list[Path], work: Path, task: Row) -> Row:
    """Train, and make all checks."""
    own, asked = dealt(data, work)
    asking, fresh = Asking(generation(own, work), own), Dataset.open(asked)
    sample = asking.asked(fresh.pixels("test", asking.hasher.generation.preprocessing))
    return {
        "data_md5": Dataset.open(data).md5(),
        "reference": len(asking.reference),
        "fresh": len(sample),
        "false": [
            {
                "size": size,
                "checks": CHECKS,
                "own": false_alarms(asking.reference, sample, len(asking.tops), size, CHECKS),
                "references": over_references(sample, BITS, len(asking.tops), size),
            }
            for size in SIZES
        ],
        "noticed": dict(changed(asking, fresh, sample, foreign)),
    }


def main(
    data: Annotated[Path, typer.Option(help="data set folder with splits train and test")] = CIFAR100,
    foreign: Annotated[list[Path] | None, typer.Option(help="sets whose test pictures are asked")] = None,
    work: Annotated[Path, typer.Option(help="where data, run and generation lie")] = Path(".cache/drift"),
) -> None:
    folders = [data_set(folder) for folder in foreign or []]
    task = {"data": data_set(data).resolve().name, "method": METHOD, "bits": BITS}
    rows: list[Row] = []
    run([task], rows, RESULTS / "drift.json", partial(measure, data, folders, work))
    publish(RESULTS / "drift.md", as_markdown(rows))


def as_markdown(rows: list[Row]) -> list[str]:
    """How often an alarm is raised."""
    (found,) = rows
    return [
        "# Drift",
        "",
        f"`python -m benchmarks.methods.drift`, {found['method']}, {found['bits']} bits, commit {commits(rows)}, {found['data']} ({found['data_md5']}): "
        f"{LEARNED:,} training pictures, a reference of {found['reference']:,} queries, {found['fresh']:,} pictures for those who ask.",
        "",
        "## False alarms",
        "",
        f"Checks of pictures that are asked as they are, drawn anew for each: {found['false'][0]['checks']:,} held against the generation's own reference, and "
        f"{found['false'][0]['checks'] // 5:,} each against {REFERENCES} others of {REFERENCE:,} of these pictures, with the standard error over them. What is "
        "stated is the mean over references: one has more, another fewer.",
        "",
        *table(
            [
                "pictures in a check",
                "stated",
                "its own reference",
                "other references, mean",
                "fewest to most",
            ],
            (
                [f"{row['size']:,}", f"1 in {rate}", *_rates(row, str(rate))]
                for row in found["false"]
                for rate in RATES
            ),
        ),
        "",
        "## What is noticed",
        "",
        f"Checks of {CHANGED_SIZE} pictures, and of the canaries, that raise an alarm at 1 false one in 365, and the statistics that do, by how often.",
        "",
        *table(
            ["asked", "alarms", "by"],
            (
                [
                    name,
                    f"{row['alarms']} of {row['checks']}",
                    ", ".join(
                        f"{statistic} {count}"
                        for statistic, count in sorted(row["by"].items(), key=lambda item: -item[1])
                    ),
                ]
                for name, row in found["noticed"].items()
            ),
        ),
    ]


def _rates(row: Row, rate: str) -> list[str]:
    """Shares of checks with an alarm, in per cent."""
    own = 100 * row["own"][rate] / row["checks"]
    others = 100 * np.array(row["references"][rate]) / (row["checks"] // 5)
    error = others.std(ddof=1) / np.sqrt(len(others))
    return [
        f"{own:.2f} %",
        f"{others.mean():.2f} +- {error:.2f} % (stated {100 / int(rate):.2f} %)",
        f"{others.min():.2f} to {others.max():.2f} %",
    ]


if __name__ == "__main__":
    start(main)
