"""Queries sampled by a real service over S3: kept, bounded, gone with their item, and no burden where S3 hangs."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.codestore import EmbeddedServer
from services.codestore.pictures import Pictures, digest_of
from services.codestore.sampled import SampledQueries, SampledQuery
from tests.support.generations import pictures
from tests.support.pictures import encoded, noise
from tests.support.s3 import BUCKET, S3
from tests.support.serving import COLLECTION, PICTURES, Service, environment, serving
from tests.support.waiting import until

pytestmark = pytest.mark.system

ADDRESS = f"s3://{BUCKET}/sampling"
CAP = 6
LARGE = encoded(noise(300, 200), "JPEG")
OTHERS = pictures(CAP + 3, seed=4)
SAMPLE = {"TAXOHASH_SAMPLE_SHARE": "1"}


@pytest.fixture(scope="module")
def service(
    generation: Path, published_store: EmbeddedServer, s3: S3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    variables = environment(
        published_store.url, tmp_path_factory.mktemp("home"), TAXOHASH_PICTURES=ADDRESS, TAXOHASH_SAMPLE_CAP=str(CAP),
        **SAMPLE, **s3.environment(),
    )  # fmt: skip
    with serving(str(generation), variables, tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def queries(at_s3: S3) -> SampledQueries:
    return SampledQueries(Pictures.open(ADDRESS).place, COLLECTION)


def sampled(queries: SampledQueries, picture: bytes) -> list[SampledQuery]:
    return [query for query in queries.queries() if query.picture == picture]


def kept(service: Service) -> float:
    return service.metric('taxohash_sampled_queries_total{outcome="kept"}')


def first_of(answer: httpx.Response) -> tuple[str, bool]:
    """Id of the first result, and whether it has the very picture."""
    first = answer.json()["results"][0]
    return first["id"], first.get("identical", False)


def item(service: Service, method: str, item_id: str, content: bytes | None = None) -> httpx.Response:
    headers = {} if content is None else {"Content-Type": "image/jpeg"}
    answer = httpx.request(
        method, f"{service.url}/v1/item", params={"id": item_id}, content=content, headers=headers, timeout=60
    )
    return answer.raise_for_status()


def test_what_was_asked_and_answered_lies_in_s3(service: Service, queries: SampledQueries) -> None:
    before = time.time()
    answer = service.post(PICTURES[3], k="1", ranking="hamming").json()
    until(lambda: kept(service) == 1)
    ((query,), told) = sampled(queries, PICTURES[3]), answer["results"][0]
    facts = query.facts
    assert (facts.generation, facts.code, facts.bits) == (
        answer["generation"],
        answer["code"],
        answer["bits"],
    )
    assert (facts.nearest, facts.identical) == (0, told.get("identical", False))
    assert told["distance"] == 0
    assert int(before) <= facts.when <= time.time()


def test_a_deletion_takes_what_any_replica_sampled(service: Service, queries: SampledQueries) -> None:
    item(service, "PUT", "sampled", LARGE)
    (other,) = sampled(queries, PICTURES[3])
    queries.keep(SampledQuery(LARGE, other.facts))  # as another replica does
    assert service.post(LARGE).status_code == 200
    until(lambda: len(sampled(queries, LARGE)) == 2)
    assert item(service, "DELETE", "sampled").json()["pictures"] == "removed"
    assert sampled(queries, LARGE) == []
    assert sampled(queries, PICTURES[3])
    item(service, "PUT", "as a BMP", encoded(noise(60, 40), "BMP"))
    lossless = encoded(noise(60, 40))
    until(lambda: first_of(service.post(lossless)) == ("as a BMP", True))  # a busy store is not waited for
    until(lambda: any(query.facts.identical for query in sampled(queries, lossless)))
    item(service, "DELETE", "as a BMP")
    assert sampled(queries, lossless) == []
    assert item(service, "DELETE", "item 3").json()["pictures"] == "removed"  # the picture is its thumbnail
    assert sampled(queries, PICTURES[3]) == []


def test_the_newest_are_kept(service: Service, queries: SampledQueries) -> None:
    before = kept(service)
    for picture in OTHERS:
        assert service.post(picture).status_code == 200
    until(lambda: kept(service) == before + len(OTHERS) and len(queries.kept()) == CAP)
    digests = {digest_of(picture) for picture in OTHERS}
    assert {one.digest for one in queries.kept()} <= digests
    assert service.metric("taxohash_sampled_queries_kept") >= CAP


def test_a_store_that_hangs_costs_no_search_and_no_end(
    generation: Path, published_store: EmbeddedServer, s3: S3, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = environment(
            published_store.url, tmp_path, TAXOHASH_PICTURES=ADDRESS, TAXOHASH_STORE_SECONDS="0.2", **SAMPLE,
            **s3.environment(port=silent.getsockname()[1]),
        )  # fmt: skip
        with serving(str(generation), variables, tmp_path) as service:
            for picture in OTHERS[:3]:
                assert service.post(picture).status_code == 200
            until(lambda: service.metric('taxohash_sampled_queries_total{outcome="failed"}') == 1)
            assert service.post().status_code == 200
    assert "a sampled query is not kept: " in (tmp_path / "log").read_text()
