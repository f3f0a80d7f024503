"""The front door for programs, as README walks through it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import taxohash
from taxohash.errors import TaxohashError
from tests.support import command
from tests.support.miniature import make_dataset

FIELDS: dict[str, Any] = {"objective": "dcwh", "bits": 16, "epochs": 1, "batch": 40}


def test_every_name_is_there_and_documented() -> None:
    for name in taxohash.__all__:
        assert getattr(taxohash, name).__doc__
    assert set(taxohash.__all__) <= set(dir(taxohash))
    with pytest.raises(AttributeError, match="'taxohash' has no attribute 'nothing'"):
        taxohash.nothing  # noqa: B018


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys, taxohash; print(sorted(n for n in sys.modules if n.partition('.')[0] in ('numpy', 'taxohash')))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "['taxohash']\n"


def test_from_a_data_set_to_neighbours(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data")
    run = taxohash.train(data, tmp_path / "run", **FIELDS)
    assert run.config.bits == 16
    assert 0 <= taxohash.evaluate(run).headline["mAP"] <= 1
    hasher = taxohash.load_generation(taxohash.export(run, tmp_path / "generations"))
    index = taxohash.HammingIndex.build(hasher.codes, hasher.bits)
    picture = next(data.images("train", [3]))
    distances, rows = index.search(hasher.encode([picture]), k=3)
    assert distances[0, 0] == 0
    np.testing.assert_array_equal(hasher.codes[rows[0, 0]], hasher.encode([picture])[0])
    indexed = [*data.paths("train"), *data.paths("test")]
    assert [*hasher.ids] == indexed
    assert [own for (own,) in hasher.labels] == [*data.labels("train"), *data.labels("test")]
    file = tmp_path / "query.png"
    file.write_bytes(picture)
    asked = ("taxohash.cli", "search", file, "--generation", hasher.folder, "--json", "--k", 3)
    answer = json.loads(command.run(*asked, "--ranking", "hamming").stdout)
    assert [result["id"] for result in answer["results"]] == [indexed[row] for row in rows[0]]
    assert [result["distance"] for result in answer["results"]] == distances[0].tolist()
    assert answer["code"] == hasher.encode([file]).tobytes().hex()
    assert answer["ranking"] == "hamming"
    query = hasher.encode_queries([file])
    weighted, rows = index.search(query.codes, k=3, weights=query.weights)
    answer = json.loads(command.run(*asked).stdout)
    assert [result["id"] for result in answer["results"]] == [indexed[row] for row in rows[0]]
    shares = [result["weighted_distance"] for result in answer["results"]]
    assert shares == query.shares(weighted)[0].tolist()
    away = [int(np.bitwise_count(hasher.codes[row] ^ query.codes[0]).sum()) for row in rows[0]]
    assert [result["distance"] for result in answer["results"]] == away
    assert answer["ranking"] == "weighted"
    shown = command.run("taxohash.cli", "search", file, "--generation", hasher.folder, "--within", "dark/dot")
    assert "dark / dot" in shown.stdout
    assert "light" not in shown.stdout
    assert "by weights" in shown.stdout
    refused = command.run("taxohash.cli", "search", file, "--generation", hasher.folder, "--within", "blue")
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


def test_an_unknown_field_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        TaxohashError, match="field 'bit' is not known: use one of objective, bits, network, size"
    ):
        taxohash.train(tmp_path, tmp_path / "run", bit=16)
    with pytest.raises(TaxohashError, match="bits = 0: give"):
        taxohash.train(tmp_path, tmp_path / "run", bits=0)


@pytest.mark.parametrize("call", ["taxohash.train('data', 'run')", "taxohash.load_generation('generation')"])
def test_a_missing_extra_is_named(call: str, tmp_path: Path) -> None:
    """As in an environment with nothing but the core, and one without ONNX Runtime."""
    code = f"""
import sys
sys.modules |= dict.fromkeys(("torch", "pyarrow", "onnxruntime"))
import taxohash
try:
    {call}
except taxohash.TaxohashError as error:
    print(error)
except ModuleNotFoundError as error:
    print("no extra has", error.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    extra = "pyarrow is not installed: pip install 'taxohash[train]'"
    assert done.stdout.strip() in (extra, "no extra has onnxruntime")
    assert ("train" in call) == (done.stdout.strip() == extra)


def test_a_configuration_is_given_as_one_or_as_json_has_it(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data")
    tree = {"bits": 24, "objective": {"name": "dcwh"}, "training": {"epochs": 1, "batch": 40}}
    run = taxohash.train(data, tmp_path / "run", tree, bits=16)
    assert (run.config.bits, run.config.objective.name) == (16, "dcwh")
    file: Any = "config.json"
    with pytest.raises(TaxohashError, match="is no configuration: give an object with objective"):
        taxohash.train(data, tmp_path / "run", file)


def test_splits_are_named_as_on_the_command_line_and_the_grading_tree_too(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data")
    run = taxohash.train(data, tmp_path / "run", **FIELDS)
    plain = taxohash.evaluate(run).metrics
    assert taxohash.evaluate(run, taxonomy=data.folder / "taxonomy.json").metrics == plain
    made = {
        taxohash.export(run, tmp_path / "out", splits=splits) for splits in ("train, test", ["test", "train"])
    }
    assert made == {taxohash.export(run, tmp_path / "out")}


def test_a_tree_of_pictures_takes_its_options_and_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        picture = tmp_path / "tree" / "ab"[number % 2] / f"{number}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 30 * number).save(picture)
    (tmp_path / "tree" / "a" / "notes.txt").touch()
    data = taxohash.prepare(tmp_path / "data", tmp_path / "tree", test_share=0)
    assert data.splits == ("train",)
    assert "notes.txt" in capsys.readouterr().err
    with pytest.raises(TaxohashError, match="test_share = 2: give"):
        taxohash.prepare(tmp_path / "other", tmp_path / "tree", test_share=2)
    with pytest.raises(
        TaxohashError, match=r"test_share is for an image tree .'folder'.: leave it out for cifar100"
    ):
        taxohash.prepare(tmp_path / "other", None, "cifar100", test_share=0.1)


@pytest.mark.parametrize("path", [None, 5, b"data", ["data"], "da\0ta"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    for call in (taxohash.load_generation, taxohash.evaluate, taxohash.export, taxohash.prepare):
        with pytest.raises(TaxohashError, match="is no path: give the path of a file or folder"):
            call(path)
    with pytest.raises(TaxohashError, match="is no path"):
        taxohash.train("data", path)
