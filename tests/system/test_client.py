"""Client, AsyncClient and the commands against a real service over a real store: one suite of scenarios for both clients."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.codestore import EmbeddedServer
from taxohash.client import Client, Code, ItemId, Refusal, RequestRefusedError, Upload
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from tests.support import command
from tests.support.backfills import hashers_in
from tests.support.clients import KINDS, opened
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.keyring import Keyring
from tests.support.pictures import encoded, noise
from tests.support.serving import ITEMS, PICTURES, ROOT, Service, environment, pictures_of, publish, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system

LARGE = encoded(noise(300, 200), "JPEG")
CRIMSON = "warm/red/crimson"
both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def hasher(tmp_path_factory: pytest.TempPathFactory) -> Hasher:
    return hashers_in(tmp_path_factory.mktemp("client") / "generations")[0]


@pytest.fixture(scope="module")
def variables(hasher: Hasher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a service over a store in which the generation is published."""
    with EmbeddedServer(tmp_path_factory.mktemp("valkey")) as server:
        publish(server.url, hasher.folder)
        yield environment(
            server.url,
            tmp_path_factory.mktemp("home"),
            TAXOHASH_PICTURES=str(pictures_of(hasher.folder)),
            TAXOHASH_GENERATIONS=str(hasher.folder.parent),
        )


