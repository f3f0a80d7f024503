"""The steps over a store in memory: what was asked and stored lately, its verdict, its report and what the run tells."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.drift import gather, steps
from pipelines.shared.outcome import outcome
from pipelines.shared.record import Record
from pipelines.shared.summary import lines
from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.sampled import Facts, Node, SampledQueries, SampledQuery
from services.runs import EXIT_CODES, Outcome, Verdict
from taxohash.drift.policy import Policy
from taxohash.generation.canaries import Canaries
from taxohash.generation.hasher import CODES, ITEMS, Hasher
from taxohash.generation.reference import REFERENCE, Reference
from taxohash.images import decode
from taxohash.release.recall import Catalogue, canary_codes, recall
from taxohash.runtime.atomic import write_json
from taxohash.runtime.configuration import canonical
from tests.support.calibrations import KNOWN
from tests.support.generations import BITS, SIDE, TAXONOMY, make_generation, png
from tests.support.steps import refusal, store_in_memory

COLLECTION, ITEMS_HELD, ASKED = "signs", 120, 150
POLICY = canonical(Policy(simulations=2000, false_alarms_every=100))
TOPS = [path[0] for path in TAXONOMY.class_paths(0)]


def picture(label: int, number: int) -> bytes:
    base = np.random.default_rng(label).integers(20, 236, (SIDE, SIDE))
    return png(
        (base + np.random.default_rng(number).integers(-40, 40, (SIDE, SIDE))).clip(0, 255).astype(np.uint8)
    )


def pictures(first: int, count: int) -> list[bytes]:
    return [picture(number % 6, first + number) for number in range(count)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generations: one that keeps queries and canaries, and an older one."""
    home = tmp_path_factory.mktemp("home")
    draft = home / "draft"
    made = make_generation(draft, calibration=KNOWN)
    hasher = Hasher(draft)
    codes = hasher.encode([decode(one) for one in pictures(0, ITEMS_HELD)])
    np.save(draft / CODES, codes, allow_pickle=False)
    labels = [[number % 6] for number in range(ITEMS_HELD)]
    write_json(draft / ITEMS, {"ids": [f"item {number}" for number in range(ITEMS_HELD)], "labels": labels})
    counts = np.bincount(_near(hasher, codes, pictures(5000, 300)), minlength=BITS + 1).tolist()
    manifest = replace(
        made, database=[{"split": "train", "rows": ITEMS_HELD}], reference={"nearest_distance": counts}
    )
    older = manifest.write(draft)
    _copy(draft, home / older.id)
    Canaries(tuple(pictures(9000, 60)), tuple((number % 6,) for number in range(60))).save(draft)
    manifest.write(draft)
    hasher = Hasher(draft)
    canaries = canary_codes(hasher)
    assert canaries is not None
    held = Catalogue(hasher.ids, hasher.labels, TAXONOMY.paths, codes)
    asked = pictures(5000, 400)
    Reference(
        BITS,
        _near(hasher, codes, asked).astype(np.int32),
        hasher.encode([decode(one) for one in asked]),
        np.array([_top(number) for number in range(400)], np.int32),
        np.arange(400) % 25 == 0,
        np.array([_top(number) for number in range(400)], np.int32),
        recall(held, canaries, BITS, TAXONOMY.depth).astype(np.float32),
    ).save(draft)
    newer = manifest.write(draft)
    draft.rename(home / newer.id)
    (home / "ids.json").write_text(json.dumps([older.id, newer.id]))
    return home


def _copy(draft: Path, to: Path) -> None:
    to.mkdir()
    for file in draft.iterdir():
        (to / file.name).write_bytes(file.read_bytes())


def _top(number: int) -> int:
    return TOPS.index(TAXONOMY.paths[number % 6][0])


def _near(hasher: Hasher, codes: np.ndarray, asked: Sequence[bytes]) -> np.ndarray:
    queries = hasher.encode([decode(one) for one in asked])
    return np.bitwise_count(queries[:, None] ^ codes[None]).sum(axis=2).min(axis=1)  # type: ignore[no-any-return]


@pytest.fixture
def ids(home: Path) -> list[str]:
    """The older one and the newer one."""
    found: list[str] = json.loads((home / "ids.json").read_text())
    return found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path, ids: list[str]) -> Iterator[CodeStore]:
    with store_in_memory(monkeypatch, tmp_path, steps) as made:
        made.create(COLLECTION, TAXONOMY, segments=2)
        for generation in ids:
            hasher = Hasher(home / generation)
            items = [Item(item, own) for item, own in zip(hasher.ids, hasher.labels, strict=True)]
            made.begin(COLLECTION, GenerationRef(generation, BITS, TAXONOMY.sha256))
            made.fill(COLLECTION, generation, items, hasher.codes)
            made.seal(COLLECTION, generation)
            made.publish(COLLECTION, generation)
        yield made


