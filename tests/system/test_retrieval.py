"""The real thing: a Bento built from a generation, served by BentoML, its codes in a real store."""

import http.client
import io
import re
import shutil
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from struct import pack
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from PIL import Image

from services.codestore import EmbeddedServer
from services.retrieval.routes import ENDPOINTS
from taxohash.client import search
from taxohash.codes import unpack
from taxohash.errors import TaxohashError
from taxohash.generation.hasher import Hasher
from taxohash.generation.manifest import Generation
from taxohash.images import decode
from tests.support.generations import BITS, TAXONOMY, make_generation
from tests.support.hostile_ids import HOSTILE_IDS
from tests.support.ports import free_port
from tests.support.scraped import OF_HEALTH, faults, linted
from tests.support.serving import (
    COLLECTION,
    IDS,
    ITEMS,
    LABELS,
    PICTURES,
    ROOT,
    START_SECONDS,
    Service,
    environment,
    pictures_of,
    publish,
    serving,
    start,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bento-home")


@pytest.fixture(scope="module")
def bento(home: Path, generation: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "services.retrieval.bento.build",
        str(generation),
        "--bento-home",
        str(home),
        "--kernels",
        "none",
    ]
    built, again = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout for _ in range(2)
    )
    tag: str = built.splitlines()[-1]
    assert again == built
    return tag


