"""The steps of a reindexing, one after the other in this process: pictures come, go and get other labels, one of them new."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines.reindex import steps as reindex
from pipelines.shared import preflight
from pipelines.shared.record import Record
from pipelines.steps import champion, codes, publishing
from pipelines.steps.judgement import decide
from services.codestore import CodeStore
from services.lineage import chain
from taxohash.datasets import Dataset
from taxohash.datasets.cost import cost
from taxohash.datasets.identity import tracked
from taxohash.datasets.writer import Row, write_dataset
from taxohash.evaluation.run import evaluate_run
from taxohash.generation.keys import Keys
from taxohash.generation.manifest import Generation
from taxohash.release.export import export
from taxohash.release.reindexing import Policy
from taxohash.runtime.configuration import canonical
from taxohash.taxonomy import Taxonomy
from taxohash.training.run import train
from tests.support.miniature import HASHER, TAXONOMY, make_dataset, rows
from tests.support.signing import make_key
from tests.support.steps import refusal, store_in_memory

NEW = ("dark", "ring")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[CodeStore]:
    with store_in_memory(monkeypatch, tmp_path, champion, publishing, reindex, preflight) as made:
        yield made


def next_version(folder: Path) -> Dataset:
    """A label more; the first 10 training images are gone, the next 5 are of the new label, 20 are new."""
    grown = Taxonomy(
        TAXONOMY.name, (NEW, *TAXONOMY.paths), TAXONOMY.level_names
    )  # every number is another by now
    label_of = {path: number for number, path in enumerate(grown.paths)}

    def renumbered(split: str, count: int, seed: int) -> Iterator[Row]:
        for number, row in enumerate(rows(split, count, seed, False, "label")):
            if split == "train" and number < 10:
                continue
            new = split == "train" and number < 15
            assert isinstance(row.label, int)
            yield Row(row.image, row.name, label_of[NEW if new else TAXONOMY.paths[row.label]])

    write_dataset(
        folder, grown, [("train", renumbered("train", 260, 1)), ("test", renumbered("test", 48, 2))]
    )
    return Dataset.open(folder)


def check_lineage(
    store: CodeStore, old: str, made: str, first: Dataset, second: Dataset, reason: str
) -> None:
    """From the second generation back to the first, as the steps have noted it."""
    newest, oldest = chain(store, "shop", made, lambda generation: None)
    origin = newest.origin
    assert origin is not None
    assert origin.cost is not None
    assert (origin.run, origin.image, origin.champion, origin.configuration) == ("second", "image:1", old, "")
    assert (origin.made.data_md5, origin.data_before) == (second.md5(), first.md5())
    assert origin.changes == {"added": 20, "removed": 10, "relabelled": 5}
    spent = cost(tracked(first.folder), tracked(second.folder))
    assert spent.as_dict() == asdict(origin.cost)
    assert (origin.report, origin.verdict, origin.reason) == ("report", "passes", reason)
    assert origin.comparison == "comparison"
    assert (newest.replaced, newest.moves[0].who, newest.moves[0].why) == (old, "pipeline second", reason)
    assert origin.made.code["hasher_of"] == oldest.generation == old
    assert oldest.replaced_by is not None
    assert oldest.replaced_by.generation == made
    assert oldest.origin is not None
    assert oldest.origin.cost is None


def test_a_version_with_a_new_label_is_searchable_and_what_is_gone_is_not(
    store: CodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_dataset(tmp_path / "first")
    run = train(first.folder, tmp_path / "run", HASHER)
    evaluate_run(run.folder)
    generations, work, policy = str(tmp_path / "generations"), str(tmp_path / "work"), canonical(Policy())
    ahead = (str(first.folder), "", "shop", generations, policy)
    assert "has nothing published: run the pipeline retrain first" in refusal(
        capsys, lambda: reindex.check_ahead(*ahead)
    )
    old = export(run.folder, generations).name
    assert publishing.seal(old, str(first.folder), "shop", generations, work, "first") == 288
    assert publishing.publish(old, "shop", "", work, "first")

    second = next_version(tmp_path / "second")
    data, evaluated, draft = str(second.folder), str(tmp_path / "evaluated"), str(tmp_path / "draft")
    reindex.check_ahead(data, "", "shop", generations, policy)
    assert champion.resolve(work, "second", data, second.md5(), "shop", generations) == old
    assert Record(work, "second").noted("data")["changes"] == {"added": 20, "removed": 10, "relabelled": 5}
    assert champion.evaluate(old, data, generations, evaluated)["mAP"] > 0.5  # graded by the new tree
    reindex.borrow_hasher(old, evaluated, data, generations, draft)
    parts = []
    for shard in codes.plan(2):
        parts.append(str(tmp_path / shard.replace("/", "-of-")))
        codes.encode(draft, data, "", shard, parts[-1])
    private, public = make_key(tmp_path / "key.pem")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TAXOHASH_SIGN_KEY", str(private))
        made = codes.build(draft, parts, data, "", generations, work, "second")
    assert Generation.load_signed(Path(generations, made), Keys.load(public)).id == made
    judgement = str(tmp_path / "judgement")
    reindex.judge_generation(old, made, data, generations, policy, judgement)
    decided = decide(judgement, "report", work, "second")
    assert decided.verdict == "passes", decided.reason
    Record(work, "second").note("comparison", would_change="nothing", page="comparison")
    assert publishing.seal(made, data, "shop", generations, work, "second", "image:1") == 298
    assert publishing.publish(made, "shop", old, work, "second", decided.reason)
    check_lineage(store, old, made, first, second, decided.reason)

    labels = store.labels("shop")
    assert NEW in labels.taxonomy.paths

    def paths(item_id: str) -> list[tuple[str, ...]]:
        item = store.item("shop", item_id, made)
        assert item is not None
        numbers = labels.numbers(labels.version_of(second.taxonomy.sha256)).tolist()
        return [labels.taxonomy.paths[numbers.index(number)] for number in item.labels]

    assert paths("train/0012") == [NEW]
    assert paths("train/0016") == [TAXONOMY.paths[16 % 6]]
    assert paths("train/0259") == [TAXONOMY.paths[259 % 6]]
    snapshot = store.snapshot("shop", made)
    assert "train/0003" not in snapshot.ids
    assert "train/0003" in store.snapshot("shop", old).ids  # it goes on being found where one goes back

    # Killed after it published, the run is taken up with the champion that it replaced; another run meets what is published.
    again = [
        champion.resolve(work, run, data, second.md5(), "shop", generations) for run in ("second", "third")
    ]
    assert again == [old, made]
    assert Record(work, "second").noted("data")["changes"]["added"] == 20
    assert Record(work, "third").noted("data")["changes"]["added"] == 0
