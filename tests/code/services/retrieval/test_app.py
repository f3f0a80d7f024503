"""Routes and guard, with the application in this process."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.codestore import CodeStore, ItemLabels, Snapshot
from services.retrieval.late_store import LateStore
from services.retrieval.routes.page import FOLDER
from services.retrieval.service import Service
from services.retrieval.settings import Limits
from taxohash.codes import unpack
from taxohash.generation.hasher import Hasher, Model
from taxohash.images import decode
from taxohash.taxonomy.agreement import agreed_levels
from tests.support.application import Client, NoStore, filled, settings_of
from tests.support.generations import BITS, TAXONOMY, pictures
from tests.support.hamming_oracle import weighted_distances

PICTURE = pictures(1, seed=7)[0]


def paths_of(snapshot: Snapshot, row: int) -> list[tuple[str, ...]]:
    return [TAXONOMY.paths[label] for label in snapshot.labels[row]]


def lies_below(snapshot: Snapshot, row: int, node: tuple[str, ...]) -> bool:
    return any(path[: len(node)] == node for path in paths_of(snapshot, row))


def oracle(
    hasher: Hasher, snapshot: Snapshot, picture: bytes, k: int, node: tuple[str, ...] = ()
) -> list[tuple[str, int]]:
    """Ids and distances by the definition: bits compared one by one, sorted by distance, then row."""
    query = unpack(hasher.encode([decode(picture)]), BITS)[0]
    found = []
    for row, code in enumerate(unpack(snapshot.codes, BITS)):
        if not node or lies_below(snapshot, row, node):
            found.append((int((code != query).sum()), row))
    return [(str(snapshot.ids[row]), distance) for distance, row in sorted(found)[:k]]


@pytest.mark.parametrize("k", [1, 7, 300, 1000])
@pytest.mark.parametrize("node", ["", "warm", "warm/yellow", "cold/blue", "cold/blue/sky", "grey <b>&amp;"])
def test_answers_are_the_oracles(
    client: Client, hasher: Hasher, snapshot: Snapshot, k: int, node: str
) -> None:
    answer = client.search(PICTURE, k=str(k), within=node, ranking="hamming")
    assert answer.status_code == 200
    told = answer.json()
    expected = oracle(hasher, snapshot, PICTURE, k, tuple(node.split("/")) if node else ())
    assert [(result["id"], result["distance"]) for result in told["results"]] == expected
    assert told["ranking"] == "hamming"
    assert not any("weighted_distance" in result for result in told["results"])
    assert told["generation"] == hasher.generation.id
    assert told["bits"] == BITS
    assert bytes.fromhex(told["code"]) == hasher.encode([decode(PICTURE)]).tobytes()
    for result in told["results"]:
        (path,) = paths_of(snapshot, snapshot.ids.tolist().index(result["id"]))
        assert result["label_path"] == list(path)
        assert result["label_paths"] == [list(path)]


@pytest.mark.parametrize("k", [1, 7, 300])
@pytest.mark.parametrize("node", ["", "cold/blue", "grey <b>&amp;"])
@pytest.mark.parametrize("fields", [{}, {"ranking": "weighted"}, {"ranking": ""}])
def test_a_picture_ranks_by_its_weights(
    client: Client, hasher: Hasher, snapshot: Snapshot, k: int, node: str, fields: dict[str, str]
) -> None:
    told = client.search(PICTURE, k=str(k), within=node, **fields).json()
    outputs = hasher.encode_queries([decode(PICTURE)]).outputs[0]
    whole, unit = weighted_distances(snapshot.codes, np.packbits(outputs >= 0), np.abs(outputs))
    plain = dict(oracle(hasher, snapshot, PICTURE, 300))
    where = tuple(node.split("/")) if node else ()
    rows = [row for row in np.argsort(whole, kind="stable") if lies_below(snapshot, row, where)][:k]
    assert [(result["id"], result["distance"]) for result in told["results"]] == [
        (snapshot.ids[row], plain[snapshot.ids[row]]) for row in rows
    ]
    shares = [result["weighted_distance"] for result in told["results"]]
    assert shares == sorted(shares)
    assert shares == pytest.approx(whole[rows] * unit / np.abs(outputs).sum(dtype=np.float64), abs=1e-6)
    assert told["ranking"] == "weighted"
    assert bytes.fromhex(told["code"]) == hasher.encode([decode(PICTURE)]).tobytes()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ranking": "cosine"}, "ranking is 'cosine': give weighted or hamming"),
        ({"rank": "hamming"}, "'rank' is not known"),
    ],
)
def test_another_ranking_is_refused(client: Client, fields: dict[str, str], said: str) -> None:
    answer = client.search(PICTURE, **fields)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_a_hasher_whose_outputs_are_not_finite_is_no_bug_of_the_service(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Model, "outputs", lambda self, pixels: np.full((len(pixels), BITS), np.nan, np.float32)
    )
    answer = client.search(PICTURE)
    assert answer.status_code == 503
    assert "gives a picture NaN or infinity: train another" in answer.json()["detail"]


def test_by_weights_there_must_be_a_picture(client: Client) -> None:
    answer = client("POST", "/v1/search?ranking=weighted", files={"code": ("code", b"00ff")})
    assert answer.status_code == 400
    assert "send one file, in 'image'" in answer.json()["detail"]


@pytest.mark.parametrize("node", ["", "warm", "warm/yellow", "cold/blue", "cold/blue/sky", "grey <b>&amp;"])
def test_an_item_lies_below_a_node_by_any_of_its_labels(
    sets_client: Client, hasher: Hasher, sets: Snapshot, node: str
) -> None:
    told = sets_client.search(PICTURE, k="300", within=node, ranking="hamming").json()
    expected = oracle(hasher, sets, PICTURE, 300, tuple(node.split("/")) if node else ())
    assert [(result["id"], result["distance"]) for result in told["results"]] == expected
    majority = [(step["name"], step["items"]) for step in told["majority"]]
    rows = [sets.ids.tolist().index(result["id"]) for result in told["results"]]
    for result, row in zip(told["results"], rows, strict=True):
        paths = paths_of(sets, row)
        assert result["label_paths"] == [list(path) for path in paths]
        assert result["label_path"] == list(paths[0] if paths else ())
        assert result["levels_agreed"] == agreed_levels(paths, majority)
    for level, (_, items) in enumerate(majority):
        top = tuple(name for name, _ in majority[: level + 1])
        assert items == sum(lies_below(sets, row, top) for row in rows)


def test_parameters_may_stand_in_the_query(client: Client) -> None:
    files = {"image": ("picture", PICTURE)}
    told = client("POST", "/v1/search?k=2&within=cold", files=files).json()
    assert len(told["results"]) == 2
    assert told["within"] == "cold"


def test_before_loading_every_route_says_so_and_the_process_lives(hasher: Hasher) -> None:
    store: Any = NoStore()
    empty = Client(settings_of(hasher), lambda seconds: store, loaded=False)
    for method, path in [("POST", "/v1/search"), ("GET", "/v1/taxonomy"), ("GET", "/v1/items/x/thumbnail")]:
        answer = empty(method, path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["type"] == "urn:taxohash:loading"
    assert empty("GET", "/livez").status_code == 200
    ready = empty("GET", "/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "loading")
    empty.close()


@pytest.mark.parametrize("catalogue", ["client", "sets_client"])
def test_the_taxonomy_counts_items_under_every_node(catalogue: str, request: pytest.FixtureRequest) -> None:
    codes: Snapshot = request.getfixturevalue({"client": "snapshot", "sets_client": "sets"}[catalogue])
    told = request.getfixturevalue(catalogue)("GET", "/v1/taxonomy").json()
    nodes = {tuple(node["path"]): node["items"] for node in told["nodes"]}
    assert told["levels"] == list(TAXONOMY.levels)
    assert nodes[("grey <b>&amp;",)] == 0
    for node, items in nodes.items():
        assert items == sum(lies_below(codes, row, node) for row in range(len(codes.ids)))
    assert list(nodes) == sorted(nodes)
    assert len(nodes) == len({path[:depth] for path in TAXONOMY.paths for depth in range(1, len(path) + 1)})


def test_examples_show_every_label_once(client: Client, snapshot: Snapshot) -> None:
    items = client("GET", "/v1/examples").json()["items"]
    assert [tuple(item["label_path"]) for item in items] == [
        TAXONOMY.paths[i] for i in np.unique(snapshot.labels.flat)
    ]


def test_examples_of_sets_show_every_label(sets_client: Client) -> None:
    items = sets_client("GET", "/v1/examples").json()["items"]
    shown = {tuple(path) for item in items for path in item["label_paths"]}
    assert shown == set(TAXONOMY.paths[:-1])
    assert len({item["id"] for item in items}) == len(items) <= len(TAXONOMY)


def test_where_nothing_is_labelled_examples_are_any_items(
    make_client: Callable[..., Client], snapshot: Snapshot
) -> None:
    unlabelled = ItemLabels.of(np.empty(0, np.int32), np.zeros(len(snapshot.ids), np.int64))
    client = make_client(codes=replace(snapshot, labels=unlabelled))
    examples = client("GET", "/v1/examples").json()["items"]
    assert 1 <= len(examples) <= 24
    assert all(item["label_path"] == [] == item["label_paths"] for item in examples)
    answer = client.search(PICTURE).json()
    assert (len(answer["results"]), answer["majority"]) == (10, [])
    assert client.search(PICTURE, within="warm").json()["results"] == []


def test_every_answer_carries_the_headers_that_protect_the_page(client: Client) -> None:
    for path in ["/", "/page/page.js", "/v1/taxonomy", "/nothing"]:
        headers = client("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_needs_nothing_from_elsewhere(client: Client) -> None:
    files = sorted(file.name for file in FOLDER.iterdir())
    assert {"index.html", "page.css", "page.js", "icon.svg"} < set(files)
    for name in files:
        answer = client("GET", f"/page/{name}")
        assert answer.status_code == 200
        if name != "icon.svg":  # whose name space looks like an address
            assert not re.search(r"https?://|style=|\son[a-z]+=|innerHTML|eval\(", answer.text), name
        for module in re.findall(r'from "\./([^"]*)"', answer.text):
            assert module in files


def test_a_file_of_the_page_is_sent_once(client: Client) -> None:
    first = client("GET", "/page/page.js")
    again = client("GET", "/page/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    other = client("GET", "/page/page.css", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/app.py",
        "/page/../app.py",
        "/page/%2e%2e/app.py",
        "/page/..%2fapp.py",
        "/v1",
        "/docs.json",
        "/v1/search/",
    ],
)
def test_other_paths_are_not_found_in_one_sentence(client: Client, path: str) -> None:
    answer = client("GET", path)
    assert answer.status_code == 404
    assert "nothing at" in answer.json()["detail"]


def test_other_methods_are_named(client: Client) -> None:
    answer = client("GET", "/v1/search")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "use POST" in answer.json()["detail"]


def test_a_store_that_is_away_is_503_for_thumbnails_only(hasher: Hasher, snapshot: Snapshot) -> None:
    store, away = CodeStore.connect("memory://"), cast(Any, NoStore())
    filled(store, snapshot)

    def ask_another(service: Service) -> None:
        service.store = LateStore(lambda: away)

    client = Client(settings_of(hasher), lambda seconds: store, prepare=ask_another)
    answer = client("GET", "/v1/items/x/thumbnail")
    assert answer.status_code == 503
    assert "code store" in answer.json()["detail"]
    assert "nowhere" not in answer.text
    assert "retry-after" in answer.headers
    assert client.search(PICTURE).status_code == 200
    client.close()


CONTENT_TYPES = st.one_of(
    st.sampled_from(
        [
            "multipart/form-data; boundary=b",
            "multipart/form-data",
            "Multipart/Form-Data;boundary=b;charset=utf-7",
            "",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from(
            [
                b"--b\r\n",
                b"--b--\r\n",
                b"\r\n",
                b'Content-Disposition: form-data; name="image"; filename="x"\r\n\r\n',
                b'Content-Disposition: form-data; name="k"\r\n\r\n',
                b'Content-Disposition: form-data; name="k"; filename=""\r\n\r\n',
                b"Content-Disposition: form-data\r\n\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                PICTURE,
                PICTURE[:40],
                b"5",
            ]
        ),
    ),
    max_size=14,
).map(b"".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENT_TYPES, PIECES, st.text(max_size=20))
def test_no_body_whatsoever_is_a_server_error(
    client: Client, content_type: str, body: bytes, query: str
) -> None:
    answer = client(
        "POST", "/v1/search", content=body, headers={"Content-Type": content_type}, params={"within": query}
    )
    assert answer.status_code in (200, 400, 413, 415, 422)
    if answer.status_code != 200:
        sentence = answer.json()["detail"]
        assert ": " in sentence
        assert "\n" not in sentence


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damaged_picture_is_a_server_error(client: Client, data: st.DataObject) -> None:
    damaged = bytearray(PICTURE)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(damaged)))
    answer = client.search(bytes(damaged[:cut]))
    assert answer.status_code in (200, 422)


@given(st.text(max_size=12))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_k_is_a_plain_number_in_its_bounds_or_refused(client: Client, text: str) -> None:
    answer = client.search(PICTURE, k=text)
    plain = (
        text != ""
        and all(letter in "0123456789" for letter in text)
        and len(text) < 10
        and 1 <= int(text) <= 1000
    )
    assert answer.status_code == (200 if plain or text == "" else 400)


def test_a_body_is_bounded_even_when_it_does_not_say_how_long_it_is(
    make_client: Callable[..., Client],
) -> None:
    small = make_client(limits=Limits(body_bytes=1000))
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"-" * 100

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = small("POST", "/v1/search", content=endless(), headers=headers)
    assert answer.status_code in (400, 413)
    assert sent <= 1100


def test_a_busy_server_says_when_to_come_back(make_client: Callable[..., Client]) -> None:
    crowded = make_client(limits=Limits(requests=1))
    crowded.service.admission._under_way = 1
    answer = crowded.search(PICTURE)
    crowded.service.admission._under_way = 0
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert crowded.search(PICTURE).status_code == 200


def test_a_collection_without_codes_is_served_empty(
    make_client: Callable[..., Client], snapshot: Snapshot
) -> None:
    none = ItemLabels.of(np.empty(0, np.int32), np.empty(0, np.int64))
    empty = make_client(codes=replace(snapshot, ids=snapshot.ids[:0], labels=none, codes=snapshot.codes[:0]))
    assert empty.search(PICTURE).json()["results"] == []
    assert empty.search(PICTURE, within="warm").json()["results"] == []
    assert empty("GET", "/v1/examples").json() == {"items": []}