@pytest.fixture(scope="module")
def service(
    published_store: EmbeddedServer,
    generation: Path,
    bento: str,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    variables = environment(published_store.url, home, TAXOHASH_PICTURES=str(pictures_of(generation)))
    with serving(bento, variables, folder) as started:
        yield started


def oracle(generation: Path, picture: bytes, k: int, node: tuple[str, ...] = ()) -> list[int]:
    """The k smallest distances by the definition, bit by bit."""
    hasher = Hasher(generation)
    codes = unpack(hasher.encode(decode(p) for p in PICTURES), BITS)
    query = unpack(hasher.encode([decode(picture)]), BITS)[0]
    distances = (codes != query).sum(axis=1).tolist()
    return sorted(
        d for d, label in zip(distances, LABELS, strict=True) if TAXONOMY.paths[label][: len(node)] == node
    )[:k]


# -- the Bento -------------------------------------------------------------------------------------


def test_the_bento_holds_the_generation_and_pinned_requirements_without_torch(
    bento: str, home: Path, generation: Path
) -> None:
    name, version = bento.split(":")
    packed = home / "bentos" / name / version
    required = (packed / "env/python/requirements.txt").read_text()
    assert "onnxruntime==" in required
    assert not re.search(r"^(torch|kfp)\b", required, re.MULTILINE)
    assert {path.name for path in (packed / "src").iterdir()} == {"taxohash", "services", "bentofile.yaml"}
    model = next((home / "models" / "taxohash-generation").glob("*/generation.json")).parent
    assert Generation.load(model) == Generation.load(generation)
    assert version.startswith(Generation.load(generation).id)


def test_serving_loads_neither_torch_nor_kfp(service: Service) -> None:
    processes = psutil.Process(service.pid).children(recursive=True)
    maps = "".join(Path(f"/proc/{process.pid}/maps").read_text() for process in processes)
    assert "onnxruntime" in maps
    assert not re.search(r"/(torch|kfp|pyarrow|bentoml)/", maps)


# -- search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 10, ITEMS, 1000])
@pytest.mark.parametrize("node", ["", "warm", "warm/red/crimson", "cold"])
def test_answers_are_the_oracles(service: Service, generation: Path, k: int, node: str) -> None:
    told = service.post(PICTURES[5], k=str(k), within=node, ranking="hamming").raise_for_status().json()
    expected = oracle(generation, PICTURES[5], k, tuple(node.split("/")) if node else ())
    assert [result["distance"] for result in told["results"]] == expected
    hasher = Hasher(generation)
    query = unpack(hasher.encode([decode(PICTURES[5])]), BITS)[0]
    for result in told["results"]:  # each answer is what it says it is
        row = IDS.index(result["id"])
        code = unpack(hasher.encode([decode(PICTURES[row])]), BITS)[0]
        assert int((code != query).sum()) == result["distance"]
        assert tuple(result["label_path"]) == TAXONOMY.paths[LABELS[row]]
    assert len({result["id"] for result in told["results"]}) == len(expected)
    assert told["ranking"] == "hamming"
    assert told["generation"] == hasher.generation.id


def test_a_node_without_items_has_no_answers(service: Service) -> None:
    assert service.post(within="grey <b>&amp;").raise_for_status().json()["results"] == []


@pytest.mark.parametrize("kind", ["BMP", "GIF", "PNG", "WEBP"])
def test_the_same_picture_in_other_formats_is_found(service: Service, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "picture"
    with Image.open(io.BytesIO(PICTURES[9])) as image:
        image.save(file, kind, lossless=True)
    assert search(service.url, file, k=1)["results"][0]["distance"] == 0


def test_thumbnails_are_the_pictures(service: Service) -> None:
    for item_id, picture in list(zip(IDS, PICTURES, strict=True))[-len(HOSTILE_IDS) - 1 :]:
        answer = service.post(picture, k="1").json()["results"][0]
        assert answer["id"] == item_id
        thumbnail = httpx.get(service.url + answer["thumbnail"])
        assert thumbnail.content == picture
        assert thumbnail.headers["content-type"] == "image/png"


def test_the_command_line_client_gets_the_services_own_words(service: Service, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(PICTURES[0])
    plain = search(service.url, picture, k=ITEMS, within="warm", ranking="hamming")["results"]
    assert plain[0]["id"] == IDS[0]
    answer = search(service.url, picture, k=ITEMS, within="warm")
    shares = [result["weighted_distance"] for result in answer["results"]]
    assert shares == sorted(shares)
    assert (answer["ranking"], shares[0]) == ("weighted", 0.0)
    distances = {result["id"]: result["distance"] for result in plain}
    assert distances == {result["id"]: result["distance"] for result in answer["results"]}
    with pytest.raises(TaxohashError, match=r"\(400\): ranking is 'cosine': give weighted or hamming"):
        search(service.url, picture, ranking="cosine")
    with pytest.raises(
        TaxohashError, match=r"refused the search \(400\): taxonomy 'signs' has no node 'hot'"
    ):
        search(service.url, picture, within="hot")


def test_what_is_served_is_told(service: Service, generation: Path) -> None:
    told = httpx.get(f"{service.url}/v1/generation").json()
    assert (told["id"], told["codes"], told["collection"]) == (
        Generation.load(generation).id,
        ITEMS,
        COLLECTION,
    )
    assert (
        httpx.get(f"{service.url}/livez").status_code == httpx.get(f"{service.url}/readyz").status_code == 200
    )


def test_it_listens_on_loopback_only(service: Service) -> None:
    listening = [
        connection.laddr
        for process in psutil.Process(service.pid).children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}


# -- bad input: always one sentence, never a 5xx ---------------------------------------------------


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, one bit each: small on the wire, large when decoded."""
    squeeze = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))

    header = pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


GOOD = PICTURES[0]
PNG = ("p.png", GOOD)
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\n\r\n'
BAD: dict[str, tuple[set[int], Callable[[], dict[str, Any]]]] = {
    "no body": ({415}, dict),
    "empty body": ({400}, lambda: {"content": b"", "headers": MULTIPART}),
    "empty picture": ({400}, lambda: {"files": {"image": ("p.png", b"")}}),
    "text": ({422}, lambda: {"files": {"image": ("p.png", b"hello, this is no picture")}}),
    "html": ({422}, lambda: {"files": {"image": ("p.html", b"<script>alert(1)</script>", "text/html")}}),
    "svg": ({422}, lambda: {"files": {"image": ("p.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>')}}),
    "postscript": (
        {422},
        lambda: {"files": {"image": ("p.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")}},
    ),
    "truncated PNG": ({422}, lambda: {"files": {"image": ("p.png", GOOD[:60])}}),
    "signature only": ({422}, lambda: {"files": {"image": ("p.png", GOOD[:8])}}),
    "damaged PNG": ({422}, lambda: {"files": {"image": ("p.png", GOOD[:50] + b"\xff" * 20 + GOOD[70:])}}),
    "truncated JPEG": ({422}, lambda: {"files": {"image": ("p.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")}}),
    "400 megapixels": ({422}, lambda: {"files": {"image": ("p.png", bomb(20_000))}}),
    "a little too many pixels": ({422}, lambda: {"files": {"image": ("p.png", bomb(4_001))}}),
    "60 MB": ({413}, lambda: {"files": {"image": ("p.png", bytes(60_000_000))}}),
    "60 MB in chunks": (
        {413},
        lambda: {"content": iter([PART] + [bytes(1_000_000)] * 60), "headers": MULTIPART},
    ),
    "raw picture of no type": (
        {415},
        lambda: {"content": GOOD, "headers": {"Content-Type": "application/octet-stream"}},
    ),
    "pickle": (
        {415},
        lambda: {"content": b"\x80\x04.", "headers": {"Content-Type": "application/vnd.bentoml+pickle"}},
    ),
    "json": ({400}, lambda: {"json": {"image": "x"}}),
    "odd content type": (
        {415},
        lambda: {"content": GOOD, "headers": {"Content-Type": "\xff\xfe;;;=".encode("latin-1")}},
    ),
    "no boundary": ({400}, lambda: {"content": GOOD, "headers": {"Content-Type": "multipart/form-data"}}),
    "not multipart inside": ({400}, lambda: {"content": GOOD, "headers": MULTIPART}),
    "body ends early": ({400}, lambda: {"content": PART + GOOD, "headers": MULTIPART}),
    "missing field": ({400}, lambda: {"files": {"picture": PNG}}),
    "image as text": ({400}, lambda: {"data": {"image": "x"}, "files": {"k": ("", b"1")}}),
    "too many files": ({400}, lambda: {"files": [("image", PNG)] * 65}),
    "no file and a text": ({400}, lambda: {"data": {"k": "3"}, "files": {"k": PNG}}),
    "unknown field": ({400}, lambda: {"files": {"image": PNG}, "data": {"top": "3"}}),
    "k = 0": ({400}, lambda: {"files": {"image": PNG}, "data": {"k": "0"}}),
    "k < 0": ({400}, lambda: {"files": {"image": PNG}, "data": {"k": "-1"}}),
    "k is a word": ({400}, lambda: {"files": {"image": PNG}, "data": {"k": "ten"}}),
    "k is huge": ({400}, lambda: {"files": {"image": PNG}, "params": {"k": "9" * 5000}}),
    "k twice": ({400}, lambda: {"files": {"image": PNG}, "data": {"k": "3"}, "params": {"k": "4"}}),
    "unknown node": ({400}, lambda: {"files": {"image": PNG}, "data": {"within": "warm/green"}}),
    "node of separators": ({400}, lambda: {"files": {"image": PNG}, "data": {"within": "///"}}),
    "node with control characters": (
        {400},
        lambda: {"files": {"image": PNG}, "data": {"within": "\x00\n\x1b[2J"}},
    ),
    "huge node": ({400}, lambda: {"files": {"image": PNG}, "data": {"within": "a" * 100_000}}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_sentence(service: Service, case: str) -> None:
    statuses, request = BAD[case]
    answer = httpx.post(f"{service.url}/v1/search", timeout=60, **request())
    assert answer.status_code in statuses, answer.text
    sentence = answer.json()["detail"]
    assert ": " in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize(
    "item",
    [
        "nothing",
        "",
        "../etc/passwd",
        "%00%00",
        "a" * 5000,
        "item 0\n",
        "x" * 1025,
        "{signs}:rows",
        "\ud800",
    ],
)
def test_no_trick_with_an_item_id_finds_anything(service: Service, item: str) -> None:
    path = "/v1/items/" + quote(item, safe="%", errors="surrogatepass") + "/thumbnail"
    connection = http.client.HTTPConnection(*service.address, timeout=30)  # which sends the path as it is
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status in ({400} if item == "\ud800" else {404})  # which is no UTF-8
        assert len(answer.read()) < 400


def test_a_slow_body_is_given_up(service: Service) -> None:
    before = service.metric('taxohash_upload_rejected_total{reason="slow"}')
    with socket.create_connection(service.address, timeout=30) as connection:
        connection.sendall(
            b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        answer = b""
        while piece := connection.recv(65536):  # until the server closes
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 1.5 seconds" in answer
    assert service.metric('taxohash_upload_rejected_total{reason="slow"}') == before + 1


def test_a_client_that_leaves_costs_nothing(service: Service) -> None:
    for _ in range(3):
        with socket.create_connection(service.address, timeout=30) as connection:
            connection.sendall(
                b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
    assert service.post().status_code == 200


def test_requests_and_refusals_are_counted_under_names_of_a_fixed_set(
    service: Service, generation: Path
) -> None:
    identity = Generation.load(generation).id
    good = f'taxohash_requests_total{{generation="{identity}",route="search",status="2xx"}}'
    bad = f'taxohash_requests_total{{generation="{identity}",route="search",status="4xx"}}'
    refused = 'taxohash_upload_rejected_total{reason="image"}'
    encoded = 'taxohash_stage_seconds_count{stage="encode"}'
    before = [service.metric(sample) for sample in (good, bad, refused, encoded)]
    for _ in range(3):
        service.post()
    service.post(b"no picture")
    httpx.get(f"{service.url}/some/path/unheard/of")
    after = [service.metric(sample) for sample in (good, bad, refused, encoded)]
    assert np.subtract(after, before).tolist() == [3, 1, 1, 3]
    assert service.metric(f'taxohash_codes_loaded{{generation="{identity}"}}') == ITEMS
    text = httpx.get(f"{service.url}/metrics").text
    assert "unheard" not in text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert routes <= {endpoint.name for endpoint in ENDPOINTS} | {"none"}


def test_what_is_exported_is_what_is_catalogued(service: Service) -> None:
    text = httpx.get(f"{service.url}/metrics").text
    assert not faults(text, "retrieval", missing=OF_HEALTH)
    assert not linted(text)
    for counted in (
        'taxohash_swaps_total{outcome="done"}',
        'taxohash_searches_timed_total{outcome="in time"}',
        "taxohash_searches_objective_seconds",
        "taxohash_searches_most",
        "taxohash_store_items",
        "taxohash_store_memory_bytes",
        "taxohash_store_looked_timestamp_seconds",
        "process_open_fds",
    ):
        assert service.metric(counted) > 0, counted
    assert service.metric("taxohash_store_items") == ITEMS


def test_nothing_of_all_this_was_a_server_error(service: Service) -> None:
    """Comes after the bad input above, in the order of this file."""
    text = httpx.get(f"{service.url}/metrics").text
    counted = re.findall(r"^taxohash_requests_total\{.*$", text, re.MULTILINE)
    assert not [line for line in counted if 'status="5' in line and 'route="readyz"' not in line]
    assert "Traceback" not in service.log.read_text()


# -- what is not there yet, or cannot be ------------------------------------------------------------


@contextmanager
def starting(target: Path, variables: dict[str, str], folder: Path) -> Iterator[Service]:
    """A service that lives, ready or not."""
    port = free_port()
    command = [sys.executable, "-m", "services.retrieval.server.main", str(target), "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
    service = Service(f"http://127.0.0.1:{port}", process.pid, folder / "log")
    try:
        wait_until(lambda: httpx.get(f"{service.url}/livez", timeout=60).status_code == 200, START_SECONDS)
        yield service
    finally:
        process.terminate()
        process.wait(60)


def wait_until(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(httpx.HTTPError):
            if holds():
                return
        assert time.monotonic() < deadline
        time.sleep(0.1)


def standing(service: Service) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{service.url}/readyz", timeout=60).json()
    return told


def test_what_is_published_is_served_not_what_is_at_hand(
    published_store: EmbeddedServer, home: Path, generation: Path, tmp_path: Path
) -> None:
    make_generation(tmp_path / "other", seed=1)
    published = Generation.load(generation).id
    with starting(tmp_path / "other", environment(published_store.url, home), tmp_path) as service:
        wait_until(lambda: published in service.log.read_text(), START_SECONDS)
        assert standing(service)["status"] == "loading"
        assert service.post().status_code == 503
        shutil.copytree(generation, tmp_path / published)  # where generations lie, beside the one at hand
        wait_until(lambda: standing(service)["status"] == "ready", START_SECONDS)
        assert service.post().json()["generation"] == published
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("away", ["collection", "store"])
def test_it_waits_for_its_store_and_a_generation(
    published_store: EmbeddedServer, home: Path, generation: Path, tmp_path: Path, away: str
) -> None:
    variables = {
        "collection": environment(published_store.url, home, TAXOHASH_COLLECTION="none-yet"),
        "store": environment(f"redis://127.0.0.1:{free_port()}", home),
    }[away]
    with starting(generation, variables, tmp_path) as service:
        answer = service.post()
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:taxohash:loading")
        assert answer.headers["retry-after"]
        assert standing(service)["status"] == "loading"
        assert httpx.get(f"{service.url}/metrics").status_code == 200
        if away == "collection":
            publish(published_store.url, generation, "none-yet")
            wait_until(lambda: standing(service)["status"] == "ready", START_SECONDS)
            assert service.post().status_code == 200
    assert "Traceback" not in service.log.read_text()


def test_settings_that_cannot_be_are_one_line(
    published_store: EmbeddedServer, home: Path, generation: Path
) -> None:
    nowhere = str(home / "no" / "where")
    for variables, sentence in [
        ({"TAXOHASH_PICTURES": nowhere}, "there is no folder"),
        ({"TAXOHASH_GENERATIONS": nowhere}, "there is no folder"),
        ({"TAXOHASH_MAX_K": "many"}, "TAXOHASH_MAX_K is 'many'"),
        ({"TAXOHASH_API_TOKEN": "secret"}, "TAXOHASH_API_TOKEN is not read any more"),
        ({"TAXOHASH_API_KEYS_FILE": nowhere}, "cannot be read"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "services.retrieval.server.main", str(generation), "--port", "0"],
            cwd=ROOT,
            env=environment(published_store.url, home, **variables),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 2, variables
        assert done.stderr.count("\n") == 1, done.stderr
        assert sentence in done.stderr


def test_a_killed_starter_leaves_no_server(
    published_store: EmbeddedServer, home: Path, generation: Path, tmp_path: Path
) -> None:
    process, _url = start(str(generation), environment(published_store.url, home), tmp_path / "log")
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(family) >= 2
    assert not psutil.wait_procs(family, timeout=30)[1]


# -- last: the store goes away ---------------------------------------------------------------------


def test_search_goes_on_without_the_store(service: Service, published_store: EmbeddedServer) -> None:
    published_store.stop()
    assert service.post().status_code == 200
    answer = httpx.get(f"{service.url}/v1/items/item 1/thumbnail", timeout=60)
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["detail"]
    assert httpx.get(f"{service.url}/readyz").status_code == 200
