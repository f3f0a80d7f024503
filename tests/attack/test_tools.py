"""The attacker's own tools: they must be able to tell a service that is wrong from one that is right."""

import asyncio
import itertools
import json
import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from taxohash.generation.hasher import Hasher
from taxohash.images import decode
from taxohash.images.readers import READERS
from tests.attack import malformed, uploads
from tests.attack.answers import FORMS, Form, fault
from tests.attack.bombs import BOMBS, MOST, bomb
from tests.attack.load import Sample, searched
from tests.attack.report import as_markdown
from tests.attack.scenario import Plan
from tests.attack.scenarios import SCENARIOS
from tests.attack.scenarios.soak import growth
from tests.attack.scenarios.swap import Truth
from tests.attack.target import Target, at
from tests.attack.watch import MIB, Look, Watch
from tests.attack.wire import Answer, parsed
from tests.support.generations import make_generation
from tests.support.naive_png import SIGNATURE, chunk, chunks_of
from tests.support.outcome import answer as outcome_of

PROBLEM = {"type": "urn:taxohash:form", "title": "x", "status": 400, "detail": "no: so", "request_id": "1"}


def answer(told: object, status: int = 400, form: Form = "problem") -> Answer:
    kind = "application/problem+json" if form == "problem" else "application/json"
    return Answer(status=status, headers={"content-type": kind}, body=json.dumps(told).encode())


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", b"abcd"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_an_answer_is_read_when_it_is_whole_and_not_before(raw: bytes, body: bytes) -> None:
    for end in range(len(raw)):
        assert parsed(bytearray(raw[:end]), ended=False) is None
    found = parsed(bytearray(raw + b"HTTP/1.1"), ended=False)
    assert found is not None
    assert found[0].body == body
    assert found[1] == len(raw)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    raw = bytearray(b"HTTP/1.0 400 Bad\r\n\r\nabc")
    assert parsed(raw, ended=False) is None
    found = parsed(raw, ended=True)
    assert found is not None
    assert found[0].body == b"abc"


def test_the_form_that_is_promised_has_no_fault() -> None:
    assert fault(answer(PROBLEM), "problem") == ""
    assert fault(answer({"error": "no: so"}, form="error"), "error") == ""
    assert fault(Answer(status=204), "problem") == ""
    assert (
        fault(Answer(status=405, headers={"content-type": "application/problem+json"}), "problem", True) == ""
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "wrong",
    [
        answer(PROBLEM, 500),
        answer(PROBLEM, 404),
        answer(PROBLEM | {"more": 1}),
        answer({"error": "x"}),
        answer(["x"]),
        answer(PROBLEM, form="error"),
        *[
            answer(PROBLEM | {"detail": text})
            for text in ("", " ", "a\nb", "x" * 999, "at unix:/x", 'File "a"', None)
        ],
        *[answer({"error": text}, form="error") for text in ("", "a\nb", "Traceback (most")],
        Answer(status=400, headers={"content-type": "application/problem+json"}, body=b"{"),
        Answer(status=400, headers={"content-type": "text/plain"}, body=b"Invalid HTTP request received."),
        Answer(status=400),
    ],
)
def test_every_other_form_has_one(wrong: Answer, form: Form) -> None:
    assert fault(wrong, form)


# -- corpora ---------------------------------------------------------------------------------------


def test_corpora_follow_from_the_seed() -> None:
    for source in (uploads.uploads, malformed.requests):
        first, again, other = (list(itertools.islice(source(seed), 300)) for seed in (1, 1, 2))
        assert first == again
        assert first != other


def test_uploads_are_of_every_kind_and_cut_at_every_offset() -> None:
    places = sum(map(len, uploads.forms()))
    assert places < uploads.KINDS["cut"][0] * SCENARIOS["uploads"].count
    cuts = set(itertools.islice(uploads.cuts(random.Random(0)), places))
    assert cuts == {form[:end] for form in uploads.forms() for end in range(len(form))}
    assert {kind for kind, _ in itertools.islice(uploads.uploads(0), 4000)} == set(uploads.KINDS)


def test_what_is_called_sound_is_read_and_nothing_ends_a_reader() -> None:
    for data in uploads.forms():
        decode(data)
    for kind, data in itertools.islice(uploads.uploads(3), 1500):
        for version in READERS if kind != "bomb" else ():
            outcome_of(lambda data=data, version=version: decode(data, 16_000_000, version))  # type: ignore[misc]


