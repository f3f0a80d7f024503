"""What is open without a key."""

from dataclasses import replace

import pytest

from services.retrieval.access import refuse_open
from services.retrieval.access.anonymous import from_another_site, is_loopback, names_loopback
from services.retrieval.settings import Settings
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


@pytest.mark.parametrize(
    ("hosts", "named"),
    [
        (["localhost"], True),
        (["Localhost:1"], True),
        (["127.0.0.1:65535"], True),
        (["[::1]"], True),
        ([], False),
        (["localhost", "localhost"], False),
        (["localhost", "evil.example"], False),
        (["localhost:"], False),
        (["localhost:80:80"], False),
        (["localhost."], False),
        (["::1"], False),
        (["0x7f.1"], False),
        (["2130706433"], False),
        (["127.1"], False),
        (["localhost\n"], False),
        (["localhost/"], False),
        (["\xe9"], False),
    ],
)
def test_a_host_that_is_this_machine(hosts: list[str], named: bool) -> None:
    assert names_loopback([(b"host", host.encode("latin-1")) for host in hosts]) is named


LISTED = frozenset(["https://shop.example"])


@pytest.mark.parametrize(
    ("headers", "another"),
    [
        ({}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "nonsense"}, True),
        ({"origin": "http://here.example:3000"}, False),
        ({"origin": "https://HERE.example:3000"}, False),
        ({"origin": "http://here.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "https://shop.example"}, False),
        ({"origin": "https://shop.example", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://shop.example.evil"}, True),
        ({"origin": "http://shop.example"}, True),
        # The browser's word counts, where a proxy changed the host.
        ({"origin": "https://public.example", "sec-fetch-site": "same-origin"}, False),
    ],
)
def test_a_page_of_another_site(headers: dict[str, str], another: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert from_another_site([(b"host", b"here.example:3000"), *raw], LISTED) is another
