"""Settings that are more than a form."""

import pytest

from services.settings import ADMIN_REDIS_URL, CODESTORE, REDIS_URL


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://reader:a%40b@:6379/0", "redis://reader:a%40b@store:6379/0"),
        (
            "rediss://reader:b@:6379/0?ssl_ca_certs=/ca.crt",
            "rediss://reader:b@store:6379/0?ssl_ca_certs=/ca.crt",
        ),
        ("redis://:6379", "redis://store:6379"),
        ("redis://reader:b@/0", "redis://reader:b@store/0"),
        ("redis://reader:b@there:6379/0", "redis://reader:b@there:6379/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://[::1", "redis://[::1"),
        ("redis://", "redis://store"),
        ("redis://there", "redis://there"),
        ("unix:///run/store.sock", "unix:///run/store.sock"),
        ("memory://shop", "memory://shop"),
    ],
)
def test_an_address_without_a_host_gets_the_one_that_is_told_apart(url: str, found: str) -> None:
    for setting in (REDIS_URL, ADMIN_REDIS_URL):
        assert setting.of({setting.name: url, CODESTORE.name: "store"}) == found
        assert setting.of({setting.name: url}) == url
    assert REDIS_URL.of({CODESTORE.name: "store"}) is None
