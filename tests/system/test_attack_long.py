"""The service under attack for longer: a minute of what `make attack` does for half an hour."""

import os

import pytest

from tests.attack.scenario import Plan
from tests.attack.scenarios import requests, soak, swap, uploads
from tests.attack.scenarios.kill import kill
from tests.attack.target import attacked

pytestmark = [pytest.mark.system, pytest.mark.slow]

SEED = int(os.environ.get("TAXOHASH_ATTACK_SEED", "1"))
SECONDS = 10.0


def test_many_uploads() -> None:
    found = uploads.attack(attacked, Plan(200_000, SECONDS, SEED))
    assert found["faults"] == {}, (SEED, found)
    assert found["lost"] == 0


def test_many_malformed_requests() -> None:
    found = requests.attack(attacked, Plan(20_000, SECONDS, SEED))
    assert found["faults"] == {}, (SEED, found)


def test_nothing_grows() -> None:
    found = soak.attack(attacked, Plan(1, pace=0.3, seed=SEED))
    assert set(found["valid"]["outcomes"]) <= {"200", "429"}, (SEED, found)  # of a machine that is busy
    assert "500" not in found["hostile"]
    assert found["descriptors"]["last"] <= found["descriptors"]["first"] + 8
    assert found["threads"]["last"] <= found["threads"]["first"] + 8


def test_three_services_follow() -> None:
    found = swap.flips(attacked, Plan(2, pace=0.25), services=3)
    assert found["swapped"] == 2, found
    assert set(found["outcomes"]) <= {"200", "429"}
    assert found["mixed"] == 0


def test_nothing_outlives_the_starter() -> None:
    with attacked({}) as target:
        assert kill(target, "starter", pace=0.2)["left"] == 0
