"""A run: one training of one network by one objective on one data set, in one directory.

config.json             everything that decides the result
checkpoint.safetensors  after each epoch; gone once training is complete
features                of a frozen backbone, which the baseline of the evaluation takes as well
log.jsonl, curves.png   losses by epoch
weights.safetensors     `network.*` and `objective.*`
report.json, report.html  written by the evaluation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxohash.datasets import Dataset
from taxohash.datasets.layout import outside
from taxohash.datasets.shape import picture_shape
from taxohash.datasets.splits import refuse_canary
from taxohash.errors import TaxohashError
from taxohash.images import READER
from taxohash.runtime import drawing
from taxohash.runtime.atomic import read_json, replacing, write_json
from taxohash.runtime.configuration import Count, configuration, flat, plain, read
from taxohash.runtime.progress import announce
from taxohash.runtime.provenance import revision
from taxohash.runtime.schema_words import shown
from taxohash.training.config import HasherConfig
from taxohash.training.shaping import ShapedNetworkConfig, shaped

if TYPE_CHECKING:
    from torch import Tensor, nn

    from taxohash.networks.hashing import HashingNetwork
    from taxohash.objectives import AnyObjective

# What a run is can be read without torch; whatever trains or computes imports it.
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
FEATURES = "features"


@configuration
class RunConfig(HasherConfig):
    """What decides the result of a run: a hasher's configuration and its data. Runs with the same are the same run.

    Attributes:
        network: what is trained, with what the images gave it where nothing was chosen.
        dataset: folder of the data set; where it lies decides nothing.
        dataset_md5: what lies there.
        split: that is learned from.
        taxonomy_sha256: of its label tree.
        reader: version of the reader that decoded the images; runs of before it was recorded used the first.
    """

    network: ShapedNetworkConfig = field()
    dataset: str
    dataset_md5: str
    split: str
    taxonomy_sha256: str
    reader: Count = 1


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it lies.
        config: what decided it.
        provenance: command, commit and version that made it.
    """

    folder: Path
    config: RunConfig
    provenance: dict[str, str]

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open a finished run.

        Raises:
            TaxohashError: no run there, or one that was interrupted.
        """
        path = Path(folder)
        config, provenance = _recorded(path, "give the directory that `taxohash train --out` wrote")
        if not (path / WEIGHTS).is_file():
            raise TaxohashError(f"run {path} was not finished: repeat its `taxohash train` to continue it")
        return cls(path, config, provenance)

    def dataset(self, folder: str | Path | None = None) -> Dataset:
        """The data set it was trained on, whose bytes are checked against the run's md5.

        Raises:
            TaxohashError: the folder is absent or holds other data.
        """
        if folder is None and not Path(self.config.dataset).is_dir():
            raise TaxohashError(
                f"data set {self.config.dataset} of run {self.folder} is not there: name its folder now, by --data or data="
            )
        dataset = Dataset.open(folder or self.config.dataset)
        if (md5 := dataset.md5()) != self.config.dataset_md5:
            raise TaxohashError(
                f"data set {dataset.folder} has md5 {md5}, run {self.folder} was trained on "
                f"{self.config.dataset_md5}: give the folder with that data"
            )
        return dataset

    def network(self) -> "HashingNetwork":
        """The trained network, in evaluation mode: the signs of its outputs are the code."""
        return self._network(self._stored())

    def trained(self, dataset: Dataset) -> "tuple[HashingNetwork, AnyObjective]":
        """The network as above, and the objective with its learned state; the weights are read once."""
        from taxohash.training.checkpoint import load_part

        stored = self._stored()
        objective = _objective(self.config, dataset)
        load_part(self.folder / WEIGHTS, stored, "objective", objective)
        return self._network(stored), objective

    def _stored(self) -> "Mapping[str, Tensor]":
        from taxohash.training.checkpoint import read_weights

        return read_weights(self.folder / WEIGHTS)

    def _network(self, stored: "Mapping[str, Tensor]") -> "HashingNetwork":
        import torch

        from taxohash import objectives
        from taxohash.training.checkpoint import load_part, state_of

        config, file = self.config, self.folder / WEIGHTS
        bias = stored.get("network.hash.bias")
        if bias is None or bias.ndim != 1:
            raise TaxohashError(f"weights {file} hold no hash layer: train again")
        kind = objectives.objective(config.objective.name)
        options = objectives.configured(config.objective.name, config.objective.options)
        made = _network(config, len(bias), kind.branches(options))
        load_part(file, stored, "network", made)
        try:
            made.code = kind.code_layer(state_of("objective", stored), options)
            bits = made.eval()(torch.zeros(1, *made.preprocessing.shape)).shape[1]
        except (KeyError, RuntimeError):
            raise TaxohashError(f"weights {file} are not of objective {kind.name!r}: train again") from None
        if bits != config.bits:
            raise TaxohashError(f"weights {file} give {bits} bits, not {config.bits}: train again")
        return made


def train(data: str | Path, out: str | Path, hasher: HasherConfig | None = None, split: str = "train") -> Run:
    """Train a hasher into the directory `out`; repeated, it continues where it was interrupted.

    Raises:
        TaxohashError: bad configuration or data, the split is `canary`, or `out` lies inside the data or holds a run with
            another configuration.
    """
    import torch

    from taxohash.training import distributed
    from taxohash.training.checkpoint import CHECKPOINT, save_weights
    from taxohash.training.fit import check_fit, fit

    refuse_canary(split, "trained on")
    hasher = (hasher or HasherConfig()).completed()
    dataset = Dataset.open(data)
    folder = outside(Path(out), dataset.folder)
    config, taken = _for_data(hasher, dataset, split)
    torch.manual_seed(config.training.seed)
    loss = _objective(config, dataset)
    made = _network(config, loss.width, loss.branches(loss.config), pretrained=True, heads=loss.heads)
    learner: nn.Module = made.after_backbone() if config.network.freeze else made
    shape = (made.width,) if config.network.freeze else made.preprocessing.shape
    check_fit(learner, loss, shape, config.training)
    _claim(folder, config)
    if not (folder / WEIGHTS).is_file():
        if distributed.rank() == 0:
            announce(taken)
        inputs = _inputs(config, dataset, made, folder)
        with distributed.group():
            log = fit(learner, loss, inputs, config.training, folder, distributed.device())
            made.heads.clear()  # what follows needs the codes alone
            if distributed.rank() == 0:
                _plot(log, folder / "curves.png")
                save_weights(folder / WEIGHTS, made, loss)
                (folder / CHECKPOINT).unlink(missing_ok=True)
            distributed.barrier()
    return Run.open(folder)


def _inputs(config: RunConfig, dataset: Dataset, network: "HashingNetwork", folder: Path) -> "Tensor":
    """What is learned from: images, or features of the frozen backbone, which an interrupted run finds again."""
    import torch

    if not config.network.freeze:
        return torch.from_numpy(dataset.pixels(config.split, network.preprocessing))
    from taxohash.networks.features import features, frozen
    from taxohash.training import distributed

    chosen = config.network
    extractor = frozen(chosen.name, chosen.size, chosen.channels, config.reader)
    extractor.module.to(distributed.device())
    return torch.from_numpy(features(dataset, config.split, extractor, folder / FEATURES)).float()


def _network(
    config: RunConfig,
    outputs: int,
    branches: int,
    pretrained: bool = False,
    heads: Mapping[str, int] | None = None,
) -> "HashingNetwork":
    from taxohash.networks.hashing import network

    chosen = config.network
    return network(
        chosen.name,
        outputs,
        chosen.size,
        chosen.channels,
        pretrained,
        heads,
        config.reader,
        chosen.freeze,
        branches,
    )


def _objective(config: RunConfig, dataset: Dataset) -> "AnyObjective":
    from taxohash import objectives
    from taxohash.training.supervise import supervision

    name = config.objective.name
    known = supervision(objectives.objective(name), dataset, config.split)
    setting = objectives.Setting(config.bits, dataset.taxonomy, known)
    return objectives.build(name, setting, config.objective.options)


def _claim(folder: Path, config: RunConfig) -> None:
    if not (folder / CONFIG).exists():
        write_json(folder / CONFIG, {"config": plain(config), "provenance": revision()})
        return
    recorded, _ = _recorded(folder, "choose another --out")
    ours, theirs = flat(plain(config)), flat(plain(recorded.completed()))
    for path in ours:
        if path != "dataset" and ours[path] != theirs.get(path):
            raise TaxohashError(
                f"{folder} holds a run with {path} = {shown(theirs.get(path))}, not {shown(ours[path])}: "
                "choose another --out or remove it"
            )


def _recorded(folder: Path, remedy: str) -> tuple[RunConfig, dict[str, str]]:
    """Configuration and provenance of the run in `folder`."""
    data = read_json(folder / CONFIG, remedy)
    try:
        config, provenance = read(RunConfig, data["config"]), data["provenance"]
        if not isinstance(provenance, dict):
            raise TypeError("its provenance is no object")
        return config, provenance
    except (TaxohashError, KeyError, TypeError) as error:
        raise TaxohashError(
            f"{folder / CONFIG} is not a run's configuration ({error}): train again into another directory"
        ) from None


def _for_data(hasher: HasherConfig, dataset: Dataset, split: str) -> tuple[RunConfig, str]:
    """The configuration of a run on these data, and what it took of them, in words."""
    data = plain(hasher)
    pictures = picture_shape(dataset, split)
    network = shaped(hasher, pictures)
    data["network"] = plain(network)
    data["training"]["epochs"] = hasher.training.passes(dataset.count(split))
    known = {
        "dataset": str(dataset.folder),
        "dataset_md5": dataset.md5(),
        "split": split,
        "taxonomy_sha256": dataset.taxonomy.sha256,
        "reader": READER,
    }
    words = f"{network.name}{', frozen' if network.freeze else ''}"
    colour = "grey" if network.channels == 1 else "RGB"
    return read(RunConfig, data | known), f"{words}, input {network.size} px, {colour}: {pictures}"


@drawing.plain_text()
def _plot(log: Sequence[Mapping[str, Any]], file: Path) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    names = [name for name in log[0] if name not in ("epoch", "seconds", "lr")]
    for name in names:
        axes.plot([r["epoch"] for r in log], [r[name] for r in log], marker="o", ms=3)
    axes.set(xlabel="epoch", ylabel="mean over the training set", title="Loss and its terms")
    if any(record[name] > 0 for record in log for name in names):  # of a single class all may be zero
        axes.set_yscale("log")
        for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            formatter(LogFormatter(labelOnlyBase=False))  # the usual one writes mathematics
    axes.grid(alpha=0.3)
    drawing.legend(axes, [drawing.short(name) for name in names], fontsize=8)
    with replacing(file) as draft:
        figure.savefig(draft, dpi=120)
