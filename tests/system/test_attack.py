"""The service under attack, each kind of it shortly: `make attack` does all of it at length."""

from collections.abc import Iterator

import pytest

from tests.attack.scenario import Figures, Plan, Start
from tests.attack.scenarios import (
    bombs,
    drain,
    frozen_store,
    half_headers,
    memory,
    requests,
    slow_bodies,
    swap,
    uploads,
)
from tests.attack.scenarios.kill import kill
from tests.attack.target import DESCRIPTORS, POD_BYTES, Target, at, attacked, limit, roles
from tests.attack.watch import MIB
from tests.attack.wire import Client, run, search
from tests.support.serving import PICTURES
from tests.support.waiting import until

pytestmark = pytest.mark.system

# A client is held to its deadlines, so that the test need not wait for long ones.
SETTINGS = {
    "TAXOHASH_UPLOAD_SECONDS": "3",
    "TAXOHASH_HEADER_SECONDS": "1.5",
    "TAXOHASH_KEEPALIVE_SECONDS": "2",
    "TAXOHASH_STORE_SECONDS": "1.5",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Target]:
    """One service for all tests: what one of them does to it, the next must not see."""
    with attacked(SETTINGS) as target:
        yield target


@pytest.fixture
def start(service: Target) -> Start:
    return at(service)


def only(outcome: str, found: Figures) -> bool:
    """Whether there were outcomes, and none but one."""
    return set(found["outcomes"]) == {outcome}


def test_each_upload_is_answered_and_each_refusal_is_a_sentence(start: Start) -> None:
    found = uploads.attack(start, Plan(1500))
    assert found["uploads"] == 1500
    assert found["faults"] == {}, found
    assert set(found["kinds"]["sound"]) == {"200"}
    assert found["lost"] == 0


def test_each_malformed_request_is_answered_or_closed(start: Start) -> None:
    found = requests.attack(start, Plan(600))
    assert found["requests"] == 600
    assert found["faults"] == {}, found


def test_bombs_disturb_nobody_who_searches(start: Start) -> None:
    found = bombs.attack(start, Plan(30, pace=0.1))
    assert only("200", found["valid"]["attacked"]), found
    assert set(found["outcomes"]) <= {
        "200",
        "408",
        "422",
        "429",
    }  # 408: of some 10 MB, while the machine is busy
    assert found["lost"] == 0


def test_pictures_of_much_memory_fit_into_a_pod(start: Start) -> None:
    found = memory.attack(start, Plan(24))
    assert set(found["outcomes"]) <= {"200", "422", "429"}, found
    assert found["rss_mib"]["peak"] * MIB < POD_BYTES
    assert found["lost"] == 0


def test_half_bodies_disturb_nobody_who_searches(start: Start) -> None:
    found = slow_bodies.attack(start, Plan(200, pace=0.25))
    for valid in found["valid"].values():
        assert only("200", valid), found
    assert set(found["slow"]["33"]) == {"408"}


def test_a_frozen_store_keeps_only_those_waiting_who_ask_for_what_is_in_it(start: Start) -> None:
    found = frozen_store.attack(start, Plan(41, pace=0.1))
    assert only("503", found["thumbnails"]), found
    assert only("200", found["valid"])
    for probed in found["probes"].values():
        assert only("200", probed)
        assert probed["p99_ms"] < 1e3 * found["thumbnails"]["longest_seconds"]
    assert only("503", found["store_killed"]["thumbnail"])
    assert found["store_killed"]["again_seconds"] is not None


def test_another_generation_is_served_whole_and_so_is_the_one_before(start: Start) -> None:
    found = swap.flips(start, Plan(2, pace=0.25), services=1)
    assert found["swapped"] == found["generations"] == 2, found
    assert only("200", found)
    assert found["mixed"] == 0


@pytest.mark.parametrize("kind", ["decoder", "worker"])
def test_what_is_killed_is_replaced(service: Target, kind: str) -> None:
    pids = {process.pid for process in roles(service)[kind]}
    found = kill(service, kind, pace=0.3)
    until(lambda: run(lambda: Client(service.address).ask(search(PICTURES[0]))).status == 200)
    assert set(found["outcomes"]) <= {"200", "503", "closed"}, found  # none of them waits for nothing
    assert roles(service)[kind]
    assert {process.pid for process in roles(service)[kind]} != pids


def test_half_headers_take_no_descriptor_for_long(service: Target) -> None:
    limit(service, DESCRIPTORS)
    found = half_headers.held(at(service), 1200, {}, seconds=5.0)
    assert only("200", found["livez"]), found
    assert only("200", found["valid"])
    assert not found["connections"].get("open")


def test_at_the_end_what_is_under_way_is_finished_and_nothing_is_left(start: Start) -> None:
    found = drain.attack(start, Plan(6))
    assert found["outcomes"] == {"200": 6}, found
    assert set(found["new_requests"]) - {"200"} <= {"503", "refused", "closed"}
    assert set(found["new_requests"]) != {"200"}  # but the first, which may come before the signal is heeded
    assert found["left"] == 0
