"""`taxohash store`, as a person and as a script use it."""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from services.codestore import CodeStore, GenerationRef
from services.codestore.cli.main import main
from services.codestore.pictures import Pictures
from services.codestore.sampled import Facts, Node, SampledQueries, SampledQuery
from taxohash.errors import TaxohashError
from taxohash.taxonomy import Taxonomy

pytestmark = pytest.mark.system

TAXONOMY = Taxonomy("products", (("tops", "shirt"), ("tops", "coat"), ("shoes", "boot")))
NAMES = (f"typed{number}" for number in itertools.count())
LINES = [
    {"id": "a", "labels": ["tops/shirt"], "tags": ["new"], "uri": "s3://bucket/a"},
    {"id": "b b", "labels": [], "metadata": {"price": 3.5}},
    {"id": "ü\n", "labels": ["tops/coat", "shoes/boot"]},
]

Said = Callable[..., str]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> str:
    """A collection that has been made, and is the one that is meant."""
    fresh = next(NAMES)
    monkeypatch.setenv("TAXOHASH_REDIS_URL", redis_url)
    monkeypatch.setenv("TAXOHASH_COLLECTION", fresh)
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path))
    (tmp_path / "taxonomy.json").write_text(TAXONOMY.to_json())
    main(["create", str(tmp_path), "--segments", "2"])
    return fresh


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """What a command prints."""

    def run(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        try:
            found = main(words)
        except typer.Exit as exit_:
            found = exit_.exit_code
        assert found == code
        return capsys.readouterr().out

    return run


def put(tmp_path: Path, said: Said, *words: str, lines: list[object] | None = None) -> str:
    file = tmp_path / "items.jsonl"
    file.write_text("\n".join(map(json.dumps, LINES if lines is None else lines)))
    return said("items", "put", str(file), *words)


def served(url: str, name: str, *generations: str) -> None:
    """Publish generations that have the code of every item."""
    with CodeStore.connect(url) as store:
        ids = [item.id for item in store.scan(name)]
        for generation in generations:
            store.begin(name, GenerationRef(generation, 16, TAXONOMY.sha256))
            store.put_codes(name, generation, ids, np.zeros((len(ids), 2), np.uint8))
            store.seal(name, generation)
            store.publish(name, generation, who="somebody", why="as a test")


def test_items_are_put_shown_and_deleted(name: str, said: Said, tmp_path: Path) -> None:
    assert put(tmp_path, said, "--write", "first") == "3 added, 0 replaced\n"
    shown = json.loads(said("items", "get", "a", "b b", "ü\n", "--json"))
    assert [item["labels"] for item in shown] == [["tops/shirt"], [], ["tops/coat", "shoes/boot"]]
    assert shown[0]["tags"] == ["new"]
    assert shown[1]["metadata"] == {"price": 3.5}
    listed = [json.loads(line) for line in said("items", "list", "--json").splitlines()]
    assert {item["id"] for item in listed} == {"a", "b b", "ü\n"}
    assert "tops/shirt" in said("items", "list")
    assert "1 items: nothing was done" in said("items", "delete", "a")
    assert said("items", "delete", "a", "c", "--yes") == "1 deleted, 1 were not there\n"
    assert (
        put(tmp_path, said, "--write", "first") == "3 added, 0 replaced\n"
    )  # as it answered then, and nothing more
    said("items", "get", "a", code=1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": "x", "labels": ["tops/hat"]}, "line 1 of .*no label 'tops/hat'"),
        ({"id": "x", "lables": []}, "line 1 of .*lables is not known: use one of id"),
        ({"labels": []}, "line 1 of .*id"),
        (["x"], "line 1 of .* is no object"),
        ({"id": "x", "metadata": {"m": float("nan")}}, "metadata 'm' of item 'x' is nan"),
        ({"id": "x", "labels": "tops/shirt"}, "line 1 of .*labels"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_and_nothing_is_written(
    name: str, said: Said, tmp_path: Path, line: object, message: str
) -> None:
    with pytest.raises(TaxohashError, match=message) as refused:
        put(tmp_path, said, lines=[line, {"id": "good"}])
    assert str(refused.value).isprintable()
    assert said("items", "list", "--json") == ""


def test_generations_are_published_and_taken_back(
    name: str, said: Said, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, said)
    served(redis_url, name, "one", "two", "three")
    state = json.loads(said("status", "--json"))
    assert (state["items"], state["history"]) == (3, ["three", "two", "one"])
    assert any("everysec" in warning for warning in state["warnings"])
    assert [known["live"] for known in json.loads(said("generations", "--json"))] == [False, True, True]
    assert "would drop one" in said("gc")
    assert said("gc", "--yes").startswith("dropped one, 0 items")
    monkeypatch.setenv("TAXOHASH_PICTURES", str(tmp_path / "pictures"))
    Pictures.open(tmp_path / "pictures").put(b"young")
    assert "and pictures that no item names" in said("gc", "--pictures")
    assert said("gc", "--pictures", "--yes").endswith("removed 0 pictures\n")
    assert json.loads(said("gc", "--pictures", "--yes", "--json"))["pictures"] == 0
    assert said("rollback", "--why", "a mistake") == "published two again\n"
    assert said("publish", "three") == "published three, before two\n"
    moves = json.loads(said("audit", "--json"))
    assert [(move["operation"], move["generation"]) for move in moves[:2]] == [
        ("publish", "three"),
        ("rollback", "two"),
    ]
    assert moves[1]["why"] == "a mistake"
    assert "@" in moves[1]["who"]
    with pytest.raises(TaxohashError, match="three is published"):
        said("discard", "three")
    assert "would delete the 3 codes" in said("discard", "two")
    assert said("discard", "two", "--yes") == "discarded two\n"
    for words in (["status"], ["audit"], ["generations"]):
        assert "three" in said(*words)


def test_a_taxonomy_grows(name: str, said: Said, tmp_path: Path) -> None:
    put(tmp_path, said)
    grown = Taxonomy("products", (("tops", "blouse"), ("tops", "coat"), ("shoes", "boot"), ("hats", "cap")))
    (tmp_path / "new.json").write_text(grown.to_json())
    told = said("grow", str(tmp_path / "new.json"), "--renamed", "tops/shirt=tops/blouse")
    assert "taxonomy version 2, 4 labels, 0 numbers without one" in told
    (item,) = json.loads(said("items", "get", "a", "--json"))
    assert item["labels"] == ["tops/blouse"]
    with pytest.raises(TaxohashError, match="OLD=NEW"):
        said("grow", str(tmp_path / "new.json"), "--renamed", "tops/shirt")


def test_a_backup_is_restored_and_verified(name: str, said: Said, tmp_path: Path, redis_url: str) -> None:
    put(tmp_path, said)
    with pytest.raises(TaxohashError, match="nothing published"):
        said("backup", str(tmp_path / "backup"))
    served(redis_url, name, "one")
    assert json.loads(said("backup", str(tmp_path / "backup"), "--json"))["pictures"] == 0
    assert "3 items in 2 segments, whole" in said("verify", "--against", str(tmp_path / "backup"))
    other = next(NAMES)
    restored = json.loads(
        said("restore", str(tmp_path / "backup"), "--collection", other, "--publish", "--json")
    )
    assert (restored["items"], restored["published"]) == (3, True)
    with CodeStore.connect(redis_url) as store:
        assert sorted(store.snapshot(other).ids) == ["a", "b b", "ü\n"]
    with pytest.raises(TaxohashError, match="there is a collection"):
        said("restore", str(tmp_path / "backup"), "--collection", other)


def test_backups_by_the_time_make_way_and_the_newest_is_tried_out(
    name: str, said: Said, tmp_path: Path, redis_url: str
) -> None:
    put(tmp_path, said)
    served(redis_url, name, "one")
    root = tmp_path / "backups"
    (root / f"{name}-20260101T000000Z").mkdir(parents=True)
    with pytest.raises(TaxohashError, match="give --dated too"):
        said("backup", str(root), "--keep", "1")
    with pytest.raises(TaxohashError, match="there is no backup of collection"):
        said("rehearse", str(root))
    made = json.loads(said("backup", str(root), "--dated", "--keep", "1", "--json"))
    assert made["removed"] == [f"{name}-20260101T000000Z"]
    assert [str(folder) for folder in root.iterdir()] == [made["address"]]
    assert said("rehearse", str(root)).endswith("3 items, generation one, whole\n")
    assert json.loads(said("rehearse", str(root), "--json"))["findings"] == []


def test_damage_is_mended_from_a_backup(name: str, said: Said, tmp_path: Path, redis_url: str) -> None:
    put(tmp_path, said)
    served(redis_url, name, "one")
    said("backup", str(tmp_path / "backup"))
    assert said("repair") == "there is nothing to mend\n"
    with CodeStore.connect(redis_url) as store:
        for segment in range(2):
            key = f"taxohash:{{{name}:{segment}}}"
            store.server.command("HSET", key, "n0", b"z\xff" + b"\xff" * 62, key=key)
    assert "left as it is" in said("repair", "--yes", code=1)
    assert "nothing was done" in said("repair", "--backup", str(tmp_path / "backup"), code=1)
    assert "mended 2 segments, 0 findings" in said("repair", "--backup", str(tmp_path / "backup"), "--yes")
    assert "whole" in said("verify")
    with CodeStore.connect(redis_url) as store:
        assert sorted(store.snapshot(name).ids) == ["a", "b b", "ü\n"]


def test_damage_is_told(name: str, said: Said, tmp_path: Path, redis_url: str) -> None:
    put(tmp_path, said)
    with CodeStore.connect(redis_url) as store:
        for segment in range(2):
            key = f"taxohash:{{{name}:{segment}}}"
            store.server.command("HSET", key, "n0", b"z\xff" + b"\xff" * 62, key=key)
    assert "names" in said("verify", code=1)
    assert json.loads(said("verify", "--json", code=1))["findings"]


def test_without_an_address_and_without_a_command(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.delenv("TAXOHASH_REDIS_URL", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(TaxohashError, match="TAXOHASH_REDIS_URL is not set"):
        said("status")
    assert "publish" in said(code=2)
    assert "delete" in said("items", code=2)


def test_sampled_queries_are_listed_and_removed(name: str, said: Said, tmp_path: Path) -> None:
    queries = SampledQueries.from_environment(name)
    assert f"0 sampled queries, 0 bytes, in {tmp_path}/sampled/{name}" in said("sampled", "list").replace(
        "\n", ""
    )
    path = (Node(name="tops", confidence=0.9), Node(name="shirt", confidence=0.6))
    told: dict[str, Any] = {"share": 1.0, "generation": "g1", "bits": 16, "code": "00ff", "pixels": "0" * 16}
    now = int(time.time())
    old = Facts(when=now - 7200, nearest=3, predicted=path, unlike=False, **told)
    new = Facts(when=now, nearest=16, predicted=(), unlike=True, **told)
    kept = [queries.keep(SampledQuery(b"picture", facts)) for facts in (old, new)]
    lines = [json.loads(line) for line in said("sampled", "list", "--json").splitlines()]
    assert [(line["name"], line["nearest"], line["unlike"]) for line in lines] == [
        (kept[1].name, 16, True),
        (kept[0].name, 3, False),
    ]
    table = said("sampled", "list")
    assert "tops/shirt" in table
    assert "unlike" in table
    assert "2 sampled queries" in table
    assert len(said("sampled", "list", "--json", "--most", "1").splitlines()) == 1
    assert "would remove 1 sampled queries" in said("sampled", "remove", "--older-than", "1h")
    assert said("sampled", "remove", "--older-than", "1h", "--yes") == "removed 1 sampled queries\n"
    assert [one.name for one in queries.kept()] == [kept[1].name]
    with pytest.raises(TaxohashError, match="--older-than is 'soon': give a time such as 90s"):
        said("sampled", "remove", "--older-than", "soon")
    assert said("sampled", "remove", "--yes") == "removed 1 sampled queries\n"
    assert queries.kept() == []