def ask(home: Path, generation: str, asked: Sequence[bytes], **facts: object) -> None:
    """Keep queries as a service of the generation would."""
    hasher, queries = Hasher(home / generation), SampledQueries.from_environment(COLLECTION)
    codes = hasher.encode([decode(one) for one in asked])
    near = _near(hasher, hasher.codes, asked)
    for number, (one, code, distance) in enumerate(zip(asked, codes, near, strict=True)):
        said = {
            "when": int(time.time()) - 60,
            "share": 0.5,
            "generation": generation,
            "bits": BITS,
            "code": code.tobytes().hex(),
            "pixels": f"{abs(hash(one)) % 2**64:016x}",
            "nearest": int(distance),
            "predicted": (Node(name=TOPS[_top(number)], confidence=0.9),),
            "unlike": number % 25 == 0,
            "novelty": 0.5,
        } | facts
        queries.keep(SampledQuery(one, Facts(**said)))


def checked(home: Path, tmp_path: Path, policy: str = POLICY) -> tuple[Outcome, str, dict[str, float]]:
    """What came of a run of the steps, its page, and its metrics."""
    work, record = str(tmp_path / "work"), Record(tmp_path / "work", "night")
    record.note("begun", pipeline="drift", collection=COLLECTION, time=1.0)
    generation = steps.served(work, "night", COLLECTION, str(home), policy)
    out = tmp_path / "out"
    metrics = steps.check(
        generation, COLLECTION, str(home), policy, work, "night", str(out), "s3://reports/1"
    )
    found = outcome(record, [])
    assert (found.report, found.champion, found.against) == (
        "s3://reports/1/report.html",
        generation,
        "reference",
    )
    assert {one.metric: one.value for one in found.compared} == metrics
    written = json.loads((out / "report.json").read_text())
    assert written["verdict"] == found.verdict
    assert len(lines(found)) == 11
    return found, (out / "report.html").read_text(), metrics


def test_what_was_asked_as_before_is_steady(
    store: CodeStore, home: Path, ids: list[str], tmp_path: Path
) -> None:
    ask(home, ids[1], pictures(20_000, ASKED))
    found, page, metrics = checked(home, tmp_path)
    assert found.verdict is Verdict.STEADY
    assert EXIT_CODES[found.verdict] == 0
    assert {
        "queries: bit marginals (PSI)",
        "queries: share of top nodes (PSI)",
        "canaries: recall@10 lost, kind",
    } <= {*metrics}
    assert metrics["canaries: recall@10 lost, sign"] == pytest.approx(0, abs=1e-6)
    assert "Steady" in page
    assert "items: 0 different pictures, and fewer than 100 tell nothing" in page


