"""The process that publishes what is at hand, and who starts it. With the user's own store: tests/system/test_serve_at_home.py."""

from pathlib import Path

import pytest

from services.retrieval.first_generation import main
from services.retrieval.server.store import publish_first, stores
from taxohash.errors import TaxohashError
from taxohash.generation.manifest import Generation
from taxohash.runtime.sources import ROOT
from tests.support.own_generation import with_codes


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"TAXOHASH_REDIS_URL": "memory://", "TAXOHASH_GENERATION": str(folder), **more}


def test_what_is_at_hand_is_published_and_put_where_services_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generation = Generation.load(with_codes(tmp_path / "own"))
    (tmp_path / "served").mkdir()
    places = {"TAXOHASH_GENERATIONS": str(tmp_path / "served"), "TAXOHASH_COLLECTION": "home"}
    assert main(environment(tmp_path / "own", **places)) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"serve: collection home serves generation {generation.id} from now on, with its ")
    assert [folder.name for folder in (tmp_path / "served").iterdir()] == [generation.id]


def test_what_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(environment(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("serve: generation ")


def test_who_starts_it_says_that_nothing_is_served(tmp_path: Path) -> None:
    with pytest.raises(TaxohashError, match="nothing is served: put right what is said above"):
        publish_first(environment(tmp_path), ROOT)


def test_a_store_that_is_named_needs_no_other() -> None:
    with stores({"TAXOHASH_REDIS_URL": "redis://somewhere"}) as found:
        assert found == {}
