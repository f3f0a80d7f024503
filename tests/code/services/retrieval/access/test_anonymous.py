"""What is open without a key."""

from dataclasses import replace

import pytest

from services.retrieval.access import refuse_open
from services.retrieval.settings import Settings
from services.web.origin import is_loopback
from taxohash.errors import TaxohashError

HERE = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]
ELSEWHERE = [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "192.168.1.2",
    "fe80::1",
    "::ffff:10.0.0.1",
    "example.org",
    "",
    "/run/x",
]


@pytest.mark.parametrize("address", HERE)
def test_loopback(address: str) -> None:
    assert is_loopback(address)
    refuse_open(address, Settings())


@pytest.mark.parametrize("address", ELSEWHERE)
def test_elsewhere_a_service_is_not_open_unless_somebody_said_so(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(TaxohashError, match=r"TAXOHASH_API_KEYS_FILE.*TAXOHASH_ALLOW_ANONYMOUS"):
        refuse_open(address, Settings())
    refuse_open(address, replace(Settings(), allow_anonymous="search"))
    refuse_open(address, replace(Settings(), api_keys_file="keys.json"))


def test_localhost_is_loopback_as_a_name_to_listen_on() -> None:
    refuse_open("localhost", Settings())