def test_rearranged_pngs_keep_their_checksums() -> None:
    found = [data for kind, data in itertools.islice(uploads.uploads(4), 2000) if kind == "parts rearranged"]
    pngs = [data for data in found if data.startswith(SIGNATURE)]
    assert len(pngs) > 50
    for data in pngs:
        assert data == SIGNATURE + b"".join(chunk(*part) for part in chunks_of(data))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_fits_into_a_body(name: str) -> None:
    assert len(bomb(name)) <= MOST


def test_requests_are_of_every_kind() -> None:
    found = list(itertools.islice(malformed.requests(0), 3000))
    assert {request.kind for request in found} == set(malformed.KINDS)
    assert any(request.bodiless for request in found)


# -- drivers ---------------------------------------------------------------------------------------


@contextmanager
def false_service(reply: bytes) -> Iterator[Target]:
    """A service that answers everything with the same bytes, and closes; with none, it only closes."""

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 20)
        writer.write(reply)
        writer.close()

    started: queue.Queue[tuple[int, Callable[[], object]]] = queue.Queue()

    async def serve() -> None:
        over = asyncio.Event()
        async with await asyncio.start_server(answered, "127.0.0.1", 0) as server:
            end = partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)
            started.put((server.sockets[0].getsockname()[1], end))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    port, end = started.get()
    try:
        yield Target(f"http://127.0.0.1:{port}")
    finally:
        end()
        thread.join()


@pytest.mark.parametrize("name", ["uploads", "requests"])
@pytest.mark.parametrize(
    ("reply", "faults"),
    [
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", {"500"}),
        (b"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n", {"400 as none"}),
        (b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n", set()),
    ],
)
def test_a_wrong_answer_is_counted(name: str, reply: bytes, faults: set[str], tmp_path: Path) -> None:
    with false_service(reply) as target:
        found = SCENARIOS[name].run(at(target), Plan(40, keep=tmp_path))
    assert set(found["faults"]) == faults
    assert len(list(tmp_path.iterdir())) == (5 if faults else 0)


def test_a_connection_that_is_closed_is_counted() -> None:
    with false_service(b"") as target:
        assert SCENARIOS["uploads"].run(at(target), Plan(20))["faults"] == {"closed": 20}
        requests = SCENARIOS["requests"].run(at(target), Plan(20))
        assert requests["faults"] == {}
        assert requests["outcomes"] == {"closed": 20}
    assert SCENARIOS["requests"].run(at(target), Plan(3))["faults"] == {"refused": 3}


def test_growth_is_seen() -> None:
    def watched(size: Callable[[int], float]) -> Watch:
        return Watch([Look(float(second), int(size(second) * MIB), 0, 1, 1, 1) for second in range(600)])

    assert growth(watched(lambda second: 300 + second / 60), 0, 600)["mib_a_minute"] == pytest.approx(
        1, abs=0.05
    )
    flat = growth(watched(lambda second: 300 + 5 * (second % 2)), 0, 600)
    assert abs(flat["mib_a_minute"]) < 0.05
    warm_up = growth(watched(lambda second: min(300.0, 200.0 + second)), 0, 600)
    assert abs(warm_up["mib_a_minute"]) < 0.05
    assert warm_up["tenths_mib"][0] < warm_up["tenths_mib"][-1] == 300


def test_an_answer_of_two_generations_is_seen(tmp_path: Path) -> None:
    make_generation(tmp_path / "one")
    make_generation(tmp_path / "two", seed=1)
    hashers = [Hasher(tmp_path / name) for name in ("one", "two")]
    truth = Truth(hashers)
    own, other = (truth.answer(hasher.generation.id, 3, k=5) for hasher in hashers)

    def told(**changes: object) -> Sample:
        return Sample(0.0, 0.0, "200", len(searched()) + 3, json.dumps(own | changes))

    assert not truth.mixed(told())
    assert truth.mixed(told(generation=other["generation"]))
    assert truth.mixed(told(code=other["code"]))
    assert truth.mixed(told(results=other["results"]))
    assert truth.mixed(told(results=own["results"][1:] + other["results"][:1]))


def test_a_table_has_a_line_for_what_either_column_found() -> None:
    row = {"scenario": "drain", "commit": "a" * 40, "cores": 2, "load": 0.5}
    figures = {"outcomes": {"200": 6}, "new_requests": {"refused": 3}, "ended_seconds": 1.0, "left": 0}
    before = row | {"column": "before", "figures": figures | {"left": 2}}
    lines = as_markdown([before, row | {"column": "after", "figures": figures}])
    (ended,) = (line for line in lines if "ended" in line)
    assert "2 processes left" in ended
    assert "0 processes left" in ended
