"""What is known of images, by rows; and toys of every kind that learn, are evaluated, exported and catalogued."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from pipelines.shared.items import items
from services.codestore.pictures import Pictures
from taxohash.datasets import Dataset
from taxohash.datasets.layout import LabelColumn
from taxohash.errors import TaxohashError
from taxohash.evaluation.run import evaluate_generation, evaluate_run
from taxohash.generation.hasher import CENTRES, CODES, MODEL, Model
from taxohash.generation.manifest import Generation
from taxohash.objectives import objectives, register
from taxohash.objectives.supervision import Labels, LabelSets, Pairs, Supervision, Triplets, Unlabelled
from taxohash.release.export import export
from taxohash.runtime.configuration import replaced
from taxohash.training.checkpoint import read_weights
from taxohash.training.run import Run, train
from tests.support.miniature import EPOCHS, HASHER, SETS, make_dataset
from tests.support.toy_objectives import SharedLabels, WithHead, registered

BITS = 16


@pytest.mark.parametrize(
    "known",
    [
        Labels(torch.tensor([3, 0, 1, 1])),
        LabelSets(torch.tensor([[True, False], [False, False], [True, True], [False, True]])),
        Pairs(torch.tensor([[0, 1], [2, 0], [1, 1], [5, 4]]), torch.tensor([1.0, 0.0, 0.5, 1.0])),
        Triplets(torch.tensor([[0, 1, 2], [2, 0, 1], [1, 1, 0], [5, 4, 3]])),
    ],
)
def test_what_is_known_of_some_is_their_rows(known: Supervision) -> None:
    examples = torch.tensor([2, 0, 2])
    some = known[examples].to("cpu")
    assert type(some) is type(known)
    assert (len(known), len(some)) == (4, 3)
    for name, tensor in vars(known).items():
        assert torch.equal(vars(some)[name], tensor[examples])


def test_of_unlabelled_images_their_number_is_known() -> None:
    assert len(Unlabelled(5)[torch.tensor([4, 0])].to("cpu")) == 2


def test_an_example_shows_the_images_that_are_compared() -> None:
    examples = torch.tensor([1, 0])
    triplets = torch.tensor([[0, 1, 2], [2, 0, 1]])
    assert Labels(torch.zeros(2)).images(examples) is examples
    assert Triplets(triplets).images(examples).tolist() == [[2, 0, 1], [0, 1, 2]]
    assert Pairs(triplets[:, :2], torch.ones(2)).images(examples).tolist() == [[2, 0], [0, 1]]


def test_an_objective_from_elsewhere_is_registered_under_a_name_of_its_own() -> None:
    assert SharedLabels.name not in objectives()
    with registered():
        assert objectives()[SharedLabels.name] is SharedLabels
        assert register(SharedLabels) is SharedLabels
        other = type("Other", (WithHead,), {"name": SharedLabels.name})
        with pytest.raises(TaxohashError, match="'toy-sets' is known already: give Other another name"):
            register(other)
    with pytest.raises(TaxohashError, match="known already"):
        register(type("Mine", (WithHead,), {"name": "csq"}))


@dataclass(frozen=True)
class Case:
    """A toy, and how the images it learns from and the queries are labelled."""

    objective: str
    known: LabelColumn | None
    asked: LabelColumn
    protocol: str
    chance: float  # a query's mean share of relevant images
    augment: Literal["none", "crop"] = "none"


CASES = (
    Case("toy-sets", "labels", "labels", "multilabel", 0.29),
    Case("toy-sets", "label", "label", "hierarchical", 1 / 6),
    Case("toy-unlabelled", None, "label", "barz", 1 / 6),
    Case("toy-views", "labels", "labels", "flat", 0.29, "crop"),
    Case("toy-head", "label", "label", "hierarchical", 1 / 6),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.objective}-{case.known}")
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def trained(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dataset, Run]]:
    folder = tmp_path_factory.mktemp(case.objective)
    data = make_dataset(folder / "data", known=case.known, asked=case.asked)
    chosen = {"objective.name": case.objective, "bits": BITS, "training.augment": case.augment}
    with registered():
        yield data, train(data.folder, folder / "run", replaced(HASHER, chosen))


def test_it_learns_is_exported_and_catalogued(
    case: Case, trained: tuple[Dataset, Run], tmp_path: Path
) -> None:
    data, run = trained
    report = evaluate_run(run.folder, protocol=case.protocol)
    assert report.metrics["mAP"] > 2 * case.chance

    folder = export(run.folder, tmp_path)
    generation = Generation.load(folder)
    assert generation.objective == {"name": case.objective, "config": {"quantisation": 0.1}}
    assert Model(folder / MODEL).bits == BITS
    assert not (folder / CENTRES).exists()
    assert len(np.load(folder / CODES, allow_pickle=False)) == data.count("train") + data.count("test")
    assert evaluate_generation(folder, data.folder, case.protocol).headline == pytest.approx(report.headline)

    shares = generation.reference["class_share"]
    numbers, pictures = np.arange(len(data.taxonomy), dtype=np.int32), Pictures.open(tmp_path / "pictures")
    batches = items(data, "train", numbers=numbers, pictures=pictures)
    catalogued = [list(item.labels) for batch in batches for item in batch]
    if case.known is None:
        assert shares is None
        assert catalogued == [[]] * data.count("train")
    else:
        assert shares == pytest.approx([1 / 6] * 6, abs=1e-6)
        assert catalogued == [own.tolist() for own in data.label_sets("train")]


def test_what_only_training_needs_is_not_kept(trained: tuple[Dataset, Run]) -> None:
    _, run = trained
    names = read_weights(run.folder / "weights.safetensors")
    assert any(name.startswith("network.backbone.") for name in names)
    assert not any(name.startswith("network.heads.") for name in names)


def test_the_end_of_an_epoch_sees_every_image_once(trained: tuple[Dataset, Run], case: Case) -> None:
    data, run = trained
    if case.objective == "toy-unlabelled":
        assert run.trained(data)[1].get_buffer("seen") == EPOCHS * data.count("train")


def test_the_miniature_sets_are_what_their_chance_says() -> None:
    sets = [set(SETS[i % len(SETS)]) for i in range(48)]
    assert np.mean([[bool(a & b) for b in sets] for a in sets]) == pytest.approx(0.29, abs=0.005)
