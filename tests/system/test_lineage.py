"""`taxohash lineage`, of a real store and of a service."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.codestore import CodeStore, EmbeddedServer, GenerationRef
from services.lineage import note_origin
from services.lineage.main import main
from tests.support.generations import TAXONOMY, make_generation
from tests.support.lineages import origin_of_run
from tests.support.serving import COLLECTION, environment, pictures_of, publish, serving

pytestmark = pytest.mark.system

NAMES = (f"traced{number}" for number in itertools.count())


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> str:
    """Three generations: one made by hand, one that a run made, one of a run that awaits an approval."""
    name = next(NAMES)
    monkeypatch.setenv("TAXOHASH_REDIS_URL", redis_url)
    monkeypatch.setenv("TAXOHASH_COLLECTION", name)
    made = make_generation(tmp_path / "made")
    with CodeStore.connect(redis_url) as store:
        store.create(name, TAXONOMY, segments=1)
        for generation in ("byhand", "nightly", "waits"):
            store.begin(name, GenerationRef(generation, 8, TAXONOMY.sha256))
            store.seal(name, generation)
        note_origin(store, name, "nightly", origin_of_run(made, "byhand"))
        note_origin(store, name, "waits", origin_of_run(made, "nightly", run="nightly-13"))
        store.publish(name, "byhand", who="ada")
        store.publish(name, "nightly", who="pipeline nightly-12", why="better")
    return name


Said = Callable[..., tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*words: str, code: int = 0) -> tuple[str, str]:
        capsys.readouterr()
        assert main(words) == code
        told = capsys.readouterr()
        return told.out, told.err

    return run


def test_it_is_told_of_a_store(collection: str, said: Said) -> None:
    lines = [line.split(maxsplit=1) for line in said("nightly")[0].splitlines()]
    assert lines[0] == ["generation", f"nightly of {collection}"]
    facts = {line[0]: line[1] for line in lines[1:]}
    assert facts["run"] == "nightly-12 (retrain), begun 2025-11-24 16:00:00 UTC"
    assert facts["configuration"] == "bits 64, training.epochs 3"
    assert facts["image"] == "taxohash/python-train:0.1.0"
    assert facts["report"] == "s3://bucket/evaluated/report.html"
    assert facts["comparison"] == "s3://bucket/shadow/comparison.html"
    assert facts["judgement"] == "passes, against the champion: mAP 0.9 is not below 0.89"
    assert facts["published"].endswith(" by pipeline nightly-12: better")
    assert facts["replaced"] == "byhand"
    whole = said("waits", "--all")[0]
    assert [line for line in whole.splitlines() if line.startswith("generation")] == [
        f"generation {name} of {collection}" for name in ("waits", "nightly", "byhand")
    ]
    assert "  data cost      1,234,567 of 30,879,334 bytes to store and to move, 2 of 5 files\n" in whole
    assert "  run            made by hand, no run\n" in whole
    assert "  published      never\n" in whole
    assert "  replaced by    nightly, " in whole
    found = json.loads(said("waits", "--all", "--json")[0])["lineage"]
    assert [one["generation"] for one in found] == ["waits", "nightly", "byhand"]


def test_what_cannot_be_told_is_one_line(collection: str, said: Said) -> None:
    for words, text in (
        (("nobody",), f"generation 'nobody' is not known in collection '{collection}': see"),
        (("nightly", "--collection", "nowhere"), "'nowhere'"),
        (("nightly", "--url", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("nightly", "--url", "nowhere"), "nowhere"),
    ):
        (line,) = said(*words, code=2)[1].splitlines()
        assert line.startswith("taxohash lineage: ")
        assert text in line


@pytest.mark.slow
def test_a_service_tells_the_same(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "generations"
    folder.mkdir()
    made = make_generation(folder / "draft")
    (folder / "draft").rename(folder / made.id)
    with EmbeddedServer(tmp_path / "valkey") as store:
        publish(store.url, folder / made.id)
        variables = environment(
            store.url, tmp_path / "home", TAXOHASH_PICTURES=str(pictures_of(folder / made.id))
        )
        with serving(str(folder / made.id), variables, tmp_path) as started:
            from_service = json.loads(said(made.id, "--all", "--json", "--url", started.url)[0])
            (line,) = said("nobody", "--url", started.url, code=2)[1].splitlines()
        assert "generation 'nobody' is not known here: use an id from /v1/generations" in line
        monkeypatch.setenv("TAXOHASH_REDIS_URL", store.url)
        monkeypatch.setenv("TAXOHASH_GENERATIONS", str(folder))
        assert from_service == json.loads(said(made.id, "--all", "--json", "--collection", COLLECTION)[0])
