"""A data set folder is known by its taxonomy, or else by its name."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.methods.recipes import RECIPES, set_name
from taxohash.errors import TaxohashError
from tests.support.toy import TREE


def folder(path: Path, name: str) -> Path:
    path.mkdir()
    replace(TREE, name=name).save(path / "taxonomy.json")
    return path


def test_the_taxonomy_counts_before_the_folder(tmp_path: Path) -> None:
    assert set_name(folder(tmp_path / "anywhere", "cifar100")) == "cifar100"
    assert set_name(folder(tmp_path / "cifar100", "grocery")) == "grocery"
    assert set_name(folder(tmp_path / "grocery", "dataset")) == "grocery"


def test_another_set_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="has no recipe: name the folder after one of cifar100, grocery"):
        set_name(folder(tmp_path / "mine", "own"))
    with pytest.raises(TaxohashError, match="is not a folder: make it with"):
        set_name(tmp_path / "absent")


def test_every_recipe_has_its_own_protocol() -> None:
    assert len({recipe.protocol for recipe in RECIPES.values()}) == len(RECIPES)
