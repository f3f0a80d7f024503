"""From where a request came."""

import pytest

from services.web.origin import from_another_site, names_loopback


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
