"""Searches in every form, asked of a real service; and what the documentation tells a reader to type."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from services.codestore import CodeStore, EmbeddedServer
from services.retrieval.schemas.describe import GenerationsTold, StatsTold
from services.retrieval.schemas.lineage import LineageTold
from services.retrieval.schemas.search import Answer, Answers, EncodeTold
from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.images import decode
from tests.support.generations import BITS, TAXONOMY, pictures
from tests.support.scraped import faults
from tests.support.serving import (
    COLLECTION,
    IDS,
    ITEMS,
    LABELS,
    PICTURES,
    ROOT,
    TAGS,
    Service,
    environment,
    serving,
)
from tests.support.waiting import until
from tests.support.watched import CANARIES, make_watched

pytestmark = pytest.mark.system
Wanted = list[tuple[str, int]]


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that knows how it was answered when it was made."""
    folder = tmp_path_factory.mktemp("generations") / "generation"
    make_watched(folder)
    return folder


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer, generation: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    variables = environment(published_store.url, folder / "home", TAXOHASH_CANARY_SECONDS="0.5")
    with serving(str(generation), variables, folder) as started:
        yield started


@pytest.fixture(scope="module")
def codes(generation: Path) -> Any:
    """uint8[items, bits]."""
    return unpack(Hasher(generation).encode(decode(picture) for picture in PICTURES), BITS)


def ask(service: Service, **fields: Any) -> dict[str, Any]:
    got = httpx.post(f"{service.url}/v1/search", json=fields, timeout=60)
    assert got.status_code == 200, got.text
    told: dict[str, Any] = got.json()
    (Answers if "answers" in told else Answer).model_validate(told)
    return told


def oracle(codes: Any, query: Any, allowed: list[bool], without: str = "") -> Wanted:
    """Ids and distances of all that are allowed, nearest first."""
    distances = (codes != query).sum(axis=1).tolist()
    found = [
        (item, distance)
        for item, distance, one in zip(IDS, distances, allowed, strict=True)
        if one and item != without
    ]
    return sorted(found, key=lambda one: one[1])


def same(results: list[dict[str, Any]], wanted: Wanted) -> bool:
    """Whether answers are the first of those that are wanted; with several segments ties fall in an order of the store's."""
    found = [(result["id"], result["distance"]) for result in results]
    return [distance for _, distance in found] == [distance for _, distance in wanted[: len(found)]] and set(
        found
    ) <= set(wanted)


def below(*nodes: str) -> list[bool]:
    paths = ["/".join(TAXONOMY.paths[label]) for label in LABELS]
    return [any(f"{path}/".startswith(f"{node}/") for node in nodes) for path in paths]


ALL = [True] * ITEMS
TAGGED = [TAGS[row % 2] == ("summer",) for row in range(ITEMS)]


def test_by_item_by_code_and_by_picture_in_every_form(service: Service, codes: Any) -> None:
    item = ask(service, id=IDS[4], k=ITEMS, within=["warm/red", "cold"])
    assert len(item["results"]) == sum(below("warm/red", "cold")) - (below("warm/red", "cold")[4])
    assert same(item["results"], oracle(codes, codes[4], below("warm/red", "cold"), IDS[4]))
    code = np.packbits(codes[4]).tobytes().hex()
    found = ask(service, code=code, k=20, tags="summer")["results"]
    assert same(found, oracle(codes, codes[4], TAGGED))
    assert all(result["tags"] == ["summer"] for result in found)
    by_json = ask(service, image=base64.b64encode(PICTURES[4]).decode(), ranking="hamming", k=20)
    by_form = service.post(PICTURES[4], ranking="hamming", k="20").json()
    headers = {"Content-Type": "image/png"}
    by_itself = httpx.post(
        f"{service.url}/v1/search?ranking=hamming&k=20", content=PICTURES[4], headers=headers
    ).json()
    assert by_json["results"] == by_form["results"] == by_itself["results"]
    assert same(by_json["results"], oracle(codes, codes[4], ALL))


def test_a_radius_is_all_that_is_within_it(service: Service, codes: Any) -> None:
    code = np.packbits(codes[9]).tobytes().hex()
    wanted = [one for one in oracle(codes, codes[9], ALL) if one[1] <= 6]
    told = ask(service, code=code, radius=6)
    assert (len(told["results"]), told["cut"]) == (len(wanted), False)
    assert {result["id"] for result in told["results"]} == {item for item, _ in wanted}
    cut = ask(service, code=code, radius=6, k=3)
    ids = [result["id"] for result in told["results"]]
    assert ([result["id"] for result in cut["results"]], cut["cut"]) == (ids[:3], True)


