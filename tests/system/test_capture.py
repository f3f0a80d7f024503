"""`taxohash data capture` and `join` with a real store: what the API was given is in the next data version."""

import itertools
import json
import os
from pathlib import Path

import pytest

from pipelines.capture.main import main
from services.codestore import CodeStore, GenerationRef, Item
from services.codestore.pictures import Pictures
from services.codestore.sampled import Facts, SampledQueries, SampledQuery
from taxohash.datasets import Dataset
from tests.support import command
from tests.support.data_versions import image
from tests.support.tiny import TAXONOMY, make_tiny

pytestmark = pytest.mark.system

NAMES = (f"captured{number}" for number in itertools.count())


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return make_tiny(tmp_path / "tiny")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> str:
    """A collection with two items of the API and two sampled queries."""
    name = next(NAMES)
    monkeypatch.setenv("TAXOHASH_REDIS_URL", redis_url)
    monkeypatch.setenv("TAXOHASH_COLLECTION", name)
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
    pictures = Pictures.open(tmp_path / "pictures")
    with CodeStore.connect(redis_url) as store:
        store.create(name, TAXONOMY, segments=2)
        digests = pictures.put_many([image("a"), image("b")])
        store.upsert(name, [Item(f"shoe {i}", (i,), picture=digest) for i, digest in enumerate(digests)])
    queries = SampledQueries.from_environment(name)
    for asked in ("c", "d"):
        facts = Facts(when=1, share=1.0, generation="g", bits=8, code="0f", pixels="0" * 16, nearest=2)
        queries.keep(SampledQuery(image(asked), facts))
    return name


def test_it_is_captured_checked_and_joined(
    shop: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = SampledQueries.from_environment(shop).kept()[0].digest
    (tmp_path / "corrections.csv").write_text(f"{digest[:12]},plant/tree/oak\n")
    words = [
        str(tmp_path / "more"),
        "--beside",
        str(tiny),
        "--corrections",
        str(tmp_path / "corrections.csv"),
    ]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["items"], told["queries"]) == ({"train": 3}, 2, 1)
    assert told["md5"] == Dataset.open(tmp_path / "more").md5()
    assert command.run("taxohash.cli", "data", "check", tmp_path / "more").returncode == 0
    joined = command.run("taxohash.cli", "data", "join", tmp_path / "more", tiny)
    assert joined.stdout.splitlines() == [
        "train: 30 images, then 33",
        f"{tiny}: md5 {Dataset.open(tiny).md5()}",
    ]
    assert main([str(tmp_path / "again"), *words[1:]]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"left out: 1 have no label: '{SampledQueries.from_environment(shop).kept()[1].digest[:60]}'...",
        "left out: 3 are in the data set already: 'shoe 0'",
        f"nothing is left to capture: {tmp_path / 'again'} is not written",
    ]


def test_what_cannot_be_is_one_line(shop: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "more")
    wrong = {
        (out,): "has nothing published: give --beside DATA, or --generation, whose labels are taken",
        (out, "--generation", "g"): "has no generation 'g': choose from none",
        (out, "--generation", "g", "--beside", str(tmp_path)): "name labels both: give one of the two",
        (out, "--collection", "nowhere"): "'nowhere'",
    }
    for words, said in wrong.items():
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("taxohash data capture: ")
        assert said in line
    with CodeStore.connect(os.environ["TAXOHASH_REDIS_URL"]) as store:
        store.begin(shop, GenerationRef("g", 8, TAXONOMY.sha256))
    assert main([out, "--generation", "g"]) == 0
    assert Dataset.open(out).taxonomy == TAXONOMY


def test_interrupted_it_leaves_no_folder_and_goes_on(
    shop: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    words = [str(tmp_path / "more"), "--beside", str(tiny)]
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.capture.capture.place", interrupted)
        assert main(words) == 130
    assert (
        capsys.readouterr().err.splitlines()[-1].endswith("interrupted: the same command goes on from here")
    )
    assert not (tmp_path / "more").exists()
    assert main(words) == 0
    assert Dataset.open(tmp_path / "more").count("train") == 2