def test_noise_is_drift(store: CodeStore, home: Path, ids: list[str], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [png(random.integers(0, 256, (SIDE, SIDE), np.uint8)) for _ in range(ASKED)]
    ask(home, ids[1], noise, predicted=(), unlike=True)
    found, page, _ = checked(home, tmp_path)
    assert found.verdict is Verdict.DRIFTED
    assert EXIT_CODES[found.verdict] == 5
    for name in ("farther from every item", "share of top nodes (PSI)", "unlike anything known"):
        assert f"queries: {name}" in found.reason
        assert f'<td class="alarm">queries: {name}' in page
    assert "http" not in page.replace("http-equiv", "")  # it needs nothing beside it


def test_where_items_are_gone_canaries_tell(
    store: CodeStore, home: Path, ids: list[str], tmp_path: Path
) -> None:
    store.delete(COLLECTION, [f"item {number}" for number in range(ITEMS_HELD) if number % 6 in (0, 1, 2)])
    found, _, metrics = checked(home, tmp_path)
    assert found.verdict is Verdict.DRIFTED
    assert "canaries: recall@10 lost, sign" in found.reason
    assert metrics["canaries: recall@10 lost, sign"] == pytest.approx(0.5, abs=0.15)
    assert not any(name.startswith("queries") for name in metrics)


def test_few_queries_are_too_few(store: CodeStore, home: Path, ids: list[str], tmp_path: Path) -> None:
    ask(home, ids[1], pictures(20_000, 20))
    found, page, _ = checked(home, tmp_path)
    assert found.verdict is Verdict.TOO_FEW
    assert EXIT_CODES[found.verdict] == 0
    assert "20 different pictures, and fewer than 100 tell nothing" in found.reason
    assert "Too few queries to say" in page


def test_an_older_generation_is_judged_by_distances(
    store: CodeStore, home: Path, ids: list[str], tmp_path: Path
) -> None:
    store.publish(COLLECTION, ids[0])
    ask(home, ids[0], pictures(20_000, ASKED))
    found, page, metrics = checked(home, tmp_path)
    assert found.verdict is Verdict.STEADY
    assert [*metrics] == ["queries: farther from every item"]
    assert "queries: the generation keeps no reference of bits" in page


def test_what_does_not_count_is_told(store: CodeStore, home: Path, ids: list[str]) -> None:
    asked = pictures(30_000, 6)
    ask(home, ids[1], asked[:3])
    ask(home, ids[1], asked[:2])  # again
    ask(home, ids[1], asked[3:4], identical=True)
    ask(home, ids[0], asked[4:5])
    ask(home, ids[1], asked[5:], when=int(time.time()) - 90_000)
    ask(home, ids[1], [png(np.zeros((SIDE, SIDE), np.uint8))], code="zz")
    hasher, now = Hasher(home / ids[1]), time.time()
    found = gather.asked(SampledQueries.from_environment(COLLECTION), hasher, now - 3600, now, 100)
    assert found.counts == {
        "looked at": 3,
        "asked again": 2,
        "another generation's": 2,
        "an item's own picture": 1,
        "gone": 0,
    }
    assert found.sample.weights.tolist() == [2.0] * 3
    assert sorted(found.sample.codes.tolist()) == sorted(
        hasher.encode([decode(one) for one in asked[:3]]).tolist()
    )
    newest = gather.asked(SampledQueries.from_environment(COLLECTION), hasher, now - 3600, now, 2)
    assert len(newest.sample) == 2


def test_what_the_api_stored_lately_is_looked_at(store: CodeStore, home: Path, ids: list[str]) -> None:
    hasher, before = Hasher(home / ids[1]), time.time() - 10
    codes = hasher.encode([decode(one) for one in pictures(40_000, 4)])
    items = [
        Item("new 0", (3,), pixels="a" * 16),
        Item("new 1", (3,), pixels="a" * 16),  # the same picture
        Item("new 2", (), pixels="b" * 16),
        Item("new 3", (0, 5), pixels="c" * 16),
    ]
    store.upsert(COLLECTION, items, dict.fromkeys(ids, codes))
    store.upsert(COLLECTION, [Item("waits", (1,), picture="d" * 64)])
    found = gather.stored(store, COLLECTION, hasher, before, 100)
    assert found.counts == {"looked at": 3, "stored again": 1, "not encoded": 1}
    assert found.sample.top is not None
    assert sorted(found.sample.top.tolist()) == sorted([TOPS.index("cold"), -1, TOPS.index("warm")])
    assert not len(gather.stored(store, COLLECTION, hasher, time.time() + 10, 100).sample)
    assert sum(gather.stored(store, COLLECTION, hasher, before, 2).counts.values()) == 2


def test_what_cannot_be_checked_is_one_line(
    store: CodeStore, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = str(tmp_path / "work")
    call = (work, "night", "elsewhere", str(home), POLICY)
    assert "has nothing published: run the pipeline retrain first" in refusal(
        capsys, lambda: steps.served(*call)
    )
    bad = '{"false_alarms_every": 1}'
    assert "false_alarms_every = 1" in refusal(
        capsys, lambda: steps.served(work, "night", COLLECTION, str(home), bad)
    )


def test_a_generation_that_tells_nothing_of_its_queries_is_one_line(
    home: Path, ids: list[str], tmp_path: Path
) -> None:
    from taxohash.errors import TaxohashError

    bare = tmp_path / "bare"
    make_generation(bare)
    with pytest.raises(TaxohashError, match="tells nothing of its queries: publish one that was built since"):
        steps.reference_of(Hasher(bare))
    other = replace(Reference.load(home / ids[1]) or pytest.fail("no reference"), bits=BITS + 1)
    other.save(bare)
    with pytest.raises(TaxohashError, match=f"keeps queries of {BITS + 1} bits, its codes have {BITS}"):
        steps.reference_of(Hasher(bare))
    assert (bare / REFERENCE).exists()