def test_a_batch_is_answered_one_by_one(service: Service) -> None:
    queries = [{"id": IDS[row]} for row in range(62)] + [
        {"id": "nobody"},
        {"image": base64.b64encode(PICTURES[0]).decode()},
    ]
    told = ask(service, queries=queries, k=2, group_by="kind", explain=True)
    assert [answer.get("problem", {}).get("status") for answer in told["answers"]] == [
        *[None] * 62,
        404,
        None,
    ]
    for query, answer in zip(queries[:62], told["answers"], strict=False):
        assert answer["query"] == {"kind": "item", "id": query["id"]}
        assert sum(answer["explanation"]["histogram"]) == ITEMS
        assert [item for group in answer["groups"] for item in group["items"]]
    files = [("image", ("x", picture)) for picture in (PICTURES[0], b"none", PICTURES[1])]
    several = httpx.post(f"{service.url}/v1/search", files=files, timeout=60).json()
    Answers.model_validate(several)
    assert ["problem" in answer for answer in several["answers"]] == [False, True, False]


def test_a_large_hostile_body_is_refused_at_once_and_others_are_answered(service: Service) -> None:
    headers = {"Content-Type": "application/json"}
    for body in (b'{"queries": [' + b"{}," * 2_000_000, b"[" * 5_000_000, b'{"a": ' + b"9" * 5_000_000):
        got = httpx.post(f"{service.url}/v1/search", content=body, headers=headers, timeout=60)
        assert (got.status_code, got.json()["type"]) == (400, "urn:taxohash:request")
    assert ask(service, id=IDS[0])["results"]


def test_what_is_served_is_told(service: Service, generation: Path) -> None:
    own = Hasher(generation).generation.id
    told = httpx.get(f"{service.url}/v1/stats").json()
    StatsTold.model_validate(told)
    assert (told["items"], told["coded"], told["by_origin"]) == (ITEMS, ITEMS, {"api": 0, "data": ITEMS})
    told = httpx.get(f"{service.url}/v1/generations").json()
    GenerationsTold.model_validate(told)
    assert (told["published"], told["generations"][0]["served"]) == (own, True)
    told = httpx.post(f"{service.url}/v1/encode?weights=true", files={"image": ("x", PICTURES[0])}).json()
    EncodeTold.model_validate(told)
    assert len(told["weights"]) == BITS
    assert httpx.get(f"{service.url}/v1/openapi.json").json()["openapi"].startswith("3.1")


def test_how_well_it_finds_is_scraped(service: Service, generation: Path) -> None:
    own = Hasher(generation).generation.id

    def value(sample: str, labels: str = "") -> float:
        return service.metric(f'{sample}{{generation="{own}"{labels}}}', -1.0)

    before = value("taxohash_queries_total")
    for picture in pictures(5, seed=77):
        assert service.post(picture).status_code == 200
    assert value("taxohash_queries_total") == before + 5
    until(lambda: value("taxohash_canaries_asked_timestamp_seconds") > 0)
    assert value("taxohash_canaries") == CANARIES
    for level in TAXONOMY.levels:
        assert 0 < value("taxohash_canary_recall", f',level="{level}"') <= 1
    first = value("taxohash_canaries_asked_timestamp_seconds")
    until(lambda: value("taxohash_canaries_asked_timestamp_seconds") > first)
    assert not faults(httpx.get(f"{service.url}/metrics").text, "retrieval")


def test_searches_that_wait_for_a_write_hold_up_nobody(
    service: Service, published_store: EmbeddedServer
) -> None:
    with CodeStore.connect(published_store.url) as store:
        incarnation = store.described(COLLECTION)[0].incarnation
        token = f"{incarnation[:8]}.0-{10**14}"  # of a write that never comes

    def wait(_: int) -> int:
        fields = {"id": IDS[0], "token": token}
        return httpx.post(f"{service.url}/v1/search", json=fields, timeout=60).status_code

    with ThreadPoolExecutor(48) as pool:
        waiting = pool.map(wait, range(48))  # more than searches may be under way
        assert all(ask(service, id=IDS[0], k=1)["results"] for _ in range(50))
        assert set(waiting) == {503}
    assert ask(service, id=IDS[0])["results"]


def commands() -> list[str]:
    """The lines that docs/serving.md has a reader type to search."""
    page = (ROOT / "docs" / "serving.md").read_text()
    section = page.partition("\n## Searching\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("command", commands())
def test_what_the_documentation_types_is_answered(
    service: Service, generation: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "picture.png").write_bytes(PICTURES[4])
    typed = command.replace("http://127.0.0.1:3000", service.url).replace("curl ", "curl -sS ")
    typed = typed.replace("/lineage/0123456789abcdef", f"/lineage/{Generation.load(generation).id}")
    assert typed.count(service.url) == 1
    done = subprocess.run(["bash", "-c", typed], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if "publish" in command or "rollback" in command:  # without keys they are closed
        assert told["status"] == 401
        return
    assert "status" not in told, told
    if "lineage" in command:
        LineageTold.model_validate(told)
    if "search" in command:
        model = Answers if "answers" in told else Answer
        model.model_validate(told)
        assert told.get("results") or told.get("answers")


def test_the_documentation_types_every_form() -> None:
    typed = "\n".join(commands())
    for form in (
        "-F image=@",
        "image/png",
        '\\"image\\"',
        '"id"',
        '"code"',
        '"queries"',
        "/v1/encode",
        "/v1/rollback",
    ):
        assert form in typed