@pytest.fixture(scope="module")
def service(
    hasher: Hasher, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with serving(str(hasher.folder), variables, tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return Keyring(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def keyed(
    hasher: Hasher, variables: dict[str, str], keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that asks for keys."""
    own = variables | {"TAXOHASH_API_KEYS_FILE": str(keyring.path)}
    with serving(str(hasher.folder), own, tmp_path_factory.mktemp("keyed")) as started:
        yield started


def taxohash(*arguments: object, code: int = 0) -> command.Done:
    done = command.run("taxohash.cli", *arguments)
    assert done.returncode == code, done.stderr
    return done


# -- the clients ------------------------------------------------------------------------------------------------------


@both
def test_a_search_by_picture_by_item_and_by_code(
    kind: str, service: Service, hasher: Hasher, tmp_path: Path
) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(PICTURES[3])
    with opened(kind, service.url) as client:
        answer = client.search(PICTURES[3], k=5, explain=True, group_by="family", within=["warm", "cold"])
        assert client.search(file, k=5, within=["warm", "cold"]).results == client.search(
            str(file), k=5, within=["warm", "cold"]
        ).results  # fmt: skip
        encoding = client.encode(file, weights=True)
        assert (encoding.code, encoding.bits, len(encoding.weights)) == (
            answer.code,
            hasher.bits,
            hasher.bits,
        )
        assert (answer.ranking, answer.query.kind, len(answer.results)) == ("weighted", "picture", 5)
        assert answer.results[0].identical
        assert answer.groups is not None
        assert sum(answer.explanation.histogram) <= ITEMS
        by_code = client.search(code=answer.code, radius=0, ranking="hamming", generation=answer.generation)
        assert (by_code.radius, by_code.cut, {one.distance for one in by_code.results}) == (0, False, {0})
        by_item, similar = client.search(id="item 4", tags="summer"), client.similar("item 4", tags="summer")
        assert by_item.results == similar.results
        assert {one.tags for one in similar.results} == {("summer",)}


@both
def test_many_queries_each_with_its_answer(kind: str, service: Service) -> None:
    queries: list[Any] = [*PICTURES[:70], ItemId("item 4"), ItemId("nobody"), Code("zz"), b"no picture"]
    with opened(kind, service.url) as client:
        told = client.search_many(queries, k=1)
        assert told[69].code == client.search(PICTURES[69], k=1).code
    assert all(answer.results for answer in told[:71])
    assert [answer.status for answer in told[71:] if isinstance(answer, Refusal)] == [404, 400, 422]


@both
def test_an_item_is_put_found_told_and_deleted(kind: str, service: Service, hasher: Hasher) -> None:
    with opened(kind, service.url) as client:
        for own in [f"{item_id}!" for item_id in HOSTILE_IDS if len(item_id.encode()) < 1024]:
            put = client.put(own, LARGE, labels=[CRIMSON], tags=["kept"])
            assert put.new
            item = client.get(own)
            assert (item.id, item.state, item.label_paths, item.tags) == (
                own, "searchable", (tuple(CRIMSON.split("/")),), ("kept",),
            )  # fmt: skip
            assert client.image(own) == LARGE
            assert client.thumbnail(own)[8:12] == b"WEBP"
            client.edit(own, tags=["new"])
            edited = client.get(own)
            assert (edited.tags, edited.label_paths, edited.code) == (("new",), item.label_paths, item.code)
            assert client.delete(own).pictures == "removed"
            with pytest.raises(RequestRefusedError) as error:
                client.get(own)
            assert (error.value.status, error.value.reason) == (404, "item")
            assert error.value.request_id
        code = client.put("by code", code=put.code, generation=hasher.generation.id)
        assert (code.code, client.delete("by code").id) == (put.code, "by code")


@both
def test_a_write_of_this_client_is_seen_by_its_next_search(kind: str, service: Service) -> None:
    with opened(kind, service.url) as client:
        for number in range(20):
            client.put(f"seen {number}", LARGE)
            assert client.search(LARGE, k=1000, ranking="hamming").results[0].distance == 0
            assert f"seen {number}" in {one.id for one in client.search(LARGE, radius=0).results}
            client.delete(f"seen {number}")
            assert f"seen {number}" not in {one.id for one in client.search(LARGE, radius=0).results}


@both
def test_a_write_by_a_name_is_made_once(kind: str, service: Service) -> None:
    with opened(kind, service.url) as client:
        first = client.put("named", LARGE, name=f"{kind} 1".replace(" ", "-"))
        client.delete("named")
        again = client.put("named", LARGE, name=f"{kind} 1".replace(" ", "-"))
        assert again == first
        with pytest.raises(RequestRefusedError, match="404"):
            client.get("named")


@both
def test_what_is_served_is_told(kind: str, service: Service, hasher: Hasher) -> None:
    with opened(kind, service.url) as client:
        assert client.generation().id == client.generations().published == hasher.generation.id
        assert client.generations().generations[0].served
        assert client.stats().generation == hasher.generation.id
        assert client.taxonomy().nodes[0].items > 0


@both
def test_many_items_are_put_and_an_upload_goes_on(kind: str, service: Service, tmp_path: Path) -> None:
    items = [Upload(f"{kind} {n}", encoded(noise(20, 20, seed=n)), labels=[CRIMSON]) for n in range(100)]
    items.append(Upload(f"{kind} bad", b"no picture"))
    with opened(kind, service.url) as client:
        told = client.put_many(items, journal=tmp_path / "journal")
        assert (told.put, told.before, [*told.refused]) == (100, 0, [f"{kind} bad"])
        assert client.get(f"{kind} 99").state == "searchable"
        again = client.put_many([*items, Upload(f"{kind} more", LARGE)], journal=tmp_path / "journal")
        assert (again.put, again.before) == (1, 100)
        for item in [*items[:-1], Upload(f"{kind} more")]:
            client.delete(item.id)


@both
def test_errors_are_one_line(kind: str, service: Service) -> None:
    with opened(kind, service.url) as client:
        refused: list[tuple[Callable[[], Any], str]] = [
            (lambda: client.search(b"no picture"), "422"),
            (lambda: client.search(PICTURES[0], k=0), "k is 0"),
            (lambda: client.search(code="ff"), "code"),
            (lambda: client.similar("nobody"), "nobody"),
            (lambda: client.get("x", token="what"), "token"),
            (lambda: client.put("x", LARGE, labels=["warm/nowhere"]), "nowhere"),
            (lambda: client.put("x", code="ffffff", generation="another"), "409"),
            (lambda: client.delete("nobody"), "nobody"),
        ]
        for ask, named in refused:
            with pytest.raises(RequestRefusedError, match=named) as error:
                ask()
            assert str(error.value).startswith(f"{service.url} refused ")
            assert "\n" not in str(error.value)


@both
def test_a_deadline_ends_what_the_service_waits_for(kind: str, service: Service) -> None:
    with opened(kind, service.url) as client:
        token = client.put("late", LARGE).token
        client.delete("late")
    never = f"{token.partition('.')[0]}.0-{10**9}"
    with opened(kind, service.url, deadline=0.5) as client, pytest.raises(TaxohashError, match="no answer"):
        client.search(PICTURES[0], token=never)


@both
def test_keys_are_sent(kind: str, keyed: Service, keyring: Keyring) -> None:
    for name, status in ((None, 401), ("search", 403), ("write", 0)):
        key = dict(keyring.headers(name)).get("Authorization", "").removeprefix("Bearer ") or None
        with opened(kind, keyed.url, key) as client:
            if status:
                with pytest.raises(RequestRefusedError) as error:
                    client.put("keyed", LARGE)
                assert error.value.status == status
            else:
                assert client.put("keyed", LARGE).id == client.delete("keyed").id


def test_what_the_documentation_shows_runs(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program,) = re.findall(
        r"^```py\n(.*?)^```$", (ROOT / "docs/serving.md").read_text(), re.MULTILINE | re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picture.png").write_bytes(PICTURES[3])
    names: dict[str, Any] = {}
    exec(compile(program.replace("http://127.0.0.1:3000", service.url), "docs/serving.md", "exec"), names)
    assert (names["done"].put, len(names["similar"].results), len(names["several"])) == (1, 3, 3)
    with Client(service.url) as client:
        client.delete("shop/18")


# -- the commands -----------------------------------------------------------------------------------------------------


def test_put_search_similar_and_delete_as_commands(service: Service, tmp_path: Path) -> None:
    shop, url = tmp_path / "shop", ("--url", service.url)
    for number in range(3):
        folder = shop / CRIMSON if number else shop
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encoded(noise(64, 64, seed=number)))
    (shop / "notes.txt").write_text("no picture")
    told = taxohash("put", shop, "--prefix", "shop/", "--tag", "summer", "--folders-are-labels", *url).stdout
    assert told == "3 items put, 0 refused\n"
    ids = ["shop/0.png", f"shop/{CRIMSON}/1.png", f"shop/{CRIMSON}/2.png"]
    answer = json.loads(
        taxohash("search", shop / "0.png", "--tag", "summer", "--k", 3, "--json", *url).stdout
    )
    assert answer["results"][0]["id"] == "shop/0.png"
    lines = taxohash(
        "search", shop, "--id", ids[1], "--code", answer["code"], "--k", 1, "--json", *url
    ).stdout
    asked = [json.loads(line)["asked"] for line in lines.splitlines()]
    assert asked == [
        str(shop / "0.png"),
        *(str(shop / CRIMSON / f"{n}.png") for n in (1, 2)),
        ids[1],
        answer["code"],
    ]
    similar = json.loads(taxohash("similar", ids[1], "--within", CRIMSON, "--json", *url).stdout)
    assert all(result["id"] != ids[1] for result in similar["results"])
    assert "answers" in taxohash("similar", ids[1], "--group-by", "family", *url).stdout
    assert json.loads(taxohash("put", shop / "0.png", "--id", "one", "--json", *url).stdout)["put"] == 1
    gone = taxohash("delete", "x" * 1025, *ids, "one", "nobody", *url, code=2)
    assert [line.partition(":")[0] for line in gone.stdout.splitlines()] == [*ids, "one"]
    assert [line.split(": ")[1] for line in gone.stderr.splitlines()] == ["x" * 1025, "nobody"]
    bad = taxohash("search", "--id", "item 3", "--within", "\udcff", *url, code=2).stderr
    assert bad == "taxohash: the search has '\\udcff' in a text that has to be UTF-8: give another\n"


def test_what_is_refused_of_several_is_a_line_each_and_exit_code_2(service: Service, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "good.png").write_bytes(PICTURES[1])
    (tmp_path / "large.png").write_bytes(bytes(11 << 20))
    put = taxohash("put", tmp_path, "--url", service.url, code=2)
    assert put.stdout == "1 items put, 2 refused\n"
    found = taxohash("search", tmp_path, "--id", "nobody", "--k", 1, "--json", "--url", service.url, code=2)
    assert len(found.stdout.splitlines()) == 4
    files = [str(tmp_path / name) for name in ("bad.png", "large.png")]
    for done, names in ((put, ["bad.png", "large.png"]), (found, [*files, "nobody"])):
        lines = [line for line in done.stderr.splitlines() if line.startswith("taxohash: ")]
        assert sorted(line.split(": ")[1] for line in lines) == names
    taxohash("delete", "good.png", "--url", service.url)


def test_the_key_comes_from_the_environment_or_a_file(
    keyed: Service, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = dict(keyring.headers("search"))["Authorization"].removeprefix("Bearer ")
    (tmp_path / "key").write_text(f"{key}\n")
    words = ("similar", "item 4", "--json", "--url", keyed.url)
    assert "401" in taxohash(*words, code=2).stderr
    for name, value in (("TAXOHASH_API_KEY", key), ("TAXOHASH_API_KEY_FILE", str(tmp_path / "key"))):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert json.loads(taxohash(*words).stdout)["results"]
    monkeypatch.setenv("TAXOHASH_API_KEY_FILE", str(tmp_path / "none"))
    assert "TAXOHASH_API_KEY_FILE" in taxohash(*words, code=2).stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_that_was_ended_goes_on_where_it_stopped(
    how: int, service: Service, tmp_path: Path
) -> None:
    shop, journal = tmp_path / "shop", tmp_path / "journal"
    shop.mkdir()
    for number in range(400):
        (shop / f"{number:03}.png").write_bytes(encoded(noise(40, 40, seed=number)))
    prefix = f"ended by {how}/"
    words = ("put", shop, "--prefix", prefix, "--journal", journal, "--at-once", 1, "--url", service.url)
    process = subprocess.Popen(
        [sys.executable, "-m", "taxohash.cli", *map(str, words)], cwd=ROOT, env=os.environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 64)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -how), error
    assert b"Traceback" not in error
    known = journal.read_bytes().count(b"\n") - 1
    assert known < 400, "it was over before it was ended"
    again = taxohash(*words, "--json")
    assert json.loads(again.stdout) == {"put": 400 - known, "before": known, "refused": {}}
    with Client(service.url) as client:
        for number in range(0, 400, 10):
            assert client.get(f"{prefix}{number:03}.png").state == "searchable"


def test_a_service_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(PICTURES[0])
    nobody = ("--url", "http://127.0.0.1:1")
    for words in (
        ("search", tmp_path / "p.png"),
        ("similar", "x"),
        ("put", tmp_path / "p.png"),
        ("delete", "x"),
    ):
        done = taxohash(*words, *nobody, code=2)
        lines = [line for line in done.stderr.splitlines() if line]
        assert (len(lines), done.stdout) == (1, "")
        assert "127.0.0.1:1" in lines[0]
